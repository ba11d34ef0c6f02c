"""Values of a TOML file with their places: every mistake is shown with line, caret and suggestion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from .locate import Node
from .place import Hint, Placed, Text


@dataclass(frozen=True)
class Value(Placed):
    """One value; `data` is what tomllib made of it."""

    data: Any
    node: Node
    text: Text

    @property
    def line(self) -> int:
        """The line it begins on, counted from 1."""
        return (self.node.key or self.node.span).line + 1

    def place(self, key: bool = False) -> tuple[int, int, int]:
        """See Placed."""
        span = (self.node.key if key else None) or self.node.span
        return span.line, span.column, span.width

    def table(self, what: str, hint: str = "") -> dict[str, Value]:
        """The values of a table by key."""
        if not isinstance(self.data, dict):
            self.fail(f"{what} must be a table, not {said(self.data)}", hint)
        return {key: Value(data, self.node.table[key], self.text) for key, data in self.data.items()}

    def rows(self, what: str, hint: str = "") -> list[Value]:
        """The values of a list."""
        if not isinstance(self.data, list):
            self.fail(f"{what} must be a list, not {said(self.data)}", hint)
        return [Value(data, node, self.text) for data, node in zip(self.data, self.node.rows, strict=True)]

    def one_or_more(self, what: str) -> list[Value]:
        """A list's values, or this single one alone."""
        return self.rows(what) if isinstance(self.data, list) else [self]

    def string(self, what: str, *, hint: Hint = "") -> str:
        """A text that is not empty; `hint` says what to write in the place of something else."""
        if not isinstance(self.data, str):
            quoted = f'put it in quotes: "{self.node.raw}"' if not isinstance(self.data, (list, dict)) else ""
            self.fail(f"{what} must be text, not {said(self.data)}", hint or quoted)
        if not self.data.strip():
            self.fail(f"{what} must not be empty")
        return self.data

    def number(self, what: str) -> int | float:
        """A finite number."""
        if isinstance(self.data, bool) or not isinstance(self.data, (int, float)):
            hint = "leave the quotes out" if isinstance(self.data, str) and _numeric(self.data) else ""
            self.fail(f"{what} must be a number, not {said(self.data)}", hint)
        if not math.isfinite(self.data) or abs(self.data) > 1 << 64:
            self.fail(f"{what} must be a finite number of at most 20 digits", "such as 0.05")
        return self.data

    def whole(self, what: str, least: int) -> int:
        """A whole number from `least` on."""
        value = self.number(what)
        if not isinstance(value, int) or value < least:
            self.fail(f"{what} must be a whole number from {least}", f"such as {max(least, 4)}")
        return value

    def boolean(self, what: str) -> bool:
        """true or false."""
        if not isinstance(self.data, bool):
            self.fail(f"{what} must be true or false, not {said(self.data)}", "without quotes: true or false")
        return self.data

    def day(self, what: str) -> date:
        """A date without a time."""
        if isinstance(self.data, str):
            self.fail(f"{what} must be a date, not text", f"without quotes: {_as_date(self.data)}")
        if isinstance(self.data, datetime):
            self.fail(f"{what} must be a date without a time", f"write {self.data.date()}")
        if not isinstance(self.data, date):
            self.fail(f"{what} must be a date, not {said(self.data)}", "such as 2027-03-01")
        return self.data


def said(data: Any) -> str:
    """What kind of value it is, in words."""
    kinds = {bool: "true or false", str: "text", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return kinds.get(type(data), "a time" if isinstance(data, time) else "a date")


def _numeric(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _as_date(text: str) -> str:
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        return "2027-03-01"
