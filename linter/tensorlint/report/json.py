"""The whole report as JSON: the contract other tools may rely on (fields may be added, never changed)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from numbers import Integral, Real
from typing import Any

from ..text import about
from .findings import Distribution, Evidence, Finding, Location, Report, Spread
from .interface import Failure, Options, Outcome, exit_code

VERSION = 1


def render(outcomes: Sequence[Outcome], options: Options) -> str:
    """The report, or `{"version", "exit_code", "targets": [...]}` for several targets, with a newline at the end."""
    rows = [_failed(o) if isinstance(o, Failure) else as_dict(o) for o in outcomes]
    top = rows[0] if len(rows) == 1 else {"version": VERSION, "exit_code": exit_code(outcomes), "targets": rows}
    return json.dumps(top, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _failed(failure: Failure) -> dict[str, Any]:
    return {
        "version": VERSION,
        "tensorlint": about.VERSION,
        "target": failure.target,
        "complete": False,
        "exit_code": failure.exit_code,
        "error": failure.message,
        "findings": [],
    }


def plain(value: Any) -> Any:
    """The value in types of JSON, which has neither NaN nor infinity: those become texts."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else str(float(value))
    return str(value)


def as_dict(report: Report) -> dict[str, Any]:
    """The report in types of JSON."""
    made: dict[str, Any] = plain(_fields(report))
    return made


def _fields(report: Report) -> dict[str, Any]:
    return {
        "version": VERSION,
        "tensorlint": about.VERSION,
        "target": report.target,
        "origin": report.origin or None,
        "address": report.address or None,
        "baseline": report.baseline or None,
        "settings": list(report.settings),
        "depth": report.depth,
        "checkpoints": list(report.checkpoints),
        "complete": report.complete,
        "stopped": report.stopped or None,
        "fail_on": report.fail_on,
        "strict": report.strict,
        "exit_code": report.exit_code(report.fail_on),
        "schemes": dict(report.schemes),
        "tensors": report.tensors,
        "shards": report.shards,
        "bytes_read": report.bytes_read,
        "bytes_known": report.bytes_known,
        "bytes_total": report.bytes_total,
        "seconds": report.seconds,
        "rules_run": list(report.rules_run),
        "rules_skipped": dict(report.rules_skipped),
        "gaps": list(report.gaps),
        "findings": [_finding(f) for f in report.findings],
    }


def _finding(f: Finding) -> dict[str, Any]:
    return {
        "rule": f.rule,
        "severity": f.severity,
        "message": f.message,
        "effect": f.effect,
        "remedy": f.remedy,
        "note": f.note,
        "see": list(f.see),
        "count": f.count,
        "values": dict(f.values),
        "fingerprint": f.fingerprint,
        "suppressed": None
        if f.suppression is None
        else {"reason": f.suppression.reason, "until": f.suppression.until or None, "where": f.suppression.where},
        "state": f.state or None,
        "fix": None,
        "checkpoint": f.checkpoint,
        "evidence": _evidence(f.evidence) if f.evidence else None,
        "distribution": _distribution(f.distribution) if f.distribution else None,
        "locations": [_location(loc) for loc in f.locations],
        "locations_left_out": max(0, f.count - len(f.locations)),
        "spread": _spread(f.spread) if f.spread else None,
    }


def _location(loc: Location) -> dict[str, Any]:
    return {
        "file": loc.file,
        "tensor": loc.tensor or None,
        "index": None if loc.index is None else list(loc.index),
        "byte_offset": loc.byte_offset,
        "byte_length": loc.byte_length,
        "line": None if loc.line is None else {"file": loc.line.file, "number": loc.line.number},
    }


def _evidence(e: Evidence) -> dict[str, Any]:
    return {**asdict(e), "marked": sorted(e.marked)}


def _distribution(d: Distribution) -> dict[str, Any]:
    return asdict(d)


def _spread(s: Spread) -> dict[str, Any]:
    """`cells` are [layer or null, module, count]."""
    return asdict(s)
