"""The seam between files and everything that reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol


class File(Protocol):
    """One file of a checkpoint, readable by ranges."""

    @property
    def name(self) -> str:
        """Path relative to the checkpoint's root, with forward slashes."""

    @property
    def size(self) -> int:
        """Size in bytes when it was opened."""

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes; raises UnfinishedError when the file has shrunk or cannot be read."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset`; raises UnfinishedError like `read`."""

    def close(self) -> None:
        """Release what holds the file open."""


class Source(Protocol):
    """A place that holds checkpoints: a folder, a file, a dictionary in memory."""

    @property
    def target(self) -> str:
        """What the user called it."""

    def files(self) -> Mapping[str, int]:
        """Every file below the root, by relative path, with its size in bytes."""

    def broken_links(self) -> Iterable[str]:
        """Relative paths that exist by name but point nowhere."""

    def open(self, name: str) -> File:
        """Open one of `files()`."""
