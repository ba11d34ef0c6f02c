"""`tensorlint pre-commit`: what the hooks of pre-commit and prek call."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..errors import NoCheckpointError, UnfinishedError
from ..report.findings import Finding, Report
from ..report.terminal import bar, colored, columns
from ..rulebook.model import SEVERITIES
from ..sources.git import repo_at
from .complain import complain
from .settings import asked_for, settings_options


@click.command("pre-commit", short_help="Check what a commit changes; the hooks of pre-commit and prek call it.")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--all", "everything", is_flag=True, help="Every checkpoint of the repository, not only those of FILE.")
@click.option(
    "--require-content", is_flag=True, help="A git-lfs pointer whose object is not on this machine is an error."
)
@partial(settings_options, depth="scales")
def command(
    files: tuple[str, ...],
    everything: bool,
    require_content: bool,
    **settings: Any,
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
    from ..gate.git.commit import lint, staged

    asked = asked_for(**settings)
    begin, end = (os.environ.get(f"PRE_COMMIT_{name}_REF", "") for name in ("FROM", "TO"))
    repo = repo_at(Path())
    what = staged(repo, files, everything, (begin, end) if begin and end else None)
    worst, blocking = 0, []
    for folder in what.folders:
        try:
            found = lint(repo, what, folder, asked, _watch, require_content)
        except (NoCheckpointError, UnfinishedError) as error:
            complain(error.message, error.hint)  # the others are checked all the same
            worst = max(worst, error.exit_code)
            continue
        if found is not None:
            _show(found)
            worst = max(worst, found.exit_code(found.fail_on))
            blocking += _blocking(found)
    if blocking:
        from ..gate.git.advice import advice

        click.echo("\n".join(["", *advice(blocking, "tensorlint-full" if everything else "tensorlint")]))
    return worst


def _watch(total: int, label: str) -> AbstractContextManager[Any]:
    return bar(total, label, None)


def _show(report: Report) -> None:
    from ..report.interface import Options
    from ..report.text import render

    options = Options(colored("auto", sys.stdout), width=columns(), notes=False)
    click.echo(render([report], options), nl=False, color=True)


def _blocking(report: Report) -> list[Finding]:
    if report.fail_on == "never":
        return []
    failing = SEVERITIES[: SEVERITIES.index(report.fail_on) + 1]
    return [f for f in report.findings if f.active and f.severity in failing]
