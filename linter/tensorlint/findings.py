"""Findings and the report: what every output format renders."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SEVERITIES = ("error", "warning", "note")  # most severe first
MAX_LOCATIONS = 10_000  # per finding in a report; `count` is always exact


@dataclass(frozen=True)
class Location:
    """A place: file relative to the target, tensor, element index, absolute byte offset in the file."""

    file: str
    tensor: str = ""
    index: tuple[int, ...] | None = None
    byte_offset: int | None = None


@dataclass(frozen=True)
class Evidence:
    """Raw bytes around the first bad element.

    `start` is the index of the first element shown, `elements` their bytes as hex, `marked` which of them are bad.
    """

    tensor: str
    dtype: str
    shape: tuple[int, ...]
    start: tuple[int, ...]
    elements: tuple[str, ...]
    marked: frozenset[int]
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """One defect; the same defect in many tensors is one finding with many locations."""

    rule: str
    severity: str
    message: str
    effect: str = ""
    remedy: str = ""
    see: tuple[str, ...] = ()
    count: int = 1
    values: Mapping[str, Any] = field(default_factory=dict)
    locations: tuple[Location, ...] = ()
    evidence: Evidence | None = None
    note: str = ""
    checkpoint: str = ""

    @property
    def fingerprint(self) -> str:
        """Stable over resharding and moved offsets: made of the rule and the names it is about."""
        names = sorted({loc.tensor or loc.file for loc in self.locations})
        text = "\0".join([self.rule, self.checkpoint, *names])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class Report:
    """The outcome of one run over one target.

    `schemes` counts quantized modules by scheme; `bytes_read` are tensor bytes and headers; `rules_skipped` maps rules
    to the reason; `gaps` are sentences about what could not be looked at; `complete` is False when the run stopped
    early, a shard could not be read, a rule was skipped, or a module fits no known scheme. `origin` says which
    meaning of the target was taken where it has several: a model on the Hub at a commit, its download, a local folder.
    """

    target: str
    depth: str
    checkpoints: tuple[str, ...]
    findings: tuple[Finding, ...]
    schemes: Mapping[str, int]
    tensors: int
    shards: int
    bytes_read: int
    bytes_total: int
    seconds: float
    rules_run: tuple[str, ...]
    rules_skipped: Mapping[str, str]
    gaps: tuple[str, ...] = ()
    stopped: str = ""
    origin: str = ""

    @property
    def complete(self) -> bool:
        """Whether everything was looked at."""
        return not (self.stopped or self.gaps or self.rules_skipped)

    def count(self, severity: str) -> int:
        """Number of findings of a severity."""
        return sum(f.severity == severity for f in self.findings)

    def exit_code(self, fail_on: str) -> int:
        """0, 1 or 4; `fail_on` is a severity or `never`."""
        if self.stopped:
            return 4
        if fail_on == "never":
            return 0
        failing = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
        return int(any(f.severity in failing for f in self.findings))
