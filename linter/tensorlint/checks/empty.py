"""Weights without elements: what is saved of a parameter whose values were on other machines or never there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..facts import Fact, FactKind
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "empty-weight": FactKind("A weight has one dimension, of size 0.", ("empty", "weights")),
}
_NAME = ".weight"


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """A fact about every such weight.

    DeepSpeed ZeRO-3 leaves shape [0] in place of every parameter that it has partitioned, however many dimensions that
    has (deepspeed/runtime/zero/partition_parameters.py: `param.data = torch.empty(0)`). A matrix of no rows is legal.
    """
    weights = [one for one in view.originals if one.name.endswith(_NAME) and one.module is None]
    empty = [one for one in weights if one.tensor.shape == (0,)]
    for one in empty:
        values = {"empty": len(empty), "weights": len(weights)}
        yield Fact("empty-weight", one.tensor.shard, one.tensor.name, one.tensor.begin, values)


CHECKS = (Check(STATES, run),)
