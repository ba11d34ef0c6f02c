"""Which findings count: split by the ignore that covers them and by what a baseline holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from .apply import Draft, Group, apply_facts
from .baseline import Baseline
from .findings import Finding, Suppression
from .rulebook.model import Rule
from .suppress import Ignores


@dataclass
class Counting:
    """Splits what one rule objects to in one checkpoint into findings of one suppression and state each."""

    ignores: Ignores | None = None
    baseline: Baseline | None = None
    _present: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def __call__(self, drafts: list[Draft]) -> Iterable[Group]:
        """The groups, whose numbers add up to those of the drafts."""
        names = {d.location.identity for d in drafts}
        key = drafts[0].rule.id, drafts[0].checkpoint
        self._present.setdefault(key, set()).update(names)
        known = self.baseline.known(*key, names) if self.baseline else ()
        groups: dict[tuple[Suppression | None, str], list[Draft]] = {}
        for draft in drafts:
            suppression = self.ignores.of(draft) if self.ignores else None
            state = "" if self.baseline is None else "known" if draft.location.identity in known else "new"
            groups.setdefault((suppression, state), []).append(draft)
        return [Group(ds, suppression, state) for (suppression, state), ds in groups.items()]

    def remarks(self, rules: Iterable[Rule], ran: Collection[str], stopped: bool) -> Iterator[Draft]:
        """What rules say about the ignores themselves, when everything else has been split."""
        for fact, place in self.ignores.facts(ran, stopped) if self.ignores else ():
            for draft in apply_facts(rules, (fact,), None, ""):
                yield replace(draft, location=place)

    def gone(self, ran: Collection[str]) -> Iterable[Finding]:
        """What only the baseline has."""
        return self.baseline.gone(self._present, ran) if self.baseline else ()
