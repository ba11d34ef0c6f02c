"""Files on this machine, read with pread: a file that shrinks is an error message, not a SIGBUS."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from threading import Lock

from ..errors import UnfinishedError
from .cached import listed

_SKIPPED_FOLDERS = frozenset({".git", ".cache", "__pycache__", "node_modules", ".venv"})
MAX_FILES = 200_000


_SEEKING = Lock()


def _read_at(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Read into `buffer` from `offset`; the number of bytes read, 0 at the end of the file."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [buffer], offset)
    with _SEEKING:  # Windows has no read that takes an offset
        os.lseek(descriptor, offset, os.SEEK_SET)
        piece = os.read(descriptor, len(buffer))
    buffer[: len(piece)] = piece
    return len(piece)


class LocalFile:
    """A local file, opened on first use."""

    def __init__(self, path: Path, name: str, size: int) -> None:
        self.path = path
        self.name = name
        self.size = size
        self._descriptor: int | None = None

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`."""
        buffer = bytearray(length)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset`."""
        if not len(buffer):
            return
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            done = 0
            while done < len(buffer):
                got = _read_at(self._descriptor, buffer[done:], offset + done)
                if got == 0:
                    raise UnfinishedError(
                        f"{self.name} ended at byte {offset + done:,} while it was read; it had {self.size:,} bytes",
                        "wait until whatever writes it has finished, then check again",
                    )
                done += got
        except OSError as error:
            raise UnfinishedError(f"cannot read {self.path}: {error.strerror or error}") from error

    def close(self) -> None:
        """Close the descriptor, if any."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class LocalSource:
    """A folder, or one file seen as a folder of its own with the JSON files beside it."""

    def __init__(self, path: Path, target: str) -> None:
        self.target = target
        self.origin = ""  # which meaning of the target this is, where it has several
        self.single = path.name if path.is_file() else None
        self.root = path.parent if path.is_file() else path

    @cached_property
    def _walked(self) -> tuple[dict[str, int], tuple[str, ...]]:
        found: dict[str, int] = {}
        broken: list[str] = []
        folders = [(self.root, "")]
        while folders:
            folder, prefix = folders.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda e: e.name)
            except OSError as error:
                raise UnfinishedError(f"cannot list {folder}: {error.strerror or error}") from error
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if self.single is None and entry.name not in _SKIPPED_FOLDERS:
                        folders.append((Path(entry.path), name + "/"))
                    continue
                if self.single and entry.name != self.single and not entry.name.endswith(".json"):
                    continue
                try:
                    if entry.is_file():
                        found[name] = entry.stat().st_size
                    elif entry.is_symlink() and not Path(entry.path).exists():
                        broken.append(name)
                except OSError:
                    broken.append(name)
                if len(found) > MAX_FILES:
                    raise UnfinishedError(
                        f"{self.root} holds more than {MAX_FILES:,} files", "name the checkpoint's own folder"
                    )
        return found, tuple(broken)

    @cached_property
    def not_downloaded(self) -> frozenset[str]:
        """Files that belong to the same commit of a Hub repository, but were not downloaded with the others."""
        if self.single is not None:
            return frozenset()
        return listed(self.root) - self.files().keys()

    def files(self) -> Mapping[str, int]:
        """Every file below the root, with its size."""
        return self._walked[0]

    def broken_links(self) -> Iterable[str]:
        """Symbolic links that point nowhere."""
        return self._walked[1]

    def open(self, name: str) -> LocalFile:
        """Open a file that `files()` named; anything else, such as a broken link, is an empty file."""
        return LocalFile(self.root / name, name, self.files().get(name, 0))
