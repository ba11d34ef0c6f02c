"""The values of a tensor: counts, extremes, entropy, and a histogram of exponents or of codes."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import numpy as np
import numpy.typing as npt

from ..dtypes import ENCODINGS, Encoding, code_table
from ..measures.interface import CODES, COUNTED, Measures
from ..measures.plan import Need
from ..schemes.amount import logical
from .exponents import EXPONENTS
from .survey import Row

WORDS = frozenset({"count", *COUNTED, "smallest", "largest"})


@dataclass(frozen=True)
class Histogram:
    """How often what occurs: `counts` of values by their power of two (`log2`), or by `value` for narrow integers."""

    kind: str
    labels: tuple[float, ...]
    counts: tuple[int, ...]

    def __add__(self, other: Histogram) -> Histogram:
        merged = dict(zip(self.labels, self.counts, strict=True))
        for label, count in zip(other.labels, other.counts, strict=True):
            merged[label] = merged.get(label, 0) + count
        return Histogram(self.kind, tuple(sorted(merged)), tuple(merged[label] for label in sorted(merged)))


@dataclass(frozen=True)
class Values:
    """Measures of one tensor, or of several of one encoding; the histogram is None where bytes have no meaning."""

    encoding: Encoding
    measures: Measures
    histogram: Histogram | None

    @property
    def entropy(self) -> float | None:
        """Bits of information per stored code, of at most `encoding.bits`; None for elements of more than 8 bits."""
        codes = self.measures.codes
        if not codes or not self.measures.count:
            return None
        total = sum(codes)
        return sum(n / total * log2(total / n) for n in codes if n)

    def __add__(self, other: Values) -> Values:
        both = self.histogram and other.histogram and self.histogram + other.histogram
        return Values(self.encoding, self.measures + other.measures, both or self.histogram or other.histogram)


def encoding_of_row(row: Row) -> Encoding:
    """How a row's bytes are read; packed integers in whatever order as 4 or 8 bits, where that adds up."""
    e = row.unit.encoding
    module = row.unit.module
    if e.kind != "raw" or row.part != "weight" or module is None or not module.scheme.quantized:
        return e
    count = logical(module)
    if count and row.tensor.nbytes * 8 % count == 0:
        return ENCODINGS.get(f"uint{row.tensor.nbytes * 8 // count}", e)
    return e


def need_of(row: Row) -> Need:
    """What is measured of a row."""
    encoding = encoding_of_row(row)
    if encoding.kind == "float" and encoding.bits > 8:
        return Need(row.tensor, encoding, WORDS | {EXPONENTS})
    coded = encoding.bits <= 8 and encoding.bits != 6 and encoding.kind != "raw"
    return Need(row.tensor, encoding, WORDS | {CODES} if coded else WORDS)


def values_of(need: Need, measures: Measures, exponents: npt.NDArray[np.int64] | None) -> Values:
    """The values of a tensor whose measures, and exponents where they were asked for, are known."""
    return Values(need.encoding, measures, _histogram(need.encoding, measures, exponents))


def _histogram(e: Encoding, m: Measures, exponents: npt.NDArray[np.int64] | None) -> Histogram | None:
    """Finite values other than zero, by power of two; narrow integers and FP4 by value."""
    if m.codes and (e.kind == "int" or e.bits == 4):
        counted = sorted(zip(code_table(e).value.tolist(), m.codes, strict=True))
        merged: dict[float, int] = {}
        for value, count in counted:
            merged[value + 0.0] = merged.get(value + 0.0, 0) + count
        return Histogram("value", tuple(merged), tuple(merged.values()))
    if m.codes and e.kind == "float":
        table = code_table(e)
        powers: dict[float, int] = {}
        for code, count in enumerate(m.codes):
            value = abs(float(table.value[code]))
            if count and value and value < float("inf"):
                power = float(np.floor(np.log2(value)))
                powers[power] = powers.get(power, 0) + count
        return _filled(powers)
    if exponents is None:
        return None
    top = len(exponents) - (e.special == "ieee")
    powers = {float(field - e.bias): int(n) for field, n in enumerate(exponents[:top]) if n and field}
    if exponents[0] > m.zero:
        powers[float(-e.bias)] = int(exponents[0]) - m.zero
    return _filled(powers)


def _filled(powers: dict[float, int]) -> Histogram | None:
    """Every power from the least to the greatest, those that do not occur with none."""
    if not powers:
        return None
    low, high = int(min(powers)), int(max(powers))
    labels = tuple(float(p) for p in range(low, high + 1))
    return Histogram("log2", labels, tuple(powers.get(p, 0) for p in labels))
