"""A progress bar on stderr: bytes, rate and time left; nothing when stderr is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SMALL = 64 << 20  # bytes; less is over before a bar could be read


@contextmanager
def bar(total: int, label: str, wanted: bool | None) -> Iterator[Callable[[int], None] | None]:
    """Yields a function to call with every number of bytes read, or None where no bar is shown."""
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
