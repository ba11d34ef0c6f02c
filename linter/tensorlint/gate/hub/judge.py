"""The linter's view of an upload: the repository as it will be, and which findings are this upload's fault."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from ...errors import NoCheckpointError, TensorlintError, UnfinishedError, UsageError
from ...report.findings import Finding, Report
from ...report.interface import Options
from ...report.terminal import bar, colored
from ...report.text import render
from ...rulebook.model import Rule
from ...run.plan import Job
from ...run.run import Run, covered
from ...settings.files import discover
from ...settings.ruleset import Ruleset, ruleset
from ...settings.settings import settings_for
from ...settings.tasks import apart
from ...sources.interface import Source
from ...sources.part import PartOf
from .base import Base, base_of
from .change import Change, Said, Verdict
from .overlay import OverlaySource
from .policy import COVERAGE

_SHOWN = 20  # findings


def judge(change: Change) -> Verdict:
    """Lint the repository as it will be after the change.

    All bytes are read of additions that are not approved, headers of everything else. Folders that are configured apart
    are checked apart. Errors that a later upload can complete, and those that the repository had before, come back as
    warnings.
    """
    fresh = {a.name for a in change.additions if not a.approved}
    with base_of(change) as base:
        try:
            pairs = list(_reports(change, base, fresh))
        except UsageError as error:  # a configuration that cannot be followed
            return Verdict(stopped=error.message)
        except UnfinishedError as error:
            return _without_remote(change, error) if base.stays else Verdict(stopped=error.message)
        reports = [report for report, _ in pairs]
        stopped = next((report.stopped for report in reports if report.stopped), "")
        if stopped and base.stays:
            return _without_remote(change, UnfinishedError(stopped))
    if not reports:
        return Verdict()
    gaps = []
    if base.trouble:
        gaps.append(f"what is in {change.repo} already ({base.trouble})")
    if change.unseen:
        gaps.append(f"{len(change.unseen)} files whose content is not here")
    reports[-1] = covered(reports[-1], gaps)
    counted = (f for report in reports for f in report.findings if f.severity != "note")
    was = {rule.id: rule.was for _, under in pairs for rule in under.rules}
    findings = tuple(_said(f, was.get(f.rule, ())) for f in counted if f.active or f.suppression)
    findings += tuple(Said(COVERAGE, "error", "; ".join(r.gaps)) for r in reports if r.strict and not r.complete)
    options = Options(color=colored("auto", sys.stderr), limit=_SHOWN, notes=False)
    worth = stopped or any(not said.accepted for said in findings)
    return Verdict(findings, render(reports, options) if worth else "", stopped)


def _said(f: Finding, was: tuple[str, ...]) -> Said:
    why = f"{f.suppression.reason} ({f.suppression.where})" if f.suppression else ""
    return Said(f.rule, f.severity, f.message, why, was)


def _without_remote(change: Change, error: TensorlintError) -> Verdict:
    """The verdict on the additions alone, where the repository could not be read."""
    verdict = judge(replace(change, remote=False))
    note = f"only the files of this upload were checked: {error.message}"
    return replace(verdict, text=f"{verdict.text}{note}\n" if verdict.text else "")


def _folder(change: Change) -> Path | None:
    """The folder on this machine that an upload comes from: where a file of it lies, less its path in the upload."""
    for addition in change.additions:
        if isinstance(addition.content, str):
            path = Path(addition.content).absolute()
            return (
                Path(str(path)[: -len(addition.name)]) if path.as_posix().endswith("/" + addition.name) else path.parent
            )
    return None


def _reports(change: Change, base: Base, fresh: set[str]) -> Iterator[tuple[Report, Ruleset]]:
    """Reports on the folders that are configured apart, where there are checkpoints in them, and what each is under."""
    source = OverlaySource(change.repo, {a.name: a.content for a in change.additions}, base.stays)
    folder = _folder(change)
    configuration = discover(folder) if folder else None
    for inside, without in apart(configuration, folder, source.files()):
        settings = settings_for(str(folder / inside) if folder else "", configuration)
        # What leaves is read, whatever is enough on the desk.
        chosen = ruleset(replace(settings, depth="full"), configuration)
        before = PartOf(base.before, without, inside) if base.before else None
        try:
            run = Run.of(PartOf(source, without, inside), chosen, root=folder)
        except NoCheckpointError:
            continue
        yield _report(change.repo, source, run, before, fresh), chosen


def _report(repo: str, source: OverlaySource, run: Run, earlier: Source | None, fresh: set[str]) -> Report:
    """The report on a part of the upload; `earlier` is the same part of the repository as it is."""
    run = replace(run, jobs=tuple(_reading(job, source, fresh) for job in run.jobs))
    with bar(run.bytes, repo, None) as advance:
        report = run.report(advance)
    shards = {name for job in run.jobs for name in job.shards}
    staying = sum(not source.is_local(name) for name in shards)
    known = cache(lambda: _places(earlier, run.ruleset))
    rules = {rule.id: rule for rule in run.ruleset.rules}
    report = replace(report, findings=tuple(_weighed(report.findings, rules, source, known)))
    many = "s" if staying > 1 else ""
    return covered(report, (f"the values in {staying} shard{many} that {repo} holds already",) if staying else ())


def _reading(job: Job, source: OverlaySource, fresh: set[str]) -> Job:
    """The job with only the fresh files to read; bytes of shards in the repository are not compared with anything."""
    job = job.reading(fresh)
    return job if all(map(source.is_local, job.shards)) else job.without_own_reading()


def _weighed(
    findings: tuple[Finding, ...],
    rules: Mapping[str, Rule],
    source: OverlaySource,
    before: Callable[[], set[tuple[str, str, str]]],
) -> Iterator[Finding]:
    """Findings with the severity they have for this upload.

    People upload shard by shard: what a later upload can still complete is no reason to block this one. With a part of
    the tensors, a module can look like another scheme's, or broken; what is said of single tensors and files holds.
    """
    gaps = {f.checkpoint for f in findings if f.rule in rules and rules[f.rule].awaits == "shards"}
    for finding in findings:
        why, rule = "", rules.get(finding.rule)
        if finding.severity == "error" and finding.active:
            if rule is not None and rule.awaits:
                why = "a later upload may complete it"
            elif rule is not None and rule.about == "model" and finding.checkpoint in gaps:
                why = "shards are still to come"
            elif finding.locations and not any(source.is_local(loc.file) for loc in finding.locations):
                known = before()
                if all((finding.rule, loc.file, loc.tensor) in known for loc in finding.locations):
                    why = "the repository has it already"
        yield replace(finding, severity="warning", note=f"does not block: {why}") if why else finding


def _places(source: Source | None, chosen: Ruleset) -> set[tuple[str, str, str]]:
    """(rule, file, tensor) of everything that headers tell about the repository as it is."""
    if source is None:
        return set()
    try:
        settings = replace(chosen.settings, depth="headers", baseline=None, ignores=())
        report = Run.of(source, replace(chosen, settings=settings)).report()
    except TensorlintError:
        return set()
    return {(f.rule, loc.file, loc.tensor) for f in report.findings for loc in f.locations}
