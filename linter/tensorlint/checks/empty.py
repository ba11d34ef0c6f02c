"""Weights without elements: what is saved of a parameter whose values were on other machines or never there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..facts import Fact, FactKind
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "empty-weight": FactKind("A weight has one dimension, of size 0.", ("shape", "empty", "weights")),
}
_NAME = ".weight"
_HALF = "low_rank"  # the kind of part


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """A fact about every such weight.

    DeepSpeed ZeRO-3 leaves shape [0] in place of every parameter that it has partitioned, however many dimensions that
    has (deepspeed/runtime/zero/partition_parameters.py: `param.data = torch.empty(0)`). A matrix of no rows is legal.
    """
    halves = [u.tensor for u in view.units if u.kind == _HALF and u.module and not u.module.scheme.quantized]
    apart = {t.name for t in halves}
    weights = [o.tensor for o in view.originals if o.name.endswith(_NAME) and o.module is None and o.name not in apart]
    for empty, of in (
        ([t for t in weights if t.shape == (0,)], weights),
        ([t for t in halves if not t.elements], halves),
    ):
        for tensor in empty:
            values = {"shape": list(tensor.shape), "empty": len(empty), "weights": len(of)}
            yield Fact("empty-weight", tensor.shard, tensor.name, tensor.begin, values)


CHECKS = (Check(STATES, run),)
