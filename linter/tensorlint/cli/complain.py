"""Errors on stderr: what is wrong, and below it what to do."""

from __future__ import annotations

import difflib
import sys
import warnings
from typing import TextIO

import click

from ..report.terminal import colored

_showwarning = warnings.showwarning


def complain(message: str, hint: str) -> None:
    """Write one error; names in it may come from strangers."""
    from ..text.wording import printable

    styled = click.style("error", fg="red", bold=True) if colored("auto", sys.stderr) else "error"
    lines = [printable(line) for line in message.split("\n")]
    rows = [f"{styled}: {lines[0]}", *lines[1:]]
    if hint:
        rows.append(f"  {printable(hint)}")
    sys.stderr.write("\n".join(rows) + "\n")


def remark(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """In the place of `warnings.showwarning`: what is said about an earlier name is meant for people."""
    from ..errors import RenamedWarning
    from ..text.wording import printable

    if not issubclass(category, RenamedWarning):
        _showwarning(message, category, filename, lineno, file, line)
        return
    styled = click.style("note", fg="cyan", bold=True) if colored("auto", sys.stderr) else "note"
    sys.stderr.write(f"{styled}: {printable(str(message))}\n")


def complain_about_usage(error: click.ClickException) -> None:
    """Write what is wrong with a command line in one line, with the nearest right word or the help page below."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    path = ctx.command_path if ctx else "tensorlint"
    message = error.format_message().strip().replace("\n", " ").replace("\t", " ")
    hint = f"see `{path} --help`"
    if isinstance(error, click.NoSuchOption):
        message = f"there is no option {error.option_name}"
        known = [o for p in ctx.command.get_params(ctx) for o in (*p.opts, *p.secondary_opts)] if ctx else []
        near = difflib.get_close_matches(error.option_name, known, 1) if error.option_name.startswith("--") else []
        hint = f"did you mean {near[0]}? See `{path} --help`" if near else hint
    elif isinstance(error, click.BadParameter) and error.param and isinstance(error.param.type, click.Choice):
        choices = [str(c) for c in error.param.type.choices]
        given = error.message.split("'")[1] if error.message.count("'") > 1 else ""
        option = max(error.param.opts, key=len)
        message = f"{option} cannot be `{given}`"
        near = difflib.get_close_matches(given.lower(), choices, 1)
        hint = f"did you mean {near[0]}? One of: {', '.join(choices)}" if near else f"one of: {', '.join(choices)}"
    complain(message[:1].lower() + message[1:].rstrip("."), hint)
