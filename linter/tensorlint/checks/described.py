"""Modules that readers can only rebuild from what the header's metadata says of them.

A scheme states which entry that is; writers put all entries into every shard, or those of a shard into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..facts import Fact
from ..jsontext import JsonError, Pairs, parse
from ..schemes.model import Description
from ..view import View

STATES = ("undescribed-module",)
_LONGEST = 1 << 16  # characters of one entry


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about modules whose entry is missing, or speaks of another kind of tensor."""
    headers = [shard.header for shard in view.checkpoint.shards.values()]
    if view.checkpoint.partial or not all(header.readable for header in headers):
        return
    metadata: dict[str, str] = {}
    for header in headers:
        metadata.update(header.metadata)
    for module in view.quantized:
        wanted = module.scheme.described
        weight = module.parts.get("weight")
        if wanted is None or weight is None:
            continue
        key = module.name + wanted.suffix
        problem = _problem(key, wanted, metadata)
        if problem:
            values = {"module": module.name, "scheme": module.scheme.name, "key": key, "problem": problem}
            yield Fact("undescribed-module", weight.shard, weight.name, values=values)


def _problem(key: str, wanted: Description, metadata: Mapping[str, str]) -> str:
    text = metadata.get(key)
    if text is None:
        return f"no entry `{key}` in the metadata" if metadata else "no metadata"
    if len(text) > _LONGEST:
        return f"an entry `{key}` that is too long to be one"
    try:
        content = parse(text)
    except JsonError:
        return f"an entry `{key}` that is not JSON"
    found = dict(content).get(wanted.field) if isinstance(content, Pairs) else None
    if found in wanted.values:
        return ""
    return f"an entry `{key}` of {wanted.field} {str(found)[:60]}, not {' or '.join(wanted.values)}"
