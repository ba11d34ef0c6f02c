"""The measures of one tensor, added up on a torch device; one small copy comes back at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ...dtypes import Encoding
from ..interface import CODES, COUNTED, SAMPLE, Measures
from ..ranges import number
from ..sample import is_sampled
from .kernel import NOTHING, extremes, measure, sampled
from .pages import PageScan, Placed

_LEAST_STEP = 1 << 16  # bytes; a device without room for so little has no room at all


class Tally:
    """Measures of one tensor, whose bytes are added in pieces of whole elements, in any order.

    `size` is the number of bytes added so far.
    """

    def __init__(self, encoding: Encoding, words: frozenset[str]) -> None:
        self._encoding = encoding
        self._width = max(1, encoding.bits // 8)
        self._words = words
        self._pages = PageScan() if "zero_pages" in words else None
        self.size = 0
        self._step = 1 << 62  # bytes looked at together; halved when memory runs out
        self._names: tuple[Sequence[str], Sequence[str]] = ((), ())
        self._sums: Any = None
        self._least: Any = None
        self._codes: Any = None
        self._sampled = SAMPLE in words and is_sampled(encoding)
        self._sample: Any = None

    def add(self, piece: Placed) -> None:
        """Add bytes. The device is not waited for: they must stay where they are until it has done its work."""
        if self._pages is not None and piece.size:
            self._pages.add(piece)
        whole = piece.size - piece.size % self._width
        done = 0
        while done < whole:
            size = min(self._step, whole - done)
            try:
                self._take(piece.data[done : done + size], (piece.at + done) // self._width)
            except RuntimeError as error:
                if not out_of_memory(error) or size <= _LEAST_STEP:
                    raise
                # What is computed on the way needs a few times the room of the bytes themselves.
                self._step = size // 16 * 8
                free_cache(piece.pages.device)
            else:
                done += size
        self.size += piece.size

    def _take(self, data: Any, start: int) -> None:
        if data.storage_offset() % self._width:
            data = data.clone()  # the file has its elements at odd addresses
        found = measure(data, self._encoding, self._words, start)
        codes = None
        if CODES in self._words and self._encoding.kind != "raw" and self._encoding.bits in (4, 8):
            codes = torch.bincount(data, minlength=256)
        sample = sampled(data, self._encoding, start * self._width) if self._sampled else None
        sums, least = self._sums, self._least
        for numbers in found:
            self._names = tuple(numbers.sums), tuple(numbers.least)
            if numbers.sums:
                counts = torch.stack(list(numbers.sums.values()))
                sums = counts if sums is None else sums + counts
            if numbers.least:
                lows = torch.stack([x.to(torch.int64) for x in numbers.least.values()])
                least = lows if least is None else torch.minimum(least, lows)
        # Nothing was kept so far, so that a piece can be taken again after running out of memory.
        self._sums, self._least = sums, least
        self._codes = codes if self._codes is None else self._codes + codes
        self._sample = sample if self._sample is None else self._sample + sample

    def measures(self) -> Measures:
        """What was added up; waits for the device."""
        run = self._pages.found() if self._pages is not None else None
        whole = self.size - self.size % self._width
        if not whole:
            return Measures(zero_run=run)
        kept = [x for x in (self._sums, self._least) if x is not None]
        numbers = torch.cat(kept).tolist() if kept else []
        counted, others = self._names
        found: dict[str, Any] = dict(zip(counted, numbers[: len(counted)], strict=True))
        least = dict(zip(others, numbers[len(counted) :], strict=True))
        found["positions"] = {w: at for w in COUNTED if (at := least.get(f"{w} at", NOTHING)) != NOTHING}
        found |= extremes(least, self._encoding)
        if "lowest_byte" in least:
            found |= {"lowest_byte": least["lowest_byte"], "highest_byte": ~least["highest_byte"]}
        if "first" in least:
            pattern = least["first"] & ((1 << max(8, self._encoding.bits)) - 1)
            found["first"] = (0, number(self._encoding, pattern))
        sample = tuple(self._sample.tolist()) if self._sample is not None else None
        count = whole * 8 // self._encoding.bits
        return Measures(count, zero_run=run, codes=self._histogram(), sample=sample, **found)

    def _histogram(self) -> tuple[int, ...] | None:
        if self._codes is None:
            return None
        counts: list[int] = self._codes.tolist()
        if self._encoding.bits == 8:
            return tuple(counts)
        return tuple(sum(counts[code::16]) + sum(counts[16 * code : 16 * code + 16]) for code in range(16))


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch says that the device has no room left; not every back end has a type for it."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or "out of memory" in str(error).lower()


def free_cache(device: Any) -> None:
    """Give back what torch's allocator holds for later."""
    back_end: Any = getattr(torch, device.type, None)
    if hasattr(back_end, "empty_cache"):
        back_end.empty_cache()
