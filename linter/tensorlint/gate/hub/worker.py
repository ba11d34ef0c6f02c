"""Lints one change for another interpreter: JSON from stdin to stdout."""

from __future__ import annotations

import json
import sys
from typing import Any

from .change import Addition, Change
from .judge import judge


def main() -> int:
    """Read a change, write its verdict."""
    asked: dict[str, Any] = json.load(sys.stdin)
    verdict = judge(
        Change(
            repo=asked["repo"],
            revision=asked["revision"],
            endpoint=asked["endpoint"],
            headers=asked["headers"],
            additions=tuple(Addition(a["name"], a["path"], a["approved"]) for a in asked["additions"]),
            deletions=tuple(asked["deletions"]),
            unseen=tuple(asked["unseen"]),
            remote=asked["remote"],
        )
    )
    findings = [(f.rule, f.severity, f.message, f.accepted, f.was) for f in verdict.findings]
    json.dump({"findings": findings, "text": verdict.text, "stopped": verdict.stopped}, sys.stdout)
    return 0
