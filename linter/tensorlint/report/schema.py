"""The JSON Schema of the JSON report: every field with its type and meaning, as the contract has them.

Fields may be added within version 1, so the schema lets pass what it does not name, and requires what every report of
the version has. Words of a list that may grow are given as `examples`, those of a fixed one as `enum`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..measures.plan import DEPTHS
from ..rulebook.model import FAIL_ON, SEVERITIES
from ..rulebook.schema import headed
from .findings import MAX_LOCATIONS
from .json import VERSION

Schema = dict[str, Any]
Field = tuple[Schema, str]  # type and meaning

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_FLAG: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
_COUNTS_OR_NULL: Schema = {"type": ["array", "null"], "items": _COUNT}
_LATER = ("bytes_known", "address")  # fields that the first reports of version 1 lack


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _by_name(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _fixed(words: Iterable[str]) -> Schema:
    return {"enum": list(words)}


def _growing(words: Iterable[str], null: bool = False) -> Schema:
    return {"type": ["string", "null"] if null else "string", "examples": list(words)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _or_null(name: str) -> Schema:
    return {"anyOf": [_ref(name), {"type": "null"}]}


_HEAD: Mapping[str, Field] = {
    "version": (
        {"type": "integer", "const": VERSION},
        "Of this contract; another number when something in it changes.",
    ),
    "tensorlint": (_TEXT, "The version of tensorlint that wrote it."),
    "target": (_TEXT, "What was checked, as it was named: a folder, a file, a model on the Hub."),
}
_REPORT: Mapping[str, Field] = {
    **_HEAD,
    "origin": (_TEXT_OR_NULL, "Which meaning of the target was taken, for people: such as the Hub at a commit."),
    "address": (_TEXT_OR_NULL, "Where the folder of the target is published, if it is: `hf://org/model`."),
    "baseline": (_TEXT_OR_NULL, "The earlier report that `state` of the findings was compared with."),
    "settings": (_list(_TEXT), "The configuration files that were followed."),
    "depth": (_growing(DEPTHS), "How much was read: the headers, also the scales, or every byte that rules need."),
    "checkpoints": (_list(_TEXT), "Names of the checkpoints at the target; empty for the one that is all of it."),
    "complete": (_FLAG, "Whether everything was looked at: nothing in `stopped`, `gaps` and `rules_skipped`."),
    "stopped": (_TEXT_OR_NULL, "Why the run ended early; null when it did not."),
    "fail_on": (_fixed(FAIL_ON), "The least severity that makes `exit_code` 1."),
    "strict": (_FLAG, "Whether a report that is not complete makes `exit_code` 1 (--fail-on-coverage)."),
    "exit_code": (
        _COUNT,
        "That of the command for this target: 0; 1 for findings at or above `fail_on`, or incomplete and strict; 4 "
        "where it could not finish.",
    ),
    "schemes": (_by_name(_COUNT), "The number of quantized modules by scheme."),
    "tensors": (_COUNT, "The number of tensors."),
    "shards": (_COUNT, "The number of files with tensors."),
    "bytes_read": (_COUNT, "Bytes read of files with tensors, headers included; of a model on the Hub, bytes fetched."),
    "bytes_known": (_COUNT, "Bytes that an earlier run had measured and that were not read again."),
    "bytes_total": (_COUNT, "The size of all files with tensors."),
    "seconds": ({"type": "number", "minimum": 0}, "How long it took."),
    "rules_run": (_list(_TEXT), "The rules that ran."),
    "rules_skipped": (_by_name(_TEXT), "The rules that did not run everywhere, with the reason for people."),
    "gaps": (_list(_TEXT), "Sentences about what could not be looked at."),
    "findings": (_list(_ref("finding")), "What was found: what counts first, then by severity."),
}  # fmt: skip
_FAILURE: Mapping[str, Field] = {
    **_HEAD,
    "complete": ({"type": "boolean", "const": False}, "Never: nothing was looked at."),
    "exit_code": (_COUNT, "That of the command for this target: 2 no access, 3 nothing to check, 4 could not finish."),
    "error": (_TEXT, "Why there is no report, for people."),
    "findings": ({"type": "array", "maxItems": 0}, "None."),
}
_SEVERAL: Mapping[str, Field] = {
    "version": _HEAD["version"],
    "exit_code": (_COUNT, "That of the command: the highest of all targets."),
    "targets": (_list({"anyOf": [_ref("failure"), _ref("report")]}), "A report or a failure for each, in order."),
}
_FINDING: Mapping[str, Field] = {
    "rule": (_TEXT, "The name of the rule: `scales/nan`. A rule that is renamed keeps its old name as another one."),
    "severity": (
        _fixed(SEVERITIES),
        "error: a runtime fails or computes garbage, or the file contradicts itself; warning: probably not meant, or "
        "harmful; note: legal, and worth knowing.",
    ),
    "message": (_TEXT, "What is wrong, for people."),
    "effect": (_TEXT, "What it does when the model is served, for people."),
    "remedy": (_TEXT, "What to do, for people."),
    "note": (_TEXT, "A known defect of the exporter that explains it, for people; empty where none is known."),
    "see": (_list(_TEXT), "Threads and sources: `owner/repository#number`, or an address."),
    "count": (_COUNT, "How many tensors or places the finding is about; always exact."),
    "values": (
        {"type": "object"},
        "The numbers and words behind the message, by name; which there are depends on the rule. What is not finite is "
        "a text: nan, inf, -inf.",
    ),
    "fingerprint": (
        _TEXT,
        "16 hex digits, made of the rule and of all names it is about; resharding and moved offsets do not change it.",
    ),
    "suppressed": (_or_null("suppression"), "Why it does not count; null when it does."),
    "state": (
        _growing(("new", "known", "gone"), null=True),
        "Beside the baseline: new, known (does not count), gone (only the baseline has it); null without a baseline.",
    ),
    "fix": ({"type": ["object", "null"]}, "Kept for how it can be mended; null in this version."),
    "checkpoint": (_TEXT, "Which of `checkpoints` it is about."),
    "evidence": (_or_null("evidence"), "The stored bytes at the first bad place; null where there is nothing to show."),
    "distribution": (_or_null("distribution"), "How the values of the first bad scale are spread, or null."),
    "locations": (_list(_ref("location")), f"The places, at most {MAX_LOCATIONS:,}."),
    "locations_left_out": (_COUNT, "How many places are not in `locations`."),
    "spread": (_or_null("spread"), "The names of all places where some are left out; null where none is."),
}  # fmt: skip
_LOCATION: Mapping[str, Field] = {
    "file": (_TEXT, "The file, relative to the target's folder."),
    "tensor": (_TEXT_OR_NULL, "The tensor; null where it is about the file."),
    "index": (_COUNTS_OR_NULL, "The index of the first bad element; null where it is about all."),
    "byte_offset": (_COUNT_OR_NULL, "Where its bytes are, counted from the beginning of the file."),
    "byte_length": (_COUNT_OR_NULL, "How many bytes: the element's where there is an index, else the tensor's."),
    "line": (_or_null("line"), "Where a person finds it in text: the tensor in the index, the key in config.json."),
}  # fmt: skip
_PIECES: Mapping[str, Mapping[str, Field]] = {
    "line": {
        "file": (_TEXT, "A text file: of the checkpoint, or a configuration."),
        "number": (_COUNT, "The line, from 1."),
    },
    "suppression": {
        "reason": (_TEXT, "The reason that somebody gave."),
        "until": (_TEXT_OR_NULL, "The last day on which it holds: 2031-05-01."),
        "where": (_TEXT, "Where that is written: file:line."),
    },
    "evidence": {
        "tensor": (_TEXT, "The tensor."),
        "dtype": (_TEXT, "Its dtype, as the header has it."),
        "shape": (_list(_COUNT), "Its shape, as the header has it."),
        "start": (_list(_COUNT), "The index of the first element shown; empty where elements cannot be counted."),
        "elements": (_list(_TEXT), "Elements as hex digits, most significant byte first."),
        "marked": (_list(_COUNT), "Which of `elements` are bad, from 0."),
        "note": (_TEXT, "What the first bad one means, for people."),
    },
    "distribution": {
        "tensor": (_TEXT, "The tensor."),
        "dtype": (_TEXT, "Its dtype, as the header has it."),
        "elements": (_COUNT, "How many elements were looked at: the first ones."),
        "of": (_COUNT, "How many it has."),
        "bins": (_list(_ref("bin")), "Its values from the lowest to the highest, then what is no number."),
    },
    "bin": {
        "label": (_TEXT, "Which values, for people."),
        "count": (_COUNT, "How many there are."),
        "bad": (_COUNT, "How many of them the finding is about."),
    },
    "spread": {
        "patterns": (_list(_TEXT), "Names as patterns: `layers.{0..31}.weight`; the first 100."),
        "patterns_total": (_COUNT, "How many patterns there are."),
        "files": (_COUNT, "In how many files the places are."),
        "cells": (
            _list({"type": "array", "items": [_COUNT_OR_NULL, _TEXT, _COUNT], "minItems": 3, "maxItems": 3}),
            "[layer or null, module, number of places]; an empty module stands for all further ones.",
        ),
    },
}
OBJECTS: Mapping[str, tuple[str, Mapping[str, Field]]] = {
    "report": ("The report on one target.", _REPORT),
    "failure": ("A target about which there is no report.", _FAILURE),
    "several": ("The reports on several targets.", _SEVERAL),
    "finding": ("One defect; the same one in many tensors is one finding with many locations.", _FINDING),
    "location": ("A place.", _LOCATION),
    "line": ("A line of a text file.", _PIECES["line"]),
    "suppression": ("Why a finding does not count.", _PIECES["suppression"]),
    "evidence": ("Bytes around the first bad element.", _PIECES["evidence"]),
    "distribution": ("How the values of a tensor are spread.", _PIECES["distribution"]),
    "bin": ("Values of one kind or magnitude.", _PIECES["bin"]),
    "spread": ("The names of a finding with more than a report lists.", _PIECES["spread"]),
}


def schema() -> Schema:
    """The schema of what `tensorlint check -f json` writes."""
    made = {
        "title": "A report of tensorlint, as `tensorlint check -f json` writes it",
        "description": "Within version 1 fields and words may be added; none is removed and none changes: let pass "
        "what you do not know. See docs/report.md.",
        "anyOf": [_ref("several"), _ref("failure"), _ref("report")],
        "definitions": {name: _object(meaning, fields, _LATER) for name, (meaning, fields) in OBJECTS.items()},
    }
    return headed("report", made)


def _object(meaning: str, fields: Mapping[str, Field], later: Collection[str]) -> Schema:
    return {
        "type": "object",
        "description": meaning,
        "required": [name for name in fields if name not in later],
        "properties": {name: {**kind, "description": about} for name, (kind, about) in fields.items()},
    }
