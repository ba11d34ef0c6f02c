"""How tensors are measured, as the options and settings say."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from ..measures.cached import CachedScanner
from ..measures.scan import CpuScanner, Scanner

if TYPE_CHECKING:
    from ..cache import MeasureCache

cache_option: Callable[[Any], Any] = click.option(
    "--no-cache",
    is_flag=True,
    envvar="TENSORLINT_NO_CACHE",
    help="Read everything, also what an earlier run has measured.",
)


def scanner_of(jobs: int | None, no_cache: bool) -> Scanner:
    """What measures with this many threads (None: one per processor), behind the user's cache where it is wanted."""
    scanner = CpuScanner(jobs or 0)
    return scanner if no_cache else CachedScanner(scanner, user_cache)


@cache
def user_cache() -> MeasureCache | None:
    """The user's cache of measures; what is wrong with it is said once, on stderr."""
    from ..cache import MeasureCache  # sqlite3 is needed for large checkpoints only

    return MeasureCache.of_user(lambda text: click.echo(f"note: {text}", err=True))
