"""Packed zero points against what is declared of them: symmetric ones are one constant, and formats differ by one.

GPTQ stores the zero point less one, its second version and AWQ the zero point itself (GPTQModel
gptqmodel/utils/model.py, AutoAWQ awq/modules/linear/gemm.py). Of asymmetric ones the weights tell: those of a group lie
around zero, so that the mean of all codes is the mean of all zero points, and one more than what is stored where that
is less one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..measures.plan import Need
from ..schemes.model import Codes
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "zero-point-convention": FactKind(
        "All zero points of a module are the symmetric one of another format than is declared.",
        ("module", "found", "wanted", "format", "where"),
    ),
    "zero-points-vary": FactKind(
        "Zero points vary although symmetric quantization is declared.", ("module", "format", "where")
    ),
    "zero-points-constant": FactKind(
        "All zero points of a module are the same although quantization is not declared symmetric.",
        ("module", "found", "varied", "of", "format", "where"),
    ),
}
SHIFT_STATES: Mapping[str, FactKind] = {
    "zero-points-shifted": FactKind(
        "Zero points lie one beside the codes of the weights: they are those of another format.",
        ("modules", "format", "distance", "wanted", "apart", "where"),
    ),
}

_WORD = 32
_MAX_BYTES = 1 << 20  # looked at per tensor, where that is needed
_LEAST = 64  # codes that are not equal by chance, where quantization is not symmetric
_WHOLE = frozenset({2, 4, 8})  # bits of which bytes hold whole codes
_NARROW = frozenset({2, 4})  # bits of which a mean is sharp enough to tell one from none


@dataclass(frozen=True)
class _Zeros:
    """The zero points of one module: `symmetric` and `format` as declared, `less` as stored, None where not known."""

    module: Module
    tensor: TensorInfo
    codes: Codes
    bits: int
    symmetric: bool | None
    format: str
    less: int | None

    @property
    def middle(self) -> int:
        """The symmetric zero point before anything is taken from it."""
        return 1 << (self.bits - 1) if self.codes.middle == "half" else 0

    @property
    def padded(self) -> bool:
        """Whether the words have bits that belong to no zero point."""
        rows = self.module.env.get("N", 0)
        return rows * self.bits % _WORD != 0


def _found(view: View) -> Iterator[_Zeros]:
    main = view.declared.main
    for module in view.quantized:
        tensor, part = module.parts.get("zero_point"), module.scheme.parts.get("zero_point")
        if tensor is None or part is None or part.codes is None or tensor.dtype != "I32" or module.problems:
            continue
        bits = part.codes.bits.value(module.env) if part.codes.bits.symbols <= module.env.keys() else None
        if not bits or not 1 < bits <= 8 or not tensor.nbytes:
            continue
        expected = view.expected(module)
        declared = str(expected.get("format", ""))
        if bits not in _WHOLE and declared in part.codes.planes:
            continue
        less = part.codes.less.get(declared) if part.codes.less else 0
        symmetric = expected.get("symmetric")
        yield _Zeros(
            module, tensor, part.codes, bits, symmetric if isinstance(symmetric, bool) else None, declared,
            less if main is not None else None,
        )  # fmt: skip


def needs(view: View) -> Iterator[Need]:
    """Whether all bytes are the same; what is not told by bytes is read as it is."""
    for zeros in _found(view):
        yield Need(zeros.tensor, view.unit_of[zeros.tensor.name].encoding, frozenset({"uniform", "byte"}))


def run(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Facts about zero points that are one constant and should not be, or the reverse, or the wrong one."""
    rows = [(zeros, _constant(view, zeros, measured)) for zeros in _found(view)]
    varied = sum(constant is None for _, constant in rows)
    for zeros, constant in rows:
        wanted = zeros.middle - zeros.less if zeros.less is not None else None
        main = view.declared.main
        values = {"module": zeros.module.name, "format": zeros.format or "the declared format"}
        values["where"] = main.where if main is not None else ""
        if constant is None:
            if zeros.symmetric:
                yield Fact("zero-points-vary", zeros.tensor.shard, zeros.tensor.name, values=values)
            continue
        if zeros.tensor.nbytes * 8 // zeros.bits < _LEAST and not zeros.symmetric:
            continue
        known = wanted is not None and (zeros.symmetric or constant in (zeros.middle, zeros.middle - 1))
        if known and constant != wanted:
            found = {**values, "found": constant, "wanted": wanted}
            yield Fact("zero-point-convention", zeros.tensor.shard, zeros.tensor.name, zeros.tensor.begin, found)
        elif not zeros.symmetric and (varied * 2 > len(rows) or constant not in (zeros.middle, zeros.middle - 1)):
            found = {**values, "found": constant, "varied": varied, "of": len(rows)}
            yield Fact("zero-points-constant", zeros.tensor.shard, zeros.tensor.name, zeros.tensor.begin, found)


def _constant(view: View, zeros: _Zeros, measured: Mapping[tuple[str, str], Measures]) -> int | None:
    """The code that all zero points have, or None."""
    found = measured.get((zeros.tensor.shard, zeros.tensor.name))
    if zeros.bits in _WHOLE and not zeros.padded and found is not None and found.count:
        if found.lowest_byte != found.highest_byte:
            return None
        low = found.lowest_byte & ((1 << zeros.bits) - 1)
        return low if sum(low << at for at in range(0, 8, zeros.bits)) == found.lowest_byte else None
    codes = _unpacked(view, zeros)
    return int(codes[0]) if codes.size and bool((codes == codes[0]).all()) else None


def _unpacked(view: View, zeros: _Zeros) -> npt.NDArray[np.uint8]:
    """The first codes one by one, as far as rows of words (or columns of words, where they are packed down) reach."""
    count, words = zeros.module.env.get("N", 0), _read(view, zeros.tensor).view("<u4")
    width = -(-count * zeros.bits // _WORD)
    rows, columns = zeros.tensor.shape if len(zeros.tensor.shape) == 2 else (0, 0)
    if not width or width not in (rows, columns) or (width == rows and zeros.tensor.nbytes > _MAX_BYTES):
        return np.zeros(0, np.uint8)
    lines = words[: len(words) // width * width]
    lines = lines.reshape(-1, width) if width == columns else lines.reshape(width, -1).T
    bits = np.unpackbits(np.ascontiguousarray(lines).view(np.uint8), axis=1, bitorder="little")
    single = bits[:, : count * zeros.bits].reshape(-1, zeros.bits)
    return np.asarray(single @ (1 << np.arange(zeros.bits)), np.uint8)


def _read(view: View, tensor: TensorInfo) -> npt.NDArray[np.uint8]:
    return np.frombuffer(view.stored(tensor, _MAX_BYTES), np.uint8)


def run_shift(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """One fact where asymmetric zero points are those of another format than the declared one."""
    by_format: dict[tuple[str, int], list[float]] = {}
    for zeros in _found(view):
        weight = zeros.module.parts.get("weight")
        fits = zeros.bits in _NARROW and zeros.codes.middle == "half" and not zeros.padded
        if zeros.symmetric or zeros.less is None or weight is None or weight.dtype != "I32" or not fits:
            continue
        stored = _read(view, zeros.tensor)
        if stored.size and stored.min() != stored.max():
            away = _mean(_read(view, weight), zeros.bits) - _mean(stored, zeros.bits)
            by_format.setdefault((zeros.format, zeros.less), []).append(away)
    for (declared, less), distances in by_format.items():
        middle = median(distances)
        apart = abs(middle - (1 - less))  # from what it is in the other format
        if apart < abs(middle - less):
            main = view.declared.main
            values = {
                "modules": len(distances), "format": declared or "the declared format", "wanted": less,
                "distance": round(middle, 2), "apart": apart, "where": main.where if main is not None else "",
            }  # fmt: skip
            yield Fact("zero-points-shifted", main.file if main is not None else "", values=values)


def _mean(data: npt.NDArray[np.uint8], bits: int) -> float:
    """The mean of the codes that bytes hold."""
    per_byte = 8 // bits
    return sum(float(((data >> (bits * i)) & ((1 << bits) - 1)).mean()) for i in range(per_byte)) / per_byte


CHECKS = (Check(STATES, run, "scales", needs), Check(SHIFT_STATES, run_shift, "full"))
