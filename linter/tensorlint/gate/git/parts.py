"""What both hooks do: which checkpoints a change touches, and reports without what is not on this machine."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ...files import folder_of
from ...report.findings import Report
from ...run.plan import Job
from ...run.run import Run, covered

NOT_HERE = "not in the local LFS store"


def touched(run: Run, files: Collection[str] | None) -> Run | None:
    """The run of those checkpoints in whose folder something changed, unless it is only shards of others there.

    `files` is None where all of them count. None where nothing is left.
    """
    owner = {shard: job for job in run.jobs for shard in job.shards}

    def is_touched(job: Job) -> bool:
        here = [f for f in files or () if folder_of(f) == job.view.checkpoint.folder]
        return files is None or any(owner.get(f, job) is job for f in here)

    jobs = tuple(filter(is_touched, run.jobs))
    return replace(run, jobs=jobs) if jobs else None


def left_out(report: Report, files: Collection[str], why: str, excused: bool = False) -> Report:
    """The report without what was found in `files`, which are a gap of it instead: an excused one fails nothing."""
    if not files:
        return report
    gaps = [g for g in report.gaps if g not in {f"{n} could not be read" for n in files}]
    names = sorted(files)
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    gap = f"{', '.join(names[:3])}{more}: {why}"
    findings = []
    for finding in report.findings:
        kept = tuple(place for place in finding.locations if place.file not in files)
        if kept or not finding.locations:
            gone = len(finding.locations) - len(kept)
            findings.append(replace(finding, locations=kept, count=finding.count - gone) if gone else finding)
    report = replace(report, findings=tuple(findings), gaps=tuple(gaps))
    return covered(report, (gap,)) if excused else replace(report, gaps=(*report.gaps, gap))
