"""Which codes a 4-bit weight uses: a quantizer uses them all, a lost or shifted bit leaves at most half.

The lowest and the highest byte tell, since the second value of each byte is in its upper half.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..measures.plan import Need
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "half-codes": FactKind(
        "Half of the codes of a 4-bit weight never occur.", ("module", "scheme", "half", "lowest", "highest", "bytes")
    ),
}


def _wanted(view: View) -> Iterator[tuple[Module, Need]]:
    for module in view.quantized:
        weight = module.parts.get("weight")
        if weight is not None and not module.problems and _four_bits(module):
            yield module, Need(weight, view.unit_of[weight.name].encoding, frozenset({"uniform", "byte"}))


def _four_bits(module: Module) -> bool:
    """Whether the weight has four bits for each of its values, by the sizes that its shape was solved for."""
    rows, columns = module.env.get("N"), module.env.get("K")
    if not rows or not columns:
        return False
    return module.parts["weight"].nbytes * 2 == rows * columns * module.env.get("E", 1)


def needs(view: View) -> Iterator[Need]:
    """The lowest and highest byte of every weight of 4 bits."""
    return (need for _, need in _wanted(view))


def run(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Facts about weights of 4 bits of which half of the codes never occurs."""
    for module, need in _wanted(view):
        found = measured.get((need.tensor.shard, need.tensor.name))
        if found is None or not found.count or found.lowest_byte >= found.highest_byte:
            continue
        if found.highest_byte < 0x80 or found.lowest_byte >= 0x80:
            half = "upper" if found.highest_byte < 0x80 else "lower"
            values = {
                "module": module.name, "scheme": module.scheme.name, "half": half, "lowest": found.lowest_byte,
                "highest": found.highest_byte, "bytes": need.tensor.nbytes,
            }  # fmt: skip
            yield Fact("half-codes", need.tensor.shard, need.tensor.name, need.tensor.begin, values)


CHECKS = (Check(STATES, run, "full", needs),)
