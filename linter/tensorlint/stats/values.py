"""The values of a tensor: counts, extremes, entropy, and a histogram of exponents or of codes; in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import log2

import numpy as np
import numpy.typing as npt

from ..dtypes import ENCODINGS, Encoding, code_table
from ..measures.cpu import CpuKernel
from ..measures.interface import CODES, COUNTED, Measures
from ..schemes.amount import logical
from ..sources.interface import RemoteSource, Source
from .survey import Row

WORDS = frozenset({"count", *COUNTED, "smallest", "largest"})
PIECE = 4 << 20  # bytes read at a time; a multiple of every element size


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


def measured(
    source: Source, table: Iterable[Row], progress: Callable[[int], None] | None = None
) -> Iterator[tuple[Row, Values]]:
    """Rows with their values, shard by shard in file order; raises UnfinishedError when a file changes meanwhile."""
    ordered = sorted(table, key=lambda r: (r.tensor.shard, r.tensor.begin))
    if isinstance(source, RemoteSource):
        ranges: dict[str, list[tuple[int, int]]] = {}
        for row in ordered:
            ranges.setdefault(row.tensor.shard, []).append((row.tensor.begin, row.tensor.end))
        source.prefetch(ranges)
    buffer, kernel = np.empty(PIECE, np.uint8), CpuKernel()
    shard, file = "", None
    try:
        for row in ordered:
            if file is None or row.tensor.shard != shard:
                if file is not None:
                    file.close()
                shard, file = row.tensor.shard, source.open(row.tensor.shard)
            yield row, _values(file.read_into, row, buffer, kernel, progress)
    finally:
        if file is not None:
            file.close()


def _values(
    read_into: Callable[[int, memoryview], None],
    row: Row,
    buffer: npt.NDArray[np.uint8],
    kernel: CpuKernel,
    progress: Callable[[int], None] | None,
) -> Values:
    encoding = encoding_of_row(row)
    words = WORDS | {CODES} if encoding.bits <= 8 and encoding.bits != 6 and encoding.kind != "raw" else WORDS
    whole, exponents = Measures(), np.zeros(0, np.int64)
    begin, end = row.tensor.begin, row.tensor.end
    for at in range(begin, end, PIECE):
        piece = buffer[: min(end - at, PIECE)]
        read_into(at, piece.data)
        whole = whole + kernel.measure(piece, encoding, words, at - begin, at)
        if encoding.kind == "float" and encoding.bits > 8:
            found = _exponents(piece, encoding)
            exponents = found if not len(exponents) else exponents + found
        if progress is not None:
            progress(len(piece))
    return Values(encoding, whole, _histogram(encoding, whole, exponents))


def _exponents(data: npt.NDArray[np.uint8], e: Encoding) -> npt.NDArray[np.int64]:
    """How often each exponent field occurs; zeros count under the field 0, as subnormals do."""
    width = e.bits // 8
    patterns = data[: len(data) - len(data) % width].view(f"<u{width}")
    fields = patterns >> patterns.dtype.type(e.mantissa) & patterns.dtype.type((1 << e.exponent) - 1)
    return np.bincount(fields.astype(np.int64, copy=False), minlength=1 << e.exponent)


def _histogram(e: Encoding, m: Measures, exponents: npt.NDArray[np.int64]) -> Histogram | None:
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
    if not len(exponents):
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
