"""A JSON report read back: whatever is not as the reporter writes it is an error that says what and where."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from ..errors import UsageError
from ..measures.plan import DEPTHS
from ..rulebook.model import FAIL_ON, SEVERITIES
from .findings import Bin, Distribution, Evidence, Finding, Line, Location, Report, Spread, Suppression
from .interface import Failure, Outcome
from .json import VERSION

MAX_REPORT = 1 << 30  # bytes

T = TypeVar("T")
Word = TypeVar("Word", bound=str)


def load_report(path: str) -> tuple[Outcome, ...]:
    """The outcomes in a JSON report in a file, or on standard input for `-`.

    Raises UsageError for what cannot be read, and like `read_report`.
    """
    name = "stdin" if path == "-" else path
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_REPORT + 1)
        else:
            with Path(path).open("rb") as stream:
                data = stream.read(MAX_REPORT + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no file {name}", "tensorlint check TARGET -f json=FILE writes one") from None
    except IsADirectoryError:
        raise UsageError(
            f"{name} is a folder", f"name the report in it, or check it: tensorlint check {name}"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror or error}", _HINT) from error
    if len(data) > MAX_REPORT:
        raise UsageError(f"{name} has more than {MAX_REPORT:,} bytes: no report is that long", _HINT)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is no text: byte {error.start} is not UTF-8", _HINT) from None
    return read_report(text, name)


def report_in(text: str) -> Report:
    """The report in a JSON text on one target.

    Raises UsageError for a text on several targets, or on one that could not be checked, and like `read_report`.
    """
    outcomes = read_report(text, "the text")
    if len(outcomes) != 1:
        hint = "each of its `targets` is a whole report: Report.from_json(json.dumps(target))"
        raise UsageError(f"the text holds the reports on {len(outcomes):,} targets", hint)
    if isinstance(outcomes[0], Failure):
        raise UsageError(
            f"{outcomes[0].target} could not be checked: {outcomes[0].message}", "the text holds no report"
        )
    return outcomes[0]


def read_report(text: str, name: str) -> tuple[Outcome, ...]:
    """The outcomes in a JSON report, of one target or of several; `name` is what messages call it.

    Raises UsageError for other JSON, other versions and damaged text.
    """
    try:
        top = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"{name} is not JSON: {error.msg} ({place})", _HINT) from None
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{name} cannot be read as JSON: {error}", _HINT) from None
    if not isinstance(top, dict) or "version" not in top or not ({"findings", "targets"} & top.keys()):
        raise UsageError(f"{name} is no report of tensorlint", _HINT)
    if top["version"] != VERSION:
        hint = f"this is what `tensorlint {top.get('tensorlint', '')}` wrote; use that version, or check again"
        raise UsageError(f"{name} has version {top['version']!r}; this tensorlint reads version {VERSION}", hint)
    node = _Node(name, top)
    targets = node.rows("targets", lambda n: n) if "targets" in top else (node,)
    return tuple(map(_outcome, targets))


_HINT = "a report is what `tensorlint check TARGET -f json` writes"


@dataclass(frozen=True)
class _Node:
    """One object of the report with the path it stands at."""

    path: str
    value: Mapping[str, Any]

    def fail(self, key: str, wanted: str) -> UsageError:
        return UsageError(
            f"{self.path}: `{key}` is not {wanted}", "the report is damaged, or was edited: check again with -f json"
        )

    def text(self, key: str, default: str | None = None) -> str:
        value = self.value.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.fail(key, "a text")
        return value

    def one_of(self, key: str, choices: tuple[Word, ...], default: str | None = None) -> Word:
        value = self.text(key, default)
        for choice in choices:
            if choice == value:
                return choice
        raise self.fail(key, f"one of {', '.join(c for c in choices if c)}")

    def word(self, key: str, known: tuple[Word, ...], default: str | None = None) -> Word:
        """One of the known words, or another that a later version of tensorlint may have written."""
        value = self.text(key, default)
        return next((word for word in known if word == value), cast(Word, value))

    def number(self, key: str) -> int:
        value = self.value.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.fail(key, "a count")
        return value

    def number_or_none(self, key: str) -> int | None:
        return None if self.value.get(key) is None else self.number(key)

    def flag(self, key: str) -> bool:
        value = self.value.get(key)
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def seconds(self, key: str) -> float:
        value = self.value.get(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise self.fail(key, "a number")
        return float(value)

    def list(self, key: str, kind: type[T], what: str) -> tuple[T, ...]:
        value = self.value.get(key)
        if not isinstance(value, list) or not all(isinstance(v, kind) and not isinstance(v, bool) for v in value):
            raise self.fail(key, f"a list of {what}")
        return tuple(value)

    def texts(self, key: str) -> tuple[str, ...]:
        return self.list(key, str, "texts")

    def numbers(self, key: str) -> tuple[int, ...]:
        return self.list(key, int, "numbers")

    def mapping(self, key: str, kind: type[T] | tuple[type[T], ...], what: str) -> dict[str, T]:
        value = self.value.get(key)
        if not isinstance(value, dict) or not all(isinstance(v, kind) for v in value.values()):
            raise self.fail(key, what)
        return value

    def rows(self, key: str, make: Callable[[_Node], T]) -> tuple[T, ...]:
        value = self.value.get(key)
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.fail(key, "a list of objects")
        return tuple(make(_Node(f"{self.path}: {key}[{i}]", v)) for i, v in enumerate(value))

    def one(self, key: str, make: Callable[[_Node], T]) -> T | None:
        value = self.value.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.fail(key, "an object")
        return make(_Node(f"{self.path}: {key}", value))


def _outcome(n: _Node) -> Outcome:
    if "error" in n.value:
        return Failure(n.text("target"), n.text("error"), n.number("exit_code"))
    return Report(
        target=n.text("target"),
        depth=n.word("depth", DEPTHS),
        checkpoints=n.texts("checkpoints"),
        findings=n.rows("findings", _finding),
        schemes=n.mapping("schemes", int, "counts by scheme"),
        tensors=n.number("tensors"),
        shards=n.number("shards"),
        bytes_read=n.number("bytes_read"),
        bytes_known=n.number("bytes_known") if "bytes_known" in n.value else 0,  # since 0.2
        bytes_total=n.number("bytes_total"),
        seconds=n.seconds("seconds"),
        rules_run=n.texts("rules_run"),
        rules_skipped=n.mapping("rules_skipped", str, "reasons by rule"),
        gaps=n.texts("gaps"),
        stopped=n.text("stopped", ""),
        origin=n.text("origin", ""),
        address=n.text("address", ""),  # since 0.2
        baseline=n.text("baseline", ""),
        settings=n.texts("settings"),
        strict=n.flag("strict"),
        fail_on=n.one_of("fail_on", FAIL_ON),
    )


def _finding(n: _Node) -> Finding:
    return Finding(
        rule=n.text("rule"),
        severity=n.one_of("severity", SEVERITIES),
        message=n.text("message"),
        effect=n.text("effect", ""),
        remedy=n.text("remedy", ""),
        see=n.texts("see"),
        count=n.number("count"),
        values=n.mapping("values", object, "an object"),
        locations=n.rows("locations", _location),
        evidence=n.one("evidence", _evidence),
        note=n.text("note", ""),
        checkpoint=n.text("checkpoint", ""),
        fingerprint=n.text("fingerprint"),
        suppression=n.one(
            "suppressed", lambda s: Suppression(s.text("reason"), s.text("until", ""), s.text("where", ""))
        ),
        state=n.word("state", ("", "new", "known", "gone"), ""),
        distribution=n.one("distribution", _distribution),
        spread=n.one("spread", _spread),
    )


def _location(n: _Node) -> Location:
    return Location(
        file=n.text("file"),
        tensor=n.text("tensor", ""),
        index=n.numbers("index") if n.value.get("index") is not None else None,
        byte_offset=n.number_or_none("byte_offset"),
        line=n.one("line", lambda line: Line(line.text("file"), line.number("number"))),
        byte_length=n.number_or_none("byte_length"),
    )


def _evidence(n: _Node) -> Evidence:
    return Evidence(
        tensor=n.text("tensor"),
        dtype=n.text("dtype"),
        shape=n.numbers("shape"),
        start=n.numbers("start"),
        elements=n.texts("elements"),
        marked=frozenset(n.numbers("marked")),
        note=n.text("note", ""),
    )


def _distribution(n: _Node) -> Distribution:
    bins = n.rows("bins", lambda b: Bin(b.text("label"), b.number("count"), b.number("bad")))
    return Distribution(n.text("tensor"), n.text("dtype"), n.number("elements"), n.number("of"), bins)


def _spread(n: _Node) -> Spread:
    cells = []
    for row in n.list("cells", list, "rows"):
        if (
            len(row) != 3
            or not isinstance(row[0], int | None)
            or not isinstance(row[1], str)
            or type(row[2]) is not int
        ):
            raise n.fail("cells", "a list of [layer, module, count]")
        cells.append((row[0], row[1], row[2]))
    return Spread(n.texts("patterns"), n.number("patterns_total"), n.number("files"), tuple(cells))
