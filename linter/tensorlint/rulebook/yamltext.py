"""YAML read with places: every value knows its line and column, and every mistake is shown with a caret.

Closed on purpose: no anchors, tags, merges or repeated keys, one document of at most 64 KiB. YAML 1.1 reads some plain
words as other types (`on`, `1e-3`, `017`); where that would surprise, the error says what to write instead.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from ..errors import RuleFileError

MAX_BYTES = 64 << 10
MAX_NESTING = 24
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STRING, _INT, _FLOAT, _BOOL, _NULL = (f"tag:yaml.org,2002:{t}" for t in ("str", "int", "float", "bool", "null"))
_FLOAT_LIKE = re.compile(r"[-+]?(\d[\d_]*(\.\d*)?|\.\d+)[eE][-+]?\d+")


@dataclass(frozen=True)
class Text:
    """The text of one file, for error messages."""

    path: str
    lines: tuple[str, ...]

    def fail(self, line: int, column: int, width: int, message: str, hint: str = "") -> NoReturn:
        """Raise RuleFileError with file, line, column, caret and hint; line and column count from 0."""
        shown = self.lines[line] if line < len(self.lines) else ""
        gutter = " " * len(str(line + 1))
        width = max(1, min(width, len(shown) - column))
        rows = [
            message,
            f"{gutter}--> {self.path}:{line + 1}:{column + 1}",
            f"{gutter} |",
            f"{line + 1} | {shown}",
            f"{gutter} | {' ' * column}{'^' * width}",
        ]
        if hint:
            rows.append(f"{gutter} = help: {hint}")
        raise RuleFileError("\n".join(rows))


@dataclass(frozen=True)
class Item:
    """One YAML value with its place."""

    node: yaml.Node
    text: Text

    def fail(self, message: str, hint: str = "") -> NoReturn:
        """Raise RuleFileError that points at this value."""
        start, end = self.node.start_mark, self.node.end_mark
        width = end.column - start.column if end.line == start.line else 1
        self.text.fail(start.line, start.column, width, message, hint)

    @property
    def is_map(self) -> bool:
        """Whether it is a mapping."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether it is a sequence."""
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def raw(self) -> str:
        """The scalar as written."""
        return str(self.node.value)

    def mapping(self, what: str, allowed: Collection[str] | None = None) -> dict[str, Item]:
        """The mapping's values by key; unknown and repeated keys are errors."""
        if not self.is_map:
            self.fail(f"{what} must be a mapping of `key: value`")
        found: dict[str, Item] = {}
        for key, value in self.node.value:
            name = Item(key, self.text)
            word = name.string(f"a key of {what}")
            if word in found:
                name.fail(f"`{word}` is given twice in {what}")
            if allowed is not None and word not in allowed:
                name.fail(f"unknown key `{word}` in {what}", suggest(word, allowed))
            found[word] = Item(value, self.text)
        return found

    def sequence(self, what: str) -> list[Item]:
        """The sequence's values."""
        if not self.is_list:
            self.fail(f"{what} must be a list, such as [a, b]")
        return [Item(n, self.text) for n in self.node.value]

    def one_or_more(self) -> list[Item]:
        """A list's values, or this single value alone."""
        return [Item(n, self.text) for n in self.node.value] if self.is_list else [self]

    def string(self, what: str) -> str:
        """A text value; words that YAML 1.1 reads as something else are refused with the quoted form as hint."""
        if not isinstance(self.node, yaml.ScalarNode):
            self.fail(f"{what} must be text")
        if self.node.tag != _STRING:
            kind = {_BOOL: "yes/no", _INT: "a number", _FLOAT: "a number", _NULL: "nothing"}.get(
                self.node.tag, "a date"
            )
            self.fail(
                f"{what} must be text, but YAML reads `{self.raw}` as {kind}",
                f'put it in quotes: "{self.raw}"',
            )
        return self.raw

    def word(self, what: str, allowed: Collection[str]) -> str:
        """A text value out of a closed list."""
        value = self.string(what)
        if value not in allowed:
            self.fail(f"`{value}` is not {what}", suggest(value, allowed))
        return value

    def number(self, what: str) -> int | float:  # noqa: RET503 (every other way out raises)
        """A number; `1e-3`, which YAML 1.1 reads as text, and octal or sexagesimal integers are refused."""
        if isinstance(self.node, yaml.ScalarNode):
            if self.node.tag == _INT:
                if re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", self.raw):
                    return int(self.raw)
                if re.fullmatch(r"[-+]?0x[0-9a-fA-F]{1,16}", self.raw):
                    return int(self.raw, 16)
                self.fail(
                    f"{what}: `{self.raw}` is read by YAML 1.1 in base 8, 2 or 60",
                    "write it in plain decimal digits",
                )
            if self.node.tag == _FLOAT and re.fullmatch(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]\d+)?", self.raw):
                return float(self.raw)
            if _FLOAT_LIKE.fullmatch(self.raw):
                self.fail(
                    f"{what} must be a number, not `{self.raw}`",
                    f"YAML 1.1 reads `{self.raw}` as text; write {float(self.raw)!r}",
                )
        self.fail(f"{what} must be a number{', not `' + self.raw + '`' if not (self.is_map or self.is_list) else ''}")

    def boolean(self, what: str) -> bool:
        """`true` or `false`, nothing else."""
        if not isinstance(self.node, yaml.ScalarNode) or self.raw not in ("true", "false"):
            self.fail(f"{what} must be true or false")
        return self.raw == "true"

    def strings(self, what: str) -> tuple[str, ...]:
        """One text value or a list of them."""
        return tuple(item.string(what) for item in self.one_or_more())

    def plain(self) -> Any:
        """The value as plain Python (for JSON contents in examples)."""
        if self.is_map:
            return {k: v.plain() for k, v in self.mapping("this").items()}
        if self.is_list:
            return [v.plain() for v in self.sequence("this")]
        if self.node.tag == _NULL:
            return None
        if self.node.tag == _BOOL:
            return self.boolean("this")
        return self.number("this") if self.node.tag in (_INT, _FLOAT) else self.string("this")


def suggest(word: str, allowed: Iterable[str]) -> str:
    """`did you mean ...?`, or the whole list when nothing is near."""
    options = sorted(allowed)
    near = difflib.get_close_matches(word, options, 1)
    if near:
        return f"did you mean `{near[0]}`?"
    shown = ", ".join(options[:24])
    return f"one of: {shown}{' ...' if len(options) > 24 else ''}"


def read(source: str | bytes, path: str) -> Item:
    """The top value of one YAML file.

    Raises RuleFileError for anything outside the closed subset of YAML.
    """
    raw = source.encode() if isinstance(source, str) else source
    if len(raw) > MAX_BYTES:
        raise RuleFileError(f"{path} has {len(raw):,} bytes; rule files are at most {MAX_BYTES:,}")
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RuleFileError(f"{path} is not UTF-8 text (byte {error.start})") from None
    text = Text(path, tuple(decoded.splitlines()))
    try:
        depth = 0
        for event in yaml.parse(decoded, _LOADER):
            mark = event.start_mark
            assert mark is not None
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                text.fail(
                    mark.line,
                    mark.column,
                    1,
                    "anchors and aliases are not allowed in rule files",
                    "write the value out",
                )
            if getattr(event, "tag", None):
                text.fail(mark.line, mark.column, 1, "YAML tags are not allowed in rule files", "remove the tag")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_NESTING:
                text.fail(mark.line, mark.column, 1, f"nested deeper than {MAX_NESTING} levels")
        nodes = list(yaml.compose_all(decoded, _LOADER))
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        problem = f"this is not YAML: {error.problem or error}"
        hint = (
            "quote values that begin with * & ! % @ ` { [ > |" if "character" in problem or "alias" in problem else ""
        )
        text.fail(place.line if place else 0, place.column if place else 0, 1, problem, hint)
    except yaml.YAMLError as error:
        raise RuleFileError(f"{path} is not YAML: {error}") from None
    if len(nodes) != 1 or nodes[0] is None:
        raise RuleFileError(f"{path} must hold exactly one YAML document, it has {len([n for n in nodes if n])}")
    return Item(nodes[0], text)
