"""Plain tensors whose dtype is not of the kind that their role or their siblings have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from ..dtypes import PLAIN_FLOATS
from ..facts import Fact
from ..header import TensorInfo
from ..names import pattern_of
from ..view import View

STATES = ("odd-type",)
_FLOATING = frozenset({"norm", "final_norm", "embedding", "head", "attention", "mlp", "router"})
_HALVES = frozenset({"BF16", "F16"})


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Integer weights that no scheme explains, and 16-bit floats of the other kind in single layers."""
    for tensor in view.recognised.loose:
        module, _, leaf = tensor.name.rpartition(".")
        if leaf == "weight" and tensor.dtype not in PLAIN_FLOATS and view.anatomy.roles(module) & _FLOATING:
            values = {"dtype": tensor.dtype, "wanted": "a float", "why": "no quantization scheme explains it"}
            yield Fact("odd-type", tensor.shard, tensor.name, values=values)
    rows: dict[str, list[TensorInfo]] = defaultdict(list)
    for unit in view.units:
        if not (unit.module is not None and unit.module.scheme.quantized) and unit.tensor.dtype in _HALVES:
            rows[pattern_of(unit.tensor.name)].append(unit.tensor)
    overall = Counter(t.dtype for tensors in rows.values() for t in tensors)
    for tensors in rows.values():
        kinds = Counter(t.dtype for t in tensors)
        usual = max(kinds, key=lambda kind: (kinds[kind], overall[kind]))
        if len(kinds) > 1 and (len(tensors) - kinds[usual]) * 2 <= len(tensors):
            for tensor in tensors:
                if tensor.dtype != usual:
                    values = {"dtype": tensor.dtype, "wanted": usual, "why": "the other layers have that"}
                    yield Fact("odd-type", tensor.shard, tensor.name, values=values)
