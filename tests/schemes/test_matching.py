"""Entries of ignore and target lists cover modules exactly as the loaders of each dialect would have it."""

from __future__ import annotations

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


_CATASTROPHIC = "re:(?:a|aa)+$"  # takes longer than the universe has for 64 letters and another one


def test_a_catastrophic_pattern_is_stopped_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = matcher([_CATASTROPHIC], ("regex",))
    assert found.covering("a" * 64 + "b") is None
    assert found.broken == {_CATASTROPHIC: "it takes too long to match"}
    monkeypatch.setattr(found, "_covers", lambda *_: pytest.fail("tried again"))
    assert found.covering("a" * 64 + "b") is None


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


_EXPRESSIONS = st.sampled_from(
    [
        "re:.*gate", "re:model", "re:(w1|gate)$", "re:(.)(.).*\\1", "re:(?i)MODEL.*", "re:a|model", "re:.*[0-9]{2}", "re:(",
        "re:.*\\.mlp(?:\\.|$)", "re:^layers", "re:(?P<x>1).*(?P=x)", "re:.*1(*SKIP)(*FAIL)|model", "-:.*mlp", "+:layers\\.1",
        "gate", "mlp.gate", "layers.1", "w1$", "a)|(b", "*.gate", ".*experts", "[",
    ]
)  # fmt: skip


@given(
    st.lists(_EXPRESSIONS, min_size=8, max_size=22, unique=True),
    st.sampled_from(
        [
            ("exact", "regex", "class"), ("exact", "regex", "glob"), ("signed",), ("bare_regex",), ("exact", "search"),
            ("exact", "suffix", "search"), ("search", "substring"), ("exact", "bare_regex"),
        ]
    ),
    st.lists(_NAMES | st.just("re:model.gate"), min_size=1, max_size=6),
)  # fmt: skip
def test_expressions_tried_together_cover_what_they_cover_alone(
    entries: list[str], styles: tuple[str, ...], names: list[str]
) -> None:
    together = matcher(entries, styles)
    for name in names:
        alone = (e for e in entries if matcher([e], styles)._covers(e, name, True))
        assert together.covering(name) == (name if "exact" in styles and name in entries else next(alone, None))


def test_one_catastrophic_pattern_of_many_is_named_and_the_others_go_on() -> None:
    found = matcher([_CATASTROPHIC, *(f"re:b{n}" for n in range(20))], ("regex",))
    assert found.covering("a" * 64 + "c") is None
    assert list(found.broken) == [_CATASTROPHIC]
    assert found.covering("b7") == "re:b7"
