"""The schema of the JSON report is the contract: what is written fits it, also where it lets nothing else pass."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

import random_reports
import sample_reports
from linted import check
from tensorlint.errors import NoCheckpointError, UsageError
from tensorlint.report.findings import Report
from tensorlint.report.interface import Failure, Options, Outcome
from tensorlint.report.json import render
from tensorlint.report.reading import read_report
from tensorlint.report.schema import schema
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource
from test_real_layouts import LAYOUTS, checked

Path = tuple[str | int, ...]
GONE = Failure("gone", "there is nothing at gone", 3)
BOOK = load_book()


def closed(node: Any) -> Any:
    """The schema with nothing left open: no further fields and words, and none left out."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: closed(value) for key, value in node.items()}
    if "properties" in made:
        made |= {"additionalProperties": False, "required": list(made["properties"])}
    if "examples" in made:
        made["enum"] = [*made.pop("examples"), *([None] if "null" in made["type"] else [])]
    return made


PUBLISHED = jsonschema.Draft7Validator(schema())
CLOSED = jsonschema.Draft7Validator(closed(schema()))


def written(*outcomes: Outcome) -> Any:
    return json.loads(render(outcomes, Options()))


def fits(value: Any) -> None:
    CLOSED.validate(value)
    PUBLISHED.validate(value)


def test_it_is_a_schema_that_says_what_every_field_means() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
    for name, made in schema()["definitions"].items():
        assert made["description"].endswith("."), name
        for field, kind in made["properties"].items():
            assert kind["description"].endswith("."), (name, field)
            assert "$ref" not in kind, "what stands beside a $ref is not read"


@pytest.mark.parametrize(
    "outcomes",
    [
        [sample_reports.run(sample_reports.broken())], [sample_reports.stated()], [sample_reports.hostile()], [GONE],
        [sample_reports.stated(), GONE, sample_reports.hostile()],
    ],
    ids=["broken", "stated", "hostile", "failure", "several"],
)  # fmt: skip
def test_sample_reports_fit(outcomes: list[Outcome]) -> None:
    fits(written(*outcomes))


@settings(max_examples=100)
@given(random_reports.outcomes)
def test_random_reports_fit(outcomes: list[Outcome]) -> None:
    fits(written(*outcomes))


def reports_of_rules() -> Iterator[tuple[str, Report]]:
    """The report on the first bad example of every rule."""
    for rule in BOOK.rules.values():
        example = rule.bad[0] if rule.bad else None
        if example is not None:
            try:
                yield rule.id, check(MemorySource(example.files, stated=example.stated), BOOK, (rule,))
            except NoCheckpointError:
                continue


def test_reports_on_what_rules_find_fit_and_are_read_back_as_they_were() -> None:
    found = 0
    for name, report in reports_of_rules():
        fits(report.to_dict())
        assert Report.from_json(report.to_json()) == report, name
        found += len(report) > 0
    assert found > 150


@pytest.mark.parametrize("layout", LAYOUTS[::8], ids=lambda layout: layout["name"])
def test_reports_on_real_layouts_fit_and_are_read_back_as_they_were(layout: dict[str, Any]) -> None:
    report = checked(layout)
    fits(report.to_dict())
    assert Report.from_json(report.to_json()) == report


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every field in a report that the contract names, each object of a list once."""
    if isinstance(value, list):
        for number, item in enumerate(value[:1]):
            yield from places(item, (*path, number))
    if isinstance(value, dict) and path[-1:] not in (("values",), ("schemes",), ("rules_skipped",)):
        for key, item in value.items():
            yield (*path, key)
            yield from places(item, (*path, key))


def everything() -> Any:
    """A report of several targets in which every field has a value."""
    stated = sample_reports.stated().to_dict()
    first = stated["findings"][0]
    for finding in stated["findings"][1:]:
        for key, value in finding.items():
            first[key] = value if first[key] in (None, []) else first[key]
    stated["findings"] = [first]
    return {"version": 1, "exit_code": 3, "targets": [stated, *written(GONE, GONE)["targets"][:1]]}


def changed(path: Path, change: Any) -> Any:
    whole = copy.deepcopy(everything())
    value = whole
    for step in path[:-1]:
        value = value[step]
    if change is ...:
        del value[path[-1]]
    elif callable(change):
        value[change(path[-1])] = value.pop(path[-1])
    else:
        value[path[-1]] = change
    return whole


PLACES = [*places(everything())] + [("targets", 1, key) for key in written(GONE)]


def test_the_sample_for_mistakes_has_every_field() -> None:
    fits(everything())
    definitions = schema()["definitions"]
    assert {path[-1] for path in PLACES} == {name for made in definitions.values() for name in made["properties"]}


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_a_misspelt_field_does_not_fit(path: Path) -> None:
    misspelt = changed(path, lambda name: f"{name}_")
    assert not CLOSED.is_valid(misspelt)
    later = path[-1] in ("bytes_known", "address")
    assert PUBLISHED.is_valid(misspelt) is later


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_fields_of_later_versions_are_let_pass(path: Path) -> None:
    newer = changed((*path[:-1], "since_tomorrow"), {"x": [1]})
    assert PUBLISHED.is_valid(newer)
    assert not CLOSED.is_valid(newer)
    assert read_report(json.dumps(newer), "r.json") == read_report(json.dumps(everything()), "r.json")


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_what_fits_the_contract_is_read(path: Path) -> None:
    for change in (None, "word", "", -1, 0, 1.5, True, [], {}, [0], ["x"], [{}], {"x": 1}, ...):
        damaged = changed(path, change)
        if PUBLISHED.is_valid(damaged):
            try:
                read_report(json.dumps(damaged), "r.json")
            except UsageError as error:
                raise AssertionError(f"{path} = {change!r}: {error.message}") from error
