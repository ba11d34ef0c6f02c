"""The histogram of elements that are too wide for one of bit patterns: how often each exponent occurs."""

from __future__ import annotations

from threading import Lock

import numpy as np
import numpy.typing as npt

from ..dtypes import Encoding
from ..measures.interface import Bytes
from ..measures.reading import Part
from ..measures.scan import Key

EXPONENTS = "exponents"  # asks for them, beside the words of measures; the cache of measures does not keep them


class Exponents:
    """Counts the exponents in parts of tensors whose need asks for EXPONENTS; safe for several threads.

    `found` holds by tensor how often each exponent field occurs; zeros count under the field 0, as subnormals do.
    """

    def __init__(self) -> None:
        self.found: dict[Key, npt.NDArray[np.int64]] = {}
        self._lock = Lock()

    def add(self, part: Part, data: Bytes) -> None:
        """Count those of one part."""
        need = part.need
        if EXPONENTS not in need.words or not part.size:
            return
        counts, key = _exponents(data, need.encoding), (need.tensor.shard, need.tensor.name)
        with self._lock:
            before = self.found.get(key)
            self.found[key] = counts if before is None else before + counts


def _exponents(data: Bytes, e: Encoding) -> npt.NDArray[np.int64]:
    width = e.bits // 8
    patterns = data[: len(data) - len(data) % width].view(f"<u{width}")
    fields = patterns >> patterns.dtype.type(e.mantissa) & patterns.dtype.type((1 << e.exponent) - 1)
    return np.bincount(fields.astype(np.int64, copy=False), minlength=1 << e.exponent)
