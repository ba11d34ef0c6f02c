"""`tensorlint run`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import click

from ..errors import UsageError
from ..gate.hub.launch import environment
from ..gate.hub.policy import Policy, from_environment


@click.command(
    "run",
    short_help="Run a command with the upload gate in it.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("--buckets", is_flag=True, help="Also check uploads to buckets.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="CMD...")
def command(buckets: bool, words: tuple[str, ...]) -> int:
    """Run any command, and check every checkpoint that it or a Python program it starts uploads to the Hub.

    Broken ones are not sent. It works for other virtual environments too; Python started with -I or -E, and programs
    that are not Python, upload unchecked. The exit code is that of the command.

    \b
    tensorlint run -- python train.py
    tensorlint run -- hf upload org/model ./model
    TENSORLINT_ACCEPT="scales/saturated: as calibrated" tensorlint run -- python export.py
    """
    from_environment(Policy())
    program = shutil.which(words[0])
    if program is None:
        raise UsageError(f"there is no program `{words[0]}`")
    env = environment(os.environ, buckets)
    if sys.platform == "win32":
        return subprocess.call([program, *words[1:]], env=env)
    sys.stdout.flush()
    return os.execve(program, list(words), env)
