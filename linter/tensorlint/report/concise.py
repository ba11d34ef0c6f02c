"""One line per finding, then the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from ..text.wording import printable
from .findings import Finding, Report
from .interface import Failure, Options, Outcome
from .layout import agreed
from .spread import spread_of
from .text import coverage, tag, verdict


def render(outcomes: Sequence[Outcome], options: Options) -> str:
    """`file:line: tensor: severity[rule] message`, one line each; then verdict and coverage in one line each."""
    return "".join(
        printable(f"{o.target}: {o.message}") + "\n" if isinstance(o, Failure) else _report(o, options)
        for o in outcomes
    )


def _report(report: Report, options: Options) -> str:
    rows = [printable(_row(report, f)) for f in report.findings if options.shows(f)]
    if report.stopped:
        rows.append(printable(f"stopped: {report.stopped}"))
    return "\n".join([*rows, verdict(report, options.notes), "; ".join(coverage(report))]) + "\n"


def _row(report: Report, f: Finding) -> str:
    first = f.locations[0] if f.locations else None
    file = first.file if first else report.target
    spread = spread_of(f)
    names = [n for n in spread.patterns if n != file]
    if first and first.line and first.line.file == file:
        file += f":{first.line.number}"
    where = f"{file}: {names[0]}" if names else file
    more = f" (+{spread.patterns_total - 1:,} more)" if names and spread.patterns_total > 1 else ""
    said = f"{tag(f)} {f.severity}[{f.rule}] {agreed(f.message)}"
    return f"{where}{more}: {said.lstrip()}"
