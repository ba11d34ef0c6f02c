"""Pairs of values that have opposite signs, or are zero, by how they are computed.

MLX takes the end of a group's range that is farther from zero as its offset, and a scale that leads away from it
(ml-explore/mlx mlx/ops.cpp, affine_quantize): where both have one sign, one of them is damaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "same-sign": FactKind(
        "Values have the sign of the scales whose opposite they should have.",
        ("module", "part", "other", "same", "checked"),
    ),
}
_MAX_BYTES = 1 << 20  # looked at per tensor
_WIDTHS: Mapping[str, str] = {"BF16": "<u2", "F16": "<u2", "F32": "<u4"}


def run(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Facts about parts with values of the sign that they should not have."""
    for module in view.quantized:
        for name, tensor in module.parts.items():
            other = module.scheme.parts[name].opposes
            scale = module.parts.get(other) if other else None
            if scale is None or module.problems or tensor.dtype != scale.dtype or tensor.dtype not in _WIDTHS:
                continue
            one, two = _bits(view, tensor), _bits(view, scale)
            top = one.dtype.type(1 << (8 * one.itemsize - 1))
            same = ((one ^ two) & top == 0) & (one & ~top != 0) & (two & ~top != 0)
            if same.any():
                at = tensor.begin + int(same.argmax()) * one.itemsize
                values = {
                    "module": module.name, "part": name, "other": other, "same": int(same.sum()), "checked": same.size,
                }  # fmt: skip
                yield Fact("same-sign", tensor.shard, tensor.name, at, values)


def _bits(view: View, tensor: TensorInfo) -> npt.NDArray[np.unsignedinteger]:
    return np.frombuffer(view.stored(tensor, _MAX_BYTES), _WIDTHS[tensor.dtype])


CHECKS = (Check(STATES, run, "scales"),)
