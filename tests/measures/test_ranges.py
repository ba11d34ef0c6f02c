"""Ranges of patterns against the tables that decode every pattern."""

from __future__ import annotations

import numpy as np
import pytest
from slow_measures import ELEMENTWISE

from tensorlint.dtypes import ENCODINGS, Encoding, code_table
from tensorlint.measures.ranges import Range, Ranges, number, ranges_of

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


INTEGERS: dict[str, tuple[int, int]] = {"int4": (7, 8), "int8": (127, 128), "int16": (32767, 32768)}


@pytest.mark.parametrize("name", INTEGERS)
def test_both_ends_of_signed_integers_are_their_ceiling(name: str) -> None:
    most, half = INTEGERS[name]
    container = max(8, ENCODINGS[name].bits)
    assert ranges_of(ENCODINGS[name]) == Ranges(
        {
            "zero": (Range(0, 0),),
            "negative": (Range(1 << (container - 1), (1 << container) - 1, True),),
            "ceiling": (Range(most, half),),
            "below_ceiling": (Range(most - 1, most - 1),),
            "floor": (Range(1, 1),),
        },
        Range(1, half),
    )


@pytest.mark.parametrize(("name", "top"), [("uint4", 15), ("uint8", 255), ("uint64", (1 << 64) - 1)])
def test_both_ends_of_unsigned_integers_are_their_ceiling(name: str, top: int) -> None:
    assert ranges_of(ENCODINGS[name]) == Ranges(
        {
            "zero": (Range(0, 0),),
            "ceiling": (Range(0, 0), Range(top, top)),
            "below_ceiling": (Range(1, 1), Range(top - 1, top - 1)),
            "floor": (Range(1, 1),),
        },
        Range(1, top),
    )


def test_ranges_of_floats_that_no_table_decodes() -> None:
    assert ranges_of(ENCODINGS["f32"]) == Ranges(
        {
            "zero": (Range(0, 0),),
            "floor": (Range(1, 1),),
            "nan": (Range(0x7F800001, 0x7FFFFFFF),),
            "inf": (Range(0x7F800000, 0x7F800000),),
            "negative": (Range(0x80000001, 0xFF7FFFFF, True),),
            "subnormal": (Range(1, 0x7FFFFF),),
            "ceiling": (Range(0x7F7FFFFF, 0x7F7FFFFF),),
            "below_ceiling": (Range(0x7F7FFFFE, 0x7F7FFFFE),),
        },
        Range(1, 0x7F7FFFFF),
    )
    assert ranges_of(ENCODINGS["f64"]).words["inf"] == (Range(0x7FF << 52, 0x7FF << 52),)


@pytest.mark.parametrize(
    ("name", "pattern", "value"),
    [
        ("int4", 0xFF, -1),
        ("int4", 7, 7),
        ("uint4", 15, 15),
        ("int8", 127, 127),
        ("int8", 128, -128),
        ("uint8", 128, 128),
        ("int16", 0x8000, -32768),
        ("int64", 1 << 63, -(2.0**63)),
        ("int64", (1 << 63) - 1, 2.0**63),
        ("e4m3", 0x7E, 448),
        ("e8m0", 0, 2.0**-127),
        ("bf16", 0xBF80, -1),
        ("f16", 0x7BFF, 65504),
        ("f32", 0xC0000000, -2),
        ("f64", 0xC000000000000000, -2),
    ],
)
def test_the_value_of_a_pattern(name: str, pattern: int, value: float) -> None:
    found = number(ENCODINGS[name], pattern)
    assert (found, type(found)) == (value, float)
