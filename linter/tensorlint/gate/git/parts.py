"""What both hooks do: which checkpoints a change touches, and reports without what is not on this machine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from ...files import folder_of
from ...report.findings import Report
from ...run.engine import Job

NOT_HERE = "not in the local LFS store"


def touched(jobs: Iterable[Job], files: Collection[str] | None) -> Iterator[Job]:
    """Checkpoints in whose folder something changed, unless it is only shards of others there. None: all of them."""
    jobs = tuple(jobs)
    owner = {shard: job for job in jobs for shard in job.view.checkpoint.shards}
    for job in jobs:
        here = [f for f in files or () if folder_of(f) == job.view.checkpoint.folder]
        if files is None or any(owner.get(f, job) is job for f in here):
            yield job


def left_out(report: Report, files: Collection[str], why: str) -> Report:
    """The report without what was found in `files`, which are a gap of it instead."""
    if not files:
        return report
    gaps = [g for g in report.gaps if g not in {f"{n} could not be read" for n in files}]
    names = sorted(files)
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    gaps.append(f"{', '.join(names[:3])}{more}: {why}")
    findings = []
    for finding in report.findings:
        kept = tuple(place for place in finding.locations if place.file not in files)
        if kept or not finding.locations:
            gone = len(finding.locations) - len(kept)
            findings.append(replace(finding, locations=kept, count=finding.count - gone) if gone else finding)
    return replace(report, findings=tuple(findings), gaps=tuple(gaps))
