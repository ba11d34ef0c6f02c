"""Weights that are of an impossible size once decoded: a reciprocal, a scale of one, a division that was forgotten.

Weights of linear layers are of one size whatever the model is, as their outputs have to be: a row has a norm between
0.2 and 30 in trained models. What an exporter does wrong in all modules alike stands out against that, and against what
it left unquantized.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import median

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.interface import SAMPLE, Measures
from ..measures.plan import Need
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check
from .decoding import decoded, together, whole
from .spread import Spread, of_scales

_SIZE = ("module", "scheme", "part", "rms", "largest", "gain")
STATES: Mapping[str, FactKind] = {
    "decoded-size": FactKind(
        "How large the weights of a module are once decoded.", (*_SIZE, "usual", "ratio", "beside")
    ),
    "decoded-small": FactKind(
        "How large the largest weights of the modules of one scheme are once decoded.",
        ("modules", "scheme", "rms", "gain"),
    ),
    "one-value": FactKind("All values of an unquantized linear layer are the same.", ("module", "value", "count")),
}
FROM_SCALES: Mapping[str, FactKind] = {
    "decoded-least": FactKind("The least that the weights of a module are once decoded, by their scales.", _SIZE),
}
_WORDS = frozenset({SAMPLE, "smallest", "largest"})
_MATRIX = frozenset({SAMPLE, "largest"})
_OF_ONE = frozenset({"smallest", "zero", "negative", "nan", "inf"})  # what tells that a matrix is one number
_OUTER = ("tensor_scale", "weight_scale", "block_scale")  # the one that is most likely wrong, first
_OTHER = frozenset({"embedding", "head", "adapter", "norm", "position"})  # of any size
_NOT_COMPARED = frozenset({"adapter", "norm", "position"})
_OTHERS = 4  # modules that a middle is taken of
_LEAST = 256  # elements of a matrix with which weights are compared


@dataclass(frozen=True)
class _Row:
    """One module with the size of its weights, and of a row of them (a norm, at least)."""

    module: Module
    tensor: TensorInfo
    part: str
    spread: Spread
    gain: float

    def values(self) -> dict[str, object]:
        """What a fact says of it."""
        return {
            "module": self.module.name, "scheme": self.module.scheme.name, "part": self.part,
            "rms": self.spread.rms, "largest": self.spread.peak, "gain": self.gain,
        }  # fmt: skip


def _modules(view: View) -> Iterator[Module]:
    """Quantized linear layers that are sound and of one scheme only, whose decoding is stated."""
    for module in view.quantized:
        stated = "weight" in module.parts and module.scheme.decode and not module.problems and not module.rivals
        if stated and view.anatomy.roles(module.name).isdisjoint(_OTHER):
            yield module


def _plain(view: View) -> Iterator[tuple[Module, TensorInfo]]:
    """Modules with matrices that were left as they were."""
    for module in view.modules.values():
        weight = module.parts.get("weight")
        if weight is None or module.scheme.quantized or len(weight.shape) != 2 or weight.elements < _LEAST:
            continue
        if min(weight.shape) > 1 and view.anatomy.roles(module.name).isdisjoint(_NOT_COMPARED):
            yield module, weight


def scale_needs(view: View) -> Iterator[Need]:
    """The size of everything but the weights that formulas name."""
    for module in _modules(view):
        for name, tensor in module.parts.items():
            unit = view.unit_of[tensor.name]
            if unit.kind in ("scale", "zero_point") and tensor.nbytes and name != "input_scale":
                yield Need(tensor, unit.encoding, _WORDS)


def needs(view: View) -> Iterator[Need]:
    """The size of weights, and of the matrices that they are compared with."""
    some = False
    for module in _modules(view):
        some = True
        weight = module.parts["weight"]
        if weight.nbytes:
            yield Need(weight, view.unit_of[weight.name].encoding, frozenset({SAMPLE}))
    for module, tensor in _plain(view) if some else ():
        words = _MATRIX | _OF_ONE if view.is_linear(module) else _MATRIX
        yield Need(tensor, view.unit_of[tensor.name].encoding, words)
    yield from scale_needs(view)


def run(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """The size of every module, beside that of the others and of what was not quantized."""
    rows = list(_rows(view, measured, by_scales=False))
    sizes = sorted(row.spread.rms for row in rows)
    plain = [size for _, tensor in _plain(view) if (size := _size(view, tensor, measured)) > 0]
    for row in rows:
        usual, beside = median(sizes) if len(sizes) > _OTHERS else 0.0, "the other modules"
        if plain and (not usual or median(plain) < usual):
            usual, beside = median(plain), "what is not quantized"
        values = {**row.values(), "usual": usual, "ratio": row.spread.rms / usual if usual else 0.0, "beside": beside}
        yield Fact("decoded-size", row.tensor.shard, row.tensor.name, row.tensor.begin, values)
    yield from _one_value(view, measured)
    for scheme in dict.fromkeys(row.module.scheme.name for row in rows):
        mine = [row for row in rows if row.module.scheme.name == scheme]
        most = max(mine, key=lambda row: row.spread.rms)
        if len(mine) > _OTHERS and most.spread.rms > 0:
            values = {"modules": len(mine), "scheme": scheme, "rms": most.spread.rms, "gain": most.gain}
            yield Fact("decoded-small", most.tensor.shard, most.tensor.name, most.tensor.begin, values)


def _one_value(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Matrices of linear layers that hold one number."""
    for module, tensor in _plain(view):
        found = measured.get((tensor.shard, tensor.name))
        if found is None or not view.is_linear(module):
            continue
        if (
            0 < found.smallest == found.largest
            and not found.zero + found.nan + found.inf
            and found.negative in (0, found.count)
        ):
            value = -found.largest if found.negative else found.largest
            values = {"module": module.name, "value": value, "count": tensor.elements}
            yield Fact("one-value", tensor.shard, tensor.name, tensor.begin, values)


def run_scales(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """The least size of every module whose weight was not read, or tells nothing itself."""
    for row in _rows(view, measured, by_scales=True):
        yield Fact("decoded-least", row.tensor.shard, row.tensor.name, row.tensor.begin, row.values())


def _rows(view: View, measured: Mapping[tuple[str, str], Measures], by_scales: bool) -> Iterator[_Row]:
    for module in _modules(view):
        told = _seen(module, measured) and whole(module)
        spread = decoded(module, measured, by_scales) if told is not by_scales else None
        if spread is None:
            continue
        part = next((name for name in _OUTER if name in module.parts), "weight")
        # A row is at least as long as what shares a scale, where that is less than a row.
        columns = module.shape[1] if module.shape else min(together(module) or 1, _LEAST)
        yield _Row(module, module.parts[part], part, spread, spread.rms * sqrt(columns))


def _seen(module: Module, measured: Mapping[tuple[str, str], Measures]) -> bool:
    weight = module.parts["weight"]
    found = measured.get((weight.shard, weight.name))
    return found is not None and found.sample is not None


def _size(view: View, tensor: TensorInfo, measured: Mapping[tuple[str, str], Measures]) -> float:
    found = measured.get((tensor.shard, tensor.name))
    spread = of_scales(found, view.unit_of[tensor.name].encoding) if found is not None else None
    return spread.rms if spread is not None else 0.0


CHECKS = (Check(STATES, run, "full", needs), Check(FROM_SCALES, run_scales, "scales", scale_needs))
