"""The CPU kernel: exact counts from comparisons of whole arrays with the ranges that the wanted words stand for.

Only what is asked for is computed, and only where the least and greatest magnitude leave it open. On random bytes this
is several times as fast as a histogram (`benchmarks/run.py kernel`), and it is the same code for every width.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..dtypes import Encoding
from .interface import CODES, COUNTED, Bytes, Measures
from .ranges import Range, Ranges, number, ranges_of
from .zeropages import zero_pages

_BLOCK = 1 << 19  # bytes looked at together, so that intermediate arrays stay in the processor's cache
_OF_BYTES = frozenset({"count", "uniform", "byte", "zero_pages"})
_UNPLACED = frozenset({"ceiling", "floor"})

_Unsigned = npt.NDArray[np.unsignedinteger[Any]]


class CpuKernel:
    """Measures with numpy."""

    def measure(self, data: Bytes, encoding: Encoding, words: frozenset[str], at: int, offset: int) -> Measures:
        """See Kernel."""
        run = zero_pages(data, offset) if "zero_pages" in words else None
        width = max(1, encoding.bits // 8)
        data = data[: len(data) - len(data) % width]
        if not len(data):
            return Measures(zero_run=run)
        if encoding.kind == "raw" or encoding.bits == 6 or words <= _OF_BYTES:
            # Six-bit codes straddle bytes in an order that each writer chooses.
            return Measures(len(data) * 8 // encoding.bits, **_bytes(data, words), zero_run=run)
        found = Measures(zero_run=run)
        for begin in range(0, len(data), _BLOCK):
            found = found + _block(data[begin : begin + _BLOCK], encoding, words, (at + begin) // width)
        return found


def _bytes(data: Bytes, words: frozenset[str]) -> dict[str, Any]:
    if words.isdisjoint(("uniform", "byte")):
        return {}
    return {"lowest_byte": int(data.min()), "highest_byte": int(data.max())}


def _block(data: Bytes, encoding: Encoding, words: frozenset[str], start: int) -> Measures:
    """Measures of a block whose first stored element (packed formats: byte) is number `start` of the tensor."""
    extra = _bytes(data, words)
    if encoding.bits >= 8:
        return _measure(data.view(f"<u{encoding.bits // 8}"), encoding, words, start, extra)
    # Two codes per byte, the first in the low half.
    low, high = data & np.uint8(15), data >> np.uint8(4)
    if encoding.kind == "int" and encoding.signed:
        # Bit 3 is the sign; below zero (8 to 15) the bits above it are ones.
        low, high = (low ^ np.uint8(8)) - np.uint8(8), (high ^ np.uint8(8)) - np.uint8(8)
    return _measure(low, encoding, words, start, extra) + _measure(high, encoding, words - {"first"}, start, extra)


def _measure(codes: _Unsigned, e: Encoding, words: frozenset[str], start: int, extra: dict[str, Any]) -> Measures:
    ranges = ranges_of(e)
    found = dict(extra)
    if "first" in words:
        found["first"] = (start, number(e, int(codes[0])))
    if CODES in words and e.bits <= 8:
        mask = (1 << e.bits) - 1
        found["codes"] = tuple(np.bincount(codes & mask, minlength=mask + 1).tolist())
    magnitudes = _magnitudes(codes, e)
    bounds = int(magnitudes.min()), int(magnitudes.max())
    positions: dict[str, int] = {}
    for word in COUNTED:
        if word not in words:
            continue
        for wanted in ranges.words.get(word, ()):
            count, place = _count(codes if wanted.stored else magnitudes, wanted, bounds)
            found[word] = found.get(word, 0) + count
            if count and word not in _UNPLACED:
                positions[word] = start + place
    if not words.isdisjoint(("smallest", "largest")):
        found |= _extremes(magnitudes, bounds, ranges, e)
    return Measures(len(codes), positions=positions, **found)


def _magnitudes(codes: _Unsigned, e: Encoding) -> _Unsigned:
    if not e.signed:
        return codes
    magnitudes: _Unsigned
    if e.kind == "float":
        magnitudes = codes & codes.dtype.type((1 << (e.bits - 1)) - 1)
    else:
        # The lowest integer has no positive twin; wrapped around and seen as unsigned it is right again.
        magnitudes = np.abs(codes.view(f"<i{codes.itemsize}")).view(codes.dtype)
    return magnitudes


def _count(values: _Unsigned, wanted: Range, bounds: tuple[int, int]) -> tuple[int, int]:
    """How many values lie in a range, and the index of the first; `bounds` are those of the magnitudes."""
    low, high, stored = wanted
    if not stored:
        if high < bounds[0] or low > bounds[1]:
            return 0, 0
        if low <= bounds[0] and bounds[1] <= high:
            return len(values), 0
    make = values.dtype.type
    if low == high:
        mask = values == make(low)
    elif low == 0:
        mask = values <= make(high)
    else:
        mask = values - make(low) <= make(high - low)
    count = int(np.count_nonzero(mask))
    return count, int(mask.argmax()) if count else 0


def _extremes(magnitudes: _Unsigned, bounds: tuple[int, int], ranges: Ranges, e: Encoding) -> dict[str, float]:
    """Smallest and largest finite magnitude other than zero, as far as there is one."""
    first, last, _ = ranges.real
    low, high = bounds
    if low < first:
        # Zero wraps around to the greatest number, so that the least is that of the others.
        low = int((magnitudes - magnitudes.dtype.type(first)).min()) + first
    if low > last:
        return {}
    if high > last:
        high = int(magnitudes[magnitudes <= magnitudes.dtype.type(last)].max())
    # The magnitude of the lowest integer is, as a pattern, that integer.
    return {"smallest": abs(number(e, low)), "largest": abs(number(e, high))}
