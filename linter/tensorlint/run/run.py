"""The run: a source under a ruleset is planned, measured, judged and gathered into a report. Prints nothing.

Whoever wants a report goes through here: the commands, both gates, the library and the examples of rules.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..container.checkpoint import Checkpoint
from ..errors import UnfinishedError
from ..measures.cached import CachedScanner
from ..measures.device.choice import checked, scanner_for
from ..measures.interface import Measures
from ..measures.plan import Depth
from ..measures.scan import CpuScanner, Progress, Scanner, StoppedError
from ..report.findings import Finding, Report
from ..rulebook.model import SEVERITIES
from ..settings.keys import Ignore
from ..settings.ruleset import Ruleset, ruleset
from ..settings.tasks import Task
from ..sources.interface import RemoteSource, Source, about
from ..sources.opening import opened
from ..sources.part import PartOf
from ..text.toml import shown
from .accept import Accept, Ledger
from .baseline import Baseline, load_baseline
from .causes import without_consequences
from .gather import gather
from .plan import Job, jobs_for
from .subjects import Draft, about_checkpoint, about_facts, about_modules, about_tensors

if TYPE_CHECKING:
    from ..measures.cache import MeasureCache


@dataclass(frozen=True)
class Run:
    """Checkpoints whose headers have been read and whose bytes have not.

    `root` is the folder that places in the report are relative to, None where they are on no disk.
    """

    source: Source
    ruleset: Ruleset
    depth: Depth
    jobs: tuple[Job, ...]
    skipped: Mapping[str, str]
    root: Path | None = None
    started: float = field(default_factory=time.monotonic)
    baseline: Baseline | None = None
    device: str = "auto"

    @classmethod
    def of(cls, source: Source, ruleset: Ruleset, *, depth: Depth | None = None, root: Path | None = None) -> Run:
        """Read all headers and plan. What the settings of the ruleset say of depth, baseline and device holds.

        `depth` is for where the settings name none; without it, it is scales over a network and full elsewhere. Raises
        NoCheckpointError when there is nothing to check, UsageError for settings that cannot be followed, and
        UnfinishedError when a header cannot be read.
        """
        return _Terms.of(ruleset, root, source.target).run(source, depth)

    @property
    def bytes(self) -> int:
        """Tensor bytes that will be read."""
        return sum(job.plan.bytes for job in self.jobs)

    def report(
        self,
        progress: Progress | None = None,
        *,
        ledger: Ledger | None = None,
        final: Collection[Ignore] = (),
        cache: Callable[[], MeasureCache | None] | None = None,
        scanner: Scanner | None = None,
    ) -> Report:
        """Measure, judge, gather.

        `ledger` remembers over several runs which ignores matched, `final` are those about which it is known after this
        run whether they match anything. `cache` opens the cache of measures; without it everything is read. `scanner`
        measures in place of the one that the settings mean. A file that vanishes or shrinks meanwhile ends the run
        early; the report then says so in `stopped`.
        """
        done = _Done(self.source, self.ruleset, progress, scanner or self._scanner(cache))
        for job in self.jobs:
            try:
                done.check(job)
            except UnfinishedError as error:
                done.stopped = f"{error.message}; {error.hint}" if error.hint else error.message
                break
        accept = Accept.of(self.ruleset, self.root, self.baseline, ledger or Ledger(), final)
        return self._reported(done, self._findings(done, accept))

    def _scanner(self, cache: Callable[[], MeasureCache | None] | None) -> Scanner:
        host = CpuScanner(self.ruleset.settings.jobs or 0)
        scanner = scanner_for(self.device, self.source, [job.plan for job in self.jobs], host)
        return scanner if cache is None else CachedScanner(scanner, cache)

    @property
    def _ran(self) -> tuple[str, ...]:
        return tuple(rule.id for rule in self.ruleset.rules if rule.id not in self.skipped)

    def _findings(self, done: _Done, accept: Accept) -> tuple[Finding, ...]:
        """What was found, what is to be said about ignores, and what only the baseline has; what counts comes first."""
        rules = self.ruleset.rules
        found = list(gather(without_consequences(done.drafts), self.source, accept.split))
        partly = bool(done.stopped) or any(_unread(job.view.checkpoint) for job in self.jobs)
        for remark in accept.remarks(rules, self._ran, partly):
            found.extend(gather([remark], self.source, accept.split))
        found.extend(accept.gone(() if partly else self._ran))
        return tuple(sorted(found, key=_order))

    def _reported(self, done: _Done, findings: tuple[Finding, ...]) -> Report:
        checkpoints = [job.view.checkpoint for job in self.jobs]
        source, settings = self.source, self.ruleset.settings
        schemes = Counter(m.scheme.name for job in self.jobs for m in job.view.quantized)
        return Report(
            target=source.target,
            depth=self.depth,
            checkpoints=tuple(c.name for c in checkpoints),
            findings=findings,
            schemes=dict(schemes.most_common()),
            tensors=sum(len(c.tensors) for c in checkpoints),
            shards=sum(len(c.shards) for c in checkpoints),
            bytes_read=source.fetched if isinstance(source, RemoteSource) else done.bytes_read,
            bytes_known=done.bytes_known,
            bytes_total=sum(s.header.size for c in checkpoints for s in c.shards.values()),
            seconds=round(time.monotonic() - self.started, 3),
            rules_run=self._ran,
            rules_skipped=dict(self.skipped),
            gaps=tuple(done.gaps),
            stopped=done.stopped,
            origin=about(source).origin,
            address=about(source).address,
            baseline=self.baseline.name if self.baseline else "",
            settings=tuple(shown(Path(file)) for file in settings.files),
            fail_on=settings.fail_on,
            strict=settings.fail_on_coverage,
        )


def covered(report: Report, gaps: Collection[str]) -> Report:
    """The report with further gaps that are no fault of what was checked: they do not make a strict report fail."""
    strict = report.strict and not report.complete
    return replace(report, gaps=(*report.gaps, *gaps), strict=strict)


@contextmanager
def run_of(task: Task) -> Iterator[Run]:
    """The run of a task; its source is closed on leaving. Raises what `Run.of` and opening the target raise."""
    rules = ruleset(task.settings, task.configuration)
    terms = _Terms.of(rules, None if task.remote else Path(task.folder), task.target)
    with opened(task.target, rules.book.configs) as source:
        yield terms.run(PartOf(source, task.without) if task.without else source)


@dataclass(frozen=True)
class _Terms:
    """What a run needs beside its source; what is wrong with it is said before anything is opened."""

    ruleset: Ruleset
    root: Path | None
    device: str
    baseline: Baseline | None
    started: float

    @classmethod
    def of(cls, ruleset: Ruleset, root: Path | None, target: str) -> _Terms:
        settings = ruleset.settings
        device = checked(settings.device or "auto")
        baseline = (
            load_baseline(settings.baseline, str(root or target), ruleset.book.current) if settings.baseline else None
        )
        return cls(ruleset, root, device, baseline, time.monotonic())

    def run(self, source: Source, depth: Depth | None = None) -> Run:
        """Read the headers and plan; `depth` is for where the settings name none."""
        rules = self.ruleset
        depth = rules.settings.depth or depth or ("scales" if isinstance(source, RemoteSource) else "full")
        jobs, skipped = jobs_for(source, rules.book, rules.rules, depth)
        return Run(source, rules, depth, tuple(jobs), skipped, self.root, self.started, self.baseline, self.device)


@dataclass
class _Done:
    """What adds up over the checkpoints of one run."""

    source: Source
    ruleset: Ruleset
    progress: Progress | None
    scanner: Scanner
    drafts: list[Draft] = field(default_factory=list)
    bytes_read: int = 0
    bytes_known: int = 0
    gaps: list[str] = field(default_factory=list)
    stopped: str = ""

    def check(self, job: Job) -> None:
        """Add what there is to say about one checkpoint; raises UnfinishedError with what was found kept."""
        rules, view, checkpoint = self.ruleset.rules, job.view, job.view.checkpoint
        label = checkpoint.name
        self.bytes_read += sum(s.header.data_start for s in checkpoint.shards.values())
        self.gaps.extend(view.gaps)
        # What headers alone can tell is said even when reading the bytes fails later.
        facts = list(checkpoint.facts)
        for check in job.checks:
            facts.extend(check.run(view, {}) if check.on_headers else ())
        self.drafts.extend(about_facts(rules, facts, view, label))
        measured, stopped = self._measured(job)
        self.drafts.extend(about_tensors(rules, view, measured, label))
        self.drafts.extend(about_checkpoint(rules, view, label))
        self.drafts.extend(about_modules(rules, view, measured, label))
        if stopped is not None:
            raise stopped  # the checks compare tensors with each other, which needs all of them
        facts = [fact for check in job.checks if not check.on_headers for fact in check.run(view, measured)]
        self.drafts.extend(about_facts(rules, facts, view, label))

    def _measured(self, job: Job) -> tuple[Mapping[tuple[str, str], Measures], StoppedError | None]:
        before = self.bytes_read
        try:
            measured = self.scanner(self.source, job.plan, self._advance)
        except StoppedError as error:
            return error.measured, error
        self.bytes_known += job.plan.bytes - (self.bytes_read - before)
        return measured, None

    def _advance(self, amount: int) -> None:
        self.bytes_read += amount
        if self.progress is not None:
            self.progress(amount)


def _unread(checkpoint: Checkpoint) -> bool:
    """Whether tensors of the checkpoint could not be looked at."""
    damaged = any(not s.header.readable or s.header.unusable for s in checkpoint.shards.values())
    return damaged or bool(checkpoint.not_downloaded)


def _order(finding: Finding) -> tuple[bool, int, str, str]:
    return not finding.active, SEVERITIES.index(finding.severity), finding.rule, finding.fingerprint
