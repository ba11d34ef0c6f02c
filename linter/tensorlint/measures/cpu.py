"""The CPU kernel: exact counts from a histogram of bit patterns (up to 16 bits) or from bit tests (32 and 64 bits)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..dtypes import CodeTable, Encoding, code_table
from .interface import COUNTED, PAGE, Bytes, Measures, ZeroRun

_PAGE_WORDS = frozenset({"zero_pages"})


class CpuKernel:
    """Measures with numpy."""

    def measure(self, data: Bytes, encoding: Encoding, words: frozenset[str], at: int, offset: int) -> Measures:
        """See Kernel."""
        run = zero_pages(data, offset) if "zero_pages" in words else None
        if not len(data):
            return Measures(zero_run=run)
        if encoding.kind == "raw" or not words - _PAGE_WORDS:
            low, high = (int(data.min()), int(data.max())) if words & {"uniform", "byte"} else (0, 255)
            return Measures(len(data), lowest_byte=low, highest_byte=high, zero_run=run)
        if encoding.bits > 16:
            return _wide(data, encoding, at, run)
        return _narrow(data, encoding, at, run)


def zero_pages(data: Bytes, offset: int) -> ZeroRun:
    """Runs of zero pages among the whole pages of the file inside `data`, whose first byte is at `offset`."""
    skip = -offset % PAGE
    pages = max(0, len(data) - skip) // PAGE
    begin = (offset + skip) // PAGE
    if not pages:
        return ZeroRun(begin, begin)
    block = data[skip : skip + pages * PAGE].reshape(pages, PAGE)
    # The first bytes of a page settle nearly all of them; only the rest are looked at in full.
    maybe = np.flatnonzero(~block[:, :64].any(axis=1))
    zero = np.zeros(pages, bool)
    if len(maybe):
        zero[maybe] = ~block[maybe].any(axis=1)
    if not zero.any():
        return ZeroRun(begin, begin + pages)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], zero.view(np.int8), [0]))))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return ZeroRun(
        begin,
        begin + pages,
        int(ends[0]) if starts[0] == 0 else 0,
        int(pages - starts[-1]) if ends[-1] == pages else 0,
        (int(ends[longest] - starts[longest]), begin + int(starts[longest])),
    )


def _histogram(data: Bytes, encoding: Encoding) -> npt.NDArray[np.int64]:
    """How often each bit pattern occurs. Bytes are counted in pairs, which is about twice as fast as one by one."""
    if encoding.bits == 16:
        return np.bincount(_words(data, "<u2"), minlength=1 << 16)
    even = len(data) & ~1
    if even >= 1 << 16:
        pairs = np.bincount(_words(data[:even], "<u2"), minlength=1 << 16).reshape(256, 256)
        counts = pairs.sum(axis=0) + pairs.sum(axis=1)
        if even < len(data):
            counts[data[-1]] += 1
    else:
        counts = np.bincount(data, minlength=256)
    if encoding.bits == 4:
        nibbles = counts.reshape(16, 16)
        counts = nibbles.sum(axis=0) + nibbles.sum(axis=1)
    return np.asarray(counts, np.int64)


def _words(data: Bytes, dtype: str) -> npt.NDArray[np.uint16]:
    words: npt.NDArray[np.uint16] = np.frombuffer(data, dtype=dtype)
    return words


def _narrow(data: Bytes, encoding: Encoding, at: int, run: ZeroRun | None) -> Measures:
    table = code_table(encoding)
    histogram = _histogram(data, encoding)
    seen = histogram > 0
    counts = {word: int(histogram[getattr(table, word)].sum()) for word in COUNTED}
    magnitude = _magnitudes(encoding)
    real = seen & (magnitude > 0)
    start = at * 8 // encoding.bits if encoding.bits >= 8 else at
    positions = {
        word: start + _first(data, encoding, table, word)
        for word in COUNTED
        if counts[word] and word not in ("ceiling", "floor")
    }
    if encoding.bits == 16:
        present = np.flatnonzero(seen)
        bytes_seen = np.concatenate((present & 0xFF, present >> 8))
        low, high = int(bytes_seen.min()), int(bytes_seen.max())
        first = float(table.value[int(data[0]) | int(data[1]) << 8])
    elif encoding.bits == 8:
        present = np.flatnonzero(seen)
        low, high = int(present[0]), int(present[-1])
        first = float(table.value[data[0]])
    else:
        low, high = int(data.min()), int(data.max())
        first = float(table.value[data[0] & 15])
    return Measures(
        int(histogram.sum()),
        counts["nan"],
        counts["inf"],
        counts["zero"],
        counts["negative"],
        counts["subnormal"],
        counts["ceiling"],
        counts["floor"],
        smallest=float(magnitude[real].min()) if real.any() else float("inf"),
        largest=float(magnitude[real].max()) if real.any() else 0.0,
        first=(start, first),
        lowest_byte=low,
        highest_byte=high,
        positions=positions,
        zero_run=run,
        codes=tuple(histogram.tolist()) if encoding.bits <= 8 else None,
    )


@lru_cache(maxsize=64)
def _magnitudes(encoding: Encoding) -> npt.NDArray[np.float64]:
    """Finite magnitudes by pattern; 0 for zero, NaN and Inf."""
    table = code_table(encoding)
    made: npt.NDArray[np.float64] = np.where(table.nan | table.inf, 0.0, np.abs(table.value))
    return made


def _first(data: Bytes, encoding: Encoding, table: CodeTable, word: str) -> int:
    """Index of the first stored element in `data` that a word counts; it is known to be there."""
    wanted: npt.NDArray[np.bool_] = getattr(table, word)
    if encoding.bits == 4:
        codes = np.arange(256)
        wanted = wanted[codes & 15] | wanted[codes >> 4]
    elements = _words(data, "<u2") if encoding.bits == 16 else data
    for begin in range(0, len(elements), 1 << 20):
        hits = wanted[elements[begin : begin + (1 << 20)]]
        at = int(hits.argmax())
        if hits[at]:
            return begin + at
    return 0


def _wide(data: Bytes, encoding: Encoding, at: int, run: ZeroRun | None) -> Measures:
    width = encoding.bits // 8
    start = at // width
    if encoding.kind == "int":
        numbers = np.frombuffer(data, dtype=f"<{'i' if encoding.signed else 'u'}{width}")
        zero, negative = numbers == 0, numbers < 0
        floats = numbers.astype(np.float64)
        masks = {"zero": zero, "negative": negative}
        magnitude = np.abs(floats)
        real = ~zero
    else:
        unsigned = np.frombuffer(data, dtype=f"<u{width}")
        sign = np.array(1 << (encoding.bits - 1), unsigned.dtype)
        top = np.array(((1 << encoding.exponent) - 1) << encoding.mantissa, unsigned.dtype)
        least = np.array(1 << encoding.mantissa, unsigned.dtype)
        absolute = unsigned & ~sign
        nan, inf, zero = absolute > top, absolute == top, absolute == 0
        subnormal = (absolute < least) & ~zero
        finite = absolute < top
        negative = (unsigned >= sign) & finite & ~zero
        ceiling, floor = (
            absolute == top - np.array(1, unsigned.dtype),
            absolute == np.array(1, unsigned.dtype),
        )
        masks = {
            "nan": nan, "inf": inf, "zero": zero, "negative": negative, "subnormal": subnormal,
            "ceiling": ceiling, "floor": floor,
        }  # fmt: skip
        floats = np.frombuffer(data, dtype=f"<f{width}")
        real = finite & ~zero
        magnitude = absolute.view(f"<f{width}")
    counts = dict.fromkeys(COUNTED, 0) | {word: int(np.count_nonzero(mask)) for word, mask in masks.items()}
    positions = {w: start + int(masks[w].argmax()) for w, n in counts.items() if n and w not in ("ceiling", "floor")}
    everything = counts["zero"] == 0 and not counts["nan"] and not counts["inf"]
    kept = magnitude if everything else magnitude[real]
    first = float(floats[0])
    return Measures(
        len(floats),
        counts["nan"],
        counts["inf"],
        counts["zero"],
        counts["negative"],
        counts["subnormal"],
        counts["ceiling"],
        counts["floor"],
        smallest=float(kept.min()) if len(kept) else float("inf"),
        largest=float(kept.max()) if len(kept) else 0.0,
        first=(start, first),
        lowest_byte=int(data.min()),
        highest_byte=int(data.max()),
        positions=positions,
        zero_run=run,
    )
