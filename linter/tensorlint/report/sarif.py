"""SARIF 2.1.0, as code scanning reads it.

Facts: OASIS SARIF 2.1.0, and docs.github.com "SARIF support for code scanning": paths relative to the repository,
`region.startLine` is needed, the first location of a result is shown, at most 20 runs, 25,000 results of a run, 1,000
locations of a result and 10 MB gzipped; runs of one tool are told apart by `automationDetails.id`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from typing import Any

from ..rulebook.model import SEVERITIES, Rule
from ..text.about import HOME, VERSION
from ..text.wording import plural, printable
from .evidence import rows as evidence_rows
from .findings import Finding, Location, Report
from .interface import Failure, Options, Outcome
from .markup import fenced, plain
from .places import Places, Spot
from .text import coverage, why_not
from .words import NAME, cut, headline, help_page, paragraphs

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "%SRCROOT%"
_RUNS = 20
_RESULTS = 25_000  # of a run
_LOCATIONS = 1_000  # of a result
_BYTES = 10_000_000  # gzipped
_STATES = {"new": "new", "known": "unchanged", "gone": "absent"}
_CLAIMS = {"error": "error", "warning": "warning", "note": "recommendation"}

Object = dict[str, Any]


def render(outcomes: Sequence[Outcome], options: Options) -> str:
    """A run for each target; what does not fit into the limits is left out, and a notification says so."""
    locations = _LOCATIONS
    while True:
        text = _rendered(outcomes, options, locations)
        if len(text) <= _BYTES or locations == 1 or len(gzip.compress(text.encode(), 6)) <= _BYTES:
            return text
        locations = max(1, locations // 10)


def _rendered(outcomes: Sequence[Outcome], options: Options, locations: int) -> str:
    # More targets than runs are allowed share one run.
    groups = [[o] for o in outcomes] if len(outcomes) <= _RUNS else [list(outcomes)]
    runs = [_run(group, options, locations) for group in groups]
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": runs}, indent=1) + "\n"


def _run(outcomes: Sequence[Outcome], options: Options, locations: int) -> Object:
    reports = [o for o in outcomes if isinstance(o, Report)]
    found = [(report, f) for report in reports for f in report.findings]
    found.sort(key=lambda pair: SEVERITIES.index(pair[1].severity))
    cut_results = max(0, len(found) - _RESULTS)
    found = found[:_RESULTS]
    rules = list(dict.fromkeys(f.rule for _, f in found))
    numbers = {rule: number for number, rule in enumerate(rules)}
    first = {f.rule: f for _, f in reversed(found)}
    compared = any(report.baseline for report in reports)
    suppresses = any(f.suppression for _, f in found)
    places = {id(report): Places(report) for report in reports}
    results = []
    for report, f in found:
        result = _result(f, places[id(report)], numbers[f.rule], locations)
        if suppresses:
            result["suppressions"] = _suppressions(f)
        if compared:
            result["baselineState"] = _STATES.get(f.state, "new")
        results.append(result)
    said = list(_notifications(outcomes))
    if cut_results:
        said.append(_notification("warning", f"{cut_results:,} results are left out: the limit is {_RESULTS:,}"))
    if any(f.count > locations for _, f in found):
        said.append(_notification("warning", f"results with more than {locations:,} places name only the first ones"))
    target = cut(outcomes[0].target, NAME) if len(outcomes) == 1 else plural(len(outcomes), "target")
    finished = len(reports) == len(outcomes) and not any(r.stopped for r in reports)
    return {
        "tool": {
            "driver": {
                "name": "tensorlint",
                "semanticVersion": VERSION,
                "informationUri": HOME,
                "rules": [_rule(rule, options.rules.get(rule), first[rule]) for rule in rules],
            }
        },
        "automationDetails": {"id": f"tensorlint/{target}/"},
        "invocations": [{"executionSuccessful": finished, "toolExecutionNotifications": said}],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "the top of the repository"}}},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {"targets": [cut(o.target, NAME) for o in outcomes]},
    }


def _rule(name: str, rule: Rule | None, f: Finding) -> Object:
    """A rule's descriptor; of a rule that is not known here what its finding says."""
    severity = rule.severity if rule else f.severity
    parts = [
        ("Effect", str(rule.effect) if rule else f.effect),
        ("What to do", str(rule.remedy) if rule else f.remedy),
        ("Why", rule.why if rule else ""),
        ("Seen in", ", ".join(rule.see if rule else f.see)),
    ]
    parts = [(label, text) for label, text in parts if text]
    summary = printable(rule.summary) if rule else _unlinked(headline(f))
    marked = printable_lines if rule else plain  # what a finding says has names of strangers in it
    told = {
        "id": printable(name),
        "shortDescription": {"text": summary},
        "fullDescription": {"text": " ".join([summary, *(_unlinked(printable(t)) for label, t in parts[:1])])},
        "help": {
            "text": "\n\n".join([summary, *(f"{label}: {_unlinked(printable_lines(t))}" for label, t in parts)]),
            "markdown": "\n\n".join([plain(summary), *(f"**{label}.** {marked(t)}" for label, t in parts)]),
        },
        "defaultConfiguration": {"level": severity},
        "properties": {
            "tags": ["model-weights", printable(name.partition("/")[0])],
            "precision": "very-high",
            "problem.severity": _CLAIMS[severity],
        },
    }
    page = help_page(name)
    return {**told, "helpUri": page} if page else told


def printable_lines(text: str) -> str:
    """Printable text that keeps its line breaks."""
    return "\n".join(map(printable, text.split("\n")))


def _result(f: Finding, places: Places, number: int, locations: int) -> Object:
    lines = paragraphs(f)
    message: Object = {"text": _unlinked("\n".join(lines))}
    if f.evidence:
        message["markdown"] = "\n\n".join([*map(plain, lines), fenced(list(evidence_rows(f.evidence, True, 100)))])
    first = next(iter(f.locations), None)
    result: Object = {
        "ruleId": printable(f.rule),
        "ruleIndex": number,
        "level": f.severity,
        "message": message,
        "locations": [_location(places, loc) for loc in f.locations[:locations]] or [_location(places, None)],
        "occurrenceCount": max(1, f.count),
        "partialFingerprints": {"tensorlint/v1": f.fingerprint, "primaryLocationLineHash": f"{f.fingerprint}:1"},
        "properties": {"count": f.count, "values": json.loads(json.dumps(dict(f.values), default=str))},
    }
    if first is not None and first.line is not None and first.line.file != first.file:
        result["relatedLocations"] = [
            {"id": 1, "message": {"text": "the stored bytes"}, "physicalLocation": _stored(places, first)}
        ]
    return result


def _location(places: Places, location: Location | None) -> Object:
    spot = places.spot(location)
    if location is None:
        return {"physicalLocation": _physical(spot)}
    in_text = location.line is not None
    found: Object = {"physicalLocation": _physical(spot) if in_text else _stored(places, location)}
    if location.tensor:
        name = printable(location.tensor)
        leaf = printable(location.tensor.rpartition(".")[2])
        found["logicalLocations"] = [{"name": leaf or name, "fullyQualifiedName": name, "kind": "tensor"}]
    if location.index is not None:
        found["message"] = {"text": f"first at index {list(location.index)}"}
    return found


def _physical(spot: Spot) -> Object:
    artifact = {"uri": spot.uri, "uriBaseId": _ROOT} if spot.inside else {"uri": spot.uri}
    return {"artifactLocation": artifact, "region": {"startLine": spot.line}}


def _stored(places: Places, location: Location) -> Object:
    """Bytes of a file; code scanning wants a line even there."""
    found = _physical(places.stored(location))
    if location.byte_offset is not None:
        found["region"]["byteOffset"] = location.byte_offset
        if location.byte_length is not None:
            found["region"]["byteLength"] = location.byte_length
    return found


def _suppressions(f: Finding) -> list[Object]:
    if f.suppression is None:
        return []
    return [{"kind": "external", "status": "accepted", "justification": cut(why_not(f), 5 * NAME)}]


def _notifications(outcomes: Sequence[Outcome]) -> Iterable[Object]:
    """What stopped, and what was not looked at."""
    for o in outcomes:
        if isinstance(o, Failure):
            yield _notification("error", cut(f"{o.target}: {o.message}", 3 * NAME))
            continue
        if o.stopped:
            yield _notification("error", cut(f"{o.target}: {o.stopped}", 3 * NAME))
        for row in coverage(o):
            yield _notification("note", cut(f"{o.target}: {row}", 3 * NAME))


def _notification(level: str, text: str) -> Object:
    return {"level": level, "message": {"text": _unlinked(text)}}


def _unlinked(text: str) -> str:
    """Text in which nothing is a link of SARIF, `[text](target)`: names in it come from strangers."""
    return text.replace("](", "\\](")
