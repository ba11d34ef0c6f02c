"""Examples in scheme files: a sound checkpoint, and damaged ones that say only how they differ from it.

good:
  - model.safetensors:
      layers.{0,1}.o_proj.weight: "F8_E4M3[32, 64]"
      layers.{0,1}.o_proj.weight_scale: "F32[]"
bad:
  - but: {layers.1.o_proj.weight_scale: dropped}          # the first good example, without this tensor
    rule: contract/missing-part
  - but: {layers.1.o_proj.weight_scale: "F32[] = nan"}    # or with another one in its place
    rule: scales/nan
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..schemes.model import Scheme
from ..text.place import suggest
from ..text.yamltext import Item
from .examples import expanded, read_example, read_metadata, read_tensors, write_shard
from .model import Example
from .tensortext import Tensor, read_tensor


def scheme_examples(scheme: Scheme) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The bad and the good examples of a scheme; raises RuleFileError at the place of a mistake."""
    good = tuple(read_example(item, "`good`", need_says=False) for item in scheme.good)
    bad = tuple(_bad(item, scheme.good[0]) for item in scheme.bad)
    return bad, good


def changes(item: Item) -> dict[str, str]:
    """What a bad example changes: tensor names with `dropped` or their new form; empty for one of another kind."""
    keys = item.mapping("an example")
    return {name: value.raw for name, value in keys["but"].mapping("`but`").items()} if "but" in keys else {}


def _bad(item: Item, base: Item) -> Example:
    keys = item.mapping("an example")
    if "but" not in keys:
        return read_example(item, "`bad`", need_says=True)
    keys = item.mapping("an example of `bad`", {"but", "rule"})
    if "rule" not in keys:
        item.fail("a bad example names the rule that finds it", "such as `rule: contract/missing-part`")
    shard, tensors, metadata = _shard(base, keys["but"])
    for name, value in keys["but"].mapping("`but`").items():
        for one in expanded(name):
            if value.raw != "dropped":
                tensors[one] = read_tensor(value)
            elif one in tensors:
                del tensors[one]
            else:
                value.fail_key(f"the good example has no `{one}`", suggest(one, tensors))
    files = {**read_example(base, "`good`", need_says=False).files, shard: write_shard(tensors, metadata)}
    place = f"{item.text.path}:{item.line()}"
    return Example(files, place=place, rule=keys["rule"].string("`rule`"))


def _shard(base: Item, but: Item) -> tuple[str, dict[str, Tensor], Mapping[str, Any] | None]:
    """Name, tensors and metadata of the one shard of the example that `but` changes."""
    rows = base.mapping("an example")
    shards = [name for name in rows if name.endswith(".safetensors")]
    if len(shards) != 1:
        but.fail_key("`but` changes a good example that has one shard", "write the files out instead")
    shard = rows[shards[0]]
    form = shard.mapping("a shard", empty=True)
    if "tensors" not in form:
        return shards[0], read_tensors(shard), None
    return shards[0], read_tensors(form["tensors"]), read_metadata(form["metadata"]) if "metadata" in form else None
