"""Strict JSON for files that strangers wrote: duplicates, odd numbers and bad text are reported, not swallowed."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_DEPTH = 127  # levels; serde_json, the parser of the reference reader, refuses more
_MAX_DIGITS = 80  # of an integer, its sign included, that is made one: no size has as many
_SURROGATE = re.compile(r"\\u[dD](?:[89abAB]..\\u[dD][c-fC-F]|([89a-fA-F]))")  # a pair, or group 1
_TOKEN = re.compile(r'"[^"]*"|([\[{])|[\]}]')


class BadInteger:
    """An integer literal that no reader takes as a size: `-0`, or more than 80 characters."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text if len(self.text) <= 24 else f"{self.text[:12]}...({len(self.text)} digits)"


class Pairs(dict[str, Any]):
    """A JSON object that remembers which keys were given twice."""

    repeated: tuple[str, ...] = ()


class JsonError(ValueError):
    """The text is not strict JSON; `position` is a character offset, or None where none is known."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position

    def byte_in(self, raw: bytes) -> int | None:
        """The byte that `position` stands for in the UTF-8 bytes of the text, which may begin with a mark."""
        if self.position is None:
            return None
        mark = 3 if raw.startswith(b"\xef\xbb\xbf") else 0
        return mark + len(raw[mark:].decode()[: self.position].encode())


def _pairs(items: list[tuple[str, Any]]) -> Pairs:
    made = Pairs(items)
    if len(made) != len(items):
        seen: set[str] = set()
        made.repeated = tuple(dict.fromkeys(k for k, _ in items if k in seen or seen.add(k)))  # type: ignore[func-returns-value]
    return made


def _integer(text: str) -> int | BadInteger:
    if text != "-0" and len(text) <= _MAX_DIGITS:
        return int(text)
    _float(text)  # serde_json refuses what is over the largest 64-bit float
    return BadInteger(text)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise JsonError("a number is out of range")
    return value


def _refuse_constant(text: str) -> Any:
    raise JsonError(f"`{text}` is not JSON")


def parse(text: str) -> Any:
    """Parse strict JSON; objects come back as `Pairs`, hopeless integers as `BadInteger`.

    Raises JsonError for bad syntax, NaN/Infinity literals, numbers that overflow, lone surrogates, and nesting beyond
    what Python's parser can take; `nesting` tells how deep a text goes.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_pairs, parse_int=_integer, parse_float=_float, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise JsonError(error.msg, error.pos) from None
    except RecursionError:
        raise JsonError("nested too deeply") from None
    # On the text, not on the value: a key given twice hides what its first value held.
    if "\\u" in text:
        lone = next((m for m in _SURROGATE.finditer(text.replace("\\\\", "__")) if m[1]), None)
        if lone:
            raise JsonError("a \\u escape is half of a surrogate pair", lone.start())
    return value


def nesting(text: str) -> int:
    """How deep objects and arrays nest in a JSON text; a plain value has depth 0."""
    level = deepest = 0
    for token in _TOKEN.finditer(text.replace("\\\\", "__").replace('\\"', "__")):
        if token[1]:
            level += 1
            deepest = max(deepest, level)
        elif token[0][0] != '"':
            level -= 1
    return deepest


def json_type(value: Any) -> str:
    """What kind of value `parse` gave, in words."""
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", BadInteger: "number", str: "text", list: "list"}
    return names.get(type(value), "object")
