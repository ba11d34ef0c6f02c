"""The whole report as JSON: the contract other tools may rely on (fields may be added, never changed)."""

from __future__ import annotations

import json
from typing import Any

from .. import __version__
from ..findings import Finding, Location, Report
from .interface import Options


def render(report: Report, options: Options) -> str:
    """One JSON object, with a newline at the end."""
    return json.dumps(as_dict(report, options.fail_on), indent=1, ensure_ascii=True) + "\n"


def as_dict(report: Report, fail_on: str) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "version": 1,
        "tensorlint": __version__,
        "target": report.target,
        "depth": report.depth,
        "checkpoints": list(report.checkpoints),
        "complete": report.complete,
        "stopped": report.stopped or None,
        "exit_code": report.exit_code(fail_on),
        "schemes": dict(report.schemes),
        "tensors": report.tensors,
        "shards": report.shards,
        "bytes_read": report.bytes_read,
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
        "suppressed": None,
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
    }
