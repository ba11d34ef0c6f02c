"""Measures add up: pieces of a tensor in any order are the tensor."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_measures import EVERY, grain, told
from test_cpu_kernel import contents, each_encoding, measure

from tensorlint.dtypes import ENCODINGS, Encoding
from tensorlint.measures import zeropages
from tensorlint.measures.interface import CODES, PAGE, Measures, total
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
