"""An earlier report that a new one is compared with: what it holds already is known, and does not count."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ..files import NAMED
from ..report.findings import Finding, Report
from ..report.interface import Failure
from ..report.reading import load_report

Names = Mapping[tuple[str, str], AbstractSet[str]]  # identities of places, by rule and checkpoint


@dataclass(frozen=True)
class Baseline:
    """What counted in an earlier report on one target; `name` is the file."""

    name: str
    findings: tuple[Finding, ...] = ()

    def known(self, rule: str, checkpoint: str, names: Iterable[str]) -> Collection[str]:
        """Which of the places that a rule objects to now it objected to then.

        A report lists a limited number of places of a finding: as many as it left out are known of those that it does
        not list. Which ones cannot be told; the first in `names` are taken as the new ones, as what a report leaves out
        comes last.
        """
        listed, unlisted = self._places.get((rule, checkpoint), (frozenset(), 0))
        names = dict.fromkeys(names)
        others = [name for name in names if name not in listed]
        return names.keys() - others[: max(0, len(others) - unlisted)]

    @cached_property
    def _places(self) -> Mapping[tuple[str, str], tuple[AbstractSet[str], int]]:
        """Listed places, and the number of those that are not listed."""
        found: dict[tuple[str, str], tuple[set[str], int]] = {}
        for f in self.findings:
            listed, unlisted = found.get((f.rule, f.checkpoint), (set(), 0))
            here = {place.identity for place in f.locations}
            more = f.count - len(f.locations) if f.locations else 0
            found[f.rule, f.checkpoint] = listed | here, unlisted + max(0, more)
        return found

    def gone(self, present: Names, ran: Collection[str]) -> Iterator[Finding]:
        """What was found then and not now by rules that ran; `present` is everything that was found now."""
        for f in self.findings:
            here = present.get((f.rule, f.checkpoint), ())
            left = tuple(place for place in f.locations if place.identity not in here)
            if f.rule not in ran or not left:
                continue
            count = f.count if not here else len(left)
            yield replace(f, state="gone", locations=left, count=count)


def _same(rule: str, _where: str) -> str:
    return rule


def load_baseline(path: str, target: str, current: Callable[[str, str], str] = _same) -> Baseline:
    """What an earlier JSON report says about a target; nothing where it is a report on other targets.

    `current` gives the present name of a rule that the report may call by an earlier one, and takes where it is.
    A target that could not be checked then has nothing known. Raises UsageError for a file that cannot be read or is no
    report.
    """
    outcomes = load_report(path)
    findings: list[Finding] = []
    for report in outcomes:
        if isinstance(report, Failure):
            continue
        frame = _frame(report, target)
        if frame is None and len(outcomes) > 1:
            continue
        for finding in report.findings:
            named = replace(finding, rule=current(finding.rule, path))
            findings.extend(_moved(named, frame or ("", "")))
    # What was suppressed then counted no more than what was gone: neither makes it known now.
    return Baseline(path, tuple(f for f in findings if f.suppression is None and f.state != "gone"))


def _frame(report: Report, target: str) -> tuple[str, str] | None:
    """How places of an earlier report are called in one on this target: a folder taken off, and one put before.

    A report on a folder speaks of the checkpoints in it, and one on a checkpoint is a part of one on the folder that it
    is in. None where the two targets have nothing to do with each other.
    """
    old, new = _folder(report.target), _folder(target)
    if old == new or report.target == target:
        return "", ""
    inside = os.path.relpath(new, old).replace(os.sep, "/") + "/"
    if not inside.startswith("../"):
        return (inside, "") if any(name.startswith(inside) for name in report.checkpoints) else None
    around = os.path.relpath(old, new).replace(os.sep, "/") + "/"
    return ("", around) if not around.startswith("../") and Path(old).exists() else None


def _folder(target: str) -> str:
    """The absolute path of a target's folder."""
    path = Path(os.path.abspath(target))  # noqa: PTH100 (links stay as they are)
    return str(path.parent if path.name.endswith(NAMED) else path)


def _moved(finding: Finding, frame: tuple[str, str]) -> Iterator[Finding]:
    """The finding with the names it has in the new report; nothing where it is about something else."""
    off, before = frame
    if finding.checkpoint.startswith(off):
        places = tuple(replace(p, file=before + p.file.removeprefix(off)) for p in finding.locations)
        checkpoint = before + finding.checkpoint.removeprefix(off) if finding.checkpoint else ""
        yield replace(finding, checkpoint=checkpoint, locations=places)
