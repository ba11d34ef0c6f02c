"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..rulebook.library import Book, load_book

rules_option: Callable[[Any], Any] = click.option(
    "--rules",
    "extra_rules",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Add your own rules and schemes: a YAML file or a folder. One with the name of a shipped one (its path below "
    "the folder) replaces it. Repeatable.",
)


def book_with(extra: tuple[Path, ...]) -> Book:
    """The shipped rules and the user's."""
    return load_book(extra)
