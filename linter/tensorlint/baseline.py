"""An earlier report that a new one is compared with: what it holds already is known, and does not count."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from .errors import UsageError
from .findings import SEVERITIES, Finding, Location, Suppression

MAX_BYTES = 1 << 30
_HOW = "write one with: tensorlint check TARGET -f json > baseline.json"
Names = Mapping[tuple[str, str], AbstractSet[str]]  # identities of places, by rule and checkpoint


@dataclass(frozen=True)
class Baseline:
    """What counted in an earlier report on one target; `name` is the file."""

    name: str
    findings: tuple[Finding, ...] = ()

    def known(self, rule: str, checkpoint: str, names: Iterable[str]) -> Collection[str]:
        """Which of the places that a rule objects to now it objected to then.

        A report lists a limited number of places of a finding. The others are taken as known while there are no more of
        them than there were.
        """
        listed, unlisted = self._places.get((rule, checkpoint), (frozenset(), 0))
        names = set(names)
        known = names & listed
        return names if len(names - known) <= unlisted else known

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


def load_baseline(path: str, target: str) -> Baseline:
    """What an earlier JSON report says about a target; nothing where it is a report on other targets.

    Raises UsageError for a file that cannot be read or is no report.
    """
    top = _read(path)
    several = top.get("targets")
    rows = [r for r in several if isinstance(r, dict)] if isinstance(several, list) else [top]
    findings: list[Finding] = []
    for row in rows:
        frame = _frame(row, target)
        if frame is None and several is not None:
            continue
        listed = row.get("findings")
        if not isinstance(listed, list):
            raise UsageError(f"{path} is not a report of tensorlint: it has no `findings`", _HOW)
        for number, one in enumerate(listed):
            finding = _finding(one)
            if finding is None:
                raise UsageError(f"{path} is damaged: finding {number + 1} cannot be read", _HOW)
            findings.extend(_moved(finding, frame or ("", "")))
    # What was suppressed then counted no more than what was gone: neither makes it known now.
    return Baseline(path, tuple(f for f in findings if f.suppression is None and f.state != "gone"))


def _frame(row: Mapping[str, Any], target: str) -> tuple[str, str] | None:
    """How places of an earlier report are called in one on this target: a folder taken off, and one put before.

    A report on a folder speaks of the checkpoints in it, and one on a checkpoint is a part of one on the folder that it
    is in. None where the two targets have nothing to do with each other.
    """
    earlier = row.get("target")
    if not isinstance(earlier, str):
        return None
    old, new = _folder(earlier), _folder(target)
    if old == new or earlier == target:
        return "", ""
    inside = os.path.relpath(new, old).replace(os.sep, "/") + "/"
    if not inside.startswith("../"):
        listed = row.get("checkpoints")
        known = isinstance(listed, list) and any(isinstance(c, str) and c.startswith(inside) for c in listed)
        return (inside, "") if known else None
    around = os.path.relpath(old, new).replace(os.sep, "/") + "/"
    return ("", around) if not around.startswith("../") and Path(old).exists() else None


def _folder(target: str) -> str:
    """The absolute path of a target's folder."""
    path = Path(os.path.abspath(target))  # noqa: PTH100 (links stay as they are)
    return str(path.parent if path.suffix in (".safetensors", ".json") else path)


def _moved(finding: Finding, frame: tuple[str, str]) -> Iterator[Finding]:
    """The finding with the names it has in the new report; nothing where it is about something else."""
    off, before = frame
    if finding.checkpoint.startswith(off):
        places = tuple(replace(p, file=before + p.file.removeprefix(off)) for p in finding.locations)
        checkpoint = before + finding.checkpoint.removeprefix(off) if finding.checkpoint else ""
        yield replace(finding, checkpoint=checkpoint, locations=places)


def _read(path: str) -> dict[str, Any]:
    try:
        found = os.stat(path)  # noqa: PTH116
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
            raise UsageError(f"the baseline {path} is no file, or larger than {MAX_BYTES >> 30} GiB", _HOW)
        top = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read the baseline {path}: {error.strerror or error}", _HOW) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the baseline {path} is not JSON: {error}", _HOW) from error
    if not isinstance(top, dict) or not ("findings" in top or "targets" in top):
        raise UsageError(f"{path} is not a report of tensorlint", _HOW)
    if top.get("version") != 1:
        raise UsageError(f"{path} is a report of version {top.get('version')}; version 1 is read", _HOW)
    return top


def _finding(row: object) -> Finding | None:
    """As much of a finding as a comparison needs, reports of earlier versions too; None for what is none."""
    if not isinstance(row, dict) or not isinstance(row.get("locations"), list):
        return None
    text: dict[str, Any] = {
        k: row.get(k) or "" for k in ("rule", "message", "checkpoint", "fingerprint", "effect", "remedy", "state")
    }
    count, places = row.get("count"), [_location(place) for place in row["locations"]]
    sound = all(isinstance(v, str) for v in text.values()) and row.get("severity") in SEVERITIES
    if not sound or type(count) is not int or None in places:
        return None
    return Finding(
        severity=row["severity"],
        count=count,
        locations=tuple(p for p in places if p is not None),
        suppression=Suppression("") if row.get("suppressed") else None,
        **text,
    )


def _location(row: object) -> Location | None:
    if not isinstance(row, dict):
        return None
    file, tensor = row.get("file"), row.get("tensor") or ""
    return Location(file, tensor) if isinstance(file, str) and isinstance(tensor, str) else None
