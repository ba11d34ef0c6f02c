"""Floating-point scales that are declared to be powers of two, against their bits.

Kernels that are told so keep the exponent alone (deepseek-ai/DeepGEMM#112, sgl-project/sglang#13067).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..schemes.declared import Declaration
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "not-power-of-two": FactKind(
        "Scales are declared powers of two, but some are not.", ("module", "part", "dtype", "odd", "count", "where")
    ),
    "power-of-two-undeclared": FactKind(
        "All scales are powers of two, which the configuration does not say.", ("modules", "count", "where")
    ),
}
_MAX_BYTES = 1 << 20  # looked at per tensor
_MODULES = 16  # looked at to say that all are powers of two: reading more tells no more
_MANTISSA: Mapping[str, tuple[str, int]] = {"F32": ("<u4", 0x7FFFFF), "BF16": ("<u2", 0x7F), "F16": ("<u2", 0x3FF)}


class _Scale(NamedTuple):
    module: Module
    part: str
    tensor: TensorInfo


def run(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Facts about every module whose scales contradict the declared format, or one about what is not declared."""
    main = view.declared.main
    if main is None or not main.dialect.powers_of_two:
        return
    declared = main.get("scale_format")
    if declared is None:
        parts = dict.fromkeys(part for parts in main.dialect.powers_of_two.values() for part in parts)
        yield from _undeclared(view, main, list(_scales(view, parts))[:_MODULES])
    elif isinstance(declared, str):
        yield from _contradictions(view, main, _scales(view, main.dialect.powers_of_two.get(declared, ())))


def _scales(view: View, parts: Iterable[str]) -> Iterator[_Scale]:
    """Scales in floats among these parts of sound modules."""
    for module in view.quantized:
        for part in parts if not module.problems else ():
            tensor = module.parts.get(part)
            if tensor is not None and tensor.dtype in _MANTISSA:
                yield _Scale(module, part, tensor)


def _contradictions(view: View, main: Declaration, scales: Iterable[_Scale]) -> Iterator[Fact]:
    for module, part, scale in scales:
        odd, count = _odd(view, scale)
        if odd:
            values = {
                "module": module.name, "part": part, "dtype": scale.dtype, "odd": odd, "count": count,
                "where": main.where,
            }  # fmt: skip
            yield Fact("not-power-of-two", scale.shard, scale.name, scale.begin, values)


def _undeclared(view: View, main: Declaration, scales: Collection[_Scale]) -> Iterator[Fact]:
    total = 0
    for _, _, scale in scales:
        odd, count = _odd(view, scale)
        if odd:
            return
        total += count
    if total:
        values = {"modules": len(scales), "count": total, "where": main.where}
        yield Fact("power-of-two-undeclared", main.file, values=values)


def _odd(view: View, scale: TensorInfo) -> tuple[int, int]:
    """How many of the first scales have bits below the exponent, and how many were looked at."""
    kind, mantissa = _MANTISSA[scale.dtype]
    width = np.dtype(kind).itemsize
    bits = np.frombuffer(view.stored(scale, _MAX_BYTES // width * width), kind)
    return int(np.count_nonzero(bits & mantissa)), bits.size


CHECKS = (Check(STATES, run, "scales"),)
