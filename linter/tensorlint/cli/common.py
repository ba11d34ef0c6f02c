"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..rulebook.library import Book, load_book
from ..settings.files import discover
from ..settings.settings import settings_for

rules_option: Callable[[Any], Any] = click.option(
    "--rules",
    "extra_rules",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Add your own rules and schemes: a YAML file or a folder. One with the name of a shipped one (its path below "
    "the folder) replaces it. Repeatable.",
)

color_option: Callable[[Any], Any] = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours in text.",
)
progress_option: Callable[[Any], Any] = click.option(
    "--progress/--no-progress", default=None, help="Progress on stderr.  [default: on a terminal]"
)
jobs_option: Callable[[Any], Any] = click.option(
    "--jobs",
    "-j",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    show_default="one per processor",
    help="Threads that read and measure.",
)


def book_with(extra: tuple[Path, ...]) -> Book:
    """The shipped rules, those of the configuration of the current folder, and the user's."""
    here = Path.cwd()
    return load_book((*map(Path, settings_for(str(here), discover(here)).rules), *extra))
