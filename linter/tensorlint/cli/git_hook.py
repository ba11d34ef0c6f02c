"""`tensorlint git-hook`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from ..errors import TensorlintError, UsageError
from ..gate.git.install import install, uninstall
from ..gate.git.push import changes, lint, updates
from ..gate.hub.policy import ACCEPT_VARIABLE, COVERAGE, MODE_VARIABLE, Policy, from_environment
from ..report.findings import Report
from ..report.interface import Options
from ..report.terminal import bar, colored, columns
from ..report.text import render
from ..settings.ruleset import Ruleset
from ..sources.git import repo_at
from ..text.wording import printable
from .complain import complain

_GO_ON = (
    "to go on: `TENSORLINT_GATE=off git push` skips this check (`warn` only prints), "
    "`git push --no-verify` all hooks, git-lfs's upload too"
)


@click.group("git-hook", short_help="Check what `git push` would publish.")
def command() -> None:
    """Check the checkpoints of a clone before `git push` sends them, git-lfs objects included.

    The hook checks every byte of the checkpoints that the pushed commits change, as they are in the commits and not in
    the work tree. It runs before any other pre-push hook: nothing of a push that it stops reaches the remote. Only the
    last commit of a push is checked, not what earlier ones hold. The configuration and the rules of your own that are
    followed are those of the work tree.

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
    policy = from_environment(Policy())
    if policy.mode == "off":
        return 0
    if sys.stdin.isatty():
        raise UsageError("git calls this, with what it will push on stdin", "tensorlint git-hook install")
    try:
        code = _lint_all(remote, os.fsdecode(sys.stdin.buffer.read()), policy)
    except TensorlintError as error:
        complain(error.message, error.hint)
        code = error.exit_code
    except (OSError, MemoryError) as error:
        complain(f"could not finish: {error or 'out of memory'}", "")
        code = 4
    if code:
        click.echo(
            _GO_ON if policy.mode == "enforce" else f"tensorlint: {MODE_VARIABLE}=warn, the push goes on", err=True
        )
    return code if policy.mode == "enforce" else 0


def _lint_all(remote: str, text: str, policy: Policy) -> int:
    """The exit code of the worst report. Everything goes to stderr: stdout may be that of `git push --porcelain`."""
    repo = repo_at(Path())
    options = Options(colored("auto", sys.stderr), width=columns(), notes=False)
    worst = 0
    for change in changes(repo, remote, updates(text)):
        if change.files is not None and not change.files:
            continue
        for report, under in lint(repo, change, lambda total, label: bar(total, label, None)):
            click.echo(render([report], options), nl=False, err=True, color=True)
            worst = max(worst, _judge(report, under, change.ref, policy))
    return worst


def _judge(report: Report, under: Ruleset, ref: str, policy: Policy) -> int:
    """The exit code of a report once accepted rules are left out; says which they are, or what stands in the way."""
    was = {rule.id: rule.was for rule in under.rules}
    rules = list(dict.fromkeys(f.rule for f in report.findings if f.severity == "error" and f.active))
    if report.strict and not report.complete:
        rules.append(COVERAGE)
    for rule in rules:
        if reason := policy.reason(rule, was.get(rule, ())):
            click.echo(f"tensorlint: {rule} is accepted: {printable(reason)} ({ACCEPT_VARIABLE})", err=True)
    left = [rule for rule in rules if policy.reason(rule, was.get(rule, ())) is None]
    if report.stopped or left:
        why = "the check could not finish" if report.stopped else ", ".join(left)
        stopped = "blocked" if policy.mode == "enforce" else "would be blocked"
        click.echo(f"tensorlint: push to {printable(ref)} {stopped}: {why}", err=True)
    return 4 if report.stopped else int(bool(left))
