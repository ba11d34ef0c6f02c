"""YAML values with places: every value knows its line and column, and every mistake is shown with a caret.

YAML 1.1 reads some plain words as other types (`on`, `1e-3`, `017`, `1:30`); where that would surprise, the error says
what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from .node import (
    BOOL,
    COLUMN,
    END_COLUMN,
    END_LINE,
    FLOAT,
    INT,
    LINE,
    MAPPING,
    MERGE,
    NULL,
    SEQUENCE,
    STRING,
    STYLE,
    TAG,
    VALUE,
    Node,
)
from .place import Hint, Placed, Text, suggest

_READ_AS = {BOOL: "yes/no", INT: "a number", FLOAT: "a number", NULL: "nothing"}
_FLOAT_LIKE = re.compile(r"[-+]?(\d[\d_]*(\.\d*)?|\.\d+)[eE][-+]?\d+")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]{0,19})")
_HEX = re.compile(r"[-+]?0x[0-9a-fA-F]{1,16}")
_POINT = re.compile(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]\d{1,4})?")


@dataclass(frozen=True)
class Item(Placed):
    """One YAML value with its place; `key` is the key it stands under in a mapping."""

    node: Node
    text: Text
    key: Node | None = None

    def place(self, key: bool = False) -> tuple[int, int, int]:
        """See Placed; where nothing is given, that is the place of the key."""
        at = (self.key if key or (self._nothing() and not self.raw) else None) or self.node
        return at[LINE], at[COLUMN], at[END_COLUMN] - at[COLUMN] if at[END_LINE] == at[LINE] else 1

    def fail_at(self, fragment: str, message: str, hint: str = "") -> NoReturn:
        """Raise RuleFileError that points at a piece of this text; at the whole text when escapes hide the piece."""
        first, last = self.node[LINE], self.node[END_LINE]
        for line in range(first, min(last + 1, len(self.text.lines))):
            column = self.text.lines[line].find(fragment, self.node[COLUMN] if line == first else 0)
            if fragment and column >= 0:
                self.text.fail(line, column, len(fragment), message, hint)
        self.fail(message, hint)

    def line(self, key: bool = False) -> int:
        """The line that it begins on, counted from 1, or that on which its key does."""
        return ((self.key if key else None) or self.node)[LINE] + 1

    @property
    def is_map(self) -> bool:
        """Whether it is a mapping."""
        return self.node[TAG] == MAPPING

    @property
    def is_list(self) -> bool:
        """Whether it is a sequence."""
        return self.node[TAG] == SEQUENCE

    @property
    def is_number(self) -> bool:
        """Whether YAML reads it as a number, or it is a plain `1e-3` that looks like one."""
        return self.node[TAG] in (INT, FLOAT) or (not self.node[STYLE] and bool(_FLOAT_LIKE.fullmatch(self.raw)))

    @property
    def is_boolean(self) -> bool:
        """Whether YAML reads it as yes or no."""
        return self.node[TAG] == BOOL

    @property
    def raw(self) -> str:
        """The scalar as written, without quotes; empty for mappings and lists."""
        return "" if self.node[TAG] in (MAPPING, SEQUENCE) else str(self.node[VALUE])

    def mapping(
        self,
        what: str,
        allowed: Collection[str] | None = None,
        required: Collection[str] = (),
        empty: bool = False,
        hint: str = "",
    ) -> dict[str, Item]:
        """The mapping's values by key.

        Unknown and repeated keys, `required` ones that are not there (about which `hint` says more), and an `empty`
        mapping where that is not allowed, are errors.
        """
        if not self.is_map:
            keys = "with keys of its own: " + ", ".join(sorted(allowed)) if allowed else "such as {key: value}"
            self._fail_kind(f"{what} must be a mapping of `key: value`", keys)
        found: dict[str, Item] = {}
        for key, value in self.node[VALUE]:
            if key[TAG] == MERGE:
                Item(key, self.text).fail("merge keys (`<<`) are not allowed in rule files", "write the keys out")
            word = key[VALUE] if key[TAG] == STRING else Item(key, self.text).string(f"a key of {what}", empty=True)
            if word in found:
                first = f"first on line {found[word].line(key=True)}"
                Item(key, self.text).fail(f"`{word}` is given twice in {what}", first)
            if allowed is not None and word not in allowed:
                Item(key, self.text).fail(f"unknown key `{word}` in {what}", suggest(word, allowed))
            found[word] = Item(value, self.text, key)
        if not found and not empty:
            self.fail(f"{what} is empty", "fill it in, or leave the key out")
        for word in required:
            if word not in found:
                self.fail(f"{what} has no `{word}`", hint or "it needs " + ", ".join(f"`{r}`" for r in required))
        return found

    def sequence(self, what: str) -> list[Item]:
        """The sequence's values."""
        if not self.is_list:
            self._fail_kind(f"{what} must be a list", "such as [a, b]")
        return [Item(n, self.text) for n in self.node[VALUE]]

    def one_or_more(self) -> list[Item]:
        """A list's values, at least one, or this single value alone."""
        if not self.is_list:
            return [self]
        if not self.node[VALUE]:
            self.fail("an empty list", "name at least one, or leave the key out")
        return [Item(n, self.text) for n in self.node[VALUE]]

    def string(self, what: str, *, empty: bool = False, hint: Hint = "") -> str:  # noqa: RET503 (fail raises)
        """A text value; words that YAML 1.1 reads as something else are refused with the quoted form as hint."""
        node = self.node
        if node[TAG] == STRING and (empty or node[VALUE].strip()):
            return str(node[VALUE])
        if self.is_map or self.is_list:
            kind = "mapping" if self.is_map else "list"
            self.fail(f"{what} must be text, not a {kind}", hint or "text that begins with { or [ goes into quotes")
        if self.node[TAG] == NULL and not self.raw:
            self._fail_kind(f"{what} must be text", hint)
        if node[TAG] != STRING:
            self.fail(
                f"{what} must be text, but YAML reads `{self.raw}` as {_READ_AS.get(self.node[TAG], 'a date')}",
                hint or f'put it in quotes: "{self.raw}"',
            )
        self.fail(f"{what} must not be empty")

    def globs(self, what: str) -> tuple[str, ...]:
        """One glob or a list of them."""
        return tuple(item.glob(what) for item in self.one_or_more())

    def number(self, what: str) -> int | float:  # noqa: RET503 (every other way out raises)
        """A finite number; `1e-3`, which YAML 1.1 reads as text, and octal or sexagesimal integers are refused."""
        if self.is_map or self.is_list:
            self.fail(f"{what} must be a number, not a {'mapping' if self.is_map else 'list'}")
        if self.node[TAG] == INT:
            if _DECIMAL.fullmatch(self.raw):
                return int(self.raw)
            if _HEX.fullmatch(self.raw):
                return int(self.raw, 16)
            if re.fullmatch(r"[-+]?[1-9]\d*", self.raw):
                self.fail(f"{what}: the number has more than 20 digits")
            self.fail(
                f"{what}: `{self.raw}` is read by YAML 1.1 in base 8, 2 or 60, or with its _ left out",
                "write it in plain decimal digits",
            )
        if self.node[TAG] == FLOAT and _POINT.fullmatch(self.raw) and abs(value := float(self.raw)) < float("inf"):
            return value
        if _FLOAT_LIKE.fullmatch(self.raw):
            shown = repr(float(self.raw))
            shown = shown if "." in shown else shown.replace("e", ".0e")
            self.fail(f"{what} must be a number, not `{self.raw}`", f"YAML 1.1 reads it as text; write {shown}")
        quoted = self.node[STYLE] in ("'", '"') and re.fullmatch(r"[-+]?[\d.]+", self.raw)
        self.fail(
            f"{what} must be a number{f', not `{self.raw}`' if self.raw else self._nothing()}",
            "leave the quotes out" if quoted else "",
        )

    def whole(self, what: str, least: int = 0, most: int = 1 << 64) -> int:
        """A whole number from `least` to `most`."""
        value = self.number(what)
        if not isinstance(value, int) or not least <= value <= most:
            self.fail(f"{what} must be a whole number from {least:,} to {most:,}, not `{self.raw}`")
        return value

    def boolean(self, what: str) -> bool:
        """`true` or `false`, nothing else."""
        if self.node[TAG] != BOOL or self.raw not in ("true", "false"):
            hint = "without quotes" if self.raw in ("true", "false") else "nothing else stands for yes and no"
            self.fail(f"{what} must be true or false" + (f", not `{self.raw}`" if self.raw else ""), hint)
        return self.raw == "true"

    def strings(self, what: str) -> tuple[str, ...]:
        """One text value or a list of them."""
        return tuple(item.string(what) for item in self.one_or_more())

    def plain(self) -> Any:
        """The value as plain Python (for JSON contents in examples)."""
        if self.is_map:
            return {k: v.plain() for k, v in self.mapping("this", empty=True).items()}
        if self.is_list:
            return [v.plain() for v in self.sequence("this")]
        if self.node[TAG] == NULL:
            return None
        if self.is_boolean:
            return self.boolean("this")
        return self.number("this") if self.is_number else self.string("this", empty=True)

    def _fail_kind(self, message: str, hint: Hint) -> NoReturn:
        """Fail for a value of another kind, or none at all."""
        nothing = self._nothing()
        self.fail(message + nothing, hint if hint or not nothing else "fill it in, or leave the key out")

    def _nothing(self) -> str:
        return ", but nothing is given" if self.node[TAG] == NULL else ""


def text_of(keys: Mapping[str, Item]) -> None:
    """Fail for a `summary` that is no text and a `see` that is no list of them, in files whose loader reads neither."""
    if "summary" in keys:
        keys["summary"].string("`summary`")
    if "see" in keys:
        keys["see"].strings("`see`")
