"""Lines of JSON files that findings are about: a tensor in the index, a key or list entry in a configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UnfinishedError
from .checkpoint import Checkpoint
from .index import MAX_INDEX

_STRING = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
_KEY = re.compile(rf"({_STRING})(\s*:)?")  # texts that are no keys take part, lest one begins at the end of another
_TOKEN = re.compile(rf"{_STRING}|[\[\]{{}}:,\n]")
_CUT = 120  # characters; messages cut longer entries

Lookup = Callable[[str], Any]  # a field of a fact: the entry, key or path that it is about


_At = tuple[str, int]  # dotted path and line


@dataclass
class Places:
    """Lines of a JSON text: of keys by dotted path and by name, and of texts in lists by what messages say of them."""

    keys: dict[str, int] = field(default_factory=dict)
    named: dict[str, list[_At]] = field(default_factory=dict)
    texts: dict[str, list[_At]] = field(default_factory=dict)


def key_lines(text: str) -> dict[str, int]:
    """The line of every key, whatever it stands in; of a key given twice the last, as parsers take it.

    >>> key_lines('{\\n "a": {"b": 1}\\n}')
    {'a': 2, 'b': 2}
    """
    found: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        for literal, colon in _KEY.findall(line):
            if colon:
                found[_plain(literal)] = number
    return found


def places(text: str) -> Places:
    """Keys and texts of well-formed JSON with their lines.

    >>> places('{"a": {"b": [\\n"x"]}}')
    Places(keys={'a': 1, 'a.b': 1}, named={'a': [('a', 1)], 'b': [('a.b', 1)]}, texts={'x': [('a.b', 2)]})
    """
    found = Places()
    path: list[str] = []  # for every open object or list, the key it stands at
    line, key = 1, ""
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word == "\n":
            line += 1
        elif word[0] == '"':
            last = _plain(word)
            if _is_key(text, token.end()):
                key = last
                here = _dotted(path, key)
                found.keys[here] = line
                found.named.setdefault(key, []).append((here, line))
            else:
                found.texts.setdefault(last[:_CUT], []).append((_dotted(path, key), line))
        elif word in "[{":
            path.append(key)
            key = ""
        elif word in "]}" and path:
            key = path.pop()
    return found


def _is_key(text: str, end: int) -> bool:
    while end < len(text) and text[end] in " \t\r\n":
        end += 1
    return text[end : end + 1] == ":"


def _dotted(path: list[str], key: str) -> str:
    return ".".join(step for step in (*path, key) if step)


def _plain(literal: str) -> str:
    if "\\" not in literal:
        return literal[1:-1]
    try:
        return str(json.loads(literal))
    except ValueError:
        return literal[1:-1]


@dataclass(frozen=True)
class Line:
    """A line of a text file, counted from 1; `file` is relative to the target."""

    file: str
    number: int


class Lines:
    """Finds lines in the JSON files of one checkpoint; each file is looked through when it is first asked about."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._index: Mapping[str, int] | None = None
        self._configs: dict[str, Places] = {}

    def of(self, file: str, tensor: str, offset: int | None, lookup: Lookup) -> Line | None:
        """The line a person would look at for a tensor or a byte of a file, or None where there is none."""
        checkpoint = self._checkpoint
        base = file[len(checkpoint.folder) :]
        if base in checkpoint.texts:
            if base not in self._configs:
                self._configs[base] = places(checkpoint.texts[base])
            number = _config_line(self._configs[base], lookup)
            return Line(file, number) if number else None
        if offset is not None and file.endswith(".json"):
            before = self._read(file, offset)
            return Line(file, 1 + before.count(b"\n"))
        index = checkpoint.index
        if index is None or not index.readable:
            return None
        if self._index is None:
            # It was read before, but its text, up to 256 MB, was not kept.
            self._index = key_lines(self._read(index.file, MAX_INDEX).decode("utf-8-sig", "replace"))
        keys = [tensor] if tensor else []
        if file == index.file:
            keys += [str(lookup("key") or ""), "total_size" if lookup("stated") is not None else "metadata"]
        number = next((self._index[k] for k in keys if k in self._index), 0)
        return Line(index.file, number) if number else None

    def _read(self, name: str, length: int) -> bytes:
        """The beginning of a file; nothing where it cannot be read any more: the finding stands without a line."""
        try:
            file = self._checkpoint.source.open(name)
            try:
                return file.read(0, min(file.size, length))
            finally:
                file.close()
        except UnfinishedError:
            return b""


def _config_line(found: Places, lookup: Lookup) -> int:
    """The entry itself, else the module's own key, else the key that is contradicted, else what it stands in."""
    where = str(lookup("where") or "")
    entry, module = lookup("entry"), lookup("module")
    rows: list[_At] = []
    if isinstance(entry, str) and entry:
        rows = found.texts.get(entry[:_CUT], [])
    if isinstance(module, str) and module:
        rows = rows or [row for row in found.named.get(module, ()) if _below(row[0], where)]
    for key in _wanted(lookup):
        rows = rows or sorted(found.named.get(key, ()), key=lambda row: row[0].count("."))
    if rows:
        return next((line for path, line in rows if _below(path, where)), rows[0][1])
    while where:
        if where in found.keys:
            return found.keys[where]
        where = where.rpartition(".")[0]
    return 0


def _below(path: str, where: str) -> bool:
    return not where or f"{path}.".startswith(f"{where}.")


def _wanted(lookup: Lookup) -> list[str]:
    """Keys that a fact names; parameters are named in words (`group size`)."""
    named = [lookup(name) for name in ("key", "parameter", "field")]
    return [n.split(" and ")[0].replace(" ", "_") for n in named if isinstance(n, str) and n]
