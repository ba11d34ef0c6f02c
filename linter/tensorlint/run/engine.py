"""The loop: find checkpoints, recognise, plan, measure, apply the rules, report. Prints nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..checks import CHECKS
from ..checks.check import Check
from ..container.checkpoint import Checkpoint, find_checkpoints
from ..errors import NoCheckpointError, UnfinishedError
from ..facts import Fact
from ..measures.interface import Measures
from ..measures.plan import DEPTHS, Need, Plan, make_plan
from ..measures.scan import Progress, Scanner, StoppedError, on_cpu
from ..report.findings import Finding, Report
from ..rulebook.library import Book
from ..rulebook.model import SEVERITIES, Rule
from ..schemes.recognise import recogniser_for
from ..schemes.view import TensorUnit, View
from ..sources.interface import RemoteSource, Source
from .causes import without_consequences
from .counting import Counting
from .gather import finish
from .select import Selected, Selection
from .subjects import Draft, apply_facts, apply_modules, apply_tensors


@dataclass(frozen=True)
class Job:
    """One checkpoint with what the rules need of it."""

    view: View
    plan: Plan
    checks: tuple[Check, ...]


@dataclass
class _Run:
    """What adds up over the checkpoints of one run."""

    drafts: list[Draft] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    bytes_read: int = 0
    bytes_known: int = 0
    gaps: list[str] = field(default_factory=list)
    stopped: str = ""


def prepare(source: Source, book: Book, rules: Iterable[Rule], depth: str) -> tuple[list[Job], dict[str, str]]:
    """Jobs for every checkpoint of the source, and the rules that this depth leaves out, with the reason.

    Raises NoCheckpointError when there is nothing to check.
    """
    rules = tuple(rules)
    recogniser = recogniser_for(tuple(book.schemes.values()))
    jobs: list[Job] = []
    skipped: dict[str, str] = {}
    for checkpoint in find_checkpoints(source):
        view = View(checkpoint, book, recogniser)
        needs: list[Need] = []
        needs.extend(_tensor_needs(rules, view, depth, skipped))
        for rule in rules:
            if rule.each == "module" and rule.words:
                needs.extend(_module_needs(rule, view, depth, skipped))
        checks = []
        facts = {rule.fact: rule.id for rule in rules if rule.fact}
        for check in CHECKS:
            wanted = [facts[s] for s in check.states if s in facts]
            if not wanted:
                continue
            if DEPTHS.index(check.depth) > DEPTHS.index(depth):
                skipped.update({rule: _reason(check.depth) for rule in wanted})
                continue
            checks.append(check)
            if check.needs is not None:
                needs.extend(check.needs(view))
        jobs.append(Job(view, make_plan(needs), tuple(checks)))
    if not jobs:
        raise NoCheckpointError(
            f"there is no .safetensors file or index at {source.target}",
            "name a folder, a .safetensors file or an index",
        )
    if not any(job.view.checkpoint.tensors or job.view.checkpoint.facts for job in jobs):
        raise NoCheckpointError(f"the checkpoint at {source.target} holds no tensors")
    return jobs, skipped


def _reason(depth: str) -> str:
    return f"needs {'the scales' if depth == 'scales' else 'the weights'} (--depth {depth})"


def _in_reach(unit: TensorUnit, depth: str) -> bool:
    return depth == "full" or (depth == "scales" and unit.scale_like)


def _tensor_needs(rules: Iterable[Rule], view: View, depth: str, skipped: dict[str, str]) -> Iterable[Need]:
    selection = Selection(r for r in rules if r.words)
    left_out: dict[tuple[Selected, bool], None] = {}  # alike units once, the one seen last at the end
    for unit in view.units:
        if not unit.tensor.nbytes:
            continue
        selected = selection.of(unit)
        if not selected.rules:
            continue
        if _in_reach(unit, depth):
            yield Need(unit.tensor, unit.encoding, selected.words)
        else:
            alike = selected, unit.scale_like
            left_out.pop(alike, None)
            left_out[alike] = None
    for selected, scale_like in left_out:
        reason = _reason("scales" if scale_like else "full")
        skipped.update((rule.id, reason) for rule in selected.rules)


def _module_needs(rule: Rule, view: View, depth: str, skipped: dict[str, str]) -> Iterable[Need]:
    for module in view.modules.values():
        for part, words in rule.words.items():
            tensor = module.parts.get(part)
            if tensor is None:
                continue
            unit = view.unit_of[tensor.name]
            if _in_reach(unit, depth):
                yield Need(tensor, unit.encoding, words)
            else:
                skipped[rule.id] = _reason("scales" if unit.scale_like else "full")


def check(
    source: Source,
    book: Book,
    rules: Iterable[Rule],
    depth: str = "full",
    progress: Progress | None = None,
    jobs: tuple[list[Job], dict[str, str]] | None = None,
    started: float | None = None,
    scanner: Scanner = on_cpu,
    counting: Counting | None = None,
) -> Report:
    """Check everything at a source.

    `scanner` does the measuring, `counting` knows what is ignored and what a baseline holds. `jobs` are those of an
    earlier `prepare`, `started` the reading of time.monotonic() from which seconds count. A file
    that vanishes or shrinks meanwhile ends the run early; the report then says so in `stopped`.
    """
    started = time.monotonic() if started is None else started
    rules = tuple(rules)
    todo, skipped = jobs or prepare(source, book, rules, depth)
    run = _Run(skipped=skipped)
    for job in todo:
        try:
            _one(source, job, rules, run, progress, scanner)
        except UnfinishedError as error:
            run.stopped = f"{error.message}; {error.hint}" if error.hint else error.message
            break
    rules_run = tuple(r.id for r in rules if r.id not in run.skipped)
    findings = _findings(run, source, rules, rules_run, counting or Counting(), todo)
    checkpoints = [job.view.checkpoint for job in todo]
    return Report(
        target=source.target,
        depth=depth,
        checkpoints=tuple(c.name for c in checkpoints),
        findings=findings,
        schemes=_schemes(todo),
        tensors=sum(len(c.tensors) for c in checkpoints),
        shards=sum(len(c.shards) for c in checkpoints),
        bytes_read=source.fetched if isinstance(source, RemoteSource) else run.bytes_read,
        bytes_known=run.bytes_known,
        bytes_total=sum(s.header.size for c in checkpoints for s in c.shards.values()),
        seconds=round(time.monotonic() - started, 3),
        rules_run=rules_run,
        rules_skipped=run.skipped,
        gaps=tuple(run.gaps),
        stopped=run.stopped,
        origin=getattr(source, "origin", ""),
        baseline=counting.baseline.name if counting and counting.baseline else "",
    )


def _findings(
    run: _Run, source: Source, rules: tuple[Rule, ...], rules_run: tuple[str, ...], counting: Counting, jobs: list[Job]
) -> tuple[Finding, ...]:
    """What was found, what is to be said about ignores, and what only the baseline has; what counts comes first."""
    found = list(finish(without_consequences(run.drafts), source, counting))
    partly = bool(run.stopped) or any(_unread(job.view.checkpoint) for job in jobs)
    found.extend(counting.remarks(rules, rules_run, partly, source))
    found.extend(counting.gone(() if partly else rules_run))
    return tuple(sorted(found, key=_order))


def _unread(checkpoint: Checkpoint) -> bool:
    """Whether tensors of the checkpoint could not be looked at."""
    damaged = any(not s.header.readable or s.header.unusable for s in checkpoint.shards.values())
    return damaged or bool(checkpoint.not_downloaded)


def _one(
    source: Source, job: Job, rules: tuple[Rule, ...], run: _Run, progress: Progress | None, scanner: Scanner
) -> None:
    view, checkpoint = job.view, job.view.checkpoint
    run.bytes_read += sum(s.header.data_start for s in checkpoint.shards.values())
    run.gaps.extend(view.gaps)
    facts: list[Fact] = list(checkpoint.facts)
    label = checkpoint.name
    # What headers alone can tell is said even when reading the bytes fails later.
    for check_ in job.checks:
        if check_.on_headers:
            facts.extend(check_.run(view, {}))
    run.drafts.extend(apply_facts(rules, facts, view, label))

    before = run.bytes_read

    def advance(amount: int) -> None:
        run.bytes_read += amount
        if progress is not None:
            progress(amount)

    stopped: StoppedError | None = None
    measured: Mapping[tuple[str, str], Measures]
    try:
        measured = scanner(source, job.plan, advance)
    except StoppedError as error:
        measured, stopped = error.measured, error
    else:
        run.bytes_known += job.plan.bytes - (run.bytes_read - before)
    run.drafts.extend(apply_tensors(rules, view, measured, label))
    run.drafts.extend(apply_modules(rules, view, measured, label))
    if stopped is not None:
        raise stopped  # the checks compare tensors with each other, which needs all of them
    late: list[Fact] = []
    for check_ in job.checks:
        if not check_.on_headers:
            late.extend(check_.run(view, measured))
    run.drafts.extend(apply_facts(rules, late, view, label))


def _schemes(jobs: Iterable[Job]) -> dict[str, int]:
    counted = Counter(m.scheme.name for job in jobs for m in job.view.quantized)
    return dict(counted.most_common())


def _order(finding: Finding) -> tuple[bool, int, str, str]:
    return not finding.active, SEVERITIES.index(finding.severity), finding.rule, finding.fingerprint
