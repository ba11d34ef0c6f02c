"""`tensorlint init`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..errors import UsageError
from ..text.wording import printable
from .starting import Step, checkpoints, repository, steps
from .writing import write


@click.command("init", short_help="Write a configuration, a hook and a workflow for this repository.")
@click.option("--force", is_flag=True, help="Replace a configuration and a workflow that are there already.")
def command(force: bool) -> int:
    """Write tensorlint.toml here, and a pre-commit entry and a GitHub workflow for the repository that this is in.

    What is there is left as it is; an existing .pre-commit-config.yaml gets the hooks at its end.

    \b
    tensorlint init
    tensorlint init --force                         replace what is there
    tensorlint check . --show-settings              what now applies
    """
    folder = Path.cwd()
    wrote = []
    for step in list(steps(folder, force)):
        name = os.path.relpath(step.path) if step.path else ""
        if step.text is None:
            click.echo(printable(f"{name} {step.says}".strip().partition("\n")[0]))
            click.echo("".join(step.says.partition("\n")[2:]), nl=False)
            continue
        _write(step)
        wrote.append(name)
        click.echo(f"wrote {name}: {step.says}")
    found = checkpoints(folder)
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        click.echo(printable(f"checkpoints here: {', '.join(found[:3])}{more}"))
    click.echo("next: tensorlint check ." if found else "next: tensorlint check MODEL")
    if repository(folder) is not None:
        click.echo("      pre-commit install -t pre-commit -t pre-push    (or: prek install -t pre-commit -t pre-push)")
    return 0


def _write(step: Step) -> None:
    """Put a file into place whole; raises UsageError where that cannot be done."""
    path = Path(step.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, step.text or "")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
