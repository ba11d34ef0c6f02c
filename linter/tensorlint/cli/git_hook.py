"""`tensorlint git-hook`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from ..errors import TensorlintError, UsageError
from ..git import repo_at
from ..githook.install import install, uninstall
from ..githook.push import changes, lint, updates
from ..reporters import REPORTERS
from ..reporters.interface import Options
from .common import book_with
from .complain import colored, complain
from .progress import bar

_MODES = ("block", "warn", "off")
_GO_ON = (
    "push stopped; `TENSORLINT_GATE=off git push` skips this check (`warn` only prints), "
    "`git push --no-verify` all hooks, git-lfs's upload too"
)


@click.group("git-hook", short_help="Check what `git push` would publish.")
def command() -> None:
    """Check the checkpoints of a clone before `git push` sends them, git-lfs objects included.

    The hook checks every byte of the checkpoints that the pushed commits change, as they are in the commits and not in
    the work tree. It runs before any other pre-push hook: nothing of a push that it stops reaches the remote. Only the
    last commit of a push is checked, not what earlier ones hold.

    \b
    tensorlint git-hook install                     in a clone: from now on `git push` checks first
    tensorlint git-hook uninstall                   put back what was there before
    TENSORLINT_GATE=warn git push                   print what is found, and push
    TENSORLINT_GATE=off git push                    push without this check
    """


@command.command("install")
def _install() -> None:
    """Write the pre-push hook of the clone that the current folder is in; a hook that is there is kept and called."""
    for row in install(repo_at(Path())):
        click.echo(row)


@command.command("uninstall")
def _uninstall() -> None:
    """Remove the hook and put back the one that was there before."""
    for row in uninstall(repo_at(Path())):
        click.echo(row)


@command.command("run")
@click.argument("remote", default="origin")
@click.argument("url", default="")
def _run(remote: str, url: str) -> int:
    """Check what git says on stdin that it will push; this is what the hook calls."""
    mode = os.environ.get("TENSORLINT_GATE") or "block"
    if mode not in _MODES:
        raise UsageError(f"TENSORLINT_GATE cannot be `{mode}`", f"one of: {', '.join(_MODES)}")
    if mode == "off":
        return 0
    if sys.stdin.isatty():
        raise UsageError("git calls this, with what it will push on stdin", "tensorlint git-hook install")
    try:
        code = _lint_all(remote, os.fsdecode(sys.stdin.buffer.read()))
    except TensorlintError as error:
        complain(error.message, error.hint)
        code = error.exit_code
    except (OSError, MemoryError) as error:
        complain(f"could not finish: {error or 'out of memory'}", "")
        code = 4
    if code and mode == "block":
        click.echo(_GO_ON, err=True)
    return code if mode == "block" else 0


def _lint_all(remote: str, text: str) -> int:
    """The exit code of the worst report. Everything goes to stderr: stdout may be that of `git push --porcelain`."""
    repo = repo_at(Path())
    options = Options(colored("auto", sys.stderr), width=shutil.get_terminal_size((120, 24)).columns, notes=False)
    worst = 0
    book = None
    for change in changes(repo, remote, updates(text)):
        if change.files is not None and not change.files:
            continue
        book = book or book_with(())
        report = lint(repo, change, book, lambda total, label: bar(total, label, None))
        if report is not None:
            click.echo(REPORTERS["text"](report, options), nl=False, err=True, color=True)
            worst = max(worst, report.exit_code(options.fail_on))
    return worst
