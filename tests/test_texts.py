"""What rules say without a finding: no field is left open, wherever such a text is shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tensorlint.cli.explain import explain
from tensorlint.report.findings import Finding, Report
from tensorlint.report.interface import Options
from tensorlint.report.sarif import render
from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.message import Template
from tensorlint.rulebook.model import Rule

ROOT = Path(__file__).resolve().parents[1]
BOOK = load_book()
RULES = list(BOOK.rules.values())
PAGES = [p for folder in ("rules", "engines", "schemes") for p in sorted((ROOT / "docs" / folder).rglob("*.md"))]
# A field; `{0..2}` in a name and `{"format": "pt"}` are literal text.
FIELD = re.compile(r"\{[A-Za-z_][\w.]*(?::\S+?)?(?:\|[^{}]*)?\}")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)


@each_rule
def test_every_field_of_an_effect_and_a_remedy_has_words_for_pages(rule: Rule) -> None:
    for text in (rule.effect, rule.remedy):
        assert [name for name in text.fields if f"[{name}]" in str(text)] == [], text.source
    assert FIELD.findall(rule.summary + rule.why) == [], "these are never filled in"


@each_rule
def test_explaining_a_rule_leaves_no_field_open(rule: Rule) -> None:
    assert FIELD.findall(explain(rule.id, BOOK)) == []


@pytest.mark.parametrize("name", [*BOOK.schemes, *BOOK.engines])
def test_explaining_a_scheme_or_an_engine_leaves_no_field_open(name: str) -> None:
    assert FIELD.findall(explain(name, BOOK)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_page_leaves_a_field_open(page: Path) -> None:
    assert FIELD.findall(_FENCE.sub("", page.read_text())) == []


def _help(rules: dict[str, Rule]) -> dict[str, dict[str, object]]:
    findings = tuple(Finding(rule=name, severity="error", message="found") for name in rules)
    report = Report("model", "full", ("model",), findings, {}, 0, 0, 0, 0, 0.0, tuple(rules), {})
    (run,) = json.loads(render([report], Options(rules=rules)))["runs"]
    return {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}


def test_the_help_of_code_scanning_leaves_no_field_open() -> None:
    told = _help(BOOK.rules)
    assert set(told) == set(BOOK.rules)
    assert {
        name: FIELD.findall(json.dumps(rule)) for name, rule in told.items() if FIELD.findall(json.dumps(rule))
    } == {}


def test_a_field_of_a_rule_of_the_users_own_is_shown_by_its_name() -> None:
    mine = Rule(
        "my/rule", "Mine.", "error", Template("{key} is bad"), "fact", "my.yaml", remedy=Template("Set {key} to 0.")
    )
    assert "Set [key] to 0." in json.dumps(_help({"my/rule": mine}))
