"""Modules that readers can only rebuild from what the header's metadata says of them.

A scheme states which entry that is, and which list must name it; writers put all entries into every shard, or those of
a shard into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..container.header import Header
from ..container.jsontext import JsonError, Pairs, parse
from ..facts import Fact, FactKind
from ..schemes.model import Description
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "undescribed-module": FactKind(
        "The header's metadata does not say of a module what its readers need.", ("module", "scheme", "key", "problem")
    ),
}
_LONGEST, _LONGEST_LIST = 1 << 16, 1 << 24  # characters that are parsed of one entry, and of a list of all names


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about modules whose entry is missing, or speaks of another kind of tensor."""
    headers = [shard.header for shard in view.checkpoint.shards.values()]
    if view.checkpoint.partial or not all(header.readable for header in headers):
        return
    metadata: dict[str, str] = {}
    for header in headers:
        metadata.update(header.metadata)
    lists: dict[str, frozenset[str] | None] = {"": None}
    for module in view.quantized:
        wanted = module.scheme.described
        weight = module.parts.get("weight")
        if wanted is None or weight is None:
            continue
        key = module.name + wanted.suffix
        problem = _problem(key, wanted, metadata)
        if not problem:
            problem = _not_stored(module, key, wanted, metadata[key])
        if not problem:
            if wanted.listed not in lists:
                lists[wanted.listed] = _names(wanted.listed, headers)
            names = lists[wanted.listed]
            if names is not None and key not in names:
                problem = f"no `{key}` in the list `{wanted.listed}` of the metadata"
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


def _not_stored(module: Module, key: str, wanted: Description, text: str) -> str:
    """A tensor that the entry names and that no tensor of the module ends in."""
    content = parse(text) if wanted.parts else None
    named = content.get(wanted.parts) if isinstance(content, Pairs) else None
    stored = [tensor.name for tensor in (*module.parts.values(), *module.left_over)]
    for name in named if isinstance(named, list) else ():
        if isinstance(name, str) and not any(tensor.endswith("_" + name) for tensor in stored):
            return f"an entry `{key}` that names `{name[:60]}`, but no such tensor is stored"
    return ""


def _names(key: str, headers: Sequence[Header]) -> frozenset[str] | None:
    """What the lists of this key in all headers name together; None where one is too long to be read."""
    found: set[str] = set()
    for header in headers:
        text = header.metadata.get(key, "")
        if len(text) > _LONGEST_LIST:
            return None
        try:
            content = parse(text)
        except JsonError:
            continue
        if isinstance(content, list):
            found.update(name for name in content if isinstance(name, str))
    return frozenset(found)


CHECKS = (Check(STATES, run),)
