"""Names by their ends, and tables of patterns for them, as configurations of strangers have them."""

from __future__ import annotations

import pytest

from tensorlint.schemes.endings import DEPTH, MOST, Expression, all_endings, endings, patterns, texts


def test_endings_are_what_is_behind_each_dot() -> None:
    assert list(endings("a.b.c")) == ["a.b.c", "b.c", "c"]
    assert list(endings("a")) == ["a"]
    assert all_endings(["a.b", "c.b"]) == {"a.b", "c.b", "b"}


def test_endings_of_a_name_without_end_are_few() -> None:
    assert len(list(endings("x." * 100_000))) == DEPTH


@pytest.mark.parametrize("value, wanted", [(["a", "b", "a", 7, None, ""], ("a", "b")), ("a", ()), (None, ()), ({}, ())])
def test_texts_of_a_list(value: object, wanted: tuple[str, ...]) -> None:
    assert texts(value) == wanted
    assert len(texts([str(i) for i in range(2 * MOST)])) == MOST


# pattern -> value, name, what is found
FOUND = {
    "a literal name at a dot": ({"q_proj": 1}, "a.q_proj", ("q_proj", 1)),
    "not inside of a step": ({"proj": 1}, "a.q_proj", None),
    "the first that matches": ({"a.q_proj": 1, "q_proj": 2}, "a.q_proj", ("a.q_proj", 1)),
    "an expression before it": ({r".*\d.*": 3, "q_proj": 2}, "l.0.q_proj", (r".*\d.*", 3)),
    "an expression behind it": ({"q_proj": 2, r".*\d.*": 3}, "l.0.q_proj", ("q_proj", 2)),
    "from the beginning": ({"^l.0.q_proj": 4}, "l.0.q_proj", ("^l.0.q_proj", 4)),
    "none": ({"k_proj": 1, r"v_proj\Z": 1}, "a.q_proj", None),
    "what is no expression cannot be told": ({"((": 1}, "a.q_proj", ("((", None)),
    "nothing": ({}, "a", None),
}


@pytest.mark.parametrize("name", FOUND)
def test_the_pattern_for_a_module(name: str) -> None:
    table, module, wanted = FOUND[name]
    assert patterns(table).find(module) == wanted


def test_too_many_expressions_tell_nothing() -> None:
    many = patterns({f"a{i}|b": i for i in range(1000)})
    assert many.find("b") == ("", None)
    assert list(many.unused(["b"])) == []


def test_patterns_that_are_for_nothing() -> None:
    table = patterns({"q_proj": 1, "up_proj": 1, r"layers\.0\..*": 1, r"layers\.9\..*": 1, "((": 1})
    assert list(table.unused(["layers.0.q_proj"])) == ["up_proj", r"layers\.9\..*"]


def test_a_table_that_is_none_is_empty() -> None:
    for odd in (None, 7, "x", ["x"]):
        assert patterns(odd).find("a") is None


def test_an_expression_covers_all_of_a_name() -> None:
    assert Expression(r".*\.q_proj").covers("a.q_proj") is True
    assert Expression(r"q_proj").covers("a.q_proj") is False
    assert Expression("((").covers("a") is None
    assert Expression("x" * 5000).covers("a") is None
