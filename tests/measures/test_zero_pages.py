"""Runs of zero pages, whole and put together from ranges that end anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_measures import longest_zero_run

from tensorlint.measures import zeropages
from tensorlint.measures.zeropages import PAGE, ZeroRun, zero_pages

SMALL = 4  # bytes per page, so that short data has many pages


@pytest.fixture(autouse=True, scope="module")
def _small_pages() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zeropages, "PAGE", SMALL)
        yield


# Mostly zero, in stretches, so that runs begin and end everywhere.
stretches = st.lists(st.tuples(st.sampled_from([0, 0, 1]), st.integers(1, 9)), max_size=8)
contents = stretches.map(lambda rows: b"".join(bytes([value]) * length for value, length in rows))


def run(data: bytes, offset: int) -> ZeroRun:
    return zero_pages(np.frombuffer(data, np.uint8), offset)


@given(contents, st.integers(0, 20))
def test_equals_looking_at_every_page(data: bytes, offset: int) -> None:
    assert run(data, offset).best == longest_zero_run(data, offset, SMALL)


@given(contents, st.integers(0, 20), st.data())
def test_any_cuts_added_in_any_order(data: bytes, offset: int, draw: st.DataObject) -> None:
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=5).map(sorted))
    ends = [0, *cuts, len(data)]
    pieces = [run(data[a:b], offset + a) for a, b in pairwise(ends)]
    total = ZeroRun()
    for piece in draw.draw(st.permutations(pieces)):
        total = total + piece
    assert total == run(data, offset)


@given(contents, contents, st.integers(0, 20), st.integers(1, 9))
def test_a_gap_keeps_its_sides_apart(left: bytes, right: bytes, offset: int, gap: int) -> None:
    begin = offset + len(left) + gap
    sides = (longest_zero_run(left, offset, SMALL), longest_zero_run(right, begin, SMALL))
    total = run(right, begin) + run(left, offset)
    assert total.best == max(sides, key=lambda best: (best[0], -best[1]))


@pytest.mark.parametrize("place", [0, 63, 64, PAGE - 1])
def test_one_byte_anywhere_makes_a_page_live(place: int) -> None:
    data = bytearray(3 * PAGE)
    data[PAGE + place] = 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zeropages, "PAGE", PAGE)
        assert run(bytes(data), 0).best == (1, 0)
        assert run(bytes(data), 7 * PAGE).best == (1, 7)


PAGES = 4096  # bytes, as operating systems and file systems have them


def real(data: bytes, offset: int = 0) -> ZeroRun:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zeropages, "PAGE", PAGE)
        return run(data, offset)


@pytest.mark.parametrize(
    ("size", "offset", "best"),
    [
        (PAGES - 1, 0, (0, 0)),
        (PAGES, 0, (1, 0)),
        (PAGES, 1, (0, 0)),
        (2 * PAGES - 2, 1, (0, 0)),
        (2 * PAGES - 1, 1, (1, 1)),
        (2 * PAGES, PAGES - 1, (1, 1)),
        (2 * PAGES + 1, PAGES - 1, (2, 1)),
        (3 * PAGES - 1, 5 * PAGES, (2, 5)),
        (0, 0, (0, 0)),
        (1, PAGES - 1, (0, 0)),
    ],
)
def test_a_page_has_4096_bytes_and_begins_at_a_multiple_of_them(size: int, offset: int, best: tuple[int, int]) -> None:
    assert real(bytes(size), offset).best == best
    live = real(b"\1" + bytes(size) + b"\1", offset - 1)
    assert live.best == best


@pytest.mark.parametrize("place", [0, 3, 4, 7, 8, 4095])
def test_one_byte_in_each_of_many_pages_leaves_none(place: int) -> None:
    page = bytearray(PAGES)
    page[place] = 1
    assert real(bytes(page) * 3).best == (0, 0)
    assert real(bytes(page) * 3 + bytes(2 * PAGES) + bytes(page) + bytes(PAGES)).best == (2, 3)


@pytest.mark.parametrize(
    ("data", "offset", "prefix", "suffix"),
    [
        (b"\1", 0, 0, 0),
        (b"\0", 0, 1, 1),
        (b"\0\0\0\0\0\0\0", 2, 7, 7),
        (b"\0\0\1\0", 3, 2, 1),
        (b"\0\0\0\0\1\0\0\0\0\0", 0, 4, 5),
        (b"\0\0\0\0\0\1", 2, 5, 0),
        (b"\1\0\0\0\0\0", 2, 0, 5),
        (b"\1\0\0\0\0\1", 3, 0, 0),
        (b"\0\1\0\0\0\0\1\0", 3, 1, 1),
        (b"\0\0\0\0\0\0\0\0\0\1\1\0\0\0\0\0\0", 1, 9, 6),
    ],
)
def test_zero_bytes_at_both_ends(data: bytes, offset: int, prefix: int, suffix: int) -> None:
    (span,) = run(data, offset).spans
    assert span[:4] == (offset, offset + len(data), prefix, suffix)


def test_of_equally_long_runs_the_first_counts() -> None:
    data = b"\1\0\0\0" + bytes(8) + b"\0\1\0\0" + bytes(8) + b"\1"
    assert run(data, 0).best == (2, 1)
    assert (run(data[16:], 16) + run(data[:16], 0)).best == (2, 1)
    assert (run(data[:6], 0) + run(data[6:], 6)).best == (2, 1)


def test_spans_that_overlap_or_lie_apart_stay_as_they_are() -> None:
    a, b, c = run(bytes(8), 0), run(bytes(8), 4), run(bytes(8), 20)
    assert [s[:2] for s in (c + b + a).spans] == [(0, 8), (4, 12), (20, 28)]
    assert [s[:2] for s in (a + run(bytes(12), 8) + c).spans] == [(0, 28)]
