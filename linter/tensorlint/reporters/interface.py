"""What every reporter is given besides reports, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..findings import Report
from ..rulebook.model import Rule


@dataclass(frozen=True)
class Options:
    """How to render.

    `color` for ANSI styles; `limit` findings shown in full (0: all); `width` in columns; whether to show `notes`,
    findings that are `suppressed`, and those that are `known` from the baseline; `rules` that are known by name, for
    formats that describe them.
    """

    color: bool = False
    limit: int = 50
    width: int = 120
    notes: bool = True
    suppressed: bool = False
    known: bool = True
    rules: Mapping[str, Rule] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A target about which there is no report, and why."""

    target: str
    message: str
    exit_code: int


Outcome = Report | Failure


@dataclass(frozen=True)
class Format:
    """A rendering of the outcomes of one run.

    `streams` when that of several is those of each one after the other, with `between` between them.
    """

    render: Callable[[Sequence[Outcome], Options], str]
    streams: bool = False
    between: str = ""


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """That of the process: the worst of all targets."""
    return max((o.exit_code if isinstance(o, Failure) else o.exit_code() for o in outcomes), default=0)
