"""`tensorlint cache`."""

from __future__ import annotations

import click

from ..errors import UnfinishedError, UsageError
from ..text.wording import printable, size
from .measures import user_cache


@click.group("cache", short_help="Show or clear the cache of measures.")
def command() -> None:
    """The cache of measures, in which `tensorlint check` keeps what it measured of large checkpoints.

    A file is known by its path, size, times and inode, a file on the Hub by its hash: when one of them changes, it is
    read again. Changed thresholds and new rules read nothing again unless they need another measure.

    \b
    tensorlint cache info                           where it is, and how large
    tensorlint cache clear                          remove it
    tensorlint check ./model --no-cache             read everything

    TENSORLINT_CACHE_DIR moves the cache, TENSORLINT_NO_CACHE=1 and `--no-cache` do without it.
    """


@command.command("info", short_help="Where it is, and what is in it.")
def info() -> int:
    """Where the cache is, its size, and how many files and tensors are in it."""
    cache = user_cache()
    if cache is None:
        click.echo("there is no place for a cache: set TENSORLINT_CACHE_DIR")
        return 0
    found = cache.info()
    click.echo(f"{printable(str(found.path))}: {size(found.size)}, {found.tensors:,} tensors of {found.files:,} files")
    return 0


@command.command("clear", short_help="Remove it.")
def clear() -> int:
    """Remove the cache of measures, also those of other versions of tensorlint."""
    cache = user_cache()
    if cache is None:
        raise UsageError("there is no place for a cache", "set TENSORLINT_CACHE_DIR")
    try:
        click.echo(f"removed {size(cache.clear())}")
    except OSError as error:
        raise UnfinishedError(f"cannot remove {error.filename}: {error.strerror}") from error
    return 0
