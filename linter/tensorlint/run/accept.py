"""What does not count: findings that a configuration ignores or a baseline holds; and what is said about ignores."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import translate
from functools import cached_property
from pathlib import Path

from ..facts import Fact
from ..report.findings import Finding, Line, Location, Suppression
from ..rulebook.model import Rule
from ..settings.keys import Ignore
from ..settings.ruleset import Ruleset
from .baseline import Baseline
from .gather import Group
from .subjects import Draft, about_facts


@dataclass
class Ledger:
    """What is known of ignores over the runs of one command: how often each matched, and which rules did not run."""

    today: date = field(default_factory=date.today)
    matched: dict[Ignore, int] = field(default_factory=dict)
    blind: set[Ignore] = field(default_factory=set)  # ignores of rules that did not run everywhere


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
class Accept:
    """Splits what rules object to in one run by the ignore that covers it and by what the baseline holds.

    `root` is the folder that places in the report are relative to; `final` are the ignores about which it is known that
    whatever they could match has been checked when this run ends.
    """

    entries: tuple[_Entry, ...] = ()
    baseline: Baseline | None = None
    ledger: Ledger = field(default_factory=Ledger)
    root: str = ""
    final: Collection[Ignore] = ()
    _present: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, ruleset: Ruleset, root: Path | None, baseline: Baseline | None, ledger: Ledger, final: Collection[Ignore]
    ) -> Accept:
        """What the settings of a ruleset let pass."""
        entries = tuple(
            _Entry(
                ignore,
                frozenset(ruleset.book.matching(ignore.rule.pattern)),
                re.compile(translate(ignore.tensor)),
                Suppression(ignore.reason, ignore.until.isoformat() if ignore.until else "", where(ignore)),
                ignore.until is not None and ignore.until < ledger.today,
            )
            for ignore in ruleset.settings.ignores
        )
        return cls(entries, baseline, ledger, str(root or ""), final)

    def split(self, drafts: list[Draft]) -> Iterable[Group]:
        """Groups of one suppression and state each, whose numbers add up to those of the drafts of one rule."""
        names = dict.fromkeys(d.location.identity for d in drafts)
        key = drafts[0].rule.id, drafts[0].checkpoint
        self._present.setdefault(key, set()).update(names)
        known = self.baseline.known(*key, names) if self.baseline else ()
        groups: dict[tuple[Suppression | None, str], list[Draft]] = {}
        for draft in drafts:
            state = "" if self.baseline is None else "known" if draft.location.identity in known else "new"
            groups.setdefault((self._suppression(draft), state), []).append(draft)
        return [Group(ds, suppression, state) for (suppression, state), ds in groups.items()]

    @cached_property
    def _by_rule(self) -> dict[str, tuple[_Entry, ...]]:
        rules = {rule for entry in self.entries for rule in entry.rules}
        return {rule: tuple(e for e in self.entries if rule in e.rules) for rule in rules}

    def _suppression(self, draft: Draft) -> Suppression | None:
        """Why a draft does not count, or None: the first ignore that covers it and has not expired."""
        found = None
        for entry in self._by_rule.get(draft.rule.id, ()):
            if entry.covers(draft):
                counted = self.ledger.matched
                counted[entry.ignore] = counted.get(entry.ignore, 0) + 1
                if found is None and not entry.expired:
                    found = entry.suppression
        return found

    def remarks(self, rules: Iterable[Rule], ran: Collection[str], stopped: bool) -> Iterator[Draft]:
        """What rules say, when everything else has been split, about expired ignores that cover findings, and about
        ignores of nothing. `ran` are the rules that looked at everything."""
        rules = tuple(rules)
        for entry in self.entries:
            ignore, matched = entry.ignore, self.ledger.matched.get(entry.ignore, 0)
            if stopped or not entry.rules <= set(ran):
                self.ledger.blind.add(ignore)
            values: dict[str, object] = {
                "rules": ignore.rule.pattern,
                "names": ignore.tensor,
                "reason": ignore.reason,
            }
            if entry.expired and matched:
                values |= {"until": ignore.until, "findings": matched}
                yield from self._remarks(rules, "expired-ignore", values, ignore)
            elif not matched and ignore in self.final and ignore not in self.ledger.blind:
                yield from self._remarks(rules, "unused-ignore", values, ignore)

    def _remarks(
        self, rules: tuple[Rule, ...], kind: str, values: dict[str, object], ignore: Ignore
    ) -> Iterator[Draft]:
        file = os.path.relpath(ignore.file, self.root).replace(os.sep, "/") if self.root else ignore.file
        names = (file, ignore.rule.pattern, ignore.tensor)
        for draft in about_facts(rules, (Fact(kind, file, values=values),), None, ""):
            yield replace(draft, location=Location(file, line=Line(file, ignore.line)), names=names)

    def gone(self, ran: Collection[str]) -> Iterable[Finding]:
        """What only the baseline has."""
        return self.baseline.gone(self._present, ran) if self.baseline else ()


def where(ignore: Ignore) -> str:
    """`file:line` of an ignore."""
    return f"{ignore.file}:{ignore.line}"
