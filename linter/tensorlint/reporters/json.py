"""The whole report as JSON: the contract other tools may rely on (fields may be added, never changed)."""

from __future__ import annotations

import json
import math
from numbers import Integral, Real
from typing import Any

from .. import __version__
from ..findings import Finding, Location, Report
from .interface import Options


def render(report: Report, options: Options) -> str:
    """One JSON object, with a newline at the end."""
    return _dumped(as_dict(report, options.fail_on))


def several(reports: list[dict[str, Any]], exit_code: int) -> str:
    """One JSON object for several targets: `{"version", "exit_code", "targets": [...]}`."""
    return _dumped({"version": 1, "exit_code": exit_code, "targets": reports})


def failed(target: str, message: str, exit_code: int) -> dict[str, Any]:
    """What stands in `targets` for a target about which there is no report."""
    return {"version": 1, "target": target, "complete": False, "exit_code": exit_code, "error": message, "findings": []}


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(_strict(value), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _strict(value: Any) -> Any:
    """The value in types of JSON, which has neither NaN nor infinity: those become texts."""
    if isinstance(value, dict):
        return {str(k): _strict(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_strict(v) for v in value]
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else str(float(value))
    return str(value)


def as_dict(report: Report, fail_on: str) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "version": 1,
        "tensorlint": __version__,
        "target": report.target,
        "origin": report.origin or None,
        "baseline": report.baseline or None,
        "depth": report.depth,
        "checkpoints": list(report.checkpoints),
        "complete": report.complete,
        "stopped": report.stopped or None,
        "exit_code": report.exit_code(fail_on),
        "schemes": dict(report.schemes),
        "tensors": report.tensors,
        "shards": report.shards,
        "bytes_read": report.bytes_read,
        "bytes_known": report.bytes_known,
        "bytes_total": report.bytes_total,
        "seconds": round(report.seconds, 3),
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
        "evidence": None
        if f.evidence is None
        else {
            "tensor": f.evidence.tensor,
            "start": list(f.evidence.start),
            "elements": list(f.evidence.elements),
            "marked": sorted(f.evidence.marked),
            "note": f.evidence.note,
        },
        "locations": [_location(loc) for loc in f.locations],
    }


def _location(loc: Location) -> dict[str, Any]:
    return {
        "file": loc.file,
        "tensor": loc.tensor or None,
        "index": None if loc.index is None else list(loc.index),
        "byte_offset": loc.byte_offset,
        "line": None if loc.line is None else {"file": loc.line.file, "number": loc.line.number},
    }
