"""What a program and a person in a shell have of a Report: one line, iteration, truth, JSON there and back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings

import random_reports
import sample_reports
from tensorlint.errors import UsageError
from tensorlint.report.findings import Finding, Location, Report, Suppression
from tensorlint.report.interface import Failure, Options
from tensorlint.report.json import render
from tensorlint.report.markdown import comment

STATED = sample_reports.stated()
EMPTY = Report("model", "full", ("",), (), {}, 1, 1, 8, 8, 0.1, ("scales/nan",), {})
NAN = Finding("scales/nan", "error", "1 of 9 values is NaN", locations=(Location("a.safetensors", "l.weight_scale"),))


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (EMPTY, "<Report 'model': no findings; not quantized, 1 tensor, complete>"),
        (
            replace(EMPTY, findings=(NAN, NAN, replace(NAN, severity="note")), schemes={"a": 3, "b": 1}, tensors=2_048),
            "<Report 'model': 2 errors, 1 note; a, b, 2,048 tensors, complete>",
        ),
        (replace(EMPTY, schemes=dict.fromkeys("abcde", 1)), "<Report 'model': no findings; a, b, c and 2 more, 1 tensor, complete>"),
        (replace(EMPTY, gaps=("a gap",)), "<Report 'model': no findings; not quantized, 1 tensor, incomplete>"),
        (replace(EMPTY, stopped="the disk"), "<Report 'model': no findings; not quantized, 1 tensor, stopped>"),
        (replace(EMPTY, target="a\x1b[31m\u202e'"), "<Report \"a\\x1b[31m\\u202e'\": no findings; not quantized, 1 tensor, complete>"),
        (STATED, "<Report 'model': 1 error, 1 warning, 1 note; nvfp4-modelopt, 99 tensors, incomplete>"),
    ],
)  # fmt: skip
def test_a_report_in_one_line(report: Report, said: str) -> None:
    assert repr(report) == said


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (NAN, "<Finding error scales/nan: '1 of 9 values is NaN' at 'l.weight_scale'>"),
        (replace(NAN, locations=()), "<Finding error scales/nan: '1 of 9 values is NaN'>"),
        (replace(NAN, count=12_000), "<Finding error scales/nan: '1 of 9 values is NaN' at 'l.weight_scale' and 11,999 more>"),
        (replace(NAN, locations=(Location("config.json"),)), "<Finding error scales/nan: '1 of 9 values is NaN' at 'config.json'>"),
        (replace(NAN, suppression=Suppression("known")), "<Finding error scales/nan: '1 of 9 values is NaN' at 'l.weight_scale' (suppressed)>"),
        (replace(NAN, state="gone"), "<Finding error scales/nan: '1 of 9 values is NaN' at 'l.weight_scale' (gone)>"),
        (replace(NAN, state="new"), "<Finding error scales/nan: '1 of 9 values is NaN' at 'l.weight_scale'>"),
    ],
)  # fmt: skip
def test_a_finding_in_one_line(finding: Finding, said: str) -> None:
    assert repr(finding) == said


def test_one_line_stays_one_short_line_whatever_the_names() -> None:
    long = replace(EMPTY, target="x" * 10_000, schemes={f"s{'y' * 5_000}\n>": 1})
    finding = replace(NAN, rule="r" * 5_000, message="m\n" * 5_000, locations=(Location("f", "t" * 5_000),))
    for shown in (repr(sample_reports.hostile()), repr(sample_reports.hostile().findings), repr(long), repr(finding)):
        assert shown.isprintable()
        assert len(shown) < 900
    assert len(repr(long)) < 350


def test_a_report_gives_its_findings_and_is_there_also_without_any() -> None:
    assert [*STATED] == [*STATED.findings]
    assert (len(STATED), len(EMPTY)) == (6, 0)
    assert STATED.findings[0] in STATED
    assert bool(STATED) is bool(EMPTY) is True


@settings(max_examples=100)
@given(random_reports.reports)
def test_json_there_and_back(report: Report) -> None:
    assert Report.from_json(report.to_json()) == report
    assert report.to_json() == render([report], Options())
    assert report.to_dict() == json.loads(report.to_json())


@pytest.mark.parametrize("report", [sample_reports.run(sample_reports.broken()), STATED, sample_reports.hostile()])
def test_sample_reports_there_and_back(report: Report) -> None:
    assert Report.from_json(report.to_json()) == report


def test_each_target_of_several_is_a_report() -> None:
    several = json.loads(render([STATED, EMPTY], Options()))
    assert [Report.from_json(json.dumps(target)) for target in several["targets"]] == [STATED, EMPTY]


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        (render([STATED, EMPTY], Options()), "the text holds the reports on 2 targets", "Report.from_json(json.dumps(target))"),
        (render([Failure("gone", "there is nothing at gone", 3)], Options()), "gone could not be checked: there is nothing at gone", ""),
        ("", "the text is not JSON", "tensorlint check TARGET -f json"),
        (EMPTY.to_json().replace('"error"', '"loud"'), "the text: `fail_on` is not one of error, warning, note, never", "damaged"),
        (EMPTY.to_json().replace('"version": 1', '"version": 2'), "the text has version 2", "check again"),
    ],
)  # fmt: skip
def test_what_is_not_the_report_on_one_target(text: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        Report.from_json(text)
    assert said in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("word", ["errors", "off", "", "NEVER"])
def test_words_that_are_no_severity(word: str) -> None:
    for ask in (EMPTY.exit_code, EMPTY.count):
        with pytest.raises(UsageError, match=f"there is no severity `{word}`"):
            ask(word)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no severity `never`"):
        EMPTY.count("never")  # type: ignore[arg-type]


def test_markdown_is_that_of_the_format() -> None:
    for report in (STATED, EMPTY, sample_reports.hostile()):
        assert report._repr_markdown_() == comment([report], Options())
