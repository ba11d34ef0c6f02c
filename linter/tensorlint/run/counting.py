"""Which findings count: split by the ignore that covers them and by what a baseline holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..report.findings import Finding, Suppression, fingerprint
from ..rulebook.model import Rule
from ..sources.interface import Source
from .baseline import Baseline
from .gather import Group, finish
from .subjects import Draft, apply_facts
from .suppress import Ignores


@dataclass
class Counting:
    """Splits what one rule objects to in one checkpoint into findings of one suppression and state each."""

    ignores: Ignores | None = None
    baseline: Baseline | None = None
    _present: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def __call__(self, drafts: list[Draft]) -> Iterable[Group]:
        """The groups, whose numbers add up to those of the drafts."""
        names = dict.fromkeys(d.location.identity for d in drafts)
        key = drafts[0].rule.id, drafts[0].checkpoint
        self._present.setdefault(key, set()).update(names)
        known = self.baseline.known(*key, names) if self.baseline else ()
        groups: dict[tuple[Suppression | None, str], list[Draft]] = {}
        for draft in drafts:
            suppression = self.ignores.of(draft) if self.ignores else None
            state = "" if self.baseline is None else "known" if draft.location.identity in known else "new"
            groups.setdefault((suppression, state), []).append(draft)
        return [Group(ds, suppression, state) for (suppression, state), ds in groups.items()]

    def remarks(self, rules: Iterable[Rule], ran: Collection[str], stopped: bool, source: Source) -> Iterator[Finding]:
        """What rules say about the ignores themselves, when everything else has been split: a finding for each."""
        rules = tuple(rules)
        for fact, place in self.ignores.facts(ran, stopped) if self.ignores else ():
            names = (fact.file, str(fact.values["rules"]), str(fact.values["names"]))
            for draft in apply_facts(rules, (fact,), None, ""):
                for finding in finish([replace(draft, location=place)], source, self):
                    yield replace(finding, fingerprint=fingerprint(finding.rule, "", names))

    def gone(self, ran: Collection[str]) -> Iterable[Finding]:
        """What only the baseline has."""
        return self.baseline.gone(self._present, ran) if self.baseline else ()
