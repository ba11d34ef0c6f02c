"""The terminal: how wide it is, whether it takes colours, and a progress bar on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

SMALL = 64 << 20  # bytes; less is over before a bar could be read


def columns(usual: int = 120) -> int:
    """Columns of the terminal behind stdout, or what COLUMNS says; `usual` in a pipe and where nothing tells them."""
    import shutil  # here, as error messages need no width

    return shutil.get_terminal_size((usual, 24)).columns or usual


def colored(wanted: str, stream: TextIO) -> bool:
    """Whether to write ANSI styles: `always`, `never`, or `auto`, a terminal without NO_COLOR set."""
    if wanted != "auto":
        return wanted == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextmanager
def bar(total: int, label: str, wanted: bool | None) -> Iterator[Callable[[int], None] | None]:
    """Yields a function to call with every number of bytes read, or None where no bar is shown.

    The bar shows bytes, rate and time left. Where `wanted` is None it is shown on a terminal, if it lasts.
    """
    show = sys.stderr.isatty() and total >= SMALL if wanted is None else wanted
    if not show:
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label[-40:].replace("[", "("), total=total)
        yield lambda amount: progress.advance(task, amount)
