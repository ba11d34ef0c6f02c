"""Measures add up: pieces of a tensor in any order are the tensor."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_measures import EVERY, grain, told
from test_cpu_kernel import contents, each_encoding, measure

from tensorlint.dtypes import ENCODINGS, Encoding
from tensorlint.measures import zeropages
from tensorlint.measures.interface import CODES, COUNTED, PAGE, WORDS, Measures, total
from tensorlint.measures.zeropages import ZeroRun


@each_encoding
@given(data=st.data(), offset=st.integers(0, 40))
def test_pieces_in_any_order_are_the_whole(encoding: Encoding, data: st.DataObject, offset: int) -> None:
    content = data.draw(contents(encoding))
    width = grain(encoding)
    cuts = data.draw(st.lists(st.integers(0, len(content) // width), max_size=4).map(sorted))
    ends = [0, *(cut * width for cut in cuts), len(content)]
    words = EVERY | {CODES}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zeropages, "PAGE", 8)
        whole = measure(content, encoding, words, 0, offset)
        pieces = [measure(content[a:b], encoding, words, a, offset + a) for a, b in pairwise(ends)]
        summed = Measures()
        for piece in data.draw(st.permutations(pieces)):
            summed = summed + piece
    assert told(summed) == told(whole)
    assert summed.codes == whole.codes
    assert summed.zero_run == whole.zero_run
    assert repr(summed.first) == repr(whole.first)


@given(st.binary(min_size=1, max_size=20))
def test_nothing_is_neutral_on_both_sides(content: bytes) -> None:
    words = EVERY | {CODES}
    found = measure(content, ENCODINGS["uint8"], words)
    for nothing in (Measures(), measure(b"", ENCODINGS["uint8"], words)):
        assert nothing + found == found
        assert found + nothing == found


def test_uniform_needs_the_same_byte_in_every_piece() -> None:
    encoding = ENCODINGS["fp4"]
    a, b = measure(b"\x88\x88", encoding), measure(b"\x87", encoding, at=2)
    assert (a.value("uniform"), a.value("byte")) == (1, 0x88)
    assert (a + a).value("uniform") == 1
    assert (a + b).value("uniform") == 0


def test_total_does_not_join_the_pages_of_different_tensors() -> None:
    zeros = np.zeros(2 * PAGE, np.uint8).tobytes()
    a = measure(zeros, ENCODINGS["uint8"], offset=0)
    b = measure(zeros, ENCODINGS["uint8"], offset=2 * PAGE)
    assert (a + b).value("zero_pages") == 4
    assert total([a, b]).value("zero_pages") == 2
    assert total([a, b]).count == 4 * PAGE
    assert total([]).count == 0
    assert total([Measures(zero_run=ZeroRun()), b]).value("zero_pages") == 2


ONE = Measures(
    count=2, nan=3, inf=4, zero=5, negative=6, subnormal=7, ceiling=8, below_ceiling=9, ceiling_runs=16, floor=10,
    smallest=0.5, largest=3.0, first=(7, 1.0), lowest_byte=4, highest_byte=9,
    positions={"nan": 3, "inf": 5}, codes=(1, 0, 2), sample=(1, 2),
)  # fmt: skip
OTHER = Measures(
    count=20, nan=30, inf=40, zero=50, negative=60, subnormal=70, ceiling=80, below_ceiling=90, ceiling_runs=160,
    floor=100, smallest=0.25, largest=2.0, first=(9, -1.0), lowest_byte=5, highest_byte=8,
    positions={"nan": 2, "inf": 6, "zero": 1}, codes=(10, 20, 30), sample=(3, 4),
)  # fmt: skip
BOTH = Measures(
    count=22, nan=33, inf=44, zero=55, negative=66, subnormal=77, ceiling=88, below_ceiling=99, ceiling_runs=176,
    floor=110, smallest=0.25, largest=3.0, first=(7, 1.0), lowest_byte=4, highest_byte=9,
    positions={"nan": 2, "inf": 5, "zero": 1}, codes=(11, 20, 32), sample=(4, 6),
)  # fmt: skip


def test_every_measure_of_two_parts_is_added_or_the_extreme_of_both() -> None:
    assert ONE + OTHER == BOTH
    assert OTHER + ONE == BOTH


@pytest.mark.parametrize("codes", [None, (1, 2), (1, 2, 3, 4)])
def test_histograms_that_do_not_go_together_are_none(codes: tuple[int, ...] | None) -> None:
    assert (ONE + replace(OTHER, codes=codes)).codes is None
    assert (replace(OTHER, codes=codes) + ONE).codes is None
    assert (ONE + replace(OTHER, sample=codes and (1, *codes))).sample is None


def test_words_of_measures() -> None:
    told = {word: BOTH.value(word) for word in WORDS}
    assert told == {
        **{word: getattr(BOTH, word) for word in COUNTED},
        "count": 22, "smallest": 0.25, "largest": 3.0, "first": 1.0, "all_zero": 0, "uniform": 0, "byte": 4,
        "zero_pages": 0,
    }  # fmt: skip
    assert Measures(count=3, zero=3).value("all_zero") == 1
    assert Measures(count=3, zero=2).value("all_zero") == 0
    assert type(Measures(largest=np.float64(3)).value("largest")) is float
    assert Measures(zero_run=measure(bytes(PAGE), ENCODINGS["uint8"]).zero_run).value("zero_pages") == 1
    assert [Measures(lowest_byte=a, highest_byte=b).value("uniform") for a, b in ((4, 5), (4, 4), (255, 0))] == [
        0,
        1,
        1,
    ]


def test_zero_bytes_of_less_than_an_element_join_those_beside_them() -> None:
    """The last bytes of a tensor whose size is no multiple of its elements."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zeropages, "PAGE", 4)
        encoding = ENCODINGS["f64"]
        head, tail = measure(bytes(8), encoding, offset=0), measure(bytes(4), encoding, at=8, offset=8)
        bare = replace(head, zero_run=None)
        assert (head.count, tail.count) == (1, 0)
        for summed in (head + tail, tail + head):
            assert (summed.count, summed.value("zero_pages")) == (1, 3)
        for summed in (bare + tail, tail + bare):
            assert (summed.count, summed.value("zero_pages")) == (1, 1)
        assert (tail + measure(bytes(4), encoding, at=12, offset=12)).value("zero_pages") == 2


def test_total_keeps_the_longest_run_the_first_of_several() -> None:
    parts = [
        measure(bytes(n * PAGE), ENCODINGS["uint8"], offset=at * PAGE) for n, at in ((1, 0), (3, 10), (3, 20), (2, 30))
    ]
    assert total(parts).zero_run == parts[1].zero_run
    assert total([replace(p, zero_run=None) for p in parts]).zero_run is None
