"""Messages of rules: `{name}` fields with a few number formats, filled by own code (never str.format)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from ..text.wording import size

STYLES = {"%": "per cent", "x": "hexadecimal", "bytes": "with a unit: 1.2 MB", "g": "without separators"}
_FIELD = re.compile(r'\{(?!")([^{}]*)\}')  # {"...} is JSON in a text, not a field
_PART = re.compile(r"([A-Za-z_][\w.]*)(?::(" + "|".join(STYLES) + r"))?")


def fields(template: str) -> Iterable[str]:
    """The names a message uses; a field or brace that cannot be read comes back as it stands, braces included."""
    for found in _FIELD.finditer(template):
        part = _PART.fullmatch(found.group(1))
        yield part.group(1) if part else found.group(0)
    rest = re.sub(r'\{"[^{}]*\}', "", _FIELD.sub("", template))
    yield from re.findall(r"[{}]", rest)


def fill(template: str, lookup: Callable[[str], Any]) -> str:
    """The message with every field replaced."""

    def one(found: re.Match[str]) -> str:
        part = _PART.fullmatch(found.group(1))
        return show(lookup(part.group(1)), part.group(2) or "") if part else found.group(0)

    return _FIELD.sub(one, template)


def show(value: Any, style: str = "") -> str:
    """A value as people read it: thousands separators, three significant digits, lists with commas."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    if isinstance(value, (int, float)):
        if style == "%":
            return f"{value * 100:.3g} %"
        if value != value or abs(value) == float("inf"):
            return "NaN" if value != value else "infinity" if value > 0 else "-infinity"
        if style == "x":
            return f"0x{int(value):02x}"
        if style == "bytes":
            return size(int(value))
        if isinstance(value, int):
            return f"{value:,}" if style != "g" else str(value)
        return f"{int(value):,}" if value.is_integer() and abs(value) < 1e6 else f"{value:.4g}"
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        if all(isinstance(v, int) for v in value):
            return "[" + ", ".join(str(v) for v in value) + "]"
        return ", ".join(show(v) for v in value)
    return str(value)
