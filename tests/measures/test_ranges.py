"""Ranges of patterns against the tables that decode every pattern."""

from __future__ import annotations

import numpy as np
import pytest
from slow_measures import ELEMENTWISE

from tensorlint.dtypes import ENCODINGS, Encoding, code_table
from tensorlint.measures.ranges import number, ranges_of

FLOATS = [e for e in ENCODINGS.values() if e.kind == "float" and e.bits <= 16]


@pytest.mark.parametrize("encoding", FLOATS, ids=lambda e: e.name)
@pytest.mark.parametrize("word", ELEMENTWISE)
def test_a_word_is_what_the_table_says(encoding: Encoding, word: str) -> None:
    table = code_table(encoding)
    codes = np.arange(1 << encoding.bits)
    magnitudes = codes & ((1 << (encoding.bits - encoding.signed)) - 1)
    mine = np.zeros(len(codes), int)
    for low, high, stored in ranges_of(encoding).words.get(word, ()):
        values = codes if stored else magnitudes
        mine += (values >= low) & (values <= high)
    assert mine.tolist() == getattr(table, word).astype(int).tolist()


@pytest.mark.parametrize("encoding", FLOATS, ids=lambda e: e.name)
def test_real_magnitudes_are_finite_and_not_zero(encoding: Encoding) -> None:
    table = code_table(encoding)
    low, high, _ = ranges_of(encoding).real
    positive = np.arange(1 << (encoding.bits - encoding.signed))
    wanted = ~(table.nan | table.inf | table.zero)[: len(positive)]
    assert ((positive >= low) & (positive <= high)).tolist() == wanted.tolist()


def test_numbers_of_wide_patterns() -> None:
    assert number(ENCODINGS["f32"], 0x3F800000) == 1.0
    assert number(ENCODINGS["f64"], 0x3FF0000000000000) == 1.0
    assert number(ENCODINGS["int32"], 0xFFFFFFFF) == -1.0
    assert number(ENCODINGS["uint32"], 0xFFFFFFFF) == 4294967295.0
    assert number(ENCODINGS["int4"], 0xF8) == -8.0  # sign-extended into a byte
