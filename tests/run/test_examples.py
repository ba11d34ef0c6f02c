"""Examples of rules and schemes are run like checkpoints, and what they do not show is said with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from notation import BOOK
from tensorlint.rulebook.model import Example, Rule
from tensorlint.run.examples import failures, found, messages, scheme_failures
from tensorlint.schemes.model import Scheme
from tensorlint.text.yamlread import read

NAN = BOOK.rules["scales/nan"]
BAD, GOOD = NAN.bad[0], NAN.good[0]
IGNORED = 'ignore = [{rule = "scales/nan", reason = "r"}]'


def with_examples(bad: Sequence[Example], good: Sequence[Example]) -> Rule:
    return replace(NAN, examples=lambda: (tuple(bad), tuple(good)))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (with_examples([BAD], [GOOD]), []),
        (with_examples([GOOD], []), ["a bad example, but nothing is said"]),
        (with_examples([replace(BAD, says="a teapot")], []), ["wanted 'a teapot', said '"]),
        (with_examples([], [BAD]), ["a good example, but it is said: '"]),
        (with_examples([GOOD, BAD], [BAD, GOOD]), ["but nothing is said", "but it is said"]),
    ],
)  # fmt: skip
def test_an_example_that_does_not_do_what_it_is_there_for_is_named(rule: Rule, said: list[str]) -> None:
    sentences = list(failures(rule, BOOK))
    assert len(sentences) == len(said)
    for sentence, part in zip(sentences, said, strict=True):
        assert part in sentence
        assert sentence.startswith(("rules/", "/")) or ".yaml" in sentence


def test_only_the_rule_itself_is_heard_on_its_examples() -> None:
    assert {f.rule for f in found(NAN, BOOK, BAD)} == {"scales/nan"}
    assert messages(NAN, BOOK, BAD) == [f.message for f in found(NAN, BOOK, BAD)]
    assert messages(BOOK.rules["weights/nan"], BOOK, GOOD) == []


def test_the_ignores_of_an_example_hold_and_what_they_do_not_match_is_said() -> None:
    ignored = replace(BAD, files={**BAD.files, "tensorlint.toml": IGNORED.encode()})
    assert [bool(f.suppression) for f in found(NAN, BOOK, ignored)] == [True]
    unmatched = replace(GOOD, files={**GOOD.files, "tensorlint.toml": IGNORED.encode()})
    assert found(NAN, BOOK, unmatched) == ()
    assert len(found(BOOK.rules["meta/unused-ignore"], BOOK, unmatched)) == 1


def test_an_example_without_a_checkpoint_is_one_of_which_nothing_is_said() -> None:
    empty = replace(GOOD, files={"config.json": b"{}"})
    assert messages(NAN, BOOK, empty) == []


def test_the_stated_facts_of_an_example_hold() -> None:
    stated = next(e for rule in BOOK.rules.values() for e in rule.bad if e.stated)
    owner = next(rule for rule in BOOK.rules.values() if stated in rule.bad)
    assert messages(owner, BOOK, stated) != messages(owner, BOOK, replace(stated, stated=type(stated.stated)()))


def scheme(good: str, bad: str) -> Scheme:
    """A scheme as shipped with other examples."""
    keys = read(f"good: {good}\nbad: {bad}\n", "test").mapping("a scheme")
    shipped = BOOK.schemes["fp8-compressed-tensors"]
    return replace(shipped, good=tuple(keys["good"].sequence("good")), bad=tuple(keys["bad"].sequence("bad")))


WHOLE = '[{model.safetensors: {l.o_proj.weight: "F8_E4M3[32, 64]", l.o_proj.weight_scale: "F32[]"}}]'
HALF = '[{model.safetensors: {l.o_proj.weight: "F16[32, 64]"}}]'
SICK = '[{model.safetensors: {l.o_proj.weight: "F8_E4M3[32, 64]", l.o_proj.weight_scale: "F32[] = nan"}}]'
NOTHING = "[{config.json: {}}]"


def but(change: str, rule: str) -> str:
    return f"[{{but: {{l.o_proj.weight_scale: '{change}'}}, rule: {rule}}}]"


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (WHOLE, "[]", []),
        (WHOLE, but("F32[] = nan", "scales/nan"), []),
        (WHOLE, but("F32[] = 2", "scales/nan"), ["wanted scales/nan, found contract/ambiguous-scheme ("]),
        (WHOLE, but("F32[] = nan", "scales/negative"), ["wanted scales/negative, found scales/nan ("]),
        (HALF, "[]", ["it is recognised as unquantized"]),
        (WHOLE, NOTHING.replace("{}}", '{}, says: "NaN"}'), ["wanted 'NaN', said nothing"]),
        (NOTHING, "[]", ["it is recognised as nothing"]),
        (SICK, "[]", ["a good example, but scales/nan says: '"]),
        (WHOLE, SICK.replace("}}]", '}, says: "NaN"}]'), []),
        (WHOLE, SICK.replace("}}]", '}, says: "a teapot"}]'), ["wanted 'a teapot', said ["]),
        (WHOLE, WHOLE.replace("}}]", '}, says: "NaN"}]'), ["wanted 'NaN', said ["]),
    ],
)  # fmt: skip
def test_what_the_examples_of_a_scheme_do_not_show_is_named(good: str, bad: str, said: list[str]) -> None:
    sentences = list(scheme_failures(scheme(good, bad), BOOK))
    assert len(sentences) == len(said), sentences
    for sentence, part in zip(sentences, said, strict=True):
        assert part in sentence
