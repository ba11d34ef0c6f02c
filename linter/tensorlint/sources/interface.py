"""The seam between files and everything that reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..facts import Fact, FactKind

STATES: Mapping[str, FactKind] = {
    "stored-size": FactKind(
        "The stored content has another size than the Hub's listing or the LFS pointer states.",
        ("stated", "actual", "where"),
    ),
}


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


@runtime_checkable
class Watched(Protocol):
    """A file that others may change while it is read."""

    def verify(self) -> None:
        """Raises UnfinishedError when it is no longer what was opened first under its name."""


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


@runtime_checkable
class ListedSource(Source, Protocol):
    """A source whose listing states sizes of its own, which may contradict what is stored."""

    def facts(self, name: str) -> Iterable[Fact]:
        """What is odd about how a file is stored."""


@runtime_checkable
class Identified(Source, Protocol):
    """A source that can tell whether a file still has the content that it had in an earlier run."""

    def identity(self, name: str) -> str | None:
        """A text that no other content of the file, or of any file, has; None where that cannot be vouched for."""


@runtime_checkable
class RemoteSource(ListedSource, Protocol):
    """A source whose bytes come over a network, where it pays to say early what will be read."""

    @property
    def fetched(self) -> int:
        """Content bytes that came over the network so far."""

    def prefetch(self, ranges: Mapping[str, Sequence[tuple[int, int]]]) -> None:
        """Planned byte ranges [begin, end) by file, in the order in which they will be read."""

    def close(self) -> None:
        """End all requests."""


@dataclass(frozen=True)
class About:
    """What only some sources know of themselves; they have attributes of these names.

    `origin` says in words which meaning of the target was taken, where it has several; `address` is that of its folder
    where it is published, such as `hf://org/model`, and empty for what is on this machine only; `single` is the one
    file that was asked for; `gaps` are sentences about what the source could not read; `not_downloaded` are files that
    exist elsewhere and not here.
    """

    origin: str = ""
    address: str = ""
    single: str | None = None
    gaps: tuple[str, ...] = ()
    not_downloaded: frozenset[str] = frozenset()


def about(source: Source) -> About:
    """What a source knows of itself."""
    known = {name: getattr(source, name) for name in About.__dataclass_fields__ if hasattr(source, name)}
    return About(**known)
