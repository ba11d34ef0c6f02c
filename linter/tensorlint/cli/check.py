"""`tensorlint check`."""

from __future__ import annotations

import gc
import shutil
import sys
import time
from pathlib import Path

import click

from ..engine import Job, check, prepare
from ..errors import NoCheckpointError, UnfinishedError, UsageError
from ..findings import SEVERITIES, Report
from ..measures.plan import DEPTHS
from ..measures.scan import Scanner
from ..reporters import REPORTERS
from ..reporters.interface import Options
from ..reporters.json import as_dict, failed, several
from ..rulebook.library import Book
from ..rulebook.message import printable, size
from ..rulebook.model import Rule
from ..sources.interface import RemoteSource
from ..sources.opening import opened
from .common import book_with, cache_option, cpu_scanner, jobs_option, rules_option
from .complain import colored, complain
from .progress import bar


@click.command("check", short_help="Check checkpoints.")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option(
    "--depth",
    type=click.Choice(DEPTHS),
    default=None,
    show_default="full; for a model on the Hub scales",
    help="How much is read: the JSON headers, also the scales, or every byte.",
)
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(list(REPORTERS)),
    default="text",
    show_default=True,
    help="How the report is written.",
)
@click.option("--select", multiple=True, metavar="RULES", help="Only these rules: names, globs or folders. Repeatable.")
@click.option("--ignore", multiple=True, metavar="RULES", help="Not these rules. Repeatable.")
@rules_option
@click.option(
    "--fail-on",
    type=click.Choice([*SEVERITIES, "never"]),
    default="error",
    show_default=True,
    help="Least severity that makes the exit code 1.",
)
@click.option("--plan", is_flag=True, help="Print what would be read, and stop.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="Findings shown in text; 0 for all.",
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours in text.",
)
@click.option("--progress/--no-progress", default=None, help="Progress on stderr.  [default: on a terminal]")
@jobs_option
@cache_option
@click.option("-q", "--quiet", is_flag=True, help="Leave notes out of text and concise.")
def command(
    targets: tuple[str, ...],
    depth: str | None,
    format_: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    extra_rules: tuple[Path, ...],
    fail_on: str,
    plan: bool,
    limit: int,
    color: str,
    progress: bool | None,
    jobs: int | None,
    no_cache: bool,
    quiet: bool,
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
    """
    if plan and format_ != "text":
        raise UsageError("--plan is written as text only", f"leave out -f {format_}, or --plan")
    book = book_with(extra_rules)
    rules = book.select(select, ignore)
    gc.freeze()  # a run makes millions of objects and hardly a cycle: collecting them is a fifth of its time
    gc.set_threshold(200_000, 50, 50)
    columns = shutil.get_terminal_size((120, 24)).columns
    options = Options(colored(color, sys.stdout), limit, fail_on, columns, not quiet)
    names = targets or (".",)
    one_by_one = len(names) == 1 or format_ != "json"
    scanner = cpu_scanner(jobs, no_cache)
    worst, reports = 0, []
    for target in names:
        try:
            report = _run(target, depth, book, rules, plan, progress, scanner)
        except (NoCheckpointError, UnfinishedError) as error:
            if len(names) == 1:
                raise
            complain(error.message, error.hint)  # the others are checked all the same
            worst = max(worst, error.exit_code)
            reports.append(failed(target, error.message, error.exit_code))
            continue
        if report is None:
            continue
        if one_by_one:
            click.echo(REPORTERS[format_](report, options), nl=False, color=True)
        else:
            reports.append(as_dict(report, fail_on))
        worst = max(worst, report.exit_code(fail_on))
    if not one_by_one:
        click.echo(several(reports, worst), nl=False)
    return worst


def _run(
    target: str,
    depth: str | None,
    book: Book,
    rules: tuple[Rule, ...],
    plan: bool,
    progress: bool | None,
    scanner: Scanner,
) -> Report | None:
    """The report on one target, or None where only the plan was asked for and has been printed."""
    with opened(target) as source:
        reach = depth or ("scales" if isinstance(source, RemoteSource) else "full")
        started = time.monotonic()
        jobs = prepare(source, book, rules, reach)
        if plan:
            _print_plan(target, *jobs)
            return None
        bytes_ahead = sum(job.plan.bytes for job in jobs[0])
        with bar(bytes_ahead, target, progress) as advance:
            return check(source, book, rules, reach, advance, jobs, started, scanner)


def _print_plan(target: str, jobs: list[Job], skipped: dict[str, str]) -> None:
    for job in jobs:
        checkpoint = job.view.checkpoint
        headers = sum(s.header.data_start for s in checkpoint.shards.values())
        whole = sum(s.header.size for s in checkpoint.shards.values())
        name = printable(f"{target}: {checkpoint.folder}{checkpoint.stem}".rstrip(": "))
        click.echo(f"{name}: {size(headers)} of headers and {size(job.plan.bytes)} of tensors, of {size(whole)}")
        for shard, needs in job.plan.by_shard.items():
            amount = sum(n.tensor.nbytes for n in needs)
            words = sorted({w for n in needs for w in n.words})
            click.echo(f"  {printable(shard)}: {len(needs):,} tensors, {size(amount)} ({', '.join(words)})")
    if skipped:
        click.echo(f"{len(skipped)} rules would not run:")
        for rule, reason in skipped.items():
            click.echo(f"  {rule}: {reason}")
