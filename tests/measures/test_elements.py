"""Blocks of elements: ranges are counted right whichever of their ends the elements reach."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tensorlint.dtypes import ENCODINGS
from tensorlint.measures.elements import Elements
from tensorlint.measures.nibbles import Nibbles
from tensorlint.measures.ranges import Range

SIGNED, UNSIGNED, FLOAT = ENCODINGS["int8"], ENCODINGS["uint8"], ENCODINGS["e4m3"]


def magnitude(pattern: int, kind: str) -> int:
    if kind == "uint8":
        return pattern
    return pattern & 127 if kind == "e4m3" else abs(pattern - 256 if pattern > 127 else pattern)


def block(name: str, patterns: list[int]) -> Elements:
    data = np.array(patterns, np.uint8)
    return Elements(data, ENCODINGS[name], np.empty_like(data), np.empty(len(data), np.bool_))


CONTENTS = [
    [5],
    [0, 5, 9],
    [3, 3, 3, 7],
    [9, 200, 5, 255],
    [128, 128],
    [127, 129, 0, 1],
    [200, 210, 220],
    [255, 1, 0, 128, 127],
    [130, 3, 131],
]
BOUNDS = [0, 1, 3, 5, 7, 9, 72, 126, 127, 128, 129, 200, 254, 255]


@pytest.mark.parametrize("name", ["int8", "uint8", "e4m3"])
@pytest.mark.parametrize("patterns", CONTENTS, ids=str)
def test_how_many_lie_in_a_range_and_the_first_of_them(name: str, patterns: list[int]) -> None:
    for low, high, stored in product(BOUNDS, BOUNDS, (False, True)):
        if low > high or (not stored and name != "uint8" and high > 128 - (name == "e4m3")):
            continue
        values = [p if stored else magnitude(p, name) for p in patterns]
        hits = [i for i, value in enumerate(values) if low <= value <= high]
        wanted = Range(low, high, stored)
        first = hits[0] if hits else 0
        assert block(name, patterns).count(wanted) == (len(hits), first), wanted
        assert block(name, patterns).count(wanted, place=False) == (len(hits), 0), wanted


@pytest.mark.parametrize("name", ["int8", "uint8", "e4m3"])
@pytest.mark.parametrize("patterns", CONTENTS, ids=str)
def test_the_ends_of_magnitudes(name: str, patterns: list[int]) -> None:
    values = [magnitude(p, name) for p in patterns]
    assert block(name, patterns).highest == max(values)
    least = block(name, patterns).lowest
    mixed = name == "int8" and any(p > 127 for p in patterns) and any(p <= 127 for p in patterns)
    assert least <= min(values) if mixed else least == min(values)
    for low, high in product(BOUNDS, BOUNDS):
        if low > high or (name == "e4m3" and high > 127) or (name == "int8" and high > 128):
            continue
        inside = [v for v in values if low <= v <= high]
        real = Range(low, high)
        assert block(name, patterns).smallest(real) == min(inside, default=None), real
        assert block(name, patterns).largest(real) == max(inside, default=None), real


@pytest.mark.parametrize("name", ["int8", "uint8", "e4m3"])
@pytest.mark.parametrize(("high", "patterns", "all_in"), [(3, [3, 0], True), (3, [0, 4], False), (0, [0, 0], True)])
def test_whether_all_lie_in_a_range_from_zero(name: str, high: int, patterns: list[int], all_in: bool) -> None:
    assert block(name, patterns).all_in(Range(0, high)) is all_in
    assert block(name, patterns).all_in(Range(0, high, True)) is all_in


def test_a_minus_zero_is_zero_in_its_magnitude_only() -> None:
    assert block("e4m3", [128, 0]).all_in(Range(0, 0))
    assert not block("e4m3", [128, 0]).all_in(Range(0, 0, True))


# -- FP4 ------------------------------------------------------------------------------------------------------------


def nibbles(data: bytes) -> Nibbles:
    codes = np.frombuffer(data, np.uint8)
    return Nibbles(codes, np.empty_like(codes), np.empty(len(codes), np.bool_))


FP4 = [
    b"\x00",
    b"\x80\x08",
    b"\x10\x07\x7f",
    b"\x77\xff\x77\xff\x77",
    bytes(range(256)),
    bytes(300) + b"\x30" + bytes(40),
]


@pytest.mark.parametrize("data", FP4, ids=len)
@pytest.mark.parametrize(("low", "high"), [(a, b) for a in range(8) for b in range(a, 8)])
def test_fp4_elements_in_a_range_of_magnitudes(data: bytes, low: int, high: int) -> None:
    values = [half & 7 for byte in data for half in (byte & 15, byte >> 4)]
    hits = [i // 2 for i, value in enumerate(values) if low <= value <= high]
    inside = [v for v in values if low <= v <= high]
    assert nibbles(data).count(Range(low, high)) == (len(hits), hits[0] if hits else 0)
    assert nibbles(data).count(Range(low, high), False) == (len(hits), 0)
    assert nibbles(data).smallest(Range(low, high)) == min(inside, default=None)
    assert nibbles(data).largest(Range(low, high)) == max(inside, default=None)
    assert nibbles(data).all_in(Range(0, high)) == (max(values) <= high)
    assert len(nibbles(data)) == len(values)


@pytest.mark.parametrize("data", FP4, ids=len)
def test_fp4_elements_below_zero(data: bytes) -> None:
    halves = [half for byte in data for half in (byte & 15, byte >> 4)]
    hits = [i // 2 for i, half in enumerate(halves) if half > 8]
    assert nibbles(data).count(Range(9, 15, True)) == (len(hits), hits[0] if hits else 0)


@pytest.mark.parametrize(
    ("data", "elements"),
    [
        (b"\x77\x77\x77", 0),
        (b"\x77\xf7\x7f\xff", 8),
        (b"\x77\x77\x77\x76", 0),
        (b"\x67\x77\x77\x77", 0),
        (b"\x00" + b"\x77" * 4, 0),
        (b"\x77" * 7, 8),
        (b"\x77" * 8, 16),
        (b"\x77" * 4 + b"\x00" * 4 + b"\x77" * 5, 16),
    ],
)
def test_runs_of_fp4_at_the_ceiling_are_four_bytes_at_multiples_of_four(data: bytes, elements: int) -> None:
    assert nibbles(data).ceiling_runs() == elements
