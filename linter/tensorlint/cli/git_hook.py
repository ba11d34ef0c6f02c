"""`tensorlint git-hook`: check before `git push`, also before git-lfs sends its objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from ..errors import UsageError
from ..gate.policy import ACCEPT_VARIABLE, MODE_VARIABLE, Policy, from_environment

MARK = "# installed by `tensorlint git-hook install`"
NEXT = "pre-push.tensorlint-next"  # the hook that was there before, such as git-lfs's
SCRIPT = """#!/bin/sh
{mark}
# git-lfs uploads in its pre-push hook: the check has to come first, and gets the same input.
pushed=$(cat)
{python} -m tensorlint git-hook check "$1" <<EOF || exit $?
$pushed
EOF
next="$(dirname "$0")/{next}"
[ -x "$next" ] || exit 0
"$next" "$@" <<EOF
$pushed
EOF
"""


@click.group("git-hook", short_help="Check checkpoints before `git push`.")
def command() -> None:
    """Check checkpoints before `git push`, and before git-lfs uploads them.

    \b
    tensorlint git-hook install      in the repository of the current folder
    tensorlint git-hook uninstall    and back: the hook that was there before is put back

    A pre-push hook that pre-commit installs runs after git-lfs has uploaded; this one runs before. Only the last state
    of each pushed branch is checked. `git push --no-verify` leaves it out.
    """


def _hook() -> Path:
    done = subprocess.run(["git", "rev-parse", "--git-path", "hooks"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError("the current folder is in no git repository")
    return Path(done.stdout.strip()).resolve() / "pre-push"


def _ours(hook: Path) -> bool:
    return hook.is_file() and MARK in hook.read_text(errors="replace")


@command.command("install")
def install() -> int:
    """Put the check before whatever hook is there."""
    hook = _hook()
    spare = hook.with_name(NEXT)
    if hook.exists() and not _ours(hook):
        if spare.exists():
            raise UsageError(f"{hook} and {spare} are both there", "remove the one that is not needed")
        hook.rename(spare)
    hook.parent.mkdir(parents=True, exist_ok=True)
    quoted = "'" + sys.executable.replace("'", "'\\''") + "'"
    hook.write_text(SCRIPT.format(mark=MARK, python=quoted, next=NEXT))
    hook.chmod(0o755)
    click.echo(f"{hook}: checks before every push" + (f", then runs {spare.name}" if spare.exists() else ""))
    return 0


@command.command("uninstall")
def uninstall() -> int:
    """Take the check away, and put the earlier hook back."""
    hook = _hook()
    if not _ours(hook):
        raise UsageError(f"{hook} is not tensorlint's")
    spare = hook.with_name(NEXT)
    if spare.exists():
        spare.replace(hook)
    else:
        hook.unlink()
    click.echo(f"{hook}: " + ("the earlier hook is back" if hook.exists() else "removed"))
    return 0


@command.command("check", hidden=True)
@click.argument("remote", default="origin")
def check(remote: str) -> int:
    """What the hook runs: reads git's list of pushed refs from stdin; exit code 1 refuses the push."""
    from ..gate.pushed import pushes, verdict_of

    policy = from_environment(Policy())
    if policy.mode == "off":
        click.echo(f"tensorlint: {MODE_VARIABLE}=off, the push is not checked", err=True)
        return 0
    bad = 0
    for push in pushes(sys.stdin.read()):
        verdict = verdict_of(push, remote, Path())
        if verdict is None:
            continue
        click.echo(verdict.text, err=True, nl=False)
        errors = [f for f in verdict.findings if f.severity == "error"]
        for rule in dict.fromkeys(f.rule for f in errors):
            reason = policy.reason(rule)
            if reason:
                click.echo(f"tensorlint: {rule} is accepted: {reason} ({ACCEPT_VARIABLE})", err=True)
        rules = list(dict.fromkeys(f.rule for f in errors if policy.reason(f.rule) is None))
        if rules or verdict.stopped:
            bad += 1
            click.echo(f"tensorlint: push to {push.ref} blocked: {verdict.stopped or ', '.join(rules)}", err=True)
    if bad and policy.mode == "warn":
        click.echo(f"tensorlint: {MODE_VARIABLE}=warn, the push goes on", err=True)
        return 0
    return int(bool(bad))
