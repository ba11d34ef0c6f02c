"""One cause, one finding: what only repeats the consequence of another finding is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ..rulebook.model import SEVERITIES
from ..rulebook.vocabulary import NEAR
from .subjects import Draft


def without_consequences(drafts: Iterable[Draft]) -> list[Draft]:
    """The drafts, less those whose rule is not to be said where another rule, no less severe, names their cause."""
    kept = list(drafts)
    wanted = {d.rule.id: d.rule.unless for d in kept if d.rule.unless}
    if not wanted:
        return kept
    causes: dict[tuple[str, str, str], set[str]] = defaultdict(set)  # by place: the rules that object to it
    severity = {d.rule.id: SEVERITIES.index(d.rule.severity) for d in kept}
    patterns = {p for unless in wanted.values() for ps in unless.values() for p in ps}
    naming = {rule for rule in severity if any(fnmatchcase(rule, p) for p in patterns)}
    for draft in kept:
        if draft.rule.id in naming:
            for near in NEAR:
                causes[near, draft.checkpoint, _place(draft, near)].add(draft.rule.id)

    def caused(draft: Draft) -> bool:
        for near, rules in wanted.get(draft.rule.id, {}).items():
            for rule in causes.get((near, draft.checkpoint, _place(draft, near)), ()):
                known = any(fnmatchcase(rule, p) for p in rules) and rule != draft.rule.id
                if known and severity[rule] <= severity[draft.rule.id]:
                    return True
        return False

    return [d for d in kept if not caused(d)]


def _place(draft: Draft, near: str) -> str:
    """What two drafts of one checkpoint share when they are this near."""
    if near == "checkpoint":
        return ""
    if near == "file":
        return draft.location.file
    name = draft.location.tensor
    if near == "tensor":
        return name or draft.location.file
    unit = draft.view.unit_of.get(name) if draft.view is not None else None
    if unit is not None and unit.module is not None:
        module = unit.module.name
    else:
        module = str(draft.subject.value("module") or name.rpartition(".")[0] or draft.location.file)
    return module if near == "module" else module.rpartition(".")[0] or module
