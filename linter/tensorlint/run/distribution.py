"""How the values of one tensor are spread over powers of two, with the bad ones marked: what a small chart shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..container.header import TensorInfo
from ..dtypes import Encoding, code_table
from ..errors import UnfinishedError
from ..measures.interface import Bytes
from ..report.findings import Bin, Distribution
from ..sources.interface import RemoteSource, Source

_READ = 64 << 20  # bytes of one tensor that are read again
_READ_REMOTE = 1 << 20  # over a network
_CHUNK = 4 << 20  # a multiple of every element size
_ROWS = 24  # powers of two on either side of zero; where there are more, several share a bin

_Floats = npt.NDArray[np.float64]
_Counts = npt.NDArray[np.int64]


def distribution(tensor: TensorInfo, encoding: Encoding, word: str, source: Source) -> Distribution | None:
    """The spread of a tensor of floats, or None for other encodings and for a file that cannot be read any more.

    `word` is the measure whose elements are marked as bad. At most 64 MiB of the tensor are read.
    """
    width = encoding.bits // 8
    if encoding.kind != "float" or encoding.bits % 8 or not tensor.nbytes or tensor.nbytes % width:
        return None
    length = min(tensor.nbytes, _READ_REMOTE if isinstance(source, RemoteSource) else _READ)
    tally = _Tally(encoding, word)
    try:
        file = source.open(tensor.shard)
        try:
            for at in range(0, length, _CHUNK):
                tally.add(np.frombuffer(file.read(tensor.begin + at, min(_CHUNK, length - at)), np.uint8))
        finally:
            file.close()
    except UnfinishedError:  # the chart is an illustration; the finding stands without it
        return None
    return Distribution(tensor.name, tensor.dtype, length // width, tensor.nbytes // width, tuple(tally.bins()))


class _Tally:
    """Counts of values by sign and power of two, and of those that stand apart."""

    def __init__(self, encoding: Encoding, word: str) -> None:
        self._encoding = encoding
        self._word = word
        self._apart: Counter[str] = Counter()  # -Inf, 0, floor, ceiling, Inf, NaN
        self._powers: Counter[tuple[int, int]] = Counter()  # (sign, power of two)

    def add(self, data: Bytes) -> None:
        """Count the values of some bytes."""
        bits = self._encoding.bits
        if bits > 16:
            with np.errstate(invalid="ignore"):  # NaN of any payload
                values = data.view(f"<f{bits // 8}").astype(np.float64)
            self._count(values, np.ones(len(values), np.int64))
            return
        counts = np.bincount(data.view(f"<u{bits // 8}"), minlength=1 << bits)
        table = code_table(self._encoding)
        if self._word in ("ceiling", "floor"):  # one value of many in its power of two: a bin of its own
            marked = getattr(table, self._word)
            self._apart[self._word] += int(counts[marked].sum())
            counts = np.where(marked, 0, counts)
        self._count(table.value, counts)

    def _count(self, values: _Floats, counts: _Counts) -> None:
        for label, which in (
            ("NaN", np.isnan(values)),
            ("Inf", values == np.inf),
            ("-Inf", values == -np.inf),
            ("0", values == 0),
        ):
            self._apart[label] += int(counts[which].sum())
        real = np.isfinite(values) & (values != 0) & (counts > 0)
        values, counts = values[real], counts[real]
        powers = np.frexp(values)[1] - 1
        for sign in (-1, 1):
            mine = (values < 0) == (sign < 0)
            if mine.any():
                low = int(powers[mine].min())
                for power, count in enumerate(np.bincount(powers[mine] - low, weights=counts[mine]).tolist(), low):
                    self._powers[sign, power] += int(count)

    def bins(self) -> Iterator[Bin]:
        """Bins from the lowest value to the highest, then Inf and NaN."""
        yield from self._one("-Inf", "inf")
        yield from reversed(list(self._side(-1)))
        yield from self._one("0", "zero")
        yield from self._one("floor", "floor")
        yield from self._side(1)
        yield from self._one("ceiling", "ceiling")
        yield from self._one("Inf", "inf")
        yield from self._one("NaN", "nan")

    def _one(self, label: str, word: str) -> Iterator[Bin]:
        count = self._apart[label]
        if count:
            yield Bin(self._label(label), count, count if word == self._word else 0)

    def _label(self, label: str) -> str:
        if label not in ("floor", "ceiling"):
            return label
        table = code_table(self._encoding)
        value = float(np.abs(table.value[getattr(table, label)]).max())
        return f"{value:.4g} ({'largest' if label == 'ceiling' else 'smallest'})"

    def _side(self, sign: int) -> Iterator[Bin]:
        """Bins of one sign, from the smallest magnitude on, without gaps."""
        powers = sorted(power for s, power in self._powers if s == sign and self._powers[s, power])
        if not powers:
            return
        low, high = powers[0], powers[-1]
        step = -(-(high - low + 1) // _ROWS)
        minus = "-" if sign < 0 else ""
        for first in range(low, high + 1, step):
            last = min(first + step - 1, high)
            counts = {power: self._powers[sign, power] for power in range(first, last + 1)}
            label = f"{minus}2^{first}" + (f"..{minus}2^{last}" if last > first else "")
            bad = sum(count for power, count in counts.items() if self._is_bad(sign, power, low, high))
            yield Bin(label, sum(counts.values()), bad)

    def _is_bad(self, sign: int, power: int, low: int, high: int) -> bool:
        """Whether the finding is about values of this sign and power; the extremes where it is about an extreme."""
        return {
            "negative": sign < 0,
            "subnormal": power < 1 - self._encoding.bias,
            "largest": power == high,
            "smallest": power == low,
        }.get(self._word, False)
