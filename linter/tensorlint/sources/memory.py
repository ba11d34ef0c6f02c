"""Files in memory: rule examples and tests run on these through the same engine as real checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import UnfinishedError
from ..facts import Fact


@dataclass(frozen=True)
class MemoryFile:
    """One file whose content is `data`."""

    name: str
    data: bytes

    @property
    def size(self) -> int:
        """Size in bytes."""
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`."""
        piece = self.data[offset : offset + length]
        if len(piece) != length:
            raise UnfinishedError(f"{self.name} has no {length} bytes at {offset}")
        return piece

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset`."""
        buffer[:] = self.read(offset, len(buffer))

    def close(self) -> None:
        """Nothing to release."""


@dataclass(frozen=True)
class MemorySource:
    """A dictionary of files; None stands for a link that points nowhere."""

    contents: Mapping[str, bytes | None]
    target: str = "(memory)"
    stated: Mapping[str, int] = field(default_factory=dict)  # sizes that a listing gives, where they differ

    def files(self) -> Mapping[str, int]:
        """Names and sizes."""
        return {name: len(data) for name, data in self.contents.items() if data is not None}

    def broken_links(self) -> Iterable[str]:
        """Names whose content is None."""
        return tuple(name for name, data in self.contents.items() if data is None)

    def facts(self, name: str) -> Iterable[Fact]:
        """The size that a listing states, where it is not that of the content."""
        actual = self.files()[name]
        if self.stated.get(name, actual) != actual:
            values = {"stated": self.stated[name], "actual": actual, "where": "its LFS pointer"}
            yield Fact("stored-size", name, values=values)

    def open(self, name: str) -> MemoryFile:
        """Open one file."""
        return MemoryFile(name, self.contents[name] or b"")
