"""Expressions over config.json: what they come to, what makes them unknown, and what is no expression."""

from __future__ import annotations

from typing import Any

import pytest

from tensorlint.schemes.keyterms import MAX_DEPTH, MAX_LENGTH, UNKNOWN, TermError, term

CONFIG: dict[str, Any] = {
    "h": 96, "n": 6, "zero": 0, "types": ["full", "sliding"], "none": None, "ratio": 2.66, "whole": 4.0, "off": False,
    "name": "silu", "huge": 1 << 61, "empty": [],
}  # fmt: skip


class Keys:
    def key(self, name: str) -> Any:
        return CONFIG.get(name, UNKNOWN)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * n + h // 7", 25),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("2 ** 3 ** 2", 512),
        ("-n + 8", 2),
        ("h / 5", UNKNOWN),  # exact, or unknown
        ("h / 6", 16),
        ("int(h / 5 * 2)", 38),
        ("int(h * ratio)", 255),
        ("ceil(h, 7)", 14),
        ("min(h, n) + max(h, n)", 102),
        ("len(types) + len(name)", 6),
        ("types[layer]", "sliding"),
        ("types[2]", UNKNOWN),
        ("types[-1]", "sliding"),
        ("h % zero", UNKNOWN),
        ("h // zero", UNKNOWN),
        ("absent + 1", UNKNOWN),
        ("off + 1", UNKNOWN),  # a truth is no number
        ("name * 2", UNKNOWN),
        ("huge * huge", UNKNOWN),
        ("2 ** 1000", UNKNOWN),
        ("layer % 2 == 1 and layer not in empty", True),
        ("not off or absent", True),
        ("absent or not off", True),
        ("off and absent", False),
        ("absent and off", False),
        ("absent or off", UNKNOWN),
        ("none == null", True),
        ("off == 0", False),
        ("not not n", True),
        ('name == "silu" and types[0] != "silu"', True),
        ("layer in h", UNKNOWN),
        ("name < 3", UNKNOWN),
        ("1 <= 2", True),
    ],
)
def test_what_an_expression_comes_to(text: str, value: Any) -> None:
    found = term(text, frozenset({"layer"})).run(Keys(), {"layer": 1})
    assert found is value if value is UNKNOWN else found == value


@pytest.mark.parametrize(
    "text",
    ["", "a b", "(a", "a +", "foo(1)", "len(1, 2)", "a[1", "1 2", "a = 1", "__import__('os')", "a ; b", "== 1", "a not b",
     "(" * 100 + "a" + ")" * 100, "a" * (MAX_LENGTH + 1),
     "-" * 3900 + "1", "2" + "**2" * 1200, "1" + "+1" * 1900, "a" + "[0]" * 1200, "not " * 900 + "a"],
)  # fmt: skip
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(TermError):
        term(text)


@pytest.mark.parametrize(("text", "size"), [("whole", 4), ("h", 96), ("ratio", None), ("0 - h", None), ("off", None)])
def test_a_size_is_a_whole_number_of_at_least_0(text: str, size: int | None) -> None:
    assert term(text).size(Keys(), {}) == size


def test_it_tells_keys_from_indices() -> None:
    found = term("types[layer] == text.kind and h", frozenset({"layer"}))
    assert (found.keys, found.indices) == (("types", "text.kind", "h"), ("layer",))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((f"{a} {sign} 3", value) for sign, values in {
            "<": (True, False, False), "<=": (True, True, False), ">": (False, False, True), ">=": (False, True, True),
            "==": (False, True, False), "!=": (True, False, True),
        }.items() for a, value in zip((2, 3, 4), values, strict=True)),
        ("n in types", False),
        ('"full" in types', True),
        ('"full" not in types', False),
        ("off in types", False),
        ("layer not in h", UNKNOWN),
        ('"f" in name', UNKNOWN),  # only a list has entries
        ("null < 3", UNKNOWN),
        ("true == 1", False),
        ("true != 1", True),
        ("7 % 4", 3),
        ("7 - 2 - 1", 4),
        ("-7 // 2", -4),
        ("-2 ** 2", -4),
        ("- -2", 2),
        ("8 / 2 / 2", 2),
        ("h / zero", UNKNOWN),
        ("ceil(h, zero)", UNKNOWN),
        ("2 * ratio", 5.32),
        ("int(ratio)", 2),
        ("int(name)", UNKNOWN),
        ("int(off)", UNKNOWN),
        ("int(h / 5) + h / 5", UNKNOWN),  # exact again behind the bracket
        ("int((h / 5)) / 19", 1),
        ("min(6, n)", 6),
        ("min(h, n)", 6),
        ("max(h, n)", 96),
        ("max(name, n)", UNKNOWN),
        ("len(n)", UNKNOWN),
        ("len(empty)", 0),
        ("name[0]", "s"),
        ("name[3]", "u"),
        ("name[4]", UNKNOWN),
        ("types[-2]", "full"),
        ("types[-3]", UNKNOWN),
        ("types[off]", UNKNOWN),
        ("types[2 - 1]", "sliding"),
        ("types[0][0]", "f"),
        ("h[0]", UNKNOWN),
        ("other", UNKNOWN),
        ('"and" == "and"', True),
        ("false or false", False),
        ("false or true", True),
        ("true and true", True),
        ("true and false", False),
        ("true and absent", UNKNOWN),
        ("false or n == 6 and n == 7", False),
        ("true or n == 6 and n == 7", True),
        ("not absent", UNKNOWN),
        ("not n == 7", True),
        ("2 ** 61", 1 << 61),
        ("2 ** 62", 1 << 62),
        ("2 ** 62 + 1", UNKNOWN),
        ("0 - 2 ** 62", -(1 << 62)),
        ("1 ** 64", 1),
        ("1 ** 65", UNKNOWN),
        ("2 ** (0 - 1)", UNKNOWN),
        ("ratio ** 2", UNKNOWN),
        ("1048575 ** 2", 1048575**2),
        ("1048576 ** 2", UNKNOWN),
    ],
)  # fmt: skip
def test_operators_and_their_limits(text: str, value: Any) -> None:
    test_what_an_expression_comes_to(text, value)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e30, -1e30])
def test_a_number_that_is_no_size_of_anything_makes_nothing_known(number: float) -> None:
    class Odd:
        def key(self, _name: str) -> Any:
            return number

    for text in ("x + 1", "int(x)", "x < 3", "min(x, 1)"):
        assert term(text).run(Odd(), {}) is UNKNOWN
    assert term("x").size(Odd(), {}) is None


def test_a_long_list_of_a_configuration_is_not_searched() -> None:
    class Long:
        def key(self, name: str) -> Any:
            return [0] * int(name.removeprefix("l"))

    assert term("1 in l20000").run(Long(), {}) is False
    assert term("1 in l20001").run(Long(), {}) is UNKNOWN


@pytest.mark.parametrize(("text", "holds"), [("n", True), ("zero", False), ("off", False), ("empty", False), ("absent", None),
                                             ("none", False), ("name", True)])  # fmt: skip
def test_a_condition_is_true_false_or_not_known(text: str, holds: bool | None) -> None:
    assert term(text).holds(Keys(), {}) is holds


@pytest.mark.parametrize(("text", "size"), [("zero", 0), ("4611686018427387904", 1 << 62), ("4611686018427387905", None),
                                            ("int(9 / 2 * 2)", 9), ("name", None), ("absent", None)])  # fmt: skip
def test_sizes_have_a_limit(text: str, size: int | None) -> None:
    assert term(text).size(Keys(), {}) == size


def test_how_long_and_how_deep_an_expression_may_be() -> None:
    assert term("a" * MAX_LENGTH).keys == ("a" * MAX_LENGTH,)
    deepest = MAX_DEPTH - 1  # of brackets: the whole is one level, too
    assert term("(" * deepest + "n" + ")" * deepest).size(Keys(), {}) == 6
    with pytest.raises(TermError, match="nested too deep"):
        term("(" * MAX_DEPTH + "n" + ")" * MAX_DEPTH)
    with pytest.raises(TermError, match="nested too deep"):  # whatever stands before it
        term("(n) + " * 60 + "(" * MAX_DEPTH + "n" + ")" * MAX_DEPTH)
    assert term(" + ".join(["(n)"] * 100)).size(Keys(), {}) == 600  # one beside the other is not deep
    with pytest.raises(TermError, match="more than 400 words and signs"):
        term(" + ".join(["n"] * 201))
    assert term(" + ".join(["n"] * 200)).size(Keys(), {}) == 1200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a ; b", "; b` is not understood"),
        ("1 2", "`2` is not expected in `1 2`"),
        ("(a", "`)` is missing"),
        ("a[1", "`]` is missing"),
        ("len(1, 2)", "`len` takes 1 values"),
        ("min(1)", "`min` takes 2 values"),
        ("a +", "the expression ends too early"),
        ("a not b", "`in` is missing"),
        ("+ a", "`+` is not expected"),
    ],
)
def test_a_mistake_is_told(text: str, said: str) -> None:
    with pytest.raises(TermError) as caught:
        term(text)
    assert said in str(caught.value)
