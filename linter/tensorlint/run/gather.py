"""Drafts of one rule and checkpoint become a finding: its numbers, message, places and the bytes of the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..container.lines import Lines
from ..measures.interface import total
from ..report.findings import MAX_LOCATIONS, Distribution, Finding, Location, Suppression, fingerprint
from ..report.json import plain
from ..report.spread import spread
from ..schemes.producers import known_defect
from ..sources.interface import Source
from .distribution import distribution
from .evidence import evidence
from .subjects import Draft


@dataclass(frozen=True)
class Group:
    """Drafts of one rule and checkpoint that become one finding, with what holds for all of them."""

    drafts: list[Draft]
    suppression: Suppression | None = None
    state: str = ""


Split = Callable[[list[Draft]], Iterable[Group]]


def gather(
    drafts: Iterable[Draft], source: Source, split: Split = lambda drafts: (Group(drafts),)
) -> Iterator[Finding]:
    """Group drafts by rule and checkpoint, and further by `split`; show the bytes of the first."""
    groups: dict[tuple[str, str], list[Draft]] = {}
    for draft in drafts:
        groups.setdefault((draft.checkpoint, draft.rule.id), []).append(draft)
    lines: dict[str, Lines] = {}
    for (checkpoint, _), group in groups.items():
        view = group[0].view
        if view is not None and checkpoint not in lines:
            lines[checkpoint] = Lines(view.checkpoint)
        for part in split(group):
            finding = _finding(part.drafts, checkpoint, source, lines.get(checkpoint))
            yield replace(finding, suppression=part.suppression, state=part.state)


def _finding(group: list[Draft], checkpoint: str, source: Source, lines: Lines | None) -> Finding:
    rule, first = group[0].rule, group[0]
    lookup = first.subject.value
    measured = [d.tensor.measures for d in group if d.tensor is not None and d.tensor.measures is not None]
    if measured and first.tensor is not None:
        whole = total(measured)
        lookup = first.tensor.of_all(whole).value
        words = sorted({w for words in rule.words.values() for w in words} | {"count"})
        values = {w: whole.value(w) for w in words}
    else:
        values = {n: lookup(n) for n in dict.fromkeys(rule.message.fields) if not n.startswith("{")}

    def fill(name: str) -> Any:
        return len(group) if name in ("tensors", "modules") and measured else lookup(name)

    return Finding(
        rule=rule.id,
        severity=rule.severity,
        message=rule.message.filled(fill),
        effect=rule.effect.filled(lookup),
        remedy=rule.remedy.filled(lookup),
        see=rule.see,
        count=len(group),
        values=plain(values),  # as a report that is read back has them
        locations=tuple(_placed(d, lines) for d in group[:MAX_LOCATIONS]),
        evidence=evidence(first.tensor.unit, first.location, rule.points_at, source) if first.tensor else None,
        note=known_defect(first.view.declared, first.view.knowledge.producers.values(), rule.id) if first.view else "",
        checkpoint=checkpoint,
        fingerprint=fingerprint(rule.id, checkpoint, (name for d in group for name in d.identities)),
        distribution=_distribution(first, source),
        spread=spread(d.location for d in group) if len(group) > MAX_LOCATIONS else None,
    )


def _placed(draft: Draft, lines: Lines | None) -> Location:
    """The location with the line of text that stands for it."""
    location = draft.location
    line = (
        lines.of(location.file, location.tensor, location.byte_offset, draft.subject.value)
        if lines and location.line is None
        else None
    )
    return replace(location, line=line) if line else location


_CHARTED = ("ceiling", "floor", "largest", "smallest")  # words of rules that point at no element
_LEAST = 8  # elements that are worth a chart


def _distribution(draft: Draft, source: Source) -> Distribution | None:
    """The spread of the scale that a draft is about, read again; None for other tensors."""
    subject = draft.tensor
    if subject is None or subject.measures is None:
        return None
    unit = subject.unit
    if not unit.scale_like or subject.measures.count < _LEAST:
        return None
    words = draft.rule.words.get("", frozenset())
    word = draft.rule.points_at or next((w for w in _CHARTED if w in words), "")
    found = distribution(unit.tensor, unit.encoding, word, source)
    return found if found is not None and len(found.bins) > 1 else None
