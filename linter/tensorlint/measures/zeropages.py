"""Runs of zero pages of a file, found range by range and put together exactly whatever the ranges are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_GLANCE = 4  # bytes
PAGE = 4096  # bytes; zero pages are counted at this size and alignment in the file


class Span(NamedTuple):
    """One range of bytes [begin, end) of the file that was looked at.

    `prefix` and `suffix` are the zero bytes at its two ends; `best` is (pages, first page) of its longest run of zero
    pages.
    """

    begin: int
    end: int
    prefix: int
    suffix: int
    best: tuple[int, int]


@dataclass(frozen=True)
class ZeroRun:
    """The longest run of zero pages in ranges of a file: spans in file order, neighbours joined.

    Overlapping ranges are not expected (they are the defect of another rule) and stay apart.
    """

    spans: tuple[Span, ...] = ()

    @property
    def best(self) -> tuple[int, int]:
        """(pages, first page) of the longest run; the first of several; (0, 0) when there is none."""
        return max((s.best for s in self.spans), key=_rank, default=(0, 0))

    def __add__(self, other: ZeroRun) -> ZeroRun:
        spans: list[Span] = []
        for span in sorted((*self.spans, *other.spans), key=lambda s: s[:2]):
            if spans and spans[-1].end == span.begin:
                spans[-1] = _join(spans[-1], span)
            else:
                spans.append(span)
        return ZeroRun(tuple(spans))


def _rank(best: tuple[int, int]) -> tuple[int, int]:
    return best[0], -best[1]


def _join(left: Span, right: Span) -> Span:
    seam = _pages(left.end - left.suffix, right.begin + right.prefix)
    return Span(
        left.begin,
        right.end,
        left.prefix + (right.prefix if left.prefix == left.end - left.begin else 0),
        right.suffix + (left.suffix if right.suffix == right.end - right.begin else 0),
        max(left.best, seam, right.best, key=_rank),
    )


def _pages(begin: int, end: int) -> tuple[int, int]:
    """(pages, first page) of the whole pages in a range of zero bytes."""
    first = -(-begin // PAGE)
    count = end // PAGE - first
    return (count, first) if count > 0 else (0, 0)


def zero_pages(data: npt.NDArray[np.uint8], offset: int) -> ZeroRun:
    """Zero pages in `data`, whose first byte is byte `offset` of the file; none for empty data."""
    size = len(data)
    if not size:
        return ZeroRun()
    skip = min(size, -offset % PAGE)
    pages = (size - skip) // PAGE
    tail = skip + pages * PAGE
    # The first bytes of a page settle nearly all of them; only the rest are looked at in full.
    glances = np.ndarray((pages,), f"<u{_GLANCE}", data, skip, (PAGE,))
    if data[0] and data[-1] and glances.all():
        return ZeroRun((Span(offset, offset + size, 0, 0, (0, 0)),))
    zero = np.empty(pages + 2, bool)  # the pages with the incomplete ones before and after them
    zero[0], zero[-1] = not data[:skip].any(), not data[tail:].any()
    if pages:
        block = data[skip:tail].reshape(pages, PAGE)
        zero[1:-1] = glances == 0
        maybe = np.flatnonzero(zero[1:-1])
        if len(maybe):
            zero[1 + maybe] = ~block[maybe].any(axis=1)
    ends = np.concatenate(([0], skip + np.arange(pages + 1) * PAGE, [size]))
    if zero.all():
        return ZeroRun((Span(offset, offset + size, size, size, _pages(offset, offset + size)),))
    first, last = int(np.argmin(zero)), len(zero) - 1 - int(np.argmin(zero[::-1]))
    prefix = int(ends[first]) + int(np.argmax(data[ends[first] : ends[first + 1]] != 0))
    suffix = size - int(ends[last + 1]) + int(np.argmax(data[ends[last] : ends[last + 1]][::-1] != 0))
    edges = np.flatnonzero(np.diff(np.concatenate(([0], zero[1:-1].view(np.int8), [0]))))
    best = (0, 0)
    if len(edges):
        starts, lengths = edges[::2], edges[1::2] - edges[::2]
        longest = int(np.argmax(lengths))
        best = (int(lengths[longest]), (offset + skip) // PAGE + int(starts[longest]))
    return ZeroRun((Span(offset, offset + size, prefix, suffix, best),))
