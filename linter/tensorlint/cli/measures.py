"""The user's cache of measures on the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..measures.cache import MeasureCache

cache_option: Callable[[Any], Any] = click.option(
    "--no-cache",
    is_flag=True,
    envvar="TENSORLINT_NO_CACHE",
    help="Read everything, also what an earlier run has measured.",
)


@cache
def user_cache() -> MeasureCache | None:
    """The user's cache of measures; what is wrong with it is said once, on stderr."""
    from ..measures.cache import MeasureCache  # sqlite3 is needed for large checkpoints only

    return MeasureCache.of_user(lambda text: click.echo(f"note: {text}", err=True))
