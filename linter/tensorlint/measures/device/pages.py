"""Zero pages found on a torch device: what has to come back to the host to say where they are, and what it means."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from .. import zeropages
from ..zeropages import Span, ZeroRun


class Placed(NamedTuple):
    """Bytes of a tensor on a device, laid so that pages of the file are rows.

    `pages` are unsigned bytes, a whole number of pages; byte `lead` is the first of `size` bytes of the tensor, and
    those around them are zero. The first is byte `at` of the tensor and byte `offset` of the file.
    """

    pages: Any
    lead: int
    size: int
    at: int
    offset: int

    @property
    def data(self) -> Any:
        """The bytes of the tensor alone."""
        return self.pages[self.lead : self.lead + self.size]


def room(offset: int, size: int) -> tuple[int, int]:
    """(lead, bytes of whole pages) of a place for `size` bytes from byte `offset` of a file."""
    lead = offset % zeropages.PAGE
    return lead, -(-(lead + size) // zeropages.PAGE) * zeropages.PAGE


def place(pages: Any, data: Any, at: int, offset: int, pinned: bool = False) -> Placed:
    """Copy bytes to where they belong in `pages`, which has the room for them; the rest of it becomes zero.

    From pinned memory of the host the copy is only enqueued.
    """
    lead, _ = room(offset, len(data))
    pages[:lead].zero_()
    pages[lead : lead + len(data)].copy_(data, non_blocking=pinned)
    pages[lead + len(data) :].zero_()
    return Placed(pages, lead, len(data), at, offset)


class PageScan:
    """The zero pages of one tensor, noted on the device piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, int, int]] = []  # offset, size, number of pages
        self._used: list[Any] = []
        self._ends: list[Any] = []

    def add(self, piece: Placed) -> None:
        """Note which pages of the next bytes hold anything, and the first and the last byte that is not zero."""
        page = zeropages.PAGE
        rows = piece.pages.view(-1, page)
        # Eight bytes at a time; torch has no argmax of truth values.
        used = (piece.pages.view(torch.int64).view(-1, page // 8) != 0).any(1).to(torch.uint8)
        first = used.argmax().view(1)
        last = len(used) - 1 - used.flip(0).argmax().view(1)
        begin = first * page + _nonzero(rows.index_select(0, first)).argmax(1)
        end = (last + 1) * page - 1 - _nonzero(rows.index_select(0, last)).flip(1).argmax(1)
        self._pieces.append((piece.offset, piece.size, len(used)))
        self._used.append(used)
        self._ends += [begin, end]

    def found(self) -> ZeroRun:
        """What was noted, put together on the host; waits for the device."""
        if not self._pieces:
            return ZeroRun()
        # 1 byte comes back for 4 KiB, and two numbers for each piece.
        used = torch.cat(self._used).cpu().numpy().astype(bool)
        ends = torch.cat(self._ends).tolist()
        run, taken = ZeroRun(), 0
        for number, (offset, size, pages) in enumerate(self._pieces):
            span = _span(offset, size, used[taken : taken + pages], ends[2 * number], ends[2 * number + 1])
            run = run + ZeroRun((span,))
            taken += pages
        return run


def _nonzero(lines: Any) -> Any:
    return (lines != 0).to(torch.uint8)


def _span(offset: int, size: int, used: npt.NDArray[np.bool_], first: int, last: int) -> Span:
    """One piece as a span; `first` and `last` count from the start of its pages, and mean nothing if all is zero."""
    page = zeropages.PAGE
    lead, base = offset % page, offset // page
    begin, end = -(-offset // page), (offset + size) // page  # the pages that lie in it as a whole
    zero = ~used[begin - base : max(begin, end) - base]
    edges = np.flatnonzero(np.diff(np.concatenate(([0], zero.astype(np.int8), [0]))))
    best = (0, 0)
    if len(edges):
        starts, lengths = edges[::2], edges[1::2] - edges[::2]
        longest = int(lengths.argmax())
        best = (int(lengths[longest]), begin + int(starts[longest]))
    prefix, suffix = (first - lead, lead + size - 1 - last) if used.any() else (size, size)
    return Span(offset, offset + size, prefix, suffix, best)
