"""What is measured about one tensor, and the seam behind which it is computed.

Measures are exact and mergeable: chunks of a tensor, measured in any order, combine with `+` to the measures of the
whole; a chunk of FP4 elements begins at a multiple of RUN bytes of its tensor. Positions count elements as stored
(packed formats: the bytes or words of the file).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..dtypes import Encoding
from .zeropages import PAGE, ZeroRun

__all__ = [
    "CODES",
    "COUNTED",
    "PAGE",
    "RUN",
    "SAMPLE",
    "UNPLACED",
    "WORDS",
    "Bytes",
    "Kernel",
    "Measures",
    "ZeroRun",
    "total",
]

# word -> what it counts or tells, for messages, `explain` and the rule language
WORDS: dict[str, str] = {
    "count": "number of elements (packed formats: of logical values)",
    "nan": "elements that are NaN",
    "inf": "elements that are infinite",
    "zero": "elements that are zero, of either sign",
    "negative": "elements below zero",
    "subnormal": "elements that are subnormal",
    "ceiling": "elements at the largest finite magnitude of the format (integers: at either end)",
    "below_ceiling": "elements one step below the largest finite magnitude: clipping leaves few of them and many above",
    "ceiling_runs": "FP4 elements in runs of eight (four bytes) all at the ceiling, cheap to count; 0 in other formats",
    "floor": "elements at the smallest non-zero magnitude of the format",
    "smallest": "smallest non-zero finite magnitude",
    "largest": "largest finite magnitude",
    "first": "value of the first element",
    "all_zero": "1 when every element is zero, of either sign, else 0; cheaper than counting them",
    "uniform": "1 when every stored byte is the same, else 0",
    "byte": "where `uniform` is 1 the only stored byte, else one of them",
    "zero_pages": "length of the longest run of 4 KiB pages of zero bytes",
}
COUNTED = ("nan", "inf", "zero", "negative", "subnormal", "ceiling", "below_ceiling", "ceiling_runs", "floor")
RUN = 4  # bytes of FP4 elements that `ceiling_runs` looks at together
UNPLACED = frozenset({"ceiling", "below_ceiling", "ceiling_runs", "floor"})  # matter by their share, not their place
CODES = "codes"  # asks for the histogram of bit patterns; not a word of the rule language
SAMPLE = "sample"  # asks for the histogram of some bytes or of what floats begin with (`sample`); no word either


@dataclass(frozen=True)
class Measures:
    """Everything measured about one tensor, or about a part of it.

    `positions` gives for each counted word with a count above zero the index of its first element, except for
    those of UNPLACED; `codes` is the histogram of bit patterns where it was asked for and the encoding has at most 8
    bits; `sample` is that of a few elements (see the module of that name). Where `all_zero` is wanted and `zero` not,
    zeros may be left out of the count in any block that has another element: the tensor is zero where all elements
    were counted.
    `lowest_byte` and `highest_byte` are equal where all bytes are; two different bytes are enough to set them apart.
    """

    count: int = 0
    nan: int = 0
    inf: int = 0
    zero: int = 0
    negative: int = 0
    subnormal: int = 0
    ceiling: int = 0
    below_ceiling: int = 0
    ceiling_runs: int = 0
    floor: int = 0
    smallest: float = float("inf")
    largest: float = 0.0
    first: tuple[int, float] = (1 << 62, 0.0)
    lowest_byte: int = 255
    highest_byte: int = 0
    positions: Mapping[str, int] = field(default_factory=dict)
    zero_run: ZeroRun | None = None
    codes: tuple[int, ...] | None = None
    sample: tuple[int, ...] | None = None

    def __add__(self, other: Measures) -> Measures:
        # Nothing adds nothing, whatever was looked for in it.
        if not self.count:
            return other if self.zero_run is None else replace(other, zero_run=_joined(self.zero_run, other.zero_run))
        if not other.count:
            return self if other.zero_run is None else replace(self, zero_run=_joined(self.zero_run, other.zero_run))
        positions = dict(self.positions)
        for word, at in other.positions.items():
            positions[word] = min(at, positions.get(word, at))
        return Measures(
            self.count + other.count,
            self.nan + other.nan,
            self.inf + other.inf,
            self.zero + other.zero,
            self.negative + other.negative,
            self.subnormal + other.subnormal,
            self.ceiling + other.ceiling,
            self.below_ceiling + other.below_ceiling,
            self.ceiling_runs + other.ceiling_runs,
            self.floor + other.floor,
            smallest=min(self.smallest, other.smallest),
            largest=max(self.largest, other.largest),
            first=min(self.first, other.first),
            lowest_byte=min(self.lowest_byte, other.lowest_byte),
            highest_byte=max(self.highest_byte, other.highest_byte),
            positions=positions,
            zero_run=_joined(self.zero_run, other.zero_run),
            codes=_added(self.codes, other.codes),
            sample=_added(self.sample, other.sample),
        )

    def value(self, word: str) -> float:
        """The number a word of the rule language stands for."""
        if word == "first":
            return self.first[1]
        if word == "all_zero":
            return int(self.zero == self.count)
        if word == "uniform":
            return int(self.lowest_byte >= self.highest_byte)
        if word == "byte":
            return self.lowest_byte
        if word == "zero_pages":
            return self.zero_run.best[0] if self.zero_run else 0
        if word == "smallest":
            return self.smallest if self.smallest != float("inf") else 0.0
        return float(getattr(self, word)) if word == "largest" else getattr(self, word)


def _added(left: tuple[int, ...] | None, right: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The sum of two histograms; None where they do not go together."""
    if left is None or right is None or len(left) != len(right):
        return None
    return tuple(map(int.__add__, left, right))


def _joined(left: ZeroRun | None, right: ZeroRun | None) -> ZeroRun | None:
    return left + right if left is not None and right is not None else left if right is None else right


Bytes = npt.NDArray[np.uint8]


class Kernel(Protocol):
    """Measures one chunk of a tensor's bytes."""

    def measure(self, data: Bytes, encoding: Encoding, words: frozenset[str], at: int, offset: int) -> Measures:
        """Measures of `data`, whose first byte is byte `at` of the tensor and byte `offset` of the file.

        `words` are those that somebody needs; others may be left out. A last element that is not whole is left out.
        """


def total(parts: Iterable[Measures]) -> Measures:
    """The sum of the measures of several tensors; runs of zero pages do not go on from one tensor to the next."""
    result = Measures()
    longest: ZeroRun | None = None
    for part in parts:
        result = result + (part if part.zero_run is None else replace(part, zero_run=None))
        if part.zero_run is not None and (longest is None or part.zero_run.best[0] > longest.best[0]):
            longest = part.zero_run
    return replace(result, zero_run=longest)
