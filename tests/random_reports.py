"""Random reports, with everything that can be in one, for properties that hold for all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from tensorlint.measures.plan import DEPTHS
from tensorlint.report.findings import Bin, Distribution, Evidence, Finding, Line, Location, Report, Spread, Suppression
from tensorlint.report.interface import Failure
from tensorlint.rulebook.model import FAIL_ON, SEVERITIES

text = st.text(max_size=8)
count = st.integers(0, 2**63)
some = st.lists(count, max_size=3).map(tuple)
texts = st.lists(text, max_size=3).map(tuple)
locations = st.builds(
    Location,
    text,
    text,
    st.none() | some,
    st.none() | count,
    st.none() | st.builds(Line, text, count),
    st.none() | count,
)
findings = st.builds(
    Finding, text, st.sampled_from(SEVERITIES), text, text, text, texts, count,
    st.dictionaries(text, text | count | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.none(), max_size=3),
    st.lists(locations, max_size=3).map(tuple),
    st.none() | st.builds(Evidence, text, text, some, some, texts, st.frozensets(count, max_size=3), text),
    text, text, text, st.none() | st.builds(Suppression, text, text, text), st.sampled_from(["", "new", "known", "gone"]),
    st.none() | st.builds(Distribution, text, text, count, count, st.lists(st.builds(Bin, text, count, count), max_size=3).map(tuple)),
    st.none() | st.builds(Spread, texts, count, count, st.lists(st.tuples(st.none() | count, text, count), max_size=3).map(tuple)),
)  # fmt: skip
reports = st.builds(
    Report, text, st.sampled_from(DEPTHS), texts, st.lists(findings, max_size=3).map(tuple),
    st.dictionaries(text, count, max_size=3), count, count, count, count, st.floats(0, 1e9), texts,
    st.dictionaries(text, text, max_size=3), texts, text, text, text, texts, st.booleans(), st.sampled_from(FAIL_ON), count,
)  # fmt: skip
outcomes = st.lists(reports | st.builds(Failure, text, text, count), min_size=1, max_size=3)
