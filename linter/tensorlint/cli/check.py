"""`tensorlint check`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import click

from ..errors import NoCheckpointError, UnfinishedError, UsageError
from ..report.findings import Report
from ..report.interface import Failure, Options
from ..report.terminal import bar, colored, columns
from ..rulebook.model import Rule
from ..run.accept import Ledger
from ..run.reach import final_ignores
from ..run.run import Run, run_of
from ..settings.keys import Ignore
from ..settings.ruleset import ruleset
from ..settings.settings import shown
from ..settings.tasks import Task, Wanted, tasks_for
from ..text.wording import printable, size
from .common import color_option, progress_option
from .complain import complain
from .completing import offer_paths
from .measures import cache_option, user_cache
from .outputs import Output, Writer, format_option
from .settings import asked_for, settings_options


@click.command("check", short_help="Check checkpoints.")
@click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=offer_paths)
@format_option
@settings_options
@click.option("--new-only", is_flag=True, help="Show only what the baseline does not hold.")
@click.option("--show-suppressed", is_flag=True, help="Show findings that a configuration ignores, with the reason.")
@click.option("--show-settings", is_flag=True, help="Print the settings with where each comes from, and stop.")
@click.option("--plan", is_flag=True, help="Print what would be read, and stop.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="Findings shown in text; 0 for all.",
)
@color_option
@progress_option
@cache_option
@click.option("-q", "--quiet", is_flag=True, help="Leave notes out of text and concise.")
def command(
    targets: tuple[str, ...],
    outputs: tuple[Output, ...],
    new_only: bool,
    show_suppressed: bool,
    show_settings: bool,
    plan: bool,
    limit: int,
    color: str,
    progress: bool | None,
    no_cache: bool,
    quiet: bool,
    **settings: Any,
) -> int:
    """Check checkpoints and say what is wrong, where, what it does when served, and what to do.

    TARGET is a folder, a .safetensors file, an index, or a model on the Hub; default is the current folder. Findings go
    to stdout, progress to stderr, the verdict comes last.

    \b
    tensorlint check ./model                        every rule, every byte
    tensorlint check ./model --depth headers        seconds, whatever the size
    tensorlint check ./model --select scales        only the rules about scales
    tensorlint check ./model --rules my-rules/      with your own rules and schemes
    tensorlint check ./a ./b -f json                {"version", "exit_code", "targets": [a report for each]}
    tensorlint check org/model@refs/pr/3            a model on the Hub, by ranges; a local path comes first
    tensorlint check ./model --baseline old.json    only what old.json does not hold makes it fail
    tensorlint check ./model -f text -f sarif=a.sarif
                                                    text to read, and a file for code scanning
    tensorlint check ./model --show-settings        what applies here, and which file says so
    """
    if plan and any(output.format != "text" or output.file for output in outputs):
        raise UsageError("--plan is written as text only", "leave out -f, or --plan")
    asked = asked_for(**settings)
    names = targets or (".",)
    if show_settings:
        for task in (task for name in names for task in tasks_for(name, asked)):
            ruleset(task.settings, task.configuration)  # what is wrong with it is said here too
            click.echo(shown(task.settings, task.target), nl=False)
        return 0
    gc.freeze()  # a run makes millions of objects and hardly a cycle: collecting them is a fifth of its time
    gc.set_threshold(200_000, 50, 50)
    rules: dict[str, Rule] = {}
    options = Options(colored(color, sys.stdout), limit, columns(), not quiet, show_suppressed, not new_only, rules)
    writer = Writer(outputs, options)
    steps = [step for name in names for step in _steps(name, asked, alone=len(names) == 1)]
    tasks = [step for step in steps if isinstance(step, Task)]
    if new_only and not all(task.settings.baseline for task in tasks):
        raise UsageError("--new-only needs a baseline", "tensorlint check TARGET --baseline REPORT.json --new-only")
    ledger = Ledger()
    worst, done = 0, 0
    for step in steps:
        if isinstance(step, Task):
            final = final_ignores(tasks, done, asked)
            done += 1
            try:
                report = _run(step, ledger, final, plan, progress, rules, no_cache)
            except (NoCheckpointError, UnfinishedError) as error:
                if len(names) == 1:
                    raise
                step = _Lost(step.target, error)
        if isinstance(step, _Lost):
            why = step.error
            complain(why.message, why.hint)  # the others are checked all the same
            worst = max(worst, why.exit_code)
            writer.add(Failure(step.target, why.message, why.exit_code))
            continue
        if report is None:
            continue
        writer.add(report)
        worst = max(worst, report.exit_code(report.fail_on))
    writer.close()
    return worst


@dataclass(frozen=True)
class _Lost:
    """A target about which there is no report."""

    target: str
    error: NoCheckpointError | UnfinishedError


def _steps(name: str, asked: Wanted, alone: bool) -> Iterable[Task | _Lost]:
    """What is to be done for a target; an error ends the command when it is the only one."""
    try:
        return tasks_for(name, asked)
    except (NoCheckpointError, UnfinishedError) as error:
        if alone:
            raise
        return (_Lost(name, error),)


def _run(
    task: Task,
    ledger: Ledger,
    final: Collection[Ignore],
    plan: bool,
    progress: bool | None,
    rules: dict[str, Rule],
    no_cache: bool,
) -> Report | None:
    """The report on one target, or None where only the plan was asked for and has been printed.

    `rules` gets those that the task knows.
    """
    with run_of(task) as run:
        rules.update(run.ruleset.book.rules)
        if plan:
            _print_plan(task.target, run)
            return None
        with bar(run.bytes, task.target, progress) as advance:
            return run.report(advance, ledger=ledger, final=final, cache=None if no_cache else user_cache)


def _print_plan(target: str, run: Run) -> None:
    for job in run.jobs:
        checkpoint = job.view.checkpoint
        headers = sum(s.header.data_start for s in checkpoint.shards.values())
        whole = sum(s.header.size for s in checkpoint.shards.values())
        name = printable(f"{target}: {checkpoint.folder}{checkpoint.stem}".rstrip(": "))
        click.echo(f"{name}: {size(headers)} of headers and {size(job.plan.bytes)} of tensors, of {size(whole)}")
        for shard, needs in job.plan.by_shard.items():
            amount = sum(n.tensor.nbytes for n in needs)
            words = sorted({w for n in needs for w in n.words})
            click.echo(f"  {printable(shard)}: {len(needs):,} tensors, {size(amount)} ({', '.join(words)})")
    if run.skipped:
        click.echo(f"{len(run.skipped)} rules would not run:")
        for rule, reason in run.skipped.items():
            click.echo(f"  {rule}: {reason}")
