"""JSON that strangers wrote: what a strict reader refuses, and what an ordinary one drops."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tensorlint.container.jsontext import BadInteger, JsonError, Pairs, json_type, nesting, parse


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("{} {}", "Extra data"),
        ("[NaN]", "`NaN` is not JSON"),
        ("[-Infinity]", "`-Infinity` is not JSON"),
        ("[1e400]", "out of range"),
        (f"[-{'9' * 400}]", "out of range"),
        ("\ufeff{}", "BOM"),
        ('["\\ud800"]', "surrogate"),
        ('["\\udc00\\ud800"]', "surrogate"),
        ('["\\ud83d\\\\\\ude00"]', "surrogate"),
        ('{"a":"\\ud800","a":1}', "surrogate"),
        ("[" * 200_000, "nested too deeply"),
    ],
)
def test_json_that_no_strict_reader_takes_is_refused(text: str, problem: str) -> None:
    with pytest.raises(JsonError, match=re.escape(problem)):
        parse(text)


def test_json_keeps_what_ordinary_parsers_drop() -> None:
    value = parse('{"a":1,"b":-0,"a":2,"c":' + "9" * 90 + "}")
    assert isinstance(value, Pairs)
    assert (value["a"], value.repeated) == (2, ("a",))
    assert isinstance(value["b"], BadInteger) and isinstance(value["c"], BadInteger)


@pytest.mark.parametrize("text", ['"\\\\ud800"', '"\\ud83d\\ude00"', '"\\\\\\ud83d\\ude00"', "1e-999", "0e999"])
def test_json_that_looks_odd_but_is_sound_is_taken(text: str) -> None:
    parse(text)


@pytest.mark.parametrize(
    ("text", "levels"),
    [("1", 0), ("[]", 1), ('{"a":[[]]}', 3), ('"[["', 0), ('["\\"[[", "\\\\", []]', 2), ("[[],[[]]]", 3)],
)
def test_nesting_counts_brackets_outside_of_text(text: str, levels: int) -> None:
    assert nesting(text) == levels


LARGEST = "1" + "0" * 308  # below 1.8e308, the largest 64-bit float


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-1", -1),
        ("9" * 80, int("9" * 80)),
        ("-" + "9" * 79, -int("9" * 79)),
        ("9" * 81, "999999999999...(81 digits)"),
        ("-" + "9" * 80, "-99999999999...(81 digits)"),
        (LARGEST, "100000000000...(309 digits)"),
        ("-" + LARGEST, "-10000000000...(310 digits)"),
        ("-0", "-0"),
    ],
)
def test_an_integer_is_a_number_up_to_80_characters_and_a_bad_one_up_to_the_largest_float(
    text: str, value: Any
) -> None:
    read = parse(text)
    assert isinstance(read, BadInteger) == isinstance(value, str)
    assert (repr(read) if isinstance(read, BadInteger) else read) == value


@pytest.mark.parametrize("text", ["9" * 309, "-" + "9" * 309, LARGEST + "0", "9" * 100_000, "1e309", "-1e309"])
def test_a_number_beyond_the_largest_float_is_refused(text: str) -> None:
    with pytest.raises(JsonError, match="a number is out of range") as caught:
        parse(text)
    assert caught.value.position is None


@pytest.mark.parametrize(("length", "shown"), [(24, "1" * 24), (25, "1" * 12 + "...(25 digits)")])
def test_a_bad_integer_is_shown_whole_up_to_24_characters(length: int, shown: str) -> None:
    assert repr(BadInteger("1" * length)) == shown


def test_keys_given_twice_are_named_once_each_in_the_order_of_their_repetition() -> None:
    assert parse('{"a":1,"b":1,"c":1,"b":2,"a":2,"b":3}').repeated == ("b", "a")
    assert parse('{"a":1,"b":1}').repeated == ()


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ('{"a" 1}', 5),
        ('["\\ud800"]', 2),
        ('["ab\\udfff"]', 4),
        ('["\\\\", "\\ud83d\\ude00", "\\uDBFF"]', 24),
        ('["\\ud83d\\u0041"]', 2),
        ('["\\ud83d\\ud83d\\ude00"]', 2),
        ("NaN", None),
        ("[" * 200_000, None),
    ],
)
def test_an_error_has_the_place_of_the_character_where_one_is_known(text: str, position: int | None) -> None:
    with pytest.raises(JsonError) as caught:
        parse(text)
    assert caught.value.position == position


@pytest.mark.parametrize("text", ['"\\ud800\\udc00"', '"\\uDBFF\\uDFFF"', '"\\ud7ff"', '"\\ue000"', '"\\\\ud800"'])
def test_pairs_of_surrogates_and_their_neighbours_are_sound(text: str) -> None:
    parse(text)


@pytest.mark.parametrize(
    ("position", "raw", "byte"),
    [
        (None, b"{}", None),
        (0, b"abc", 0),
        (2, b"abc", 2),
        (2, "a\u00e9b".encode(), 3),
        (2, "\ufeffa\u00e9b".encode(), 6),
        (0, "\ufeffa".encode(), 3),
        (2, "\U0001f600a\u00e9".encode(), 5),
    ],
)
def test_the_place_of_a_character_as_a_byte(position: int | None, raw: bytes, byte: int | None) -> None:
    assert JsonError("", position).byte_in(raw) == byte


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("null", "null"),
        ("true", "boolean"),
        ("1", "number"),
        ("1.5", "number"),
        ("-0", "number"),
        ('""', "text"),
        ("[]", "list"),
        ("{}", "object"),
    ],
)
def test_every_value_has_its_name_in_json(text: str, name: str) -> None:
    assert json_type(parse(text)) == name
