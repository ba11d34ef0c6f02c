"""HTML for notebooks: a small table that needs nothing else. What strangers wrote is text in it, never markup.

Facts: notebooks look for formulas in the text of an element (MathJax: `$...$`, `\\(...\\)`, `\\begin`), and not across
elements; so what begins one stands in an element of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from ..text.wording import plural, printable
from .evidence import rows as evidence_rows
from .findings import Finding, Report
from .grid import MARKS
from .interface import Options
from .layout import agreed
from .markup import pieces
from .spread import spread_of
from .text import coverage, verdict, what
from .words import NAME, SENTENCE, cut, headline, help_page

_FINDINGS = 20
_NAMES = 3
_WIDTH = 80  # columns of bytes
_LEFT = ' style="text-align: left"'


def render(report: Report) -> str:
    """The verdict, a row for each of the first findings with its details folded, and what was looked at."""
    shown = [f for f in report.findings if Options().shows(f)]
    head = f"<b>{_text(verdict(report))}</b><br>{_code(cut(report.target, NAME))}: {_text(cut(what(report), SENTENCE))}"
    if report.stopped:
        head += f"<br><b>Stopped:</b> {_said(cut(report.stopped, SENTENCE))}"
    rows = [f"<p>{head}</p>"]
    if shown:
        rows.append("<table><thead><tr><th></th><th>rule</th><th>what</th><th>where</th></tr></thead><tbody>")
        rows += map(_row, shown[:_FINDINGS])
        rows.append("</tbody></table>")
    if len(shown) > _FINDINGS:
        rows.append(f"<p>... and {plural(len(shown) - _FINDINGS, 'more finding')}</p>")
    said = "<br>".join(_said(cut(row, SENTENCE)) for row in coverage(report))
    return "\n".join(["<div>", *rows, f"<p><small>{said}</small></p>", "</div>"])


def _row(f: Finding) -> str:
    page = help_page(f.rule)
    rule = _code(cut(f.rule, NAME))
    link = f'<a href="{escape(page)}" target="_blank" rel="noopener">{rule}</a>' if page else rule
    details = "".join(_details(f))
    message = _said(headline(f))
    folded = f"<details><summary>{message}</summary>{details}</details>" if details else message
    cells = "".join(f"<td{_LEFT}>{cell}</td>" for cell in (link, folded, "<br>".join(_where(f))))
    return f"<tr><td>{MARKS[f.severity]}</td>{cells}</tr>"


def _details(f: Finding) -> Iterator[str]:
    for label, text in (("Effect", f.effect), ("Fix", f.remedy), ("Known", f.note)):
        if text:
            yield f"<p><b>{label}.</b> {_said(cut(agreed(text), SENTENCE))}</p>"
    if f.evidence:
        lines = (_text(cut(row, SENTENCE)) for row in evidence_rows(f.evidence, True, _WIDTH))
        yield "<pre>" + "\n".join(lines) + "</pre>"


def _where(f: Finding) -> Iterator[str]:
    """The first names that the finding is about, or its file, and how many there are."""
    spread = spread_of(f)
    yield from (_code(cut(name, NAME)) for name in spread.patterns[:_NAMES])
    if spread.patterns_total > _NAMES:
        yield f"and {plural(spread.patterns_total - _NAMES, 'more pattern')}"
    if f.count > 1:
        yield plural(f.count, "tensor" if f.locations and f.locations[0].tensor else "place")


def _said(text: str) -> str:
    """A sentence, with the names in it that stand between backticks in a code font."""
    return "".join(_code(piece) if named else _text(piece) for piece, named in pieces(text))


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>" if text else ""


def _text(text: str) -> str:
    return re.sub(r"[$\\]", r"<span>\g<0></span>", escape(printable(text)))
