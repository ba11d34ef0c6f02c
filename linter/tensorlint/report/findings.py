"""Findings and the report: what every output format renders."""

from __future__ import annotations

import hashlib
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..container.lines import Line as Line
from ..errors import UsageError
from ..measures.plan import Depth
from ..rulebook.model import FAIL_ON, SEVERITIES, FailOn, Severity
from ..text.wording import plural

MAX_LOCATIONS = 10_000  # per finding in a report; `count` is always exact


@dataclass(frozen=True)
class Location:
    """A place: file relative to the target, tensor, element index, absolute byte offset in the file.

    `line` is where a person finds it in text, where there is one: the tensor in the index, the key in config.json.
    `byte_length` counts the bytes from `byte_offset`: the element's where `index` is given, else the tensor's.
    """

    file: str
    tensor: str = ""
    index: tuple[int, ...] | None = None
    byte_offset: int | None = None
    line: Line | None = None
    byte_length: int | None = None

    @property
    def name(self) -> str:
        """What the place is about: the tensor, or the file where no tensor is named."""
        return self.tensor or self.file

    @property
    def identity(self) -> str:
        """What stays the same when the checkpoint is resharded: the tensor, or the file without how many shards are."""
        return self.tensor or _OF.sub("-of-*.safetensors", self.file)


_SCHEMES = 3  # named by repr
_cut = reprlib.Repr()
_cut.maxstring = _cut.maxother = 100


def _short(text: str) -> str:
    """A text in quotes, with an ellipsis in the middle of a long one."""
    return _cut.repr(text)


def _bare(name: str) -> str:
    """A name of ours as it is; one that could be mistaken for something else in quotes."""
    return name if re.fullmatch(r"[\w./-]{1,100}", name, re.ASCII) else _short(name)


_OF = re.compile(r"-of-\d+\.safetensors$")


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
class Bin:
    """Values of one kind or magnitude: how many there are, and how many of them the finding is about."""

    label: str
    count: int
    bad: int = 0


@dataclass(frozen=True)
class Distribution:
    """How the values of one tensor are spread, from its lowest to its highest, then what is no number.

    `elements` of `of` elements were looked at: the first ones of a large tensor.
    """

    tensor: str
    dtype: str
    elements: int
    of: int
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Spread:
    """The names of a finding whose locations are cut: the first patterns of `patterns_total`, how many files, and the
    number of places by layer (None outside of layers) and module."""

    patterns: tuple[str, ...]
    patterns_total: int
    files: int
    cells: tuple[tuple[int | None, str, int], ...]


@dataclass(frozen=True)
class Suppression:
    """Why a finding does not count: the reason somebody gave, the day it ends (ISO 8601), and where it is written."""

    reason: str
    until: str = ""
    where: str = ""


@dataclass(frozen=True)
class Finding:
    """One defect; the same defect in many tensors is one finding with many locations.

    `values` are the numbers and words behind the message, in types of JSON. `state` compares with a baseline, where
    there is one: `new`, `known` (the baseline has it), or `gone` (only the baseline has it). `fingerprint` is made of
    the rule and of all names it is about, see `fingerprint`. `spread` is there when `locations` are fewer than `count`.
    """

    rule: str
    severity: Severity
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
    fingerprint: str = ""
    suppression: Suppression | None = None
    state: str = ""
    distribution: Distribution | None = None
    spread: Spread | None = None

    @property
    def active(self) -> bool:
        """Whether it counts for the verdict: neither suppressed nor known from the baseline nor gone."""
        return self.suppression is None and self.state in ("", "new")

    def __repr__(self) -> str:
        """One line: severity, rule, message, the first place, and what keeps it from counting."""
        place = f" at {_short(self.locations[0].name)}" if self.locations else ""
        more = f" and {self.count - 1:,} more" if place and self.count > 1 else ""
        aside = "" if self.active else f" ({'suppressed' if self.suppression else self.state})"
        return f"<Finding {self.severity} {_bare(self.rule)}: {_short(self.message)}{place}{more}{aside}>"


def fingerprint(rule: str, checkpoint: str, names: Iterable[str]) -> str:
    """16 hex digits, stable over resharding and moved offsets: made of the rule and the names a finding is about."""
    text = "\0".join([rule, checkpoint, *sorted(set(names))])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class Report:
    """The outcome of one run over one target. Iterating over it gives its findings, those that count first.

    `schemes` counts quantized modules by scheme; `bytes_read` are tensor bytes and headers, `bytes_known` those that an
    earlier run had measured and that were not read again; `rules_skipped` maps rules to the reason; `gaps` are
    sentences about what could not be looked at; `complete` is False when the run stopped early, a shard could not be
    read, a rule was skipped, or a module fits no known scheme. `origin` says which meaning of the target was taken
    where it has several: a model on the Hub at a commit, its download, a local folder. `address` is that of the folder
    where it is published (`hf://org/model`), empty where it is on this machine only. `baseline` names the earlier
    report that the findings' `state` was compared with, `settings` the configuration files that were followed.
    `fail_on` is the least severity that fails the run, or `never`; `strict` makes an incomplete report fail.
    """

    target: str
    depth: Depth
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
    baseline: str = ""
    settings: tuple[str, ...] = ()
    strict: bool = False
    fail_on: FailOn = "error"
    bytes_known: int = 0
    address: str = ""

    @property
    def complete(self) -> bool:
        """Whether everything was looked at."""
        return not (self.stopped or self.gaps or self.rules_skipped)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        """The number of findings, also of those that do not count."""
        return len(self.findings)

    def __bool__(self) -> Literal[True]:
        """True, also without findings: a report is there. `exit_code` says whether it is a good one."""
        return True

    def __repr__(self) -> str:
        """One line: the target, findings that count, schemes, and whether everything was looked at."""
        said = ", ".join(plural(n, s) for s in SEVERITIES if (n := self.count(s))) or "no findings"
        schemes = ", ".join(map(_bare, [*self.schemes][:_SCHEMES])) or "not quantized"
        more = f" and {len(self.schemes) - _SCHEMES:,} more" if len(self.schemes) > _SCHEMES else ""
        state = "stopped" if self.stopped else "complete" if self.complete else "incomplete"
        return f"<Report {_short(self.target)}: {said}; {schemes}{more}, {plural(self.tensors, 'tensor')}, {state}>"

    def count(self, severity: Severity) -> int:
        """Number of findings of a severity that count. Raises UsageError for what is no severity."""
        if severity not in SEVERITIES:
            raise UsageError(f"there is no severity `{severity}`", "one of: " + ", ".join(SEVERITIES))
        return sum(f.severity == severity for f in self.findings if f.active)

    def exit_code(self, fail_on: FailOn) -> int:
        """0, 1 or 4, as the command ends; `fail_on` is the least severity that fails, or `never`.

        Raises UsageError for another word.
        """
        if fail_on not in FAIL_ON:
            raise UsageError(f"there is no severity `{fail_on}`", "one of: " + ", ".join(FAIL_ON))
        if self.stopped:
            return 4
        if self.strict and not self.complete:
            return 1
        if fail_on == "never":
            return 0
        failing = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
        return int(any(f.severity in failing for f in self.findings if f.active))

    def to_dict(self) -> dict[str, Any]:
        """The JSON report in types of JSON: dictionaries, lists, texts, numbers, None."""
        from .json import as_dict

        return as_dict(self)

    def to_json(self) -> str:
        """What `tensorlint check -f json` writes, see docs/report.md."""
        from .interface import Options
        from .json import render

        return render([self], Options())

    @classmethod
    def from_json(cls, text: str) -> Report:
        """The report that `to_json` or the command wrote for one target; fields that are not known here are left out.

        Raises UsageError for what is no report, with the place of what is wrong in it.
        """
        from .reading import report_in

        return report_in(text)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from .html import render

        return render(self)

    def _repr_markdown_(self) -> str:
        """What is shown where Markdown is: at most 60 KiB, as documents keep it."""
        from .interface import Options
        from .markdown import comment

        return comment([self], Options())
