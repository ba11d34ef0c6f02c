"""One run from settings to a report: open, load rules, plan, check, and count what counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..measures.cached import CachedScanner
from ..measures.device.choice import checked, scanner_for
from ..measures.scan import CpuScanner, Progress, Scanner
from ..report.findings import Report
from ..settings.keys import Ignore
from ..settings.ruleset import Ruleset, ruleset
from ..settings.settings import Settings
from ..settings.tasks import Task
from ..sources.interface import RemoteSource, Source
from ..sources.opening import opened
from ..sources.part import PartOf
from ..text.toml import shown
from .baseline import Baseline, load_baseline
from .counting import Counting
from .engine import Job, check, prepare
from .suppress import Ignores, Suppressor

if TYPE_CHECKING:
    from ..measures.cache import MeasureCache


@dataclass(frozen=True)
class Prepared:
    """A task whose headers have been read and whose bytes have not."""

    task: Task
    source: Source
    ruleset: Ruleset
    depth: str
    jobs: list[Job]
    skipped: dict[str, str]
    started: float
    baseline: Baseline | None
    device: str = "auto"

    @property
    def bytes(self) -> int:
        """Tensor bytes that will be read."""
        return sum(job.plan.bytes for job in self.jobs)

    def run(
        self,
        suppressor: Suppressor,
        final: Collection[Ignore] = (),
        progress: Progress | None = None,
        cache: Callable[[], MeasureCache | None] | None = None,
    ) -> Report:
        """The report; `final` are ignores about which it is known at its end whether they match anything.

        `cache` opens the cache of measures; without it everything is read.
        """
        root = None if self.task.remote else Path(self.task.folder)
        counting = counting_for(self.ruleset, root, self.baseline, suppressor, final)
        report = check(
            self.source, self.ruleset.book, self.ruleset.rules, self.depth, progress, (self.jobs, self.skipped),
            self.started, self._scanner(cache), counting,
        )  # fmt: skip
        return told(report, self.task.settings)

    def _scanner(self, cache: Callable[[], MeasureCache | None] | None) -> Scanner:
        host = CpuScanner(self.task.settings.jobs or 0)
        scanner = scanner_for(self.device, self.source, [job.plan for job in self.jobs], host)
        return scanner if cache is None else CachedScanner(scanner, cache)


def counting_for(
    chosen: Ruleset,
    root: Path | None,
    baseline: Baseline | None = None,
    suppressor: Suppressor | None = None,
    final: Collection[Ignore] = (),
) -> Counting:
    """What does not count under some rules; `root` is the folder that places in the report are relative to."""
    suppressor = suppressor or Suppressor()
    entries = suppressor.entries(chosen.ignores, chosen.book)
    return Counting(Ignores(suppressor, entries, str(root or ""), final) if entries else None, baseline)


def told(report: Report, settings: Settings) -> Report:
    """The report with what the settings say about it as a whole."""
    files = tuple(shown(Path(f)) for f in settings.files)
    return replace(report, settings=files, fail_on=settings.fail_on, strict=settings.fail_on_coverage)


@contextmanager
def prepared(task: Task, source: Source | None = None) -> Iterator[Prepared]:
    """A task ready to run; its source is closed on leaving, but not one that is given for its target.

    Raises UsageError for names and files of the settings that do not exist, and whatever opening and reading headers
    raises.
    """
    rules = ruleset(task.settings, task.configuration)
    device = checked(task.settings.device or "auto")
    baseline = load_baseline(task.settings.baseline, task.target) if task.settings.baseline else None
    started = time.monotonic()  # loading rules takes as long whatever is checked
    with nullcontext(source) if source else opened(task.target) as source:
        part = PartOf(source, task.without) if task.without else source
        depth = task.settings.depth or ("scales" if isinstance(source, RemoteSource) else "full")
        jobs, skipped = prepare(part, rules.book, rules.rules, depth)
        yield Prepared(task, part, rules, depth, jobs, skipped, started, baseline, device)
