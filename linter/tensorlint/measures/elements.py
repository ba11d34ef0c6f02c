"""A block of elements of 8 to 64 bits, and the fewest passes over it that answer a question.

The least and greatest pattern, seen as signed and as unsigned numbers, are those of the positive and of the negative
elements: a float without its sign bit grows with its magnitude. Nothing is computed before it is asked for, and nothing
twice.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..dtypes import Encoding
from .ranges import Range

Unsigned = npt.NDArray[np.unsignedinteger[Any]]


class Elements:
    """Patterns `codes` in the encoding `e`; `scratch` and `mask` are memory for as many elements, overwritten here."""

    def __init__(
        self, codes: Unsigned, e: Encoding, scratch: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_]
    ) -> None:
        self._codes = codes
        self._signed = codes.view(f"<i{codes.itemsize}")
        self._kind = e.kind if e.signed else "unsigned"
        self._sign = 1 << (8 * codes.itemsize - 1)
        self._scratch = scratch[: codes.nbytes].view(codes.dtype)
        self._mask = mask[: len(codes)]

    def __len__(self) -> int:
        return len(self._codes)

    def count(self, wanted: Range, place: bool = True) -> tuple[int, int]:
        """How many elements lie in a range, and the index of the first (0 where there is none or `place` is false)."""
        low, high, stored = wanted
        top = self._greatest if stored else self.highest
        if low > top:
            return 0, 0
        bottom = self._least if stored else self.lowest
        if high < bottom:
            return 0, 0
        if low <= bottom and top <= high:
            return len(self), 0
        values = self._codes if stored else self._magnitudes
        make = values.dtype.type
        if low == high:
            np.equal(values, make(low), out=self._mask)
        elif low <= bottom:
            np.less_equal(values, make(high), out=self._mask)
        elif top <= high:
            np.greater_equal(values, make(low), out=self._mask)
        else:
            np.less_equal(values - make(low), make(high - low), out=self._mask)
        count = int(np.count_nonzero(self._mask))
        return count, int(self._mask.argmax()) if count and place else 0

    def all_in(self, wanted: Range) -> bool:
        """Whether all elements lie in a range that begins with zero."""
        return (self._greatest if wanted.stored else self.highest) <= wanted.high

    @cached_property
    def highest(self) -> int:
        """The greatest magnitude."""
        if self._kind == "unsigned":
            return self._greatest
        if self._kind == "int":
            return max(-self._lowest_signed, self._highest_signed)
        if self._greatest < self._sign:  # none is negative
            return self._greatest
        return max(self._greatest - self._sign, self._highest_signed)

    @cached_property
    def lowest(self) -> int:
        """The least magnitude; for integers of both signs zero, which may be less than it is."""
        if self._kind == "unsigned":
            return self._least
        if self._kind == "int":
            return max(0, self._lowest_signed, -self._highest_signed)
        if self._greatest < self._sign:
            return self._least
        positive = self._least  # from the sign bit on: there are none
        negative = self._lowest_signed + self._sign if self._lowest_signed < 0 else self._sign
        return min(positive, negative)

    def smallest(self, real: Range) -> int | None:
        """The least magnitude in the range `real`, None where there is none."""
        if real.low <= self.lowest <= real.high and self._kind != "int":
            return self.lowest
        # What lies below the range wraps around to the greatest numbers.
        found = int((self._magnitudes - self._codes.dtype.type(real.low)).min()) + real.low
        return found if found <= real.high else None

    def largest(self, real: Range) -> int | None:
        """The greatest magnitude in the range `real`, None where there is none."""
        if self.highest <= real.high:
            return self.highest if self.highest >= real.low else None
        found = real.high - int((self._codes.dtype.type(real.high) - self._magnitudes).min())
        return found if found >= real.low else None

    @cached_property
    def _greatest(self) -> int:
        return int(np.maximum.reduce(self._codes))

    @cached_property
    def _least(self) -> int:
        return int(np.minimum.reduce(self._codes))

    @cached_property
    def _highest_signed(self) -> int:
        return int(np.maximum.reduce(self._signed))

    @cached_property
    def _lowest_signed(self) -> int:
        return int(np.minimum.reduce(self._signed))

    @cached_property
    def _magnitudes(self) -> Unsigned:
        if self._kind == "unsigned":
            return self._codes
        if self._kind == "float":
            np.bitwise_and(self._codes, self._codes.dtype.type(self._sign - 1), out=self._scratch)
        else:
            # The lowest integer has no positive twin; wrapped around and seen as unsigned it is right again.
            np.abs(self._signed, out=self._scratch.view(self._signed.dtype))
        return self._scratch
