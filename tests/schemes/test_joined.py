"""Many expressions at once find what each of them finds alone; what may mean something else beside others stays alone."""

from __future__ import annotations

import pytest

from tensorlint.schemes import joined
from tensorlint.schemes.joined import Joined, can_join, compiled


@pytest.mark.parametrize(
    ("pattern", "able"),
    [
        (r"a.*b", True),
        (r"(?:a|b)c", True),
        (r"a|b", True),
        (r"(a)\1", False),
        (r"(?P<x>a)\g<x>", False),
        (r"(a)(?1)", False),
        (r"(?i)a", False),
        (r"(?=a)b", False),
        (r"\La", False),
        (r"(*FAIL)a", False),
        (r"a(*SKIP)b", False),
        (r"(", False),
        (r"[", False),
        (r"\d+\.w", True),
    ],
)
def test_expressions_that_mean_the_same_beside_others(pattern: str, able: bool) -> None:
    assert can_join(pattern) is able


def test_what_is_no_expression_is_told() -> None:
    assert compiled("a(") == (None, compiled("a(")[1])
    assert compiled("a(")[1].startswith("it is not a regular expression: ")
    found, wrong = compiled("a+")
    assert (found.fullmatch("aaa") is not None, wrong) == (True, "")


@pytest.mark.parametrize(
    ("patterns", "name", "start", "inside"),
    [
        ([], "a", False, False),
        (["a"], "ab", True, True),
        (["a"], "ba", False, True),
        (["a|b", "c"], "cx", True, True),
        (["a|b", "c"], "xb", False, True),
        (["a", "b"], "x", False, False),
        (["a$", "b"], "ab", False, True),
        ([f"m{n}x" for n in range(600)], "m0x", True, True),
        ([f"m{n}x" for n in range(600)], "m255x", True, True),
        ([f"m{n}x" for n in range(600)], "m256x", True, True),
        ([f"m{n}x" for n in range(600)], "m599x", True, True),
        ([f"m{n}x" for n in range(600)], "m600x", False, False),
        ([f"m{n}x" for n in range(600)], "-m599x", False, True),
    ],
)
def test_one_of_many_is_found(patterns: list[str], name: str, start: bool, inside: bool) -> None:
    assert Joined(patterns, anywhere=False).hit(name) is start
    assert Joined(patterns, anywhere=True).hit(name) is inside


@pytest.mark.parametrize("anywhere", [False, True])
def test_after_a_match_that_takes_too_long_everything_may_match(
    anywhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined, "TIMEOUT", 0.001)
    found = Joined([r"(?:x+x+)+y"], anywhere)
    assert found.hit("zzz") is False
    assert found.hit("x" * 5000) is True
    assert found.hit("zzz") is True
