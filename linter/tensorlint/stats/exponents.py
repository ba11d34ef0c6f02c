"""A scanner that also counts exponents: the histogram of elements that are too wide for one of bit patterns."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

import numpy as np
import numpy.typing as npt

from ..dtypes import Encoding
from ..errors import UnfinishedError
from ..measures.cores import available
from ..measures.cpu import CpuKernel
from ..measures.interface import Bytes, Measures
from ..measures.plan import Plan
from ..measures.reading import Reader
from ..measures.scan import Key, Progress, StoppedError, Totals, together
from ..sources.interface import Source

EXPONENTS = "exponents"  # asks for them, beside the words of measures; the cache of measures does not keep them
PIECE = 4 << 20  # bytes a thread reads and measures at a time; its buffer


class ExponentScanner:
    """A Scanner on the CPU with `jobs` threads, 0 for one per processor.

    `exponents` holds, for tensors whose need asks for EXPONENTS, how often each exponent field occurs; zeros count
    under the field 0, as subnormals do.
    """

    def __init__(self, jobs: int = 0) -> None:
        self.exponents: dict[Key, npt.NDArray[np.int64]] = {}
        self._jobs = jobs
        self._lock = Lock()

    def __call__(self, source: Source, plan: Plan, progress: Progress | None = None) -> Mapping[Key, Measures]:
        """See Scanner. Memory is bounded by PIECE per thread, whatever the size of a tensor."""
        totals = Totals(progress)
        with Reader(source, plan, PIECE) as reader:
            threads = min(self._jobs or available(), 1 + plan.bytes // PIECE)
            try:
                together(threads, reader, lambda: self._work(reader, totals))
            except UnfinishedError as error:
                raise StoppedError(error, totals.whole) from error
        return totals.whole

    def _work(self, reader: Reader, totals: Totals) -> None:
        buffer, kernel = np.empty(PIECE, np.uint8), CpuKernel()
        while (piece := reader.fill(buffer.data)) is not None:
            found = []
            for part in piece.parts:
                need, data = part.need, buffer[part.at : part.at + part.size]
                found.append((part, kernel.measure(data, need.encoding, need.words, part.start, part.offset)))
                if EXPONENTS in need.words and part.size:
                    self._add((need.tensor.shard, need.tensor.name), _exponents(data, need.encoding))
            totals.add(found)

    def _add(self, key: Key, counts: npt.NDArray[np.int64]) -> None:
        with self._lock:
            before = self.exponents.get(key)
            self.exponents[key] = counts if before is None else before + counts


def _exponents(data: Bytes, e: Encoding) -> npt.NDArray[np.int64]:
    width = e.bits // 8
    patterns = data[: len(data) - len(data) % width].view(f"<u{width}")
    fields = patterns >> patterns.dtype.type(e.mantissa) & patterns.dtype.type((1 << e.exponent) - 1)
    return np.bincount(fields.astype(np.int64, copy=False), minlength=1 << e.exponent)
