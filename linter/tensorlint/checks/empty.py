"""Weights without elements: what is saved of a parameter whose values were on other machines or never there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "empty-weight": FactKind("A weight has one dimension, of size 0.", ("shape", "empty", "weights")),
}
_NAME = ".weight"
_FACTOR = "low_rank"  # the kind of part


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """A fact about every such weight.

    DeepSpeed ZeRO-3 leaves shape [0] in place of every parameter that it has partitioned, however many dimensions that
    has (deepspeed/runtime/zero/partition_parameters.py: `param.data = torch.empty(0)`). A matrix of no rows is legal.
    """
    factors = _factors(view)
    apart = {t.name for t in factors}
    weights = [o.tensor for o in view.originals if o.name.endswith(_NAME) and o.module is None and o.name not in apart]
    lost = [t for t in weights if t.shape == (0,)], [t for t in factors if not t.elements]
    for empty, of in zip(lost, (weights, factors), strict=True):
        for tensor in empty:
            values = {"shape": list(tensor.shape), "empty": len(empty), "weights": len(of)}
            yield Fact("empty-weight", tensor.shard, tensor.name, tensor.begin, values)


def _factors(view: View) -> list[TensorInfo]:
    """The factors of low-rank products by their names, as those that are all empty fit no scheme."""
    schemes = (v for s in view.knowledge.schemes.values() if not s.quantized for v in s.variants)
    ends = tuple({p.suffix for s in schemes for p in s.parts.values() if p.kind == _FACTOR})
    adapter = view.adapter
    return [
        tensor
        for name, tensor in view.checkpoint.tensors.items()
        if name.endswith(ends) or (adapter is not None and adapter.owner(name))
    ]


CHECKS = (Check(STATES, run),)
