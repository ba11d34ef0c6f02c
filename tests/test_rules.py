"""Every rule that is shipped: its examples, and the words it is written in."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.shipped import shipped_folder
from tensorlint.run.examples import found, scheme_failures

# What a field without a value leaves behind.
_HOLE = re.compile(r"  | \(\)| [,;]|\( |: ?\)|: ?$|``|\bNone\b|\{[a-z_.]+\}")
BOOK = load_book()
RULES = list(BOOK.rules.values())
EXAMPLES = [(rule, example, kind) for rule in RULES for kind in ("bad", "good") for example in getattr(rule, kind)]


@pytest.mark.parametrize(
    ("rule", "example", "kind"), EXAMPLES, ids=[f"{r.id}:{e.place.rpartition(':')[2]}" for r, e, _ in EXAMPLES]
)
def test_example(rule, example, kind):
    findings = found(rule, BOOK, example)
    said = [f.message for f in findings]
    if kind == "good":
        assert said == []
    else:
        assert any(example.says in text for text in said), said
    for text in (text for f in findings for text in (f.message, f.effect, f.remedy)):
        assert not _HOLE.search(text), text


@pytest.mark.parametrize("scheme", BOOK.schemes.values(), ids=lambda s: s.name)
def test_examples_of_a_scheme(scheme):
    assert list(scheme_failures(scheme, BOOK)) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_the_words_of_a_rule(rule):
    for text in (rule.summary, str(rule.effect), str(rule.remedy)):
        assert text.endswith("."), text
    assert not str(rule.message).endswith("."), "messages stand in a line with other things"
    assert rule.since
    file = f"engines/{rule.engine}" if rule.engine else rule.id
    assert (shipped_folder() / f"{file}.yaml").is_file()
    assert rule.path == f"rules/{file}.yaml"


def test_no_two_rules_say_the_same():
    # A message stands beside the name of its rule; where two share it, they differ in what it means.
    for words in (Counter((r.message, r.effect) for r in RULES), Counter(r.summary for r in RULES)):
        assert [text for text, n in words.items() if n > 1] == []


def test_every_fact_has_a_rule():
    from tensorlint.rulebook.facts import catalogue

    assert set(catalogue()) <= {r.fact for r in RULES}
