"""Read one TOML file: limits first, then every mistake in it with line, caret and what to write instead."""

from __future__ import annotations

import re
import stat
import sys
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .locate import locate
from .place import Text
from .value import Value

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 128 << 10
MAX_NESTING = 16
# The time that tomllib takes for a dotted name grows with the square of its parts. No name of a tensor has that many.
_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_LONG_NAME = re.compile(rf"""(?<![\w"'-]){_PART}(?:[ \t]*\.[ \t]*{_PART}){{64}}""")
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_TEXT_HINT = "text stands in quotes"
_DEEP = "settings are at most three deep"
# what the line looks like -> what to write; the first that fits is shown
_HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^\s*[\w.\"'-]+\s*:"), "keys and values are joined by `=`: key = value"),
    (re.compile(r"=\s*\[?\s*(True|False|yes|no|on|off|Yes|No|TRUE|FALSE)\b"), "write true or false"),
    (re.compile(r"=\s*(None|null|nil|~)\s*(#.*)?$"), "there is no empty value: leave the key out"),
    (re.compile(r"=\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b"), "a date is written 2027-03-01"),
    (re.compile(r"=\s*[+-]?0\d"), "a number has no zero in front"),
    (re.compile(r"=\s*[+-]?(\.\d|\d+\.(\s|$|#|\D))"), "a number has digits on both sides of the point: 0.5"),
    (re.compile(r"=\s*\d+\s*%"), "a share is a number: 1 % is 0.01"),
    (re.compile(r"=\s*(#.*)?$"), "a value is missing after `=`"),
    (re.compile(r"^\s*\[[^\]]*/[^\]]*\]"), 'a name with a `/` stands in quotes: [params."scales/saturated"]'),
    (re.compile(r"^\s*\[[^\]]*$"), "a table's name ends with `]`, on the same line"),
    (re.compile(r"^\s*[\w-]+/[\w/*-]*\s*="), 'a name with a `/` stands in quotes: "scales/saturated" = ...'),
    (re.compile(r"^\s*[*?]"), 'a name with a `*` stands in quotes: "scales/*" = ...'),
    (re.compile(r"=\s*\"[^\"]*$|=\s*'[^']*$"), "the quote is never closed"),
    (re.compile(r"=\s*\[?\s*[A-Za-z_*./]"), _TEXT_HINT),
    (re.compile(r"^\s*[\w.-]+\s*$"), "a line is `key = value`, or a table: [name]"),
    (re.compile(r"^\s*[\w.-]+\s+\S"), "keys and values are joined by `=`: key = value"),
)  # fmt: skip
_SAID: tuple[tuple[str, str, str], ...] = (
    ("Cannot mutate immutable namespace", "this name has a value already", "write all of a list in one place"),
    ("Cannot declare", "this table is there already", "each stands once; entries of a list are written [[ignore]]"),
    ("Cannot overwrite", "this key is given twice", "keep one of them"),
    ("Cannot redefine", "this name has a value already", "keep one of them"),
    ("Duplicate inline table key", "this key is given twice", "keep one of them"),
    ("Unclosed array", "a list is never closed by `]`", "entries of a list are separated by commas"),
    ("Unclosed inline table", "a table is never closed by `}`", "entries in { } are separated by commas, on one line"),
    ("Invalid initial character for a key", "a name is missing here", "a table in { } stands on one line"),
    ("Unterminated string", "the quote is never closed", "a text ends on its line, with the quote it begins with"),
    ("Expected \"'\"", "the quote is never closed", "a text ends on its line, with the quote it begins with"),
    ("Unescaped", "a backslash begins an escape", "write it twice, or put the text in single quotes"),
    ("Exceeds the limit", "a number has thousands of digits", "such as 0.05"),
)  # fmt: skip


def read_toml(path: Path) -> Value:
    """The top table of a file.

    Raises UsageError for what is no regular file or cannot be read, RuleFileError for text that is not TOML.
    """
    return parse_toml(_content(path), shown(path))


def shown(path: Path) -> str:
    """A path as people know it: relative where it is below the current folder."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def parse_toml(raw: bytes, name: str) -> Value:
    """The top table of TOML text; `name` is shown in errors. Raises RuleFileError."""
    if len(raw) > MAX_BYTES:
        Text(name, ()).fail(0, 0, 1, f"the file has more than {MAX_BYTES:,} bytes")
    try:
        whole = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace").split("\n")
        Text(name, ()).fail(len(before) - 1, len(before[-1]), 1, f"byte 0x{raw[error.start]:02x} is not UTF-8 text")
    text = Text(name, tuple(whole.split("\n")))
    if long := _LONG_NAME.search(whole):
        line = whole.count("\n", 0, long.start())
        text.fail(
            line, long.start() - whole.rfind("\n", 0, long.start()) - 1, 1, "a name has more than 64 parts", _DEEP
        )
    try:
        data = tomllib.loads(whole)
        too_deep = _depth(data) > MAX_NESTING
    except RecursionError:
        too_deep = True
    except ValueError as error:
        _refuse(text, str(error))
    if too_deep:
        text.fail(0, 0, 1, f"values are nested deeper than {MAX_NESTING} levels", _DEEP)
    return Value(data, locate(whole), text)


def _content(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path} is not a file", "name a TOML file such as tensorlint.toml")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the configuration {path}: {reason}") from error


def _depth(data: Any) -> int:
    """How deep tables and lists are nested."""
    depth, level = 0, [data]
    while level := [v for d in level for v in _inside(d)]:
        depth += 1
    return depth


def _inside(data: Any) -> list[Any]:
    return list(data.values()) if isinstance(data, dict) else data if isinstance(data, list) else []


def _refuse(text: Text, problem: str) -> None:
    """Raise RuleFileError in our own words for what tomllib says."""
    place = _AT.search(problem)
    problem = problem[: place.start()] if place else problem
    line = int(place[1]) - 1 if place and place[1] else len(text.lines) - 1
    column = int(place[2]) - 1 if place and place[2] else len(text.lines[-1])
    if column == 0 and line > 0 and not (place and place[1] and text.lines[line].strip()):
        line, column = line - 1, len(text.lines[line - 1])  # an error that shows at the end of the line before
    while line > 0 and not text.lines[line].strip():
        line, column = line - 1, len(text.lines[line - 1])
    shown = text.lines[line]
    column = min(column, max(0, len(shown.rstrip()) - 1))
    for start, words, hint in _SAID:
        if problem.startswith(start):
            if start.startswith(("Cannot", "Duplicate")):
                column = len(shown) - len(shown.lstrip())
            text.fail(line, column, len(shown.rstrip()) - column, words, hint)  # to the end of the line
    hint = next((hint for pattern, hint in _HINTS if pattern.search(shown)), "see https://toml.io")
    text.fail(line, column, 1, f"this is not TOML: {problem[:1].lower()}{problem[1:]}", hint)
