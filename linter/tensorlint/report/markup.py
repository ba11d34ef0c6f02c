"""Text for GitHub-flavoured Markdown: what strangers wrote is shown as it is and never becomes markup or a mention.

Facts: GFM spec 6.1 (code spans) and 4.10 (tables: a pipe ends a cell in a code span, too); GitHub turns `@name`, `#1`,
addresses and `$...$` in text into links, mentions and formulas, but not in code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..text.wording import printable

_PLAIN_NAME = re.compile(r"[^`|\\ ]+(?: [^`|\\ ]+)*")
_ACTIVE = re.compile(r"[&<>*_`\[\]|~\\$#@]")
_BREAK = "&#8203;"  # a space of no width: shown as nothing, and no link or mention goes on over it


def code(text: str, html: bool = False) -> str:
    """A name in a code font, for text and for table cells; `html` for places where Markdown is not read."""
    text = printable(text)
    if not text:
        return ""
    if _PLAIN_NAME.fullmatch(text) and not html:
        return f"`{text}`"
    return "<code>" + re.sub(r"[^A-Za-z0-9 ./-]", lambda m: f"&#{ord(m[0])};", text) + "</code>"


def plain(text: str, html: bool = False) -> str:
    """Text that shows every character as it stands; what is between backticks is a name in a code font."""
    found = pieces(text)
    inner = range(1, len(found) - 1)  # between two names that touch: their backticks would make a code span of both
    return "".join(
        code(piece, html) if named else _escaped(piece) or (_BREAK if number in inner else "")
        for number, (piece, named) in enumerate(found)
    )


def pieces(text: str) -> list[tuple[str, bool]]:
    """Printable text in pieces, each with whether it is a name, which stands between backticks."""
    found = printable(text).split("`")
    if len(found) % 2 == 0:  # a backtick of a name
        return [(printable(text), False)]
    return [(piece, number % 2 == 1) for number, piece in enumerate(found)]


def _escaped(text: str) -> str:
    text = _ACTIVE.sub(lambda m: f"&#{ord(m[0])};" + (_BREAK if m[0] in "@#" else ""), text)
    text = text.replace("://", f":{_BREAK}//")
    return re.sub(r"(?i)\bwww\.", lambda m: f"{m[0][:3]}{_BREAK}.", text)


def fenced(lines: Iterable[str]) -> str:
    """Lines as a block of code."""
    text = "\n".join(map(printable, lines))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]], align: str = "") -> list[str]:
    """Lines of a table of cells that are Markdown already; `align` has a letter for each column, `r` for right."""
    head = list(head)
    rules = ["--:" if mark == "r" else "---" for mark in align.ljust(len(head))]
    return ["| " + " | ".join(row) + " |" for row in (head, rules, *rows)]
