"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..measures.cached import CachedScanner
from ..measures.scan import CpuScanner, Scanner
from ..rulebook.library import Book, load_book

if TYPE_CHECKING:
    from ..cache import MeasureCache

rules_option: Callable[[Any], Any] = click.option(
    "--rules",
    "extra_rules",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Add your own rules and schemes: a YAML file or a folder. One with the name of a shipped one (its path below "
    "the folder) replaces it. Repeatable.",
)

cache_option: Callable[[Any], Any] = click.option(
    "--no-cache",
    is_flag=True,
    envvar="TENSORLINT_NO_CACHE",
    help="Read everything, also what an earlier run has measured.",
)
jobs_option: Callable[[Any], Any] = click.option(
    "--jobs",
    "-j",
    type=click.IntRange(1, 256),
    metavar="N",
    show_default="one per processor",
    help="Threads that read and measure.",
)


def cpu_scanner(jobs: int | None, no_cache: bool) -> Scanner:
    """The scanner that the options ask for."""
    scanner = CpuScanner(jobs or 0)
    return scanner if no_cache else CachedScanner(scanner, user_cache)


@cache
def user_cache() -> MeasureCache | None:
    """The user's cache of measures; what is wrong with it is said once, on stderr."""
    from ..cache import MeasureCache  # sqlite3 is needed for large checkpoints only

    return MeasureCache.of_user(lambda text: click.echo(f"note: {text}", err=True))


def book_with(extra: tuple[Path, ...]) -> Book:
    """The shipped rules and the user's."""
    return load_book(extra)
