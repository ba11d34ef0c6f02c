"""What every reporter is given besides reports, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..rulebook.model import Rule
from .findings import Finding, Report


@dataclass(frozen=True)
class Options:
    """How to render.

    `color` for ANSI styles; `limit` findings shown in full (0: all); `width` in columns; whether to show `notes`,
    findings that a configuration ignores (`suppressed`), and those that the baseline has already (`known`); `rules` by
    name, for formats that describe them.
    """

    color: bool = False
    limit: int = 50
    width: int = 120
    notes: bool = True
    suppressed: bool = False
    known: bool = True
    rules: Mapping[str, Rule] = field(default_factory=dict)

    def shows(self, finding: Finding) -> bool:
        """Whether a finding is shown to people; what is gone is only counted."""
        if finding.suppression is not None:
            return self.suppressed
        return (
            finding.state != "gone"
            and (self.known or finding.state != "known")
            and (self.notes or finding.severity != "note")
        )


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
    codes = (o.exit_code if isinstance(o, Failure) else o.exit_code(o.fail_on) for o in outcomes)
    return max(codes, default=0)
