"""A block of FP4 elements, two in a byte, looked at without taking the bytes apart.

With the sign bits masked out, adding 8 - n to both halves of a byte sets the topmost bit of those whose magnitude is at
least n, and nothing is carried from the lower half into the upper one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .interface import RUN, Bytes
from .ranges import Range

_HALVES = 0x11  # times a number below 16: that number in both halves
_TOPS = np.uint8(0x88)  # the topmost bits of both halves
_MAGNITUDES = np.uint8(0x77)
_LARGEST = 7
_GLANCE = 256  # bytes


class Nibbles:
    """FP4 elements in `codes`; `scratch` and `mask` are memory for as many bytes, overwritten here."""

    def __init__(self, codes: Bytes, scratch: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_]) -> None:
        self._codes = codes
        self._scratch = scratch[: len(codes)]
        self._mask = mask[: len(codes)]

    def __len__(self) -> int:
        return 2 * len(self._codes)

    def count(self, wanted: Range, place: bool = True) -> tuple[int, int]:
        """How many elements lie in a range, and the index of the first byte with one (see Elements.count)."""
        flags = self._at_least(1 if wanted.stored else wanted.low, self._scratch)
        if wanted.stored:  # the negative ones
            flags &= self._codes
        elif wanted.high < _LARGEST:
            flags &= ~self._at_least(wanted.high + 1, np.empty_like(self._codes))
        first = int((flags != 0).argmax()) if place else 0
        count = self._flagged(flags)
        return count, first if count else 0

    def ceiling_runs(self) -> int:
        """How many elements lie in runs of eight that are all at the ceiling."""
        whole = len(self._codes) - len(self._codes) % RUN
        np.bitwise_and(self._codes, _MAGNITUDES, out=self._scratch)
        runs = self._scratch[:whole].view(np.uint32)
        mask = np.equal(runs, np.uint32(0x01010101 * int(_MAGNITUDES)), out=self._mask[: len(runs)])
        return 2 * RUN * int(np.count_nonzero(mask))

    def all_in(self, wanted: Range) -> bool:
        """Whether all elements lie in a range that begins with zero."""
        for some in (self._codes[:_GLANCE], self._codes):  # a glance settles it nearly always
            if int((some & np.uint8(0x70)).max()) >> 4 > wanted.high or int((some & np.uint8(7)).max()) > wanted.high:
                return False
        return True

    def smallest(self, real: Range) -> int | None:
        """The least magnitude in the range `real`, None where there is none."""
        return next((n for n in range(real.low, real.high + 1) if self.count(Range(n, n), False)[0]), None)

    def largest(self, real: Range) -> int | None:
        """The greatest magnitude in the range `real`, None where there is none."""
        some = self._codes[:_GLANCE]  # has nearly always the greatest of all
        if real.high == _LARGEST and ((some & np.uint8(0x70) == 0x70).any() or (some & np.uint8(7) == _LARGEST).any()):
            return _LARGEST
        return next((n for n in range(real.high, real.low - 1, -1) if self.count(Range(n, n), False)[0]), None)

    def _flagged(self, flags: Bytes) -> int:
        """How many bits are set, of two in every byte; overwrites them."""
        folded = len(flags) - len(flags) % 32 if hasattr(np, "bitwise_count") else 0  # numpy before 2.0 has none
        rest = flags[folded:]
        both = np.equal(rest, _TOPS, out=self._mask[folded:])
        count = int(np.count_nonzero(rest)) + int(np.count_nonzero(both))
        if not folded:
            return count
        # Four bytes have room for each other's bits.
        words = flags[:folded].view(np.uint64)
        for shift in (np.uint64(1), np.uint64(2)):
            words, other = words.reshape(2, -1)
            np.right_shift(other, shift, out=other)
            np.bitwise_or(words, other, out=words)
        bits = np.bitwise_count(words, out=self._mask[: len(words)].view(np.uint8))
        return count + int(bits.sum(dtype=np.uint32))  # a block has fewer; half the time of 64 bits

    def _at_least(self, least: int, out: Bytes) -> Bytes:
        """The topmost bit of every half whose magnitude is at least `least`."""
        np.bitwise_and(self._codes, _MAGNITUDES, out=out)
        np.add(out, np.uint8(_HALVES * (_LARGEST + 1 - least)), out=out)
        np.bitwise_and(out, _TOPS, out=out)
        return out
