"""`tensorlint pre-commit`: what the hooks of pre-commit and prek call."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click

from ..errors import TensorlintError
from ..findings import SEVERITIES, Finding, Report
from ..git import repo_at
from ..measures.plan import DEPTHS
from .common import book_with, rules_option
from .complain import colored, complain
from .progress import bar


@click.command("pre-commit", short_help="Check what a commit changes; the hooks of pre-commit and prek call it.")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--all", "everything", is_flag=True, help="Every checkpoint of the repository, not only those of FILE.")
@click.option(
    "--depth",
    type=click.Choice(DEPTHS),
    default="scales",
    show_default=True,
    help="How much is read: the JSON headers, also the scales, or every byte.",
)
@click.option(
    "--require-content", is_flag=True, help="A git-lfs pointer whose object is not on this machine is an error."
)
@rules_option
@click.option(
    "--fail-on",
    type=click.Choice([*SEVERITIES, "never"]),
    default="error",
    show_default=True,
    help="Least severity that stops the commit.",
)
def command(
    files: tuple[str, ...],
    everything: bool,
    depth: str,
    require_content: bool,
    extra_rules: tuple[Path, ...],
    fail_on: str,
) -> int:
    """Check the checkpoints that FILEs belong to, each once, as they will be after the commit.

    The files are those of git's index; their bytes are read from the work tree. A git-lfs pointer is checked through
    the object in the local LFS store; where that is not on this machine it is named as not checked. Files that the
    commit deletes or moves count as changed.

    \b
    tensorlint pre-commit model/config.json        the checkpoint in the folder model, with all of its shards
    tensorlint pre-commit --all --depth full       every byte of every checkpoint of the repository
    SKIP=tensorlint git commit                     commit without this hook, once
    """
    from ..githook.commit import lint, staged

    begin, end = (os.environ.get(f"PRE_COMMIT_{name}_REF", "") for name in ("FROM", "TO"))
    repo = repo_at(Path())
    what = staged(repo, files, everything, (begin, end) if begin and end else None)
    worst, blocking = 0, []
    book = book_with(extra_rules) if what.folders else None
    for folder in what.folders:
        assert book is not None
        try:
            report = lint(repo, what, folder, book, depth, _watch, require_content)
        except TensorlintError as error:
            complain(error.message, error.hint)
            worst = max(worst, error.exit_code)
            continue
        if report is not None:
            _show(report, fail_on)
            worst = max(worst, report.exit_code(fail_on))
            blocking += _blocking(report, fail_on)
    if blocking:
        from ..githook.advice import advice

        hook = "tensorlint-full" if everything else "tensorlint"
        click.echo("\n".join(["", *advice(blocking, hook)]))
    return worst


def _watch(total: int, label: str) -> AbstractContextManager[Any]:
    return bar(total, label, None)


def _show(report: Report, fail_on: str) -> None:
    from ..reporters import REPORTERS
    from ..reporters.interface import Options

    columns = shutil.get_terminal_size((120, 24)).columns or 120
    options = Options(colored("auto", sys.stdout), fail_on=fail_on, width=columns, notes=False)
    click.echo(REPORTERS["text"](report, options), nl=False, color=True)


def _blocking(report: Report, fail_on: str) -> list[Finding]:
    if fail_on == "never":
        return []
    failing = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return [f for f in report.findings if f.active and f.severity in failing]
