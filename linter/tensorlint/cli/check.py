"""`tensorlint check`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from ..engine import Job, check, prepare
from ..errors import NoCheckpointError
from ..findings import SEVERITIES
from ..measures.plan import DEPTHS
from ..reporters import REPORTERS
from ..reporters.interface import Options
from ..rulebook.message import size
from ..sources.local import LocalSource
from .common import book_with, rules_option
from .progress import bar


@click.command("check", short_help="Check checkpoints.")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option(
    "--depth",
    type=click.Choice(DEPTHS),
    default="full",
    show_default=True,
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
@click.option("-q", "--quiet", is_flag=True, help="Leave notes out of the text.")
@click.pass_context
def command(
    ctx: click.Context,
    targets: tuple[str, ...],
    depth: str,
    format_: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    extra_rules: tuple[Path, ...],
    fail_on: str,
    plan: bool,
    limit: int,
    color: str,
    progress: bool | None,
    quiet: bool,
) -> int:
    """Check checkpoints and say what is wrong, where, what it does when served, and what to do.

    TARGET is a folder, a .safetensors file or an index; default is the current folder. Findings go to stdout, progress
    to stderr, the verdict comes last.

    \b
    tensorlint check ./model                        every rule, every byte
    tensorlint check ./model --depth headers        seconds, whatever the size
    tensorlint check ./model --select scales        only the rules about scales
    tensorlint check ./model --rules my-rules/      with your own rules and schemes
    """
    book = book_with(extra_rules)
    rules = book.select(select, ignore)
    colored = color == "always" or (color == "auto" and sys.stdout.isatty())
    options = Options(colored, limit, fail_on, shutil.get_terminal_size((120, 24)).columns, not quiet)
    worst = 0
    for target in targets or (".",):
        source = LocalSource(_local(target), target)
        jobs = prepare(source, book, rules, depth)
        if plan:
            _print_plan(target, *jobs)
            continue
        bytes_ahead = sum(job.plan.bytes for job in jobs[0])
        with bar(bytes_ahead, target, progress) as advance:
            report = check(source, book, rules, depth, advance, jobs)
        click.echo(REPORTERS[format_](report, options), nl=False, color=True)
        worst = max(worst, report.exit_code(fail_on))
    return worst


def _local(target: str) -> Path:
    path = Path(target)
    if not path.exists():
        hint = "give the path of a folder, a .safetensors file or an index"
        raise NoCheckpointError(f"there is nothing at {target}", hint)
    if path.is_file() and path.name.endswith(".json"):
        return path.parent
    return path


def _print_plan(target: str, jobs: list[Job], skipped: dict[str, str]) -> None:
    for job in jobs:
        checkpoint = job.view.checkpoint
        headers = sum(s.header.data_start for s in checkpoint.shards.values())
        whole = sum(s.header.size for s in checkpoint.shards.values())
        name = f"{target}: {checkpoint.folder}{checkpoint.stem}"
        click.echo(f"{name}: {size(headers)} of headers and {size(job.plan.bytes)} of tensors, of {size(whole)}")
        for shard, needs in job.plan.by_shard.items():
            amount = sum(n.tensor.nbytes for n in needs)
            words = sorted({w for n in needs for w in n.words})
            click.echo(f"  {shard}: {len(needs):,} tensors, {size(amount)} ({', '.join(words)})")
    if skipped:
        click.echo(f"{len(skipped)} rules would not run:")
        for rule, reason in skipped.items():
            click.echo(f"  {rule}: {reason}")
