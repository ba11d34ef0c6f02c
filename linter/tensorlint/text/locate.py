"""Where keys and values stand in TOML text, which tomllib does not tell.

The text has been read by tomllib before, so that nothing here needs to look for mistakes (https://toml.io/en/v1.0.0).
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from dataclasses import dataclass, field

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"\d{4}-\d\d-\d\d [\d:.+Zz-]+|[^\s,\]}#]+")
_SPACE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_ESCAPED = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|"(?:[^"\\]|\\.)*"', re.DOTALL)
_LITERAL = re.compile(r"'''.*?'{3,5}|'[^']*'", re.DOTALL)


@dataclass(frozen=True)
class Span:
    """A piece of one line; line and column count from 0."""

    line: int
    column: int
    width: int


@dataclass
class Node:
    """A value's place, its key's (None in lists), and the nodes below: by key in tables, in order in lists."""

    span: Span
    key: Span | None = None
    table: dict[str, Node] = field(default_factory=dict)
    rows: list[Node] = field(default_factory=list)
    raw: str = ""


_Key = list[tuple[str, Span]]


def locate(text: str) -> Node:
    """The places of everything in a TOML document that tomllib reads; line ends are `\\n`."""
    return _Locator(text).document()


class _Locator:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.starts = [0, *(i + 1 for i, c in enumerate(text) if c == "\n")]

    def document(self) -> Node:
        root = current = Node(Span(0, 0, 1))
        while self._next():
            start = self.at
            if self._next() == "[":
                many = self.text.startswith("[[", start)
                self.at += 2 if many else 1
                keys = self._key()
                self._next()
                self.at += 2 if many else 1
                parent = _descend(root, keys[:-1])
                word, span = keys[-1]
                header = self._span(start, self.at)
                if many:
                    rows = parent.table.setdefault(word, Node(span, span)).rows
                    rows.append(Node(header, header))
                    current = rows[-1]
                else:
                    current = parent.table.setdefault(word, Node(header, span))
            else:
                self._pair(current)
        return root

    def _next(self) -> str:
        """Skip space, line ends and comments; the character that follows, or nothing at the end."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def _span(self, start: int, end: int) -> Span:
        line = bisect_right(self.starts, start) - 1
        stop = self.text.find("\n", start, end)
        return Span(line, start - self.starts[line], max(1, (end if stop < 0 else stop) - start))

    def _key(self) -> _Key:
        found: _Key = []
        while True:
            quoted = self._next() in ("'", '"')
            pattern = (_ESCAPED if self.text[self.at] == '"' else _LITERAL) if quoted else _BARE
            start, raw = self.at, self._take(pattern)
            word = tomllib.loads(f"x = {raw}")["x"] if quoted else raw
            found.append((word, self._span(start, self.at)))
            if self._next() != ".":
                return found
            self.at += 1

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        return match[0]

    def _pair(self, into: Node) -> None:
        keys = self._key()
        self._next()
        self.at += 1  # =
        value = self._value()
        word, value.key = keys[-1]
        _descend(into, keys[:-1]).table[word] = value

    def _value(self) -> Node:
        first, start = self._next(), self.at
        node = Node(Span(0, 0, 1))
        if first in ("[", "{"):
            closing = "]" if first == "[" else "}"
            self.at += 1
            while self._next() != closing:
                if self.text[self.at] == ",":
                    self.at += 1
                elif first == "[":
                    node.rows.append(self._value())
                else:
                    self._pair(node)
            self.at += 1
        else:
            self._take({'"': _ESCAPED, "'": _LITERAL}.get(first, _SCALAR))
        node.span, node.raw = self._span(start, self.at), self.text[start : self.at]
        return node


def _descend(node: Node, keys: _Key) -> Node:
    """The table at a path of keys, made where it is not there yet; in a list of tables the last one is meant."""
    for word, span in keys:
        node = node.table.setdefault(word, Node(span, span))
        node = node.rows[-1] if node.rows else node
    return node
