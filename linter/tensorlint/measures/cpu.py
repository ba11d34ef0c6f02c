"""The CPU kernel: the least and greatest patterns settle what is wanted, and only what they leave open is counted.

They cost next to nothing beside fetching the bytes from memory: numpy finds them in the processor's cache at more than
100 GB/s, and compares and counts at 20. A sound weight has neither NaN nor Inf, which two such passes prove.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..dtypes import Encoding
from .elements import Elements
from .interface import CODES, COUNTED, SAMPLE, UNPLACED, Bytes, Measures
from .nibbles import Nibbles
from .ranges import number, ranges_of
from .sample import sampled
from .zeropages import ZeroRun, zero_pages

# Bytes looked at together. Every pass but the first finds them in the processor's cache; and between two passes threads
# wait for each other, for the interpreter's lock, so that fewer and longer ones are faster than what fits the L2 cache.
BLOCK = 4 << 20
_GLANCE = 256  # bytes
_OF_BYTES = frozenset({"count", "uniform", "byte", "zero_pages", SAMPLE})


class CpuKernel:
    """Measures with numpy. It keeps memory for intermediate results: one kernel serves one thread."""

    def __init__(self) -> None:
        self._scratch = np.empty(0, np.uint8)
        self._mask = np.empty(0, np.bool_)

    def measure(self, data: Bytes, encoding: Encoding, words: frozenset[str], at: int, offset: int) -> Measures:
        """See Kernel."""
        run = zero_pages(data, offset) if "zero_pages" in words else None
        width = max(1, encoding.bits // 8)
        data = data[: len(data) - len(data) % width]
        if not len(data):
            return Measures(zero_run=run)
        if len(self._scratch) < min(len(data), BLOCK):
            self._scratch, self._mask = (
                np.empty(min(len(data), BLOCK), np.uint8),
                np.empty(min(len(data), BLOCK), np.bool_),
            )
        found = _Tally(sample=sampled(data, encoding, at) if SAMPLE in words else None)
        for begin in range(0, len(data), BLOCK):
            block = data[begin : begin + BLOCK]
            if not words.isdisjoint(("uniform", "byte")):
                found.extremes(block)
            # Six-bit codes straddle bytes in an order that each writer chooses.
            if encoding.kind != "raw" and encoding.bits != 6 and not words <= _OF_BYTES:
                self._block(block, encoding, words, (at + begin) // width, found)
        # A code of six bits that is cut in two counts where it ends.
        return found.measures((at + len(data)) * 8 // encoding.bits - at * 8 // encoding.bits, run)

    def _block(self, data: Bytes, e: Encoding, words: frozenset[str], start: int, found: _Tally) -> None:
        """Add a block whose first stored element (packed formats: byte) is number `start` of the tensor."""
        if CODES in words and e.bits <= 8:
            found.histogram(data, e.bits)
        if e.bits >= 8:
            codes = data.view(f"<u{e.bits // 8}")
            found.see(Elements(codes, e, self._scratch, self._mask), int(codes[0]), e, words, start)
        elif e.kind == "float":
            block = Nibbles(data, self._scratch, self._mask)
            found.see(block, int(data[0]) & 15, e, words, start)
            if "ceiling_runs" in words:
                found.add("ceiling_runs", block.ceiling_runs(), start)
        else:
            # Two codes per byte, the first in the low half.
            for half, wanted in ((data & np.uint8(15), words), (data >> np.uint8(4), words - {"first"})):
                if e.signed:  # bit 3 is the sign; below zero (8 to 15) the bits above it are ones
                    half = (half ^ np.uint8(8)) - np.uint8(8)
                found.see(Elements(half, e, self._scratch, self._mask), int(half[0]), e, wanted, start)


@dataclass
class _Tally:
    """What adds up over the blocks of one chunk."""

    counts: dict[str, int] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    first: tuple[int, float] | None = None
    smallest: float = float("inf")
    largest: float = 0.0
    lowest_byte: int = 255
    highest_byte: int = 0
    codes: npt.NDArray[np.intp] | None = None
    sample: tuple[int, ...] | None = None

    def see(self, block: Elements | Nibbles, first: int, e: Encoding, words: frozenset[str], start: int) -> None:
        """Add a block that begins with pattern `first`, stored as number `start`."""
        ranges = ranges_of(e)
        if "first" in words and self.first is None:
            self.first = start, number(e, first)
        for word in COUNTED:
            if word in words:
                for wanted in ranges.words.get(word, ()):
                    count, place = block.count(
                        wanted, word not in UNPLACED and self.positions.get(word, start) >= start
                    )
                    self.add(word, count, start + place)
        if "all_zero" in words and "zero" not in words and any(map(block.all_in, ranges.words.get("zero", ()))):
            self.add("zero", len(block), start)
        if words.isdisjoint(("largest", "smallest")):
            return
        # The magnitude of the lowest integer is, as a pattern, that integer. Nothing goes beyond the ends of a format.
        least, most = abs(number(e, ranges.real.low)), abs(number(e, ranges.real.high))
        if "largest" in words and self.largest < most and (pattern := block.largest(ranges.real)) is not None:
            self.largest = max(self.largest, abs(number(e, pattern)))
        if "smallest" in words and self.smallest > least and (pattern := block.smallest(ranges.real)) is not None:
            self.smallest = min(self.smallest, abs(number(e, pattern)))

    def extremes(self, block: Bytes) -> None:
        """Tell whether all bytes are the same; the first few settle it nearly always."""
        for some in (block[:_GLANCE], block):
            if self.lowest_byte >= self.highest_byte:
                self.lowest_byte = min(self.lowest_byte, int(np.minimum.reduce(some)))
                self.highest_byte = max(self.highest_byte, int(np.maximum.reduce(some)))

    def histogram(self, data: Bytes, bits: int) -> None:
        """Add a block to the histogram of patterns."""
        counts = np.bincount(data, minlength=256)
        if bits == 4:
            counts = counts.reshape(16, 16).sum(0) + counts.reshape(16, 16).sum(1)
        self.codes = counts if self.codes is None else self.codes + counts

    def measures(self, count: int, run: ZeroRun | None) -> Measures:
        """The sum; a chunk has `count` elements."""
        return Measures(
            count,
            **self.counts,
            smallest=self.smallest,
            largest=self.largest,
            first=self.first or (1 << 62, 0.0),
            lowest_byte=self.lowest_byte,
            highest_byte=self.highest_byte,
            positions=self.positions,
            zero_run=run,
            codes=None if self.codes is None else tuple(self.codes.tolist()),
            sample=self.sample,
        )

    def add(self, word: str, count: int, place: int) -> None:
        """Add elements that count for a word, the first of which is number `place`."""
        if count:
            self.counts[word] = self.counts.get(word, 0) + count
            if word not in UNPLACED:
                self.positions[word] = min(place, self.positions.get(word, place))
