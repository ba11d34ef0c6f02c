"""Texts of rules: `{name}` fields with a few number formats, filled by own code (never str.format)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..text.wording import size

STYLES = {"%": "per cent", "x": "hexadecimal", "bytes": "with a unit: 1.2 MB", "g": "without separators"}
_FIELD = re.compile(r'\{(?!")([^{}]*)\}')  # {"...} is JSON in a text, not a field
_PART = re.compile(r"([A-Za-z_][\w.]*)(?::(" + "|".join(STYLES) + r"))?(?:\|([^{}|]*[^{}|\s][^{}|]*))?")


@dataclass(frozen=True)
class Template:
    """A text with `{name}`, `{name:style}` or `{name|words}` fields.

    The words are what is shown where the field has no value: on a page about the rule, where nothing was found, and
    where the field is empty in what was found. As a string it is the text without a finding.
    """

    source: str = ""

    def __bool__(self) -> bool:
        return bool(self.source)

    def __str__(self) -> str:
        """The text as it reads without a finding: words in place of fields, `[name]` where the rule gives none."""

        def one(found: re.Match[str]) -> str:
            part = _PART.fullmatch(found.group(1))
            return (part.group(3) or f"[{part.group(1)}]") if part else found.group(0)

        return _FIELD.sub(one, self.source)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of its fields; what cannot be read as a field comes back as it stands, braces included."""
        found = [(_PART.fullmatch(f.group(1)), f.group(0)) for f in _FIELD.finditer(self.source)]
        rest = re.findall(r"[{}]", re.sub(r'\{"[^{}]*\}', "", _FIELD.sub("", self.source)))
        return (*(part.group(1) if part else text for part, text in found), *rest)

    def filled(self, lookup: Callable[[str], Any]) -> str:
        """The text with every field replaced by its value."""

        def one(found: re.Match[str]) -> str:
            part = _PART.fullmatch(found.group(1))
            if part is None:
                return found.group(0)
            value = lookup(part.group(1))
            words = part.group(3) if value is None or value == "" else ""
            return words or show(value, part.group(2) or "")

        return _FIELD.sub(one, self.source)


NOTHING = Template()


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
