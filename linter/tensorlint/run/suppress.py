"""Ignores of a configuration applied to findings, and what is said about ignores that expired or match nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import translate
from functools import cached_property

from ..facts import Fact
from ..report.findings import Line, Location, Suppression
from ..rulebook.library import Book
from ..settings.keys import Ignore
from .subjects import Draft


@dataclass(frozen=True)
class _Entry:
    """One ignore, ready to be matched."""

    ignore: Ignore
    rules: frozenset[str]
    names: re.Pattern[str]
    suppression: Suppression
    expired: bool

    def covers(self, draft: Draft) -> bool:
        place = draft.location
        return draft.rule.id in self.rules and bool(
            (place.tensor and self.names.match(place.tensor)) or self.names.match(place.file)
        )


@dataclass
class Suppressor:
    """The ignores of one or more runs; it remembers which of them matched."""

    today: date = field(default_factory=date.today)
    matched: dict[Ignore, int] = field(default_factory=dict)
    blind: set[Ignore] = field(default_factory=set)  # ignores of rules that did not run everywhere

    def entries(self, ignores: Iterable[Ignore], book: Book) -> tuple[_Entry, ...]:
        """Ignores that can be matched with what rules of a book find."""
        return tuple(
            _Entry(
                ignore,
                frozenset(book.matching(ignore.rule.pattern)),
                re.compile(translate(ignore.tensor)),
                Suppression(ignore.reason, ignore.until.isoformat() if ignore.until else "", where(ignore)),
                ignore.until is not None and ignore.until < self.today,
            )
            for ignore in ignores
        )


def where(ignore: Ignore) -> str:
    """`file:line` of an ignore."""
    return f"{ignore.file}:{ignore.line}"


@dataclass(frozen=True)
class Ignores:
    """The ignores of one run.

    `root` is the folder that places in the report are relative to; `final` are the ignores about which it is known that
    whatever they could match has been checked when this run ends.
    """

    suppressor: Suppressor
    entries: tuple[_Entry, ...]
    root: str
    final: Collection[Ignore] = ()

    @cached_property
    def _by_rule(self) -> Mapping[str, tuple[_Entry, ...]]:
        rules = {rule for entry in self.entries for rule in entry.rules}
        return {rule: tuple(e for e in self.entries if rule in e.rules) for rule in rules}

    def of(self, draft: Draft) -> Suppression | None:
        """Why a draft does not count, or None: the first ignore that covers it and has not expired."""
        found = None
        for entry in self._by_rule.get(draft.rule.id, ()):
            if entry.covers(draft):
                counted = self.suppressor.matched
                counted[entry.ignore] = counted.get(entry.ignore, 0) + 1
                if found is None and not entry.expired:
                    found = entry.suppression
        return found

    def facts(self, ran: Collection[str], stopped: bool) -> Iterator[tuple[Fact, Location]]:
        """What is to be said at the end of the run: expired ignores that cover findings, and ignores of nothing.

        `ran` are the rules that looked at everything.
        """
        for entry in self.entries:
            ignore, matched = entry.ignore, self.suppressor.matched.get(entry.ignore, 0)
            if stopped or not entry.rules <= set(ran):
                self.suppressor.blind.add(ignore)
            values = {"rules": ignore.rule.pattern, "names": ignore.tensor, "reason": ignore.reason}
            if entry.expired and matched:
                values |= {"until": ignore.until, "findings": matched}  # type: ignore[dict-item]
                yield self._fact("expired-ignore", values, ignore)
            elif not matched and ignore in self.final and ignore not in self.suppressor.blind:
                yield self._fact("unused-ignore", values, ignore)

    def _fact(self, kind: str, values: Mapping[str, object], ignore: Ignore) -> tuple[Fact, Location]:
        file = os.path.relpath(ignore.file, self.root).replace(os.sep, "/") if self.root else ignore.file
        return Fact(kind, file, values=values), Location(file, line=Line(file, ignore.line))
