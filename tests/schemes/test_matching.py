"""Entries of ignore and target lists cover modules exactly as the loaders of each dialect would have it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorlint.schemes.matching import MAX_PATTERN, matcher


@pytest.mark.parametrize(
    ("style", "entry", "module", "covered"),
    [
        ("exact", "lm_head", "lm_head", True),
        ("exact", "lm_head", "model.lm_head", False),
        ("prefix", "model.layers.1", "model.layers.1.mlp", True),
        ("prefix", "model.layers.1", "model.layers.10.mlp", False),
        ("suffix", "gate", "model.layers.0.mlp.gate", True),
        ("suffix", "gate", "model.layers.0.mlp.moe_gate", False),
        ("substring", "gate", "model.layers.0.mlp.gate_proj", True),
        ("glob", "model.layers.0.self_attn*", "model.layers.0.self_attn.q_proj", True),
        ("glob", "model.layers.0.self_attn", "model.layers.0.self_attn.q_proj", False),
        ("glob", "*.mlp.gate", "model.layers.3.mlp.gate", True),
        ("regex", "re:.*mlp.gate$", "model.layers.3.mlp.gate", True),
        ("regex", "re:.*mlp.gate$", "model.layers.3.mlp.gate_proj", False),
        ("regex", "re:mlp", "model.layers.3.mlp", False),
        ("regex", ".*mlp.gate$", "model.layers.3.mlp.gate", False),
        ("bare_regex", "lm_head", "lm_head", True),
        ("bare_regex", "model.layers.0", "model.layers.0.mlp", True),
        ("bare_regex", "model.layers.0", "model.layers.01", False),
        ("bare_regex", "gate", "model.layers.0.mlp.gate", True),
        ("class", "Linear", "anything.at.all", True),
        ("class", "Embedding", "anything.at.all", False),
        ("component_glob", "gate*", "model.gate_x.weight", True),
    ],
)
def test_a_style_covers_what_its_loader_covers(style: str, entry: str, module: str, covered: bool) -> None:
    assert (matcher([entry], (style,)).covering(module) is not None) == covered


def test_class_names_do_not_cover_modules_that_are_not_linear() -> None:
    assert matcher(["Linear"], ("class",)).covering("model.norm", linear=False) is None


def test_the_covering_entry_is_named() -> None:
    assert matcher(["a", "b*"], ("exact", "glob")).covering("bcd") == "b*"


def test_entries_that_are_no_text_are_left_out() -> None:
    assert matcher([1, None, {"a": 1}, "x"], ("exact",)).entries == ("x",)


def test_a_pattern_that_does_not_compile_is_reported_not_raised() -> None:
    found = matcher(["re:("], ("regex",))
    assert found.covering("x") is None
    assert "not a regular expression" in found.broken["re:("]


def test_a_catastrophic_pattern_is_stopped_and_not_tried_again() -> None:
    found = matcher(["re:(a+)+$"], ("regex",))
    started = time.monotonic()
    for _ in range(100):
        assert found.covering("a" * 64 + "b") is None
    # A bound on work, not a measurement: one hundred unguarded matches would outlast the universe.
    assert time.monotonic() - started < 30


def test_an_endless_entry_is_not_tried() -> None:
    assert matcher(["*" * (MAX_PATTERN + 1)], ("glob",)).covering("x") is None


_COMPONENTS = st.sampled_from(["model", "layers", "mlp", "gate", "gate_proj", "w1", "0", "1", "12", "experts"])
_NAMES = st.lists(_COMPONENTS, min_size=1, max_size=5).map(".".join)
_PIECES = st.sampled_from(["*", "?", "[0-9]", ".", "1", "2", "layers", "mlp.gate", "e", "w1", "Linear"])
_STYLES = ("exact", "prefix", "suffix", "substring", "glob", "component_glob", "regex", "class")


@given(
    st.lists(_NAMES | st.lists(_PIECES, min_size=1, max_size=5).map("".join), max_size=4),
    st.lists(st.sampled_from(_STYLES), min_size=1, max_size=3, unique=True),
    st.lists(_NAMES, min_size=1, max_size=6),
)
def test_what_is_known_of_names_alike_changes_nothing(entries: list[str], styles: list[str], names: list[str]) -> None:
    together = matcher(entries, tuple(styles))
    for name in names:
        alone = [e for e in dict.fromkeys(entries) if matcher([e], tuple(styles))._covers(e, name, True)]
        first = name if "exact" in styles and name in entries else next(iter(alone), None)
        assert together.covering(name) == first
