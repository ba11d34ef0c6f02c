"""Markdown for the summary of a CI job and for comments: what is broken where, at a glance, then the details.

Facts: GitHub drops a job summary over 1 MiB as a whole (docs.github.com, "Adding a job summary") and refuses a comment
of more than 65,536 characters.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..rulebook.model import SEVERITIES
from ..text.wording import plural
from .chart import chart
from .evidence import rows as evidence_rows
from .findings import Finding
from .grid import MARKS, grid
from .interface import Failure, Options, Outcome
from .layout import agreed
from .markup import code, fenced, plain, table
from .spread import spread_of
from .text import coverage, tag, verdict, what, why_not
from .words import NAME, SENTENCE, cut, headline, help_page

_SUMMARY = 900 << 10  # bytes
_COMMENT = 60 << 10
_END = 4 << 10  # bytes that are kept for what closes a target's part
_WIDTH = 100  # columns of bytes
_NAMES = 3  # patterns of names in the table
_MORE_NAMES = 20  # in the details
_GOOD = "✅"


def render(outcomes: Sequence[Outcome], options: Options) -> str:
    """At most 900 KiB."""
    return _rendered(outcomes, options, _SUMMARY)


def comment(outcomes: Sequence[Outcome], options: Options) -> str:
    """At most 60 KiB."""
    return _rendered(outcomes, options, _COMMENT)


class _Page:
    """Lines that stay below a size."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.lines: list[str] = []

    def add(self, lines: Sequence[str], spare: int = 0) -> bool:
        """Add lines if they fit and leave `spare` bytes."""
        size = sum(len(line.encode()) + 1 for line in lines)
        if size > self.left - spare:
            return False
        self.left -= size
        self.lines += lines
        return True


def _rendered(outcomes: Sequence[Outcome], options: Options, size: int) -> str:
    if len(outcomes) == 1:
        page = _Page(size)
        _target(page, outcomes[0], options, "##")
        return "\n".join(page.lines) + "\n"
    whole = _Page(size)
    whole.add([f"## {_worst(outcomes)} tensorlint: {plural(len(outcomes), 'target')}, {_sums(outcomes)}", ""])
    for i, outcome in enumerate(outcomes):
        page = _Page((whole.left - _END) // (len(outcomes) - i))
        _target(page, outcome, options, "###")
        if not whole.add([*page.lines, ""], _END):
            whole.add([f"{plural(len(outcomes) - i, 'more target')}: see the whole report."])
            break
    return "\n".join(whole.lines).rstrip("\n") + "\n"


def _mark(o: Outcome) -> str:
    """The sign of the worst that is said about a target."""
    if isinstance(o, Failure) or o.stopped:
        return MARKS["error"]
    return next((MARKS[s] for s in SEVERITIES if o.count(s)), _GOOD if o.complete else MARKS["note"])


def _worst(outcomes: Sequence[Outcome]) -> str:
    marks = {_mark(o) for o in outcomes}
    return next((MARKS[s] for s in SEVERITIES if MARKS[s] in marks), _GOOD)


def _sums(outcomes: Sequence[Outcome]) -> str:
    """Findings of all targets by severity, and targets that could not be checked to their end."""
    counts = [(sum(o.count(s) for o in outcomes if not isinstance(o, Failure)), s) for s in SEVERITIES]
    said = [plural(n, s) for n, s in counts if n]
    unfinished = sum(isinstance(o, Failure) or bool(o.stopped) for o in outcomes)
    return ", ".join([*(said or ["no findings"]), *([f"{unfinished:,} not finished"] if unfinished else [])])


def _target(page: _Page, o: Outcome, options: Options, level: str) -> None:
    title = f"{level} {_mark(o)} "
    name = code(cut(o.target, NAME))
    if isinstance(o, Failure):
        page.add([f"{title}{name}: not checked", "", plain(cut(o.message, SENTENCE))])
        return
    said = verdict(o, options.notes)
    page.add([f"{title}tensorlint: {said}" if level == "##" else f"{title}{name}: {said}", ""])
    page.add([f"{name}: {plain(cut(what(o), SENTENCE))}" if level == "##" else plain(cut(what(o), SENTENCE)), ""])
    if o.stopped:
        page.add([f"**Stopped:** {plain(cut(o.stopped, SENTENCE))}", ""])
    found = [f for f in o.findings if f.active and (options.notes or f.severity != "note")]
    quiet = [f for f in o.findings if not f.active and (options.notes or f.severity != "note")]
    _overview(page, found, options)
    places = grid(found)
    if places:
        page.add(["Tensors with findings by layer and module:", "", *places, ""], _END)
    opened = next((i for i, f in enumerate(found) if f.evidence or f.distribution), 0)
    for i, f in enumerate(found):
        if not page.add(_details(f, i == opened), _END):
            page.add([f"Details of {plural(len(found) - i, 'more finding')} are left out: see the whole report.", ""])
            break
    _hidden(page, quiet)
    rows = [f"<sub>{plain(cut(row, SENTENCE))}</sub><br>" for row in coverage(o)]
    page.add([*rows[:-1], rows[-1].removesuffix("<br>")])


def _overview(page: _Page, found: Sequence[Finding], options: Options) -> None:
    """The table of findings; it may take half of the page."""
    if not found:
        return
    limit = options.limit or len(found)
    rows = table(["", "rule", "what", "where"], (_overview_row(f) for f in found[:limit]))
    half = page.left // 2
    shown = 0
    for n, row in enumerate(rows):
        if not page.add([row], half):
            break
        shown = max(0, n - 1)
    if shown < len(found):
        page.add(["", f"... and {plural(len(found) - shown, 'more finding')}"])
    page.add([""])


def _overview_row(f: Finding) -> list[str]:
    return [MARKS[f.severity], _rule(f.rule), plain(headline(f)), _where(f, _NAMES, "<br>")]


def _rule(rule: str) -> str:
    page = help_page(rule)
    return f"[{code(rule)}]({page})" if page else code(cut(rule, NAME))


def _where(f: Finding, most: int, between: str) -> str:
    if not f.locations:
        return ""
    spread = spread_of(f)
    names = [code(cut(name, NAME)) for name in spread.patterns[:most]]
    if spread.patterns_total > len(names):
        names.append(f"and {plural(spread.patterns_total - len(names), 'more pattern')}")
    if f.count > 1:
        names.append(plural(f.count, "tensor" if f.locations[0].tensor else "place"))
    return between.join(names)


def _files(f: Finding) -> str:
    """The file of the first place with its line, and how many more files there are."""
    first, more = f.locations[0], spread_of(f).files - 1
    line = f" line {first.line.number}" if first.line and first.line.file == first.file else ""
    return code(cut(first.file, NAME)) + line + (f" and {plural(more, 'more file')}" if more else "")


def _details(f: Finding, opened: bool) -> list[str]:
    title = f"{MARKS[f.severity]} {code(f.rule, True)}: {plain(headline(f), True)}"
    rows = [f"<details{' open' if opened else ''}><summary>{title}</summary>", ""]
    for label, text in (("Effect", f.effect), ("Fix", f.remedy), ("Known", f.note)):
        if text:
            rows += [f"**{label}.** {plain(cut(agreed(text), SENTENCE))}", ""]
    if f.locations:
        names = f"{_where(f, _MORE_NAMES, ', ')} in " if f.locations[0].tensor or f.count > 1 else ""
        rows += [f"**Where.** {names}{_files(f)}", ""]
    if f.evidence:
        rows += [fenced(evidence_rows(f.evidence, True, _WIDTH)), ""]
    if f.distribution:
        named = [] if f.evidence and f.evidence.tensor == f.distribution.tensor else [cut(f.distribution.tensor, NAME)]
        rows += [fenced([*named, *chart(f.distribution)]), ""]
    if f.see:
        rows += ["Seen in: " + ", ".join(code(cut(s, NAME)) for s in f.see[:3]), ""]
    return [*rows, "</details>", ""]


def _hidden(page: _Page, quiet: Sequence[Finding]) -> None:
    """Findings that do not count, folded."""
    if not quiet:
        return
    counts = [(t, sum(tag(f) == t for f in quiet)) for t in ("known", "suppressed", "gone")]
    title = ", ".join(f"{n:,} {t}" for t, n in counts if n)
    rows = [[tag(f), _rule(f.rule), plain(headline(f)), plain(cut(why_not(f), SENTENCE))] for f in quiet]
    for most in (len(rows), 50, 5):
        more = [f"... and {len(rows) - most:,} more", ""] if most < len(rows) else []
        lines = table(["", "rule", "what", "why"], rows[:most])
        if page.add([f"<details><summary>{title}</summary>", "", *lines, "", *more, "</details>", ""], _END // 2):
            return
