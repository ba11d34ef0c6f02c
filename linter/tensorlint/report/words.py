"""Findings in plain sentences, for formats that carry text: printable, and cut where strangers wrote at length."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from urllib.parse import quote

from ..rulebook.shipped import rule_names
from ..text.about import HOME, VERSION
from ..text.wording import plural, printable
from .findings import Finding, Report
from .layout import agreed
from .spread import spread_of

NAME = 200  # characters of a name
SENTENCE = 1_000  # characters of a message
_PATTERNS = 4


def cut(text: str, length: int) -> str:
    """Printable text of at most `length` characters, with an ellipsis in the middle where something is left out."""
    return _middle(printable(_middle(text, length)), length)  # what is not printable gets longer


def _middle(text: str, length: int) -> str:
    half = (length - 1) // 2
    return text if len(text) <= length else f"{text[:half]}…{text[-half:]}"


def headline(f: Finding) -> str:
    """The message in one line."""
    return cut(agreed(f.message), SENTENCE)


def where(f: Finding) -> str:
    """Which tensors: `2 tensors: model.layers.{0,1}.o_proj.weight_scale`; nothing for a finding about one file."""
    if not f.locations or (f.count == 1 and not f.locations[0].tensor):
        return ""
    spread = spread_of(f)
    names = [cut(name, NAME) for name in spread.patterns[:_PATTERNS]]
    more = spread.patterns_total - len(names)
    text = ", ".join(names) + (f" and {plural(more, 'more pattern')}" if more else "")
    if f.count == 1:
        return text
    return f"{plural(f.count, 'tensor' if f.locations[0].tensor else 'place')}: {text}"


def paragraphs(f: Finding) -> list[str]:
    """The message, the place, what the defect does and what to do."""
    rows = [headline(f), where(f)]
    for label, text in (("Effect", f.effect), ("Fix", f.remedy), ("Known", f.note)):
        rows.append(f"{label}: {cut(text, SENTENCE)}" if text else "")
    return [row for row in rows if row]


def counted(report: Report) -> Iterator[Finding]:
    """Findings that count for the verdict."""
    return (f for f in report.findings if f.active)


def help_page(rule: str) -> str:
    """The address of the page of a shipped rule, at this version; empty for rules of the user's own."""
    return f"{HOME}/blob/v{VERSION}/docs/rules/{quote(rule)}.md" if rule in _shipped() else ""


@cache
def _shipped() -> frozenset[str]:
    return frozenset(rule_names())
