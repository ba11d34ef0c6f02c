"""The number formats: what every safetensors dtype, and every packed format, means bit by bit.

Facts: the dtype names and widths are those of the safetensors crate (`safetensors/src/tensor.rs`, enum `Dtype`); the
float layouts are OCP 8-bit and microscaling formats (E4M3 "FN", E5M2, E8M0, E2M1, E2M3, E3M2), the FNUZ variants of
AMD/Graphcore, the unsigned E5M3 of block scales (intel/auto-round auto_round/data_type/nvfp.py), IEEE 754 and bfloat16.
Values are compared as bit patterns: decoders disagree about patterns such as 0x7F in E4M3, bytes do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

# Bits per element of every dtype a safetensors header may name.
DTYPE_BITS: dict[str, int] = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip

PLAIN_FLOATS = frozenset({"BF16", "F16", "F32", "F64"})


@dataclass(frozen=True)
class Encoding:
    """How the bits of one element are read.

    `bits` is the width of one element; `kind` is float, int or raw. For floats: `exponent`, `mantissa` and `bias`
    give the layout, `special` says which patterns are not numbers: `ieee` (all-ones exponent is Inf/NaN), `fn` (only
    all-ones is NaN, no Inf), `fnuz` (only the pattern of minus zero is NaN), `e8m0` (all-ones is NaN, unsigned, no
    zero), `none` (every pattern is a number).
    """

    name: str
    bits: int
    kind: str
    exponent: int = 0
    mantissa: int = 0
    bias: int = 0
    special: str = "none"
    signed: bool = True


def _float(name: str, exponent: int, mantissa: int, bias: int, special: str, signed: bool = True) -> Encoding:
    return Encoding(name, exponent + mantissa + signed, "float", exponent, mantissa, bias, special, signed)


ENCODINGS: dict[str, Encoding] = {
    e.name: e
    for e in (
        _float("fp4", 2, 1, 1, "none"),
        _float("fp6_e2m3", 2, 3, 1, "none"),
        _float("fp6_e3m2", 3, 2, 3, "none"),
        _float("e4m3", 4, 3, 7, "fn"),
        _float("e4m3fnuz", 4, 3, 8, "fnuz"),
        _float("e5m2", 5, 2, 15, "ieee"),
        _float("e5m2fnuz", 5, 2, 16, "fnuz"),
        _float("e5m3", 5, 3, 15, "fn", signed=False),
        _float("e8m0", 8, 0, 127, "e8m0", signed=False),
        _float("f16", 5, 10, 15, "ieee"),
        _float("bf16", 8, 7, 127, "ieee"),
        _float("f32", 8, 23, 127, "ieee"),
        _float("f64", 11, 52, 1023, "ieee"),
        Encoding("int4", 4, "int"),
        Encoding("uint4", 4, "int", signed=False),
        Encoding("int8", 8, "int"),
        Encoding("uint8", 8, "int", signed=False),
        Encoding("int16", 16, "int"),
        Encoding("uint16", 16, "int", signed=False),
        Encoding("int32", 32, "int"),
        Encoding("uint32", 32, "int", signed=False),
        Encoding("int64", 64, "int"),
        Encoding("uint64", 64, "int", signed=False),
        Encoding("raw", 8, "raw", signed=False),
    )
}

# What people call them.
ENCODING_NAMES: dict[str, str] = {
    "fp4": "FP4 (E2M1)", "fp6_e2m3": "FP6 (E2M3)", "fp6_e3m2": "FP6 (E3M2)", "e4m3": "FP8 (E4M3)",
    "e4m3fnuz": "FP8 (E4M3 FNUZ)", "e5m2": "FP8 (E5M2)", "e5m2fnuz": "FP8 (E5M2 FNUZ)",
    "e5m3": "unsigned FP8 (E5M3)", "e8m0": "powers of two (E8M0)", "int4": "signed 4-bit integers",
    "uint4": "unsigned 4-bit integers",
    "raw": "codes that are not looked at one by one",
}  # fmt: skip

_OF_DTYPE = {
    "BOOL": "uint8", "F4": "fp4", "F6_E2M3": "raw", "F6_E3M2": "raw", "U8": "uint8", "I8": "int8",
    "F8_E5M2": "e5m2", "F8_E4M3": "e4m3", "F8_E8M0": "e8m0", "F8_E4M3FNUZ": "e4m3fnuz", "F8_E5M2FNUZ": "e5m2fnuz",
    "I16": "int16", "U16": "uint16", "F16": "f16", "BF16": "bf16", "I32": "int32", "U32": "uint32", "F32": "f32",
    "C64": "f32", "F64": "f64", "I64": "int64", "U64": "uint64",
}  # fmt: skip


def encoding_of(dtype: str, holds: str | None = None) -> Encoding:
    """The encoding of a tensor: what the scheme says it holds, else what its dtype says.

    A part that holds 8-bit or 4-bit codes may be stored under any dtype of whole bytes (U8, I8, I32 ...).
    """
    return ENCODINGS[holds or _OF_DTYPE[dtype]]


@dataclass(frozen=True)
class CodeTable:
    """What each bit pattern of a narrow encoding (4 to 16 bits) means; arrays have 2**bits entries."""

    value: npt.NDArray[np.float64]
    nan: npt.NDArray[np.bool_]
    inf: npt.NDArray[np.bool_]
    zero: npt.NDArray[np.bool_]
    negative: npt.NDArray[np.bool_]
    subnormal: npt.NDArray[np.bool_]
    ceiling: npt.NDArray[np.bool_]  # magnitude is the largest finite one
    below_ceiling: npt.NDArray[np.bool_]  # one step of magnitude below that
    floor: npt.NDArray[np.bool_]  # magnitude is the smallest non-zero one


@cache
def code_table(encoding: Encoding) -> CodeTable:
    """Decode every pattern of an encoding of at most 16 bits."""
    codes = np.arange(1 << encoding.bits, dtype=np.int64)
    if encoding.kind == "float":
        value, nan, inf, subnormal = _decode_float(encoding, codes)
        value = np.where(nan, np.nan, np.where(inf, np.copysign(np.inf, value), value))
    else:
        value = codes.astype(np.float64)
        if encoding.signed:
            value = np.where(codes >> (encoding.bits - 1), value - (1 << encoding.bits), value)
        nan = inf = subnormal = np.zeros(len(codes), bool)
    finite = ~(nan | inf)
    magnitude = np.abs(np.where(finite, value, 0.0))
    zero = finite & (value == 0)
    largest = magnitude.max()
    if encoding.kind == "int" and encoding.signed:
        # Symmetric quantization clips at -(2^(b-1) - 1); both ends count as the ceiling.
        ceiling = finite & (magnitude >= largest - 1)
    elif encoding.kind == "int":
        ceiling = (codes == 0) | (value == largest)
    else:
        ceiling = finite & (magnitude == largest)
    below = finite & ~ceiling & (magnitude == magnitude[finite & ~ceiling].max())
    floor = finite & ~zero & (magnitude == magnitude[finite & ~zero].min())
    return CodeTable(value, nan, inf, zero, finite & (value < 0), subnormal & finite, ceiling, below, floor)


def _decode_float(
    e: Encoding, codes: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    none = np.zeros(len(codes), bool)
    if e.special == "e8m0":
        # OCP MX 1.0, section 5.4.1: a power of two without sign, zero or Inf.
        return np.exp2(codes.astype(np.float64) - e.bias), codes == 0xFF, none, none
    sign = np.where(codes >> (e.exponent + e.mantissa) & 1, -1.0, 1.0)
    exponent = codes >> e.mantissa & ((1 << e.exponent) - 1)
    mantissa = codes & ((1 << e.mantissa) - 1)
    fraction = mantissa / float(1 << e.mantissa)
    normal = (1 + fraction) * np.exp2(exponent.astype(np.float64) - e.bias)
    value = sign * np.where(exponent == 0, fraction * 2.0 ** (1 - e.bias), normal)
    subnormal = (exponent == 0) & (mantissa != 0)
    top = exponent == (1 << e.exponent) - 1
    if e.special == "ieee":
        return value, top & (mantissa != 0), top & (mantissa == 0), subnormal
    if e.special == "fn":
        return value, top & (mantissa == (1 << e.mantissa) - 1), none, subnormal
    if e.special == "fnuz":
        return value, codes == 1 << (e.bits - 1), none, subnormal
    return value, none, none, subnormal
