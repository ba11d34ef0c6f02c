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
