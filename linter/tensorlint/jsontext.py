"""Strict JSON for files that strangers wrote: duplicates, odd numbers and bad text are reported, not swallowed."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 128  # serde_json's recursion limit, so nothing deeper is readable by the reference reader either
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class BadInteger:
    """An integer literal that no reader takes as a size: `-0`, or thousands of digits."""

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


def _pairs(items: list[tuple[str, Any]]) -> Pairs:
    made = Pairs(items)
    if len(made) != len(items):
        seen: set[str] = set()
        made.repeated = tuple(dict.fromkeys(k for k, _ in items if k in seen or seen.add(k)))  # type: ignore[func-returns-value]
    return made


def _integer(text: str) -> int | BadInteger:
    if text == "-0" or len(text) > 80:
        return BadInteger(text)
    return int(text)


def _refuse_constant(text: str) -> Any:
    raise JsonError(f"`{text}` is not JSON")


def parse(text: str) -> Any:
    """Parse strict JSON; objects come back as `Pairs`, hopeless integers as `BadInteger`.

    Raises JsonError for bad syntax, NaN/Infinity literals, lone surrogates, and hopelessly deep nesting.
    """
    try:
        value = json.loads(text, object_pairs_hook=_pairs, parse_int=_integer, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise JsonError(error.msg, error.pos) from None
    except RecursionError:
        raise JsonError("nested too deeply") from None
    if "\\u" in text and _has_lone_surrogate(value):
        raise JsonError("a \\u escape is half of a surrogate pair")
    return value


def depth(value: Any) -> int:
    """How deep objects and arrays nest in a parsed value; a plain value has depth 0."""
    level, rows = 0, [value]
    while rows := [r for r in rows if isinstance(r, (dict, list)) and r]:
        level += 1
        rows = [c for r in rows for c in (r.values() if isinstance(r, dict) else r)]
    return level


def _has_lone_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return _LONE_SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_has_lone_surrogate(k) or _has_lone_surrogate(v) for k, v in value.items())
    if isinstance(value, list):
        return any(_has_lone_surrogate(v) for v in value)
    return False
