"""Numbered stacks outside of the decoder (encoders, towers, blocks): one inner layer lacks what all others have."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from ..facts import Fact, FactKind
from ..schemes.stored import Stored
from ..schemes.view import View
from .check import Check
from .refuted import refuted

STATES: Mapping[str, FactKind] = {
    "missing-module": FactKind("A tensor that the other layers have is missing from one.", ("layer", "have", "of")),
}
_LEAST = 3  # layers: the first and the last one are often built otherwise
_FEW, _SHARE = 2, 3  # tensors that are missing by accident: two, or a third of a large layer
_CONVOLUTION = 4  # dimensions; layers with such differ in what they have
_NUMBER = re.compile(r"(?<![^.])\d{1,6}(?=\.)")


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Layers between the first and the last that have nothing of their own, and lack what all others share."""
    if view.adapter is not None or (view.known is not None and view.known.whole):  # the architecture says more
        return
    if not view.checkpoint.whole or any(m.scheme.weight is None for m in view.modules.values()):
        return
    told = f"{view.layers[0].prefix}." if view.layers and view.anatomy.states(view.model_config, "layers") else None
    stacks: dict[str, dict[int, dict[str, Stored]]] = defaultdict(lambda: defaultdict(dict))
    for one in view.originals:
        if told is not None and one.name.startswith(told):
            continue
        if view.anatomy.expert(one.name) is None:
            for hit in _NUMBER.finditer(one.name):
                stacks[one.name[: hit.start()]][int(hit[0])][one.name[hit.end() :]] = one
    said: set[str] = set()
    for start, layers in stacks.items():
        if len(layers) >= _LEAST:
            for fact in _compare(view, start, layers):
                if fact.tensor not in said and not refuted(view, fact):
                    said.add(fact.tensor)
                    yield fact


def _compare(view: View, start: str, layers: Mapping[int, Mapping[str, Stored]]) -> Iterator[Fact]:
    having = Counter(name for layer in layers.values() for name in layer)
    shared = {name for name, count in having.items() if count == len(layers) - 1}
    if not shared:
        return
    if any(len(one.tensor.shape) >= _CONVOLUTION for layer in layers.values() for one in layer.values()):
        return
    inner = sorted(layers)[1:-1]
    for number in inner:
        layer = layers[number]
        missing = [name for name in shared if name not in layer]
        few = len(missing) <= max(_FEW, len(layer) // _SHARE)
        if not missing or not few or any(having[name] == 1 for name in layer):
            continue
        giver = next(other for n, other in layers.items() if n != number)
        for name in sorted(missing):
            whole = f"{start}{number}{name}"
            if view.anatomy.optional(whole) or whole in view.checkpoint.unreadable_names:
                continue
            values = {"layer": number, "have": having[name], "of": len(layers)}
            yield Fact("missing-module", giver[name].tensor.shard, whole, values=values)


CHECKS = (Check(STATES, run),)
