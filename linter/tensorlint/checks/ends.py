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
        ("module", "scheme", "ends", "steep", "pile", "other", "used", "looked"),
    ),
}
_BITS = 4


def _wanted(view: View) -> Iterator[tuple[Module, Need]]:
    """Weights of integers of 4 bits that stand for steps, not for the values of a table."""
    for module in view.quantized:
        weight = module.parts.get("weight")
        if weight is None or module.problems or module.rivals or not weight.nbytes or width(module) != _BITS:
            continue
        encoding = view.unit_of[weight.name].encoding
        if encoding.kind != "float" and not any(part.kind == "table" for part in module.scheme.parts.values()):
            yield module, Need(weight, encoding, frozenset({SAMPLE}))


def needs(view: View) -> Iterator[Need]:
    """A sample of every such weight."""
    return (need for _, need in _wanted(view))


def run(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """The share of codes at either end of every such weight, and how much more there are than one step inside."""
    for module, need in _wanted(view):
        found = measured.get((need.tensor.shard, need.tensor.name))
        if found is None or found.sample is None or not sum(found.sample):
            continue
        counts = code_counts(found.sample, _BITS)
        total = float(counts.sum())
        codes = _in_order(module, need)
        # Symmetric quantization may leave the lowest code out, and ends at the next.
        lowest = 0 if counts[codes[0]] else 1
        low, high = float(counts[codes[lowest]]) / total, float(counts[codes[-1]]) / total
        inside = float(counts[codes[lowest + 1]] + counts[codes[-2]]) / total
        values = {
            "module": module.name, "scheme": module.scheme.name, "ends": low + high,
            "steep": (low + high) / max(inside, 1 / total), "pile": max(low, high), "other": min(low, high),
            "used": int((counts > 0).sum()), "looked": int(total),
        }  # fmt: skip
        yield Fact("codes-at-ends", need.tensor.shard, need.tensor.name, need.tensor.begin, values)


def _in_order(module: Module, need: Need) -> tuple[int, ...]:
    """The patterns of codes from the lowest value to the highest."""
    integers = module.scheme.parts["weight"].integers
    signed = integers.signed if integers is not None else need.encoding.signed
    return (*range(8, 16), *range(8)) if signed else tuple(range(16))


CHECKS = (Check(STATES, run, "full", needs),)
