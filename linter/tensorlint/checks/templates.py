"""Layers against each other: a tensor that nearly all layers of a kind have is missing where one lacks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ..facts import Fact, FactKind
from ..schemes.view import Layer, View
from .check import Check
from .refuted import refuted

STATES: Mapping[str, FactKind] = {
    "missing-module": FactKind("A tensor that the other layers have is missing from one.", ("layer", "have", "of")),
}
# Tensors that a layer may lack by accident: two, or a third of a large one. Where more differ it is another kind.
_FEW, _SHARE = 2, 3
_PART = 3  # tensors of an inner part that some layers do without by design; fewer are no part of their own
_ROUTED = "(routed)"  # stands for a block of experts, which beside dense layers makes another kind of layer


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Layers that lack a tensor which nearly all layers of their kind have, in the whole or in one block."""
    config = view.model_config
    if view.known is not None and view.known.whole:  # the architecture says more
        return
    if not view.checkpoint.whole or not view.layers or any(m.scheme.weight is None for m in view.modules.values()):
        return
    if not view.anatomy.states(config, "layers"):
        return
    rows = [(layer, _stored(view, layer)) for layer in counted_layers(view)]
    said: set[str] = set()
    for block in (None, "", *dict.fromkeys(b for _, names in rows for b in _blocks(names))):
        part = [(layer, _block(names, block), _blocks(names) | _routed(view, layer)) for layer, names in rows]
        for fact in _compare(view, [r for r in part if r[1]], block == ""):
            if fact.tensor not in said and not refuted(view, fact):
                said.add(fact.tensor)
                yield fact


def counted_layers(view: View) -> Iterator[Layer]:
    """Layers that the configuration counts: those for multi-token prediction have tensors of their own."""
    counted = view.anatomy.count(view.model_config, "layers")
    return (layer for layer in view.layers if not counted or layer.number < counted[1])


def _stored(view: View, layer: Layer) -> frozenset[str]:
    """What a layer holds: modules by name, however they are stored, and tensors outside of modules."""
    start = f"{layer.prefix}.{layer.number}."
    found = set()
    for name in (n for n in layer.tensors if view.anatomy.expert(n) is None):
        module = view.unit_of[start + name].module
        companion = module is not None and module.scheme.companion
        if module is not None and module.scheme.quantized and not name.endswith(".bias"):
            found.add(module.name[len(start) :])
        elif not companion and "calibration" not in view.anatomy.roles((start + name).rpartition(".")[0]):
            found.add(name.removesuffix(".weight"))
    return frozenset(found)


def _blocks(names: frozenset[str]) -> frozenset[str]:
    return frozenset(n.partition(".")[0] for n in names if "." in n)


def _routed(view: View, layer: Layer) -> frozenset[str]:
    """The mark of a layer that has experts, shared ones too."""
    ends = tuple(view.anatomy.experts)
    found = any(step.endswith(ends) for name in layer.tensors for step in name.split(".")[:-1])
    return frozenset({_ROUTED} if found else ())


def _block(names: frozenset[str], block: str | None) -> frozenset[str]:
    """The names of one block (`self_attn`, `mlp`), of none (the norms), or all of them."""
    if block is None:
        return names
    return frozenset(n for n in names if (n.partition(".")[0] if "." in n else "") == block)


_Row = tuple[Layer, frozenset[str], frozenset[str]]


def _compare(view: View, rows: list[_Row], same_blocks: bool) -> Iterator[Fact]:
    types = view.anatomy.layer_types(view.model_config)
    experts = frozenset({_ROUTED, *view.anatomy.experts})
    for layer, mine, blocks in rows:
        others = [
            (other, theirs)
            for other, theirs, their_blocks in rows
            if other is not layer
            and mine < theirs
            and (
                not same_blocks
                or blocks == their_blocks
                or (blocks ^ their_blocks <= experts and _shared(view, layer, theirs - mine))
            )
        ]
        alike_types = [(o, t) for o, t in others if _same_type(types, layer.number, o.number)]
        if not alike_types and any(o is not layer and _same_type(types, layer.number, o.number) for o, _, _ in rows):
            continue  # the others of its type are no larger
        others = alike_types or others
        if not others:
            continue
        template, count = Counter(theirs for _, theirs in others).most_common(1)[0]
        alike = sum(theirs == mine for _, theirs, _ in rows)
        typed = [(t, b) for o, t, b in rows if o is layer or _same_type(types, layer.number, o.number)]
        same = [t for t, b in typed if b == blocks]
        peers = same if len(same) > 1 else [t for t, _ in typed] if len(typed) > 1 else [t for _, t, _ in rows]
        missing = sorted(n for n in template - mine if sum(n in t for t in peers) * 2 >= len(peers))
        # As many layers without as with is a design (shared keys and values, alternating blocks), not an accident.
        if alike > 1 and alike >= count:
            continue
        if len(missing) > max(_FEW, len(template) // _SHARE):
            continue
        router = any("router" in view.anatomy.roles(f"{layer.prefix}.{layer.number}.{n}") for n in mine)
        unrouted = not (router and any(not experts.isdisjoint(n.split(".")) for n in missing))
        if unrouted and (alike > 1 or len(typed) == 1) and _whole_part(missing, mine):
            continue
        giver = next(o for o, theirs in others if theirs == template)
        for name in missing:
            whole = f"{layer.prefix}.{layer.number}.{name}"
            suffix = "" if name in giver.tensors else ".weight"
            if view.anatomy.optional(whole + suffix) or whole + suffix in view.checkpoint.unreadable_names:
                continue
            values = {"layer": layer.number, "have": count, "of": len(rows)}
            yield Fact("missing-module", _shard_of(view, layer), whole + suffix, values=values)


def _whole_part(missing: list[str], mine: frozenset[str]) -> bool:
    """Whether what is missing is all of one inner part (`self_attn.indexer`), which some layers then do without."""
    inner = {".".join(n.split(".")[:2]) for n in missing}
    return len(inner) == 1 and len(missing) >= _PART and not any(n.startswith(f"{next(iter(inner))}.") for n in mine)


def _shared(view: View, layer: Layer, names: frozenset[str]) -> bool:
    """Whether these are norms that dense and routed layers have alike."""
    start = f"{layer.prefix}.{layer.number}"
    return all("shared_norm" in view.anatomy.roles(f"{start}.{name}") for name in names)


def _same_type(types: list[list[Any]], a: int, b: int) -> bool:
    return all(row[a] == row[b] for row in types if max(a, b) < len(row))


def _shard_of(view: View, layer: Layer) -> str:
    return next(iter(layer.tensors.values())).shard


CHECKS = (Check(STATES, run),)
