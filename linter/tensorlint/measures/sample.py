"""A few elements of a tensor, spread over all of it: enough to tell how large its values are, and cheap to look at.

Counted are the first WHOLE bytes and the first TAKEN of every STRIDE after them, so that pieces of a tensor add up to
the tensor. Of narrow and packed elements each byte is counted, of floats of 16 and 32 bits the eight bits after the
sign: all of the exponent in BF16 and F32, the exponent and three bits of the mantissa in F16.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..dtypes import Encoding

WHOLE = 1 << 14  # bytes
STRIDE = 1 << 18  # bytes; with TAKEN 1/1024 of a large tensor, as counting costs thirty times what reading does
TAKEN = 1 << 8  # bytes, a multiple of the width of every element
BINS = 256


def is_sampled(e: Encoding) -> bool:
    """Whether anything is counted: not of wide integers and floats, nor of codes of six bits, which straddle bytes."""
    return e.bits in (16, 32) if e.kind == "float" and e.bits > 8 else e.bits in (4, 8)


def pieces(size: int, at: int) -> tuple[slice, slice]:
    """What is counted of `size` bytes from byte `at` of a tensor on: a slice, and one that begins where strides do.

    Of the second the first TAKEN of each STRIDE are counted, also of what is left at its end.
    """
    into = at % STRIDE
    held = WHOLE if at < STRIDE else TAKEN
    return slice(0, min(size, max(0, held - into))), slice(min(size, STRIDE - into), size)


def sampled(data: npt.NDArray[np.uint8], e: Encoding, at: int) -> tuple[int, ...] | None:
    """The histogram of whole elements that begin at byte `at` of their tensor; None where nothing is counted."""
    if not is_sampled(e):
        return None
    first, rest = pieces(len(data), at)
    strides = data[rest]
    even = len(strides) // STRIDE * STRIDE
    cut = strides[:even].reshape(-1, STRIDE)[:, :TAKEN].ravel()
    counts = np.zeros(BINS, np.intp)
    for some in (data[first], cut, strides[even : even + TAKEN]):
        if len(some):
            counts += np.bincount(_bins(some, e), minlength=BINS)
    return tuple(counts.tolist())


def _bins(data: npt.NDArray[np.uint8], e: Encoding) -> npt.NDArray[np.uint8]:
    """The number of its bin for each element."""
    if e.bits <= 8:
        return data
    patterns: npt.NDArray[Any] = data.view(f"<u{e.bits // 8}")
    return np.asarray(patterns >> patterns.dtype.type(e.bits - 9) & 0xFF, np.uint8)


@cache
def ends(e: Encoding) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Of floats of 16 and 32 bits the least magnitude in each bin, and that of the next; the last are Inf and NaN."""
    patterns = np.arange(BINS + 1, dtype=np.uint32) << np.uint32(e.bits - 9)
    half = patterns.astype("<u2").view("<f2").astype(np.float64)
    values = half if e.name == "f16" else (patterns << np.uint32(32 - e.bits)).view("<f4").astype(np.float64)
    magnitudes = np.abs(values)  # the sign bit is set in the one pattern behind the last bin
    magnitudes[BINS] = np.inf
    return magnitudes[:BINS], magnitudes[1:]
