"""Every format on the same reports: compared exactly with snapshots, with names of strangers, and with 92,000 places."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

import sample_reports
from tensorlint.report.findings import Finding, Location, Report
from tensorlint.report.formats import REPORTERS
from tensorlint.report.interface import Failure, Options, Outcome
from tensorlint.rulebook.library import load_book

SNAPSHOTS = Path(__file__).parent.parent / "snapshots" / "formats"
ENDINGS = {"json": "json", "gitlab": "json", "sarif": "sarif", "junit": "xml", "markdown": "md"}
GONE = Failure("gone", "there is nothing at gone", 3)


def rendered(format_: str, *outcomes: Outcome, **options: object) -> str:
    return REPORTERS[format_].render(outcomes, Options(rules=load_book().rules, **options))  # type: ignore[arg-type]


def compare(name: str, text: str) -> None:
    text = re.sub(r'("semanticVersion"|"tensorlint"): "[\d.]+"', r'\1: "N"', text)
    text = re.sub(r"/blob/v[\d.]+/", "/blob/vN/", text)
    path = SNAPSHOTS / name
    if os.environ.get("TENSORLINT_SNAPSHOTS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.fixture(scope="module")
def report() -> Report:
    return sample_reports.run(sample_reports.broken())


@pytest.mark.parametrize("format_", [f for f in REPORTERS if f not in ("text", "concise", "comment")])
def test_a_broken_model(format_, report):
    compare(f"broken.{format_}.{ENDINGS.get(format_, 'txt')}", rendered(format_, report))


@pytest.mark.parametrize("format_", [f for f in REPORTERS if f not in ("comment", "json")])
def test_a_baseline_suppressions_and_a_target_that_is_not_there(format_):
    compare(f"stated.{format_}.{ENDINGS.get(format_, 'txt')}", rendered(format_, sample_reports.stated(), GONE))


@pytest.mark.parametrize("format_", REPORTERS)
def test_names_of_strangers_reach_nobody_as_control_characters(format_):
    text = rendered(format_, sample_reports.hostile(), suppressed=True)
    assert not set(text) & set("\x1b\x07\u202e\r")
    assert "\ud800" not in text
    text.encode()


@pytest.mark.parametrize("format_", REPORTERS)
@pytest.mark.parametrize("rule", ["my/" + "x" * 300, "my/\0", "../etc/passwd", "engines/vllm", "/"])
def test_a_rule_of_somebody_else_has_any_name_and_no_page(rule, format_):
    """A JSON report may come from a stranger."""
    first, *_ = sample_reports.stated().findings
    text = rendered(format_, replace(sample_reports.stated(), findings=(replace(first, rule=rule),)))
    assert "/docs/rules/" not in text


@pytest.mark.parametrize("format_", REPORTERS)
def test_what_does_not_count_is_shown_only_where_it_is_asked_for_or_kept(format_):
    text = rendered(format_, sample_reports.stated())
    keeps = format_ in ("json", "sarif", "markdown", "comment")
    assert ("dead experts" in text) is keeps
    assert "scales/nan" in text
    if format_ not in ("text", "concise"):
        assert ("scales/inf" in text) is keeps


def many(count: int) -> Report:
    """One finding for each of many checkpoints of a folder: nothing joins them."""
    findings = tuple(
        Finding("scales/nan", "error", f"{i} of 9 values are NaN", "effect " * 20, "remedy " * 20, ("a/b#1",), 1, {"nan": 1},
                (Location("model.safetensors", f"model.layers.{i}.mlp.up_proj.weight_scale", (1,), i),), fingerprint=f"{i:016x}")
        for i in range(count)
    )  # fmt: skip
    return Report("model", "full", ("",), findings, {}, count, 1, 1, 1, 0.1, ("scales/nan",), {})


LIMITS = {"markdown": 900 << 10, "comment": 60 << 10}


@pytest.mark.parametrize("format_", LIMITS)
@pytest.mark.parametrize("targets", [1, 3, 500])
def test_markdown_stays_below_the_limit_of_its_reader(format_, targets):
    report = many(30_000 // targets)
    text = rendered(format_, *[report] * targets, limit=0)
    assert len(text.encode()) <= LIMITS[format_]
    assert text.startswith("## ❌ tensorlint: ")
    assert "more finding" in text or "more target" in text


@pytest.mark.parametrize("format_", LIMITS)
def test_markdown_with_names_of_a_megabyte_stays_below_the_limit(format_):
    huge = "x" * (1 << 20)
    finding = Finding("scales/nan", "error", huge, huge, huge, (huge,), locations=(Location(huge, huge),), note=huge)
    report = Report(huge, "full", ("",), (finding,), {huge: 1}, 1, 1, 1, 1, 0.1, (), {huge: huge}, (huge,), huge)
    for format_ in REPORTERS:
        assert len(rendered(format_, report).encode()) < (20 << 20), format_
    assert len(rendered(format_, report).encode()) <= LIMITS[format_]
