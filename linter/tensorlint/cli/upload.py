"""`tensorlint upload`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..errors import UsageError


@click.command(
    "upload",
    short_help="Upload a checkpoint, after checking it.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="DIR REPO [PATH_IN_REPO] [HF OPTIONS]...")
def command(words: tuple[str, ...]) -> int:
    """Check the repository as it would be, then run `hf upload REPO DIR [PATH_IN_REPO]` with all of its options.

    A broken checkpoint is not sent: exit code 1. What lets it pass all the same is printed, and written into the
    commit description: TENSORLINT_ACCEPT="rule: reason", TENSORLINT_GATE=warn or off.

    \b
    tensorlint upload ./model org/model
    tensorlint upload ./model org/model --create-pr --exclude '*.bin'
    hf upload --help                                the options
    """
    from ..gate import UploadBlocked, install

    arguments = _swapped(words)
    install()
    try:
        return _hf(["upload", *arguments])
    except UploadBlocked as error:  # before 1.x, hf does not turn errors into one line itself
        click.echo(f"tensorlint: {error.message}", err=True)
        return error.exit_code


def _swapped(words: tuple[str, ...]) -> list[str]:
    """The words in the order of `hf upload`; raises UsageError where DIR and REPO are not the first two."""
    if len(words) < 2 or words[0].startswith("-") or words[1].startswith("-"):
        raise UsageError("name what to upload and where to", "tensorlint upload DIR REPO [options of hf upload]")
    folder, repo = words[0], words[1]
    if not Path(folder).exists():
        hint = f"the order is DIR REPO: tensorlint upload {repo} {folder}" if Path(repo).exists() else ""
        raise UsageError(f"there is nothing at {folder}", hint)
    return [repo, folder, *words[2:]]


def _hf(arguments: list[str]) -> int:
    """Run huggingface_hub's own command line in this process; returns its exit code."""
    try:
        from huggingface_hub.cli.hf import main
    except ImportError as error:
        raise UsageError(f"the command line of huggingface_hub cannot be loaded: {error}") from error
    with _argv(["hf", *arguments]):
        try:
            main()  # type: ignore[no-untyped-call,unused-ignore]
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


@contextmanager
def _argv(words: list[str]) -> Iterator[None]:
    before = sys.argv
    sys.argv = words
    try:
        yield
    finally:
        sys.argv = before
