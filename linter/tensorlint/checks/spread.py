"""How large values are, by their mean square and their largest magnitude, from what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import isfinite, sqrt

import numpy as np
import numpy.typing as npt

from ..dtypes import Encoding, code_table
from ..measures.interface import Measures
from ..measures.sample import BINS, ends

Values = npt.NDArray[np.float64]
_BYTE = 8  # bits


@dataclass(frozen=True)
class Spread:
    """The mean square of some values, and the largest magnitude among them."""

    square: float
    peak: float

    @property
    def rms(self) -> float:
        """The root mean square."""
        return sqrt(self.square)

    def __mul__(self, other: Spread) -> Spread:
        return Spread(self.square * other.square, self.peak * other.peak)


def constant(value: float) -> Spread:
    """One number."""
    return Spread(value * value, abs(value))


def of_scales(found: Measures, encoding: Encoding, divide: bool = False) -> Spread | None:
    """Floats or integers, or one over them; from their sample, and their least and largest magnitude.

    None where there are none, where any is NaN or infinite, or where one is zero that something is divided by.
    """
    if found.sample is None or not found.count or not sum(found.sample):
        return None
    if encoding.kind == "raw" or encoding.bits < _BYTE:
        return None
    smallest, largest = found.value("smallest"), found.value("largest")
    if 0 < smallest == largest and found.count == 1:
        return constant(1 / largest if divide else largest)
    counts = np.array(found.sample, np.float64)
    held = counts > 0
    counts, (low, high) = counts[held], (end[held] for end in _ends(encoding))
    if not np.isfinite(low).all():
        return None
    if encoding.bits > _BYTE:  # a bin that the least or the greatest is in ends there
        low, high = np.maximum(low, smallest), np.minimum(high, largest)
    total = float(counts.sum())
    if not divide:
        return Spread(float(counts @ (low * low + low * high + high * high)) / (3 * total), largest)
    if not smallest or not low.all():
        return None
    return Spread(float(counts @ (1 / (low * high))) / total, 1 / smallest)


def code_counts(sample: tuple[int, ...], bits: int) -> Values:
    """How often each code of so many bits, a divisor of eight, occurs in what was sampled."""
    return np.array(sample, np.float64) @ _fields(bits)


def of_codes(sample: tuple[int, ...], bits: int, values: Values, middle: float | None) -> Spread | None:
    """Codes of so many bits, a divisor of eight, that stand for `values`, around a middle; None is their mean."""
    counts = code_counts(sample, bits)
    held = counts > 0
    counts, values = counts[held], values[held]
    total = float(counts.sum())
    if not total:
        return None
    around = values - (float(counts @ values) / total if middle is None else middle)
    square = float(counts @ (around * around)) / total
    return Spread(square, float(np.abs(around).max())) if isfinite(square) else None


def of_whole_range(values: Values, middle: float | None, together: int) -> Spread:
    """The least of codes of which one of so many that share a scale is at an end of their range."""
    real = values[np.isfinite(values)]
    peak = float(np.abs(real - middle).max() if middle is not None else (real.max() - real.min()) / 2)
    return Spread(peak * peak / together, peak)


@cache
def numbers(bits: int, signed: bool) -> Values:
    """What integers of so many bits stand for, by their pattern."""
    patterns = np.arange(1 << bits)
    return np.asarray(patterns - ((patterns >> (bits - 1)) << bits) if signed else patterns, np.float64)


@cache
def _fields(bits: int) -> Values:
    """How often each byte holds each code of so many bits: (256, 2^bits)."""
    patterns, found = np.arange(BINS), np.zeros((BINS, 1 << bits))
    for at in range(0, _BYTE, bits):
        found[patterns, patterns >> at & ((1 << bits) - 1)] += 1
    return found


@cache
def _ends(encoding: Encoding) -> tuple[Values, Values]:
    """The least and the greatest magnitude of what each bin of a sample stands for."""
    if encoding.bits > _BYTE:
        return ends(encoding)
    values = np.abs(code_table(encoding).value)
    return values, values
