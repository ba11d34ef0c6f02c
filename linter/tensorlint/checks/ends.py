"""How many codes of 4 bits stand at the ends of their range, where scales that are too small put them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..facts import Fact, FactKind
from ..measures.interface import SAMPLE, Measures
from ..measures.plan import Need
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check
from .decoding import width
from .spread import code_counts

STATES: Mapping[str, FactKind] = {
    "codes-at-ends": FactKind(
        "How many of the codes of a 4-bit weight stand at the ends of their range, as far as was looked.",
        ("module", "scheme", "kind", "ends", "pile", "other", "used", "looked"),
    ),
}
_BITS = 4


def _wanted(view: View) -> Iterator[tuple[Module, Need, str]]:
    """Weights of 4 bits: integers without a table, or FP4."""
    for module in view.quantized:
        weight = module.parts.get("weight")
        if weight is None or module.problems or not weight.nbytes or width(module) != _BITS:
            continue
        encoding = view.unit_of[weight.name].encoding
        kind = "fp4" if encoding.kind == "float" else "int"
        if not any(part.kind == "table" for part in module.scheme.parts.values()):
            yield module, Need(weight, encoding, frozenset({SAMPLE})), kind


def needs(view: View) -> Iterator[Need]:
    """A sample of every such weight."""
    return (need for _, need, _ in _wanted(view))


def run(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """The share of codes at either end of every such weight."""
    for module, need, kind in _wanted(view):
        found = measured.get((need.tensor.shard, need.tensor.name))
        if found is None or found.sample is None or not sum(found.sample):
            continue
        counts = code_counts(found.sample, _BITS)
        total = float(counts.sum())
        codes = _in_order(kind, need.encoding.signed or _is_signed(module))
        # Symmetric quantization may leave the lowest code out, and ends at the next.
        bottom = next((code for code in codes[:2] if counts[code]), codes[0])
        low, high = float(counts[bottom]) / total, float(counts[codes[-1]]) / total
        values = {
            "module": module.name, "scheme": module.scheme.name, "kind": kind, "ends": low + high,
            "pile": max(low, high), "other": min(low, high),
            "used": int((counts > 0).sum()), "looked": int(total),
        }  # fmt: skip
        yield Fact("codes-at-ends", need.tensor.shard, need.tensor.name, need.tensor.begin, values)


def _in_order(kind: str, signed: bool) -> tuple[int, ...]:
    """The patterns of codes from the lowest value to the highest."""
    if kind == "fp4":
        return (*range(15, 7, -1), *range(8))
    return (*range(8, 16), *range(8)) if signed else tuple(range(16))


def _is_signed(module: Module) -> bool:
    integers = module.scheme.parts["weight"].integers
    return integers is not None and integers.signed


CHECKS = (Check(STATES, run, "full", needs),)
