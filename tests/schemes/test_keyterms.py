"""Expressions over config.json: what they come to, what makes them unknown, and what is no expression."""

from __future__ import annotations

from typing import Any

import pytest

from tensorlint.schemes.keyterms import MAX_LENGTH, UNKNOWN, TermError, term

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
     "(" * 100 + "a" + ")" * 100, "a" * (MAX_LENGTH + 1)],
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
