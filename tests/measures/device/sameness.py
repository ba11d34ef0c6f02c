"""When measures are the same: in everything that the wanted words ask for."""

from __future__ import annotations

from slow_measures import EVERY, PLACED, told

from tensorlint.measures.interface import CODES, SAMPLE, Measures

ALL = EVERY | {CODES, SAMPLE}


def same(mine: Measures, theirs: Measures, words: frozenset[str] = ALL) -> None:
    """Assert that two measures say the same about all wanted words, bit for bit, NaN being equal to NaN."""
    wanted = words - {CODES, SAMPLE}
    assert told(mine, wanted) == told(theirs, wanted)
    assert {w: at for w, at in mine.positions.items() if w in words} == {
        w: at for w, at in theirs.positions.items() if w in words
    }
    assert set(mine.positions) <= set(PLACED)
    if "zero_pages" in words:
        assert mine.zero_run == theirs.zero_run
    if "first" in words:
        assert repr(mine.first) == repr(theirs.first)
    if CODES in words:
        assert mine.codes == theirs.codes
    if SAMPLE in words:
        assert mine.sample == theirs.sample
