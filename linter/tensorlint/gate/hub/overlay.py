"""The repository as it will be: files of the upload over those that stay."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Any

from ...errors import UnfinishedError
from ...facts import Fact
from ...sources.interface import File, ListedSource, Source
from ...sources.local import LocalFile
from ...sources.memory import MemoryFile
from .change import Content


class StreamFile:
    """An open binary file of the caller's, whose position is the same after every read."""

    def __init__(self, name: str, stream: Any, lock: RLock) -> None:  # type: ignore[valid-type,unused-ignore]
        self.name = name
        self._stream = stream
        self._lock = lock
        self.size = size_of(stream)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`."""
        with self._lock:
            before = self._stream.tell()
            try:
                self._stream.seek(offset)
                piece = b""
                while len(piece) < length and (more := self._stream.read(length - len(piece))):
                    piece += more
            finally:
                with suppress(OSError):
                    self._stream.seek(before)
        if len(piece) != length:
            raise UnfinishedError(f"{self.name} ended at byte {offset + len(piece):,} while it was read")
        return piece

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset`."""
        buffer[:] = self.read(offset, len(buffer))

    def close(self) -> None:
        """The stream is the caller's: it stays open."""


def size_of(stream: Any) -> int:
    """Size of an open binary file in bytes; its position stays."""
    before = stream.tell()
    size = int(stream.seek(0, io.SEEK_END))
    stream.seek(before)
    return size


class OverlaySource:
    """Local contents by path in the repository, over another source or over nothing."""

    def __init__(self, target: str, local: Mapping[str, Content], base: Source | None) -> None:
        self.target = target
        self._local = local
        self._base = base
        self._lock = RLock()
        self._sizes = {name: self._open_local(name).size for name in local}

    def is_local(self, name: str) -> bool:
        """Whether a file comes with the upload."""
        return name in self._local

    def files(self) -> Mapping[str, int]:
        """Every file with its size."""
        return {**(self._base.files() if self._base else {}), **self._sizes}

    def broken_links(self) -> Iterable[str]:
        """None: what cannot be read is found before."""
        return ()

    def facts(self, name: str) -> Iterable[Fact]:
        """What is odd about how a file of the base is stored."""
        return self._base.facts(name) if isinstance(self._base, ListedSource) and not self.is_local(name) else ()

    def open(self, name: str) -> File:
        """Open a file of the upload or of the base."""
        if self._base is None or name in self._local:
            return self._open_local(name)
        return self._base.open(name)

    def _open_local(self, name: str) -> File:
        content = self._local[name]
        if isinstance(content, str):
            try:
                return LocalFile(Path(content), name, Path(content).stat().st_size)
            except OSError as error:
                raise UnfinishedError(f"cannot read {content}: {error.strerror or error}") from error
        return MemoryFile(name, content) if isinstance(content, bytes) else StreamFile(name, content, self._lock)
