"""One line per finding, then the verdict."""

from __future__ import annotations

from ..apply import patterns
from ..findings import Report
from ..rulebook.message import printable
from .interface import Options
from .layout import agreed
from .text import coverage, verdict


def render(report: Report, options: Options) -> str:
    """`file: tensor: severity[rule] message`, one line each; then verdict and coverage in one line each."""
    rows = []
    for f in report.findings:
        if not options.shows(f):
            continue
        aside = "suppressed " if f.suppression else "known " if f.state == "known" else ""
        file = f.locations[0].file if f.locations else report.target
        names = [n for n in patterns(f) if n != file]
        where = f"{file}: {names[0]}" if names else file
        more = f" (+{len(names) - 1} more)" if len(names) > 1 else ""
        rows.append(printable(f"{where}{more}: {aside}{f.severity}[{f.rule}] {agreed(f.message)}"))
    if report.stopped:
        rows.append(printable(f"stopped: {report.stopped}"))
    return "\n".join([*rows, verdict(report, options.notes), "; ".join(coverage(report))]) + "\n"
