"""The tables for people, compared exactly with tests/snapshots; TENSORLINT_SNAPSHOTS=write writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.variants import scheme_examples
from tensorlint.sources.memory import MemorySource
from tensorlint.stats.bars import ASCII_BARS, BARS, bars_of
from tensorlint.stats.report import Contents, survey, with_values
from tensorlint.stats.text import render
from tensorlint.stats.values import Histogram

SNAPSHOTS = Path(__file__).parent.parent / "snapshots"
BOOK = load_book()


def contents(scheme: str, depth: str, pattern: str = "") -> Contents:
    source = MemorySource(scheme_examples(BOOK.schemes[scheme])[1][0].files)
    return with_values(source, survey(source, BOOK, pattern), depth)


def same(name: str, text: str) -> None:
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("TENSORLINT_SNAPSHOTS") == "write":
        path.write_text(text)
    assert text == path.read_text()


def test_sizes() -> None:
    same("stats-sizes", render(contents("nvfp4-modelopt", "headers"), False, 50, 80, False, True))


@pytest.mark.parametrize("width", [80, 120])
def test_values(width: int) -> None:
    text = render(contents("nvfp4-modelopt", "full", "layers.0.*"), True, 50, width, False, True)
    same(f"stats-values-{width}", text)
    assert max(map(len, text.splitlines())) <= width


def test_depth_scales_says_what_was_not_read_and_ascii_is_ascii() -> None:
    text = render(contents("gptq", "scales"), True, 2, 80, False, False)
    same("stats-scales", text)
    assert text.isascii()
    assert "more (--limit 0 shows all" in text
    assert "3 tensors not read at depth scales" in text


def test_only_colour_differs_in_colour() -> None:
    import re

    found = contents("gptq", "full")
    plain, colored = (render(found, True, 50, 80, color, True) for color in (False, True))
    assert "\x1b[" in colored
    assert [re.sub(r"\x1b\[[\d;]*m", "", line).rstrip() for line in colored.splitlines()] == plain.splitlines()


@pytest.mark.parametrize(
    ("histogram", "text"),
    [
        (Histogram("log2", (-2.0, -1.0, 0.0), (8, 0, 1)), "2^-2 █ ▁ 2^0"),
        (Histogram("log2", (5.0,), (3,)), "2^5 █ 2^5"),
        (Histogram("value", (-1.0, 0.0, 1.0, 2.0), (0, 4, 2, 0)), "0 █▄ 1"),
        (Histogram("log2", tuple(map(float, range(20))), (1,) * 20), "2^0 ██████▅ 2^19"),
        (Histogram("value", (0.0, 1.0), (0, 0)), "0   0"),
    ],
)
def test_a_histogram_in_one_line(histogram: Histogram, text: str) -> None:
    assert bars_of(histogram, BARS, 8) == text


def test_a_lone_outlier_shows() -> None:
    assert bars_of(Histogram("log2", (0.0, 1.0), (10**9, 1)), ASCII_BARS, 8) == "2^0 @. 2^1"
