"""Scales that are far larger than those of all other modules: a reciprocal, a wrong unit, or damage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from statistics import median

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..measures.plan import Need
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "scale-out-of-line": FactKind(
        "A scale is far larger than those of the other modules.",
        ("module", "part", "largest", "usual", "ratio", "others"),
    ),
}
_SCALES = ("weight_scale", "block_scale", "tensor_scale")
_MANTISSA = 4  # bits: a format of eight bits has no more, and holds what is left after another scale was taken out


def _rows(view: View) -> Iterator[tuple[tuple[str, str, str], Module, TensorInfo, Need]]:
    """Scales of weights that are multiplied, by scheme, part and what one scale covers."""
    for module in view.quantized:
        roles = view.anatomy.roles(module.name)
        for name in _SCALES:
            tensor = module.parts.get(name)
            if tensor is None or module.problems or roles & {"embedding", "head", "adapter"}:
                continue
            part = module.scheme.parts[name]
            encoding = part.encoding(tensor.dtype)
            if encoding.kind == "float" and encoding.mantissa > _MANTISSA and part.convention != "divisor":
                kind = (module.scheme.name, name, module.labels.get(name, ""))
                yield kind, module, tensor, Need(tensor, encoding, frozenset({"largest"}))


def needs(view: View) -> Iterator[Need]:
    """The largest value of every scale."""
    for _, _, _, need in _rows(view):
        yield need


def run(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Scales with the ratio of their largest value to the usual largest value of their kind, where that is above 1."""
    kinds: dict[tuple[str, str, str], list[tuple[Module, TensorInfo, float]]] = defaultdict(list)
    for kind, module, tensor, _ in _rows(view):
        found = measured.get((tensor.shard, tensor.name))
        largest = found.value("largest") if found is not None and found.count else 0.0
        if largest > 0:
            kinds[kind].append((module, tensor, largest))
    for (_, part, _), rows in kinds.items():
        usual = median(largest for _, _, largest in rows)
        for module, tensor, largest in rows:
            if largest > usual:
                values = {"module": module.name, "part": part, "largest": largest, "usual": usual}
                values |= {"ratio": largest / usual, "others": len(rows) - 1}
                yield Fact("scale-out-of-line", tensor.shard, tensor.name, tensor.begin, values)


CHECKS = (Check(STATES, run, "scales", needs),)
