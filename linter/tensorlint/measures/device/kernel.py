"""The measures of an array of bytes on a torch device, as numbers that stay there.

The same ranges of bit patterns as on the host (`..ranges`), compared with whole arrays. Nothing here waits for the
device or depends on what it found, so that the host can go on and enqueue the next piece.

torch compares signed numbers only (its unsigned types of 16 bits and more lack most operations before 2.6), so where
the order of patterns matters their highest bit is inverted: signed order is then that of the unsigned patterns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from ...dtypes import Encoding
from ..interface import COUNTED, RUN, SAMPLE, UNPLACED
from ..ranges import Range, number, ranges_of
from ..sample import BINS, STRIDE, TAKEN, pieces

NOTHING = (1 << 63) - 1  # in `least`: no such element
_OF_BYTES = frozenset({"count", "uniform", "byte", "zero_pages", SAMPLE})
_ROW = 1024  # elements counted together; the first place is looked for in one row only


class Numbers(NamedTuple):
    """Scalars on the device by name: `sums` of two pieces are added, of two `least` the smaller is taken.

    In `least` stand `first`, `smallest` (one less), `lowest_byte`, `WORD at` (positions), and, with all bits inverted
    so that the smaller is the larger, `largest` and `highest_byte`.
    """

    sums: dict[str, Any]
    least: dict[str, Any]


def measure(data: Any, encoding: Encoding, words: frozenset[str], start: int) -> list[Numbers]:
    """Numbers of a piece of whole elements, whose first is number `start`; packed formats give two sets."""
    least = {}
    if not words.isdisjoint(("uniform", "byte")):
        least = {"lowest_byte": data.amin(), "highest_byte": ~data.amax().to(torch.int64)}
    if encoding.kind == "raw" or encoding.bits == 6 or words <= _OF_BYTES:
        return [Numbers({}, least)]
    found = []
    for half, codes in enumerate(_codes(data, encoding)):
        numbers = _measure(codes, encoding, words, start)
        if "first" in words:
            # Only the first element of the tensor is the first; NOTHING loses against whatever it is.
            elsewhere = torch.full((), NOTHING, dtype=torch.int64, device=data.device)
            numbers.least["first"] = elsewhere if half or start else codes[0]
        if "ceiling_runs" in words and encoding.bits == 4 and encoding.kind == "float":
            runs = torch.zeros((), dtype=torch.int64, device=data.device) if half else _ceiling_runs(data)
            numbers.sums["ceiling_runs"] = runs
        found.append(Numbers(numbers.sums, numbers.least | least))
    return found


def _ceiling_runs(data: Any) -> Any:
    """How many FP4 elements lie in runs of eight that are all at the ceiling."""
    whole = data[: data.numel() // RUN * RUN]
    if whole.storage_offset() % RUN:
        whole = whole.clone()
    return ((whole.view(torch.int32) & 0x77777777) == 0x77777777).sum() * (2 * RUN)


def sampled(data: Any, e: Encoding, at: int) -> Any:
    """The histogram of a few of the whole elements from byte `at` of the tensor on (see `..sample`)."""
    first, rest = pieces(len(data), at)
    strides = data[rest]
    even = len(strides) // STRIDE * STRIDE
    cut = strides[:even].view(-1, STRIDE)[:, :TAKEN].reshape(-1)
    some = torch.cat([data[first], cut, strides[even : even + TAKEN]])
    if e.bits > 8:
        some = some.view({16: torch.int16, 32: torch.int32}[e.bits]) >> (e.bits - 9) & (BINS - 1)
    counts = torch.zeros(BINS, dtype=torch.int64, device=data.device)
    # Unlike torch.bincount this does not wait for the device.
    return counts.scatter_add_(0, some.to(torch.int64), torch.ones_like(some, dtype=torch.int64))


def _codes(data: Any, e: Encoding) -> list[Any]:
    """The stored elements as numbers: signed, or of 8 bits and unsigned; two arrays where a byte holds two codes."""
    if e.bits > 4:
        return [data.view({8: torch.uint8, 16: torch.int16, 32: torch.int32, 64: torch.int64}[e.bits])]
    low, high = data & 15, data >> 4
    if e.kind == "int" and e.signed:
        # Bit 3 is the sign; below zero (8 to 15) the bits above it are ones.
        return [(low ^ 8) - 8, (high ^ 8) - 8]
    return [low, high]


def _measure(codes: Any, e: Encoding, words: frozenset[str], start: int) -> Numbers:
    ranges = ranges_of(e)
    magnitudes, shift = _magnitudes(codes, e)
    numbers = Numbers({}, {})
    for word in COUNTED:
        if word not in words and not (word == "zero" and "all_zero" in words):
            continue
        for wanted in ranges.words.get(word, ()):
            if wanted.stored:
                mask = _within(codes, _signed(wanted, codes), 0)
            else:
                mask = _within(magnitudes, wanted, shift)
            count, place = _count(mask, start)
            numbers.sums[word] = numbers.sums.get(word, 0) + count
            if word not in UNPLACED:
                numbers.least[f"{word} at"] = place
    if not words.isdisjoint(("smallest", "largest")):
        other = ~_within(magnitudes, ranges.real, shift)
        none = other.all()
        ends = torch.iinfo(magnitudes.dtype)
        if "smallest" in words:
            # One less, which no other number than NOTHING then reaches.
            least = magnitudes.masked_fill(other, ends.max).amin().to(torch.int64) - 1
            numbers.least["smallest"] = least.masked_fill(none, NOTHING)
        if "largest" in words:
            most = magnitudes.masked_fill(other, ends.min).amax().to(torch.int64)
            numbers.least["largest"] = (~most).masked_fill(none, NOTHING)
    return numbers


def _magnitudes(codes: Any, e: Encoding) -> tuple[Any, int]:
    """Magnitudes in an order that torch can compare, and what was taken from each pattern for that."""
    if e.kind == "float":
        return (codes & ((1 << (e.bits - 1)) - 1) if e.signed else codes), 0
    eight = codes.dtype == torch.uint8
    if e.signed:
        # The lowest integer has no positive twin; wrapped around and seen as unsigned it is right again.
        codes = codes.view(torch.int8).abs().view(torch.uint8) if eight else codes.abs()
    return (codes, 0) if eight else (codes ^ torch.iinfo(codes.dtype).min, _shift(e))


def _shift(e: Encoding) -> int:
    return 1 << (e.bits - 1) if e.kind == "int" and e.bits > 8 else 0


def _signed(wanted: Range, codes: Any) -> Range:
    """A range of stored patterns as the signed numbers that they are seen as; no range goes across the sign."""
    bits = torch.iinfo(codes.dtype).bits
    wrap = (1 << bits) if codes.dtype != torch.uint8 and wanted.low >> (bits - 1) else 0
    return Range(wanted.low - wrap, wanted.high - wrap)


def _within(values: Any, wanted: Range, shift: int) -> Any:
    low, high = wanted.low - shift, wanted.high - shift
    return values == low if low == high else (values >= low) & (values <= high)


def _count(mask: Any, start: int) -> tuple[Any, Any]:
    """How many are true, and the number of the first of them (NOTHING if none), when the first one is `start`."""
    if len(mask) % _ROW:
        mask = torch.cat([mask, mask.new_zeros(-len(mask) % _ROW)])
    # Eight truth values at a time, which torch would else widen to as many bytes each: a row has 128 such numbers, and
    # so no byte of their sum overflows.
    lanes = mask.view(torch.int64).view(-1, _ROW // 8).sum(1)
    counts = lanes.view(torch.uint8).view(-1, 8).sum(1)
    line = (counts != 0).to(torch.uint8).argmax().view(1)
    place = line * _ROW + mask.view(-1, _ROW).index_select(0, line).to(torch.uint8).argmax(1) + start
    count = counts.sum()
    return count, place[0].masked_fill(count == 0, NOTHING)


def extremes(least: Mapping[str, int], encoding: Encoding) -> dict[str, float]:
    """The magnitudes that `smallest` and `largest` stand for, as far as there are any."""
    patterns = {}
    if least.get("smallest", NOTHING) != NOTHING:
        patterns["smallest"] = least["smallest"] + 1
    if least.get("largest", NOTHING) != NOTHING:
        patterns["largest"] = ~least["largest"]
    return {word: abs(number(encoding, pattern + _shift(encoding))) for word, pattern in patterns.items()}
