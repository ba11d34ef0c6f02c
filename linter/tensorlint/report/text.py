"""The report for people: findings with their bytes, then the verdict, what was read and what was not checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..rulebook.model import SEVERITIES
from ..text.wording import plural, size
from ..text.wording import printable as clean
from .evidence import rows as evidence_rows
from .findings import Finding, Location, Report
from .interface import Failure, Options, Outcome
from .layout import Ink, agreed, wrapped
from .spread import spread_of

_SHOWN_NAMES = 4
_BAR = 6  # columns of "   |  "


def render(outcomes: Sequence[Outcome], options: Options) -> str:
    """Findings, most severe first, then what was checked, the verdict, what was read and what was not looked at."""
    ink = Ink(options.color)
    return "\n".join(
        f"{ink('error', 'error')}: {clean(o.target)}: {clean(o.message)}\n"
        if isinstance(o, Failure)
        else _report(o, options, ink)
        for o in outcomes
    )


def _report(report: Report, options: Options, ink: Ink) -> str:
    rows: list[str] = []
    found = [f for f in report.findings if options.shows(f)]
    cut = found[: options.limit] if options.limit else found
    for finding in cut:
        rows.extend(_finding(finding, ink, options.width))
        rows.append("")
    if len(cut) < len(found):
        rows += [f"... and {plural(len(found) - len(cut), 'more finding')} (--limit 0 shows all)", ""]
    if report.stopped:
        text = "\n  ".join(wrapped(clean(report.stopped), options.width, 9, 2))
        rows += [ink("stopped", "error") + f": {text}", ""]
    rows.append(ink("\n  ".join(wrapped(clean(f"{report.target}: {what(report)}"), options.width, 0, 2)), "bold"))
    rows.append(_verdict_ink(report, ink, options.notes))
    for line in coverage(report):
        rows.append("\n  ".join(wrapped(line, options.width, 0, 2)))
    return "\n".join(rows) + "\n"


def tag(f: Finding) -> str:
    """Why a finding does not count, in a word; nothing for one that does."""
    return "suppressed" if f.suppression else f.state if f.state in ("known", "gone") else ""


def why_not(f: Finding) -> str:
    """Why a finding is suppressed: the reason, until when, and where that is written."""
    why = f.suppression
    return f"{why.reason}{f' (until {why.until})' if why.until else ''}, {why.where}" if why else ""


def _finding(f: Finding, ink: Ink, width: int) -> Iterator[str]:
    head = f"{tag(f)} {f.severity}[{f.rule}]: ".lstrip()
    first, *more_lines = wrapped(agreed(clean(f.message)), width, len(head), 2)
    yield ink(head[:-2], f.severity if f.active else "dim") + ": " + ink(first, "bold")
    for line in more_lines:
        yield "  " + ink(line, "bold")
    yield from _place(f, ink, width)
    bar = "   " + ink("|", "dim")
    if f.evidence:
        yield bar
        for row in evidence_rows(f.evidence, f.count > 1, width - _BAR):
            yield f"{bar}  {row}".rstrip()
        yield bar
    see = f"; see {', '.join(clean(s) for s in f.see[:3])}" if f.see else ""
    more = f"tensorlint explain {f.rule}{see}"
    for label, text in (
        ("ignored", why_not(f)),
        ("effect", f.effect),
        ("fix", f.remedy),
        ("known", f.note),
        ("more", more),
    ):
        if text:
            lines = wrapped(clean(text), width, 7 + len(label), 7)
            yield f"   {ink('=', 'dim')} {ink(label, 'bold')}: {lines[0]}"
            yield from (" " * 7 + line for line in lines[1:])


def _place(f: Finding, ink: Ink, width: int) -> Iterator[str]:
    """The file, the names the finding is about as patterns, and how many there are."""
    if not f.locations:
        return
    first, spread = f.locations[0], spread_of(f)
    names = [clean(n) for n in spread.patterns]
    if not first.tensor:
        names = [] if spread.patterns_total == 1 else names
    place = clean(first.file) + _line(first, f.count)
    if first.tensor and spread.files > 1:
        place += f" and {plural(spread.files - 1, 'more file')}"
    elif not first.tensor and spread.files > 1:
        place = plural(spread.files, "file")
    if first.byte_offset is not None and f.count == 1:
        place += f", byte {first.byte_offset:,}"
    yield f"  {ink('-->', 'dim')} {place}"
    for name in names[:_SHOWN_NAMES]:
        yield f"      {name}"
    if len(names) > _SHOWN_NAMES:
        yield f"      ... and {plural(spread.patterns_total - _SHOWN_NAMES, 'more pattern')}"
    if f.count > 1:
        text = f"{f.count:,} {'tensors' if first.tensor else 'places'}{_where(f)}"
        yield "      " + "\n        ".join(wrapped(text, width, 6, 8))


def _line(first: Location, count: int) -> str:
    """`:12`, where the file is text and the finding is about that one line of it."""
    return f":{first.line.number}" if first.line and first.line.file == first.file and count == 1 else ""


def _where(f: Finding) -> str:
    """The first bad element of each of a few tensors."""
    if f.count > _SHOWN_NAMES or any(loc.index is None or loc.byte_offset is None for loc in f.locations):
        return ""
    if not any(loc.index for loc in f.locations):
        return ", at bytes " + ", ".join(f"{loc.byte_offset:,}" for loc in f.locations)
    return ", first at " + ", ".join(f"{list(loc.index or ())} (byte {loc.byte_offset:,})" for loc in f.locations)


def what(report: Report) -> str:
    """What a checkpoint is: schemes, and how many tensors and shards."""
    schemes = ", ".join(f"{name} ({plural(count, 'module')})" for name, count in report.schemes.items())
    if not schemes:
        schemes = "not quantized"
        if report.stopped or any("could not be read" in g for g in report.gaps):
            schemes = "nothing quantized in what could be read"
        if any("no known scheme" in g for g in report.gaps):
            schemes = "no known scheme"
    many = f", {len(report.checkpoints)} checkpoints" if len(report.checkpoints) > 1 else ""
    return f"{schemes}, {plural(report.tensors, 'tensor')}, {plural(report.shards, 'shard')}{many}"


def verdict(report: Report, notes: bool = True) -> str:
    """What was found, in one line; never more than was looked at."""
    counts = [(report.count(s), s) for s in SEVERITIES]
    said = ", ".join(plural(n, s) + (" (not shown)" if s == "note" and not notes else "") for n, s in counts if n)
    aside = _aside(report)
    if report.stopped:
        return f"not finished: {said or 'nothing found before it stopped'}{aside}"
    if report.baseline and said:
        said = f"new: {said}"
    said = said or ("nothing new" if report.baseline else "no findings")
    if report.strict and not report.complete:
        return f"{said}{aside}; incomplete, which fails (--fail-on-coverage)"
    return f"{said}{aside}" if report.complete or any(n for n, _ in counts) else f"{said} in what was checked{aside}"


def _aside(report: Report) -> str:
    """What does not count: suppressed, known from the baseline, gone since then."""
    suppressed = sum(f.suppression is not None for f in report.findings)
    states = Counter(f.state for f in report.findings if f.suppression is None)
    numbers = ((suppressed, "suppressed"), (states["known"], "known"), (states["gone"], "gone"))
    return "".join(f", {n} {word}" for n, word in numbers if n)


def _verdict_ink(report: Report, ink: Ink, notes: bool) -> str:
    style = next((s for s in SEVERITIES if report.count(s)), "good" if report.complete else "bold")
    return ink(verdict(report, notes), style)


def coverage(report: Report) -> list[str]:
    """What was read, which rules did not run and why, and what could not be looked at: a line for each."""
    ran = f"{plural(len(report.rules_run), 'rule')} on {_DEPTHS.get(report.depth, report.depth)}"
    read = f"read {size(report.bytes_read)} of {size(report.bytes_total)} in {report.seconds:.1f} s"
    read += f" from {clean(report.origin)}" if report.origin else ""
    read += f"; {size(report.bytes_known)} known from earlier runs" if report.bytes_known else ""
    rows = [f"{'began to check' if report.stopped else 'checked'} {ran}: {read}"]
    if report.settings:
        rows[0] += f", settings from {clean(', '.join(report.settings))}"
    if report.rules_skipped:
        reasons = Counter(report.rules_skipped.values()).most_common()
        said = ", ".join(
            f"{plural(n, 'rule')} {_number(n, reason)}" for reason, n in sorted(reasons, key=lambda r: r[0])
        )
        rows.append(f"not run: {said}")
    if report.gaps:
        more = f"; and {len(report.gaps) - 3:,} more" if len(report.gaps) > 3 else ""
        rows.append("not checked: " + "; ".join(agreed(clean(g)) for g in report.gaps[:3]) + more)
    return rows


def _number(n: int, reason: str) -> str:
    """`needs the scales` after several rules: `need the scales`."""
    return clean("need" + reason[5:] if n > 1 and reason.startswith("needs ") else reason)


_DEPTHS = {"headers": "headers only", "scales": "headers and scales", "full": "everything"}
