"""JSON reports read back: equal to what was written, and every damage is an error that says where."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings

import random_reports
import sample_reports
from tensorlint.errors import UsageError
from tensorlint.report.findings import (
    Distribution,
    Evidence,
    Finding,
    Location,
    Report,
    Spread,
    Suppression,
)
from tensorlint.report.formats import REPORTERS
from tensorlint.report.interface import Failure, Options
from tensorlint.report.json import render
from tensorlint.report.reading import read_report


@settings(max_examples=200)
@given(random_reports.outcomes)
def test_what_is_written_is_read_back_as_it_was(outcomes):
    assert list(read_report(render(outcomes, Options()), "report.json")) == outcomes


def test_every_field_of_a_report_takes_part():
    # A field that is added later and not written would be read back as its default, which the test above may not see.
    for made in (Report, Finding, Location, Evidence, Distribution, Spread, Suppression):
        written = render([sample_reports.stated()], Options())
        for field in fields(made):
            name = {"suppression": "suppressed"}.get(field.name, field.name)
            assert f'"{name}"' in written, (made.__name__, field.name)


@pytest.mark.parametrize("format_", REPORTERS)
def test_an_old_report_renders_as_the_run_did(format_):
    for outcomes in ([sample_reports.run(sample_reports.broken())], [sample_reports.stated(), Failure("gone", "x", 3)]):
        read = read_report(render(outcomes, Options()), "report.json")
        again = REPORTERS[format_].render(read, Options(suppressed=True))
        assert again == REPORTERS[format_].render(outcomes, Options(suppressed=True))


def damaged(change: Any, *path: Any) -> str:
    whole = json.loads(render([sample_reports.stated()], Options()))
    value = whole
    for step in path[:-1]:
        value = value[step]
    if change is ...:
        del value[path[-1]]
    else:
        value[path[-1]] = change
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "r.json is not JSON: Expecting value (line 1, column 1)"),
        ('{"version": 1, "findings": [', "is not JSON: Expecting value (line 1, column 29)"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("1" * 5_000, "cannot be read as JSON"),
        ("[]", "r.json is no report of tensorlint"),
        ("{}", "r.json is no report of tensorlint"),
        ('{"version": "2.1.0", "runs": []}', "r.json is no report of tensorlint"),
        ('{"version": 2, "findings": [], "tensorlint": "9.1"}', "r.json has version 2; this tensorlint reads version 1"),
        ('{"version": 1, "targets": [1]}', "r.json: `targets` is not a list of objects"),
        ('{"version": 1, "findings": []}', "r.json: `target` is not a text"),
        (damaged(..., "depth"), "r.json: `depth` is not a text"),
        (damaged(3, "depth"), "r.json: `depth` is not a text"),
        (damaged("loud", "findings", 1, "severity"), "r.json: findings[1]: `severity` is not one of error, warning, note"),
        (damaged("loud", "fail_on"), "r.json: `fail_on` is not one of error, warning, note, never"),
        (damaged(-1, "findings", 0, "count"), "r.json: findings[0]: `count` is not a count"),
        (damaged(True, "tensors"), "r.json: `tensors` is not a count"),
        (damaged("x", "seconds"), "r.json: `seconds` is not a number"),
        (damaged([1], "gaps"), "r.json: `gaps` is not a list of texts"),
        (damaged({"a": "b"}, "schemes"), "r.json: `schemes` is not counts by scheme"),
        (damaged([], "findings", 0, "evidence"), "r.json: findings[0]: `evidence` is not an object"),
        (damaged([["a"]], "findings", 5, "spread", "cells"), "r.json: findings[5]: spread: `cells` is not a list of [layer"),
        (damaged(1.5, "findings", 0, "locations", 0, "byte_offset"), "r.json: findings[0]: locations[0]: `byte_offset` is not"),
        (damaged([True], "findings", 0, "locations", 0, "index"), "r.json: findings[0]: locations[0]: `index` is not a list of"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_an_error_with_its_place(text, said):
    with pytest.raises(UsageError) as caught:
        read_report(text, "r.json")
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(("path", "word"), [(("depth",), "sampled"), (("findings", 0, "state"), "moved")])
def test_a_word_that_a_later_version_may_add_is_read_and_shown(path, word):
    (report,) = read_report(damaged(word, *path), "r.json")
    assert isinstance(report, Report)
    assert word in report.to_json()
    for name, reporter in REPORTERS.items():
        assert reporter.render([report], Options()), name
