"""The keys of a configuration: how each is read, how two of it are joined, and its JSON Schema, in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, NoReturn, get_args

from ..errors import UsageError
from ..measures.plan import DEPTHS
from ..rulebook import model
from ..text.value import Value

SeverityWord = Literal[model.Severity, "off"]
SEVERITY_WORDS: tuple[SeverityWord, ...] = get_args(SeverityWord)
_MEANT = {"ignore": "off", "disable": "off", "disabled": "off", "none": "off", "info": "note", "hint": "note"}
_IGNORE_KEYS = ("rule", "tensor", "reason", "until")
_RULES = {"$ref": "#/definitions/rules"}
_PATH = {"type": "string", "minLength": 1}
_GLOB = {"type": "string", "pattern": r"^[^^$\\|(){}]+$"}


@dataclass(frozen=True)
class Selector:
    """A name, folder or glob of rules; `at` is where it is written, None for the command line."""

    pattern: str
    at: Value | None = field(default=None, compare=False)
    by_key: bool = field(default=False, compare=False)  # whether it is the key of what stands at `at`

    def fail(self, message: str, hint: str) -> NoReturn:
        """Raise RuleFileError where it is written, UsageError for the command line."""
        if self.at is None:
            raise UsageError(message, hint)
        (self.at.fail_key if self.by_key else self.at.fail)(message, hint)


@dataclass(frozen=True)
class Ignore:
    """Findings of `rule` about names that `tensor` matches do not count, for a reason, until the end of a day."""

    rule: Selector
    tensor: str
    reason: str
    until: date | None
    file: str
    line: int


@dataclass(frozen=True)
class Severity:
    """What findings of some rules are: error, warning, note, or off."""

    rules: Selector
    severity: SeverityWord


@dataclass(frozen=True)
class Param:
    """A number that a rule lets users set."""

    rule: Selector
    name: str
    number: float
    at: Value | None = field(default=None, compare=False)

    def fail(self, message: str, hint: str) -> NoReturn:
        """Raise RuleFileError where it is written, UsageError for the command line."""
        Selector(self.name, self.at, by_key="no param" in message).fail(message, hint)


def _first(_old: Any, new: Any) -> Any:
    return new


def _both(old: tuple[Any, ...], new: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*old, *new)


@dataclass(frozen=True)
class Kind:
    """How a value is read from a file, how it joins what bases said, and its JSON Schema."""

    read: Callable[[Value, str], Any]
    schema: Mapping[str, Any]
    join: Callable[[Any, Any], Any] = _first


@dataclass(frozen=True)
class Key:
    """One key; `default` is what holds without it."""

    kind: Kind
    meaning: str
    default: Any = None


def _word(allowed: tuple[str, ...], what: str) -> Kind:
    return Kind(lambda v, _: v.word(what, allowed), {"enum": list(allowed)})


def _selector(value: Value) -> Selector:
    return Selector(value.glob("a rule"), value)


def _select(value: Value, _: str) -> tuple[Selector, ...]:
    rows = [_selector(v) for v in value.one_or_more("`select`")]
    return tuple(rows) or value.fail("an empty list selects nothing", "name at least one rule, or leave the key out")


def _ignore(value: Value, _: str) -> tuple[Selector | Ignore, ...]:
    hint = "write [[ignore]] for an entry with a reason" if isinstance(value.data, dict) else ""
    rows = [value] if isinstance(value.data, str) else value.rows("`ignore`", hint)
    return tuple(_selector(row) if isinstance(row.data, str) else _entry(row) for row in rows)


def _entry(row: Value) -> Ignore:
    keys = row.table("an entry of `ignore`", "a rule's name, or {rule = ..., tensor = ..., reason = ...}")
    check_keys(keys, _IGNORE_KEYS, "an entry of `ignore`")
    for needed in ("rule", "reason"):
        if needed not in keys:
            hint = 'such as rule = "scales/nan"' if needed == "rule" else "a sentence for whoever reads this next year"
            row.fail(f"an entry of `ignore` has no `{needed}`", hint)
    return Ignore(
        _selector(keys["rule"]),
        keys["tensor"].glob("`tensor`") if "tensor" in keys else "*",
        " ".join(keys["reason"].string("`reason`").split()),
        keys["until"].day("`until`") if "until" in keys else None,
        row.text.path,
        row.line,
    )


def check_keys(keys: Mapping[str, Value], allowed: tuple[str, ...], what: str, prefix: str = "") -> None:
    """Raise RuleFileError for the first key that is not allowed."""
    from ..text.place import suggest

    for name, value in keys.items():
        if name in allowed:
            continue
        hint = suggest(name, allowed)
        if name in KEYS and not hint.startswith("did"):
            hint = f"`{name}` is a key of the whole file: write it above the first [table]"
        value.fail_key(f"unknown key `{name}` in {what}{prefix}", hint)


def _severity(value: Value, _: str) -> tuple[Severity, ...]:
    rows = value.table("`severity`", 'such as [severity], then "scales/saturated" = "note"')
    for name, row in rows.items():
        if isinstance(row.data, dict):
            row.fail_key(
                f"`{name}` must be a severity, not a table", f'quote the name of the rule: "{_path(name, row)}"'
            )
        if isinstance(row.data, str) and row.data in _MEANT:
            row.fail(f"`{row.data}` is not a severity", f"did you mean `{_MEANT[row.data]}`?")
    return tuple(
        Severity(Selector(name, row, True), row.word("a severity", SEVERITY_WORDS)) for name, row in rows.items()
    )


def _path(name: str, row: Value) -> str:
    """`scales/saturated` for the tables that `scales.saturated` makes."""
    inner = row.data
    while isinstance(inner, dict) and len(inner) == 1:
        key, inner = next(iter(inner.items()))
        if isinstance(inner, (dict, str)):
            name += f"/{key}"
    return name


def _params(value: Value, _: str) -> tuple[Param, ...]:
    found = []
    for rule, row in value.table("`params`", 'such as [params."scales/saturated"]').items():
        for name, number in row.table(f"`{rule}`", f'such as [params."{rule}"], then limit = 0.05').items():
            if isinstance(number.data, dict):
                number.fail_key(f"`{name}` must be a number, not a table", f'quote the rule: [params."{rule}/{name}"]')
            found.append(Param(Selector(rule, row, True), name, number.number(f"param `{name}`"), number))
    return tuple(found)


def _engines(value: Value, _: str) -> tuple[Selector, ...]:
    return tuple(Selector(v.string("an engine"), v) for v in value.one_or_more("`engine`"))


def _paths(value: Value, folder: str) -> tuple[str, ...]:
    return tuple(_path_of(v, folder) for v in value.one_or_more("a list of paths"))


def _path_of(value: Value, folder: str) -> str:
    from pathlib import Path

    text = value.string("a path")
    if "\0" in text:
        value.fail("a path has no zero bytes")
    if "://" in text:
        value.fail(f"`{text}` is no path", "only files on this machine are read")
    path = Path(folder) / Path(text).expanduser()
    try:
        found = path.exists()
    except OSError:
        found = False
    if not found:
        value.fail(f"there is nothing at {path}", "paths are relative to the folder of this file")
    return str(path)


_SELECTORS = {"anyOf": [_RULES, {"type": "array", "items": _RULES, "minItems": 1}]}
_ENTRY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["rule", "reason"],
    "properties": {
        "rule": {"allOf": [_RULES], "description": "A rule's name, its folder, or a glob."},
        "tensor": {**_GLOB, "description": "A glob over names of tensors or files; without it, all of them."},
        "reason": {"type": "string", "pattern": r"\S", "description": "Why this is fine."},
        "until": {"description": "A date, the last day on which this holds: 2027-03-01 (without quotes)."},
    },
}
_PATHS = {"anyOf": [_PATH, {"type": "array", "items": _PATH}]}

KEYS: Mapping[str, Key] = {
    "select": Key(
        Kind(_select, _SELECTORS), "Rules that run: names, folders or globs. Without it, all of them.", ()
    ),
    "ignore": Key(
        Kind(_ignore, {"anyOf": [_RULES, {"type": "array", "items": {"anyOf": [_RULES, _ENTRY]}}]}, _both),
        "Rules that do not run (text), and findings that do not count (tables, [[ignore]]).", (),
    ),
    "severity": Key(
        Kind(
            _severity,
            {"type": "object", "additionalProperties": {"enum": list(SEVERITY_WORDS)}},
            _both,
        ),
        "What findings are, by rule, folder or glob: error, warning, note or off. Later ones win.", (),
    ),
    "params": Key(
        Kind(
            _params,
            {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": {"type": "number"}}},
            _both,
        ),
        "Numbers of rules, by rule: [params.\"scales/saturated\"] limit = 0.05.", (),
    ),
    "fail-on": Key(_word(model.FAIL_ON, "a severity"), "Least severity that makes the exit code 1, or never.", "error"),
    "fail-on-coverage": Key(
        Kind(lambda v, _: v.boolean("`fail-on-coverage`"), {"type": "boolean"}),
        "Exit code 1 when something could not be looked at.", False,
    ),
    "depth": Key(_word(DEPTHS, "a depth"), "How much is read; without it, full, and scales for a model on the Hub."),
    "rules": Key(Kind(_paths, _PATHS, _both), "More rules and schemes: files or folders, relative to this file.", ()),
    "baseline": Key(
        Kind(_path_of, _PATH), "An earlier JSON report, relative to this file: what it holds does not count."
    ),
    "engine": Key(
        Kind(_engines, _PATHS), "Engines that will serve the model: what they refuse or read otherwise is said too.", ()
    ),
    "device": Key(Kind(lambda v, _: v.string("`device`"), _PATH), "Where measuring is done."),
    "jobs": Key(
        Kind(lambda v, _: v.whole("`jobs`", 1), {"type": "integer", "minimum": 1}), "How much is done at a time."
    ),
}  # fmt: skip
EXTEND = Key(Kind(_paths, _PATHS), "Configurations that this one builds on, relative to it; this one wins.")
