"""Files on this machine, read with pread: a file that shrinks is an error message, not a SIGBUS."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from ..errors import UnfinishedError
from ..files import SKIPPED, WEIGHTS
from .cached import listed

MAX_FILES = 200_000
MAX_LOOKED_AT = 20_000  # files and folders, where somebody only wants to know which checkpoints there are
_RACY = 2_000_000_000  # nanoseconds; file systems tell times that coarsely, and servers' clocks differ


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


class Identity(NamedTuple):
    """What tells one state of a file from another: another file in its place, or the same file written to."""

    device: int
    inode: int
    size: int
    modified: int  # nanoseconds

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        """The identity in the answer of stat."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class LocalFile:
    """A local file, opened on first use; safe for several readers.

    `seen` remembers for a whole run what each name stood for when it was opened first: headers and values are read by
    separate openings, and a file that is replaced in between would be judged by the header of another.
    """

    def __init__(self, path: Path, name: str, size: int, seen: dict[str, Identity] | None = None) -> None:
        self.path = path
        self.name = name
        self.size = size
        self._descriptor: int | None = None
        self._seen = {} if seen is None else seen
        self._opening = Lock()

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
            descriptor = self._open() if self._descriptor is None else self._descriptor
            done = 0
            while done < len(buffer):
                got = _read_at(descriptor, buffer[done:], offset + done)
                if got == 0:
                    raise UnfinishedError(
                        f"{self.name} ended at byte {offset + done:,} while it was read; it had {self.size:,} bytes",
                        "wait until whatever writes it has finished, then check again",
                    )
                done += got
        except OSError as error:
            raise UnfinishedError(f"cannot read {self.path}: {error.strerror or error}") from error

    def verify(self) -> None:
        """Raises UnfinishedError when the file was written to, replaced or removed since it was opened first."""
        if self._descriptor is None:
            return
        try:
            self._compare(os.fstat(self._descriptor))
            self._compare(self.path.stat())
        except OSError as error:
            raise UnfinishedError(f"cannot read {self.path}: {error.strerror or error}") from error

    def _open(self) -> int:
        with self._opening:
            if self._descriptor is None:
                descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
                try:
                    self._compare(os.fstat(descriptor))
                except BaseException:
                    os.close(descriptor)
                    raise
                self._descriptor = descriptor
        return self._descriptor

    def _compare(self, status: os.stat_result) -> None:
        now = Identity.of(status)
        before = self._seen.setdefault(self.name, now)
        if before == now:
            return
        if before[:2] != now[:2]:
            what = "was replaced by another file"
        elif before.size != now.size:
            what = f"went from {before.size:,} to {now.size:,} bytes"
        else:
            what = "was written to"
        raise UnfinishedError(
            f"{self.name} {what} while it was checked",
            "wait until whatever writes it has finished, then check again",
        )

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
        self.address = ""  # where it is published, for a download
        self.single = path.name if path.is_file() else None
        self.root = path.parent if path.is_file() else path
        self._seen: dict[str, Identity] = {}

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
                    if self.single is None and entry.name not in SKIPPED:
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

    def identity(self, name: str) -> str | None:
        """Path, inode, size and both times of a file; None when it was changed so recently that it may change unseen.

        A copy that keeps the time of the original (cp -p, rsync -t) has another time of change. Names in
        huggingface_hub's cache are hashes, but of what was downloaded, not of what is there now: they are not believed.
        """
        path = self.root / name
        try:
            status = path.stat()
            changed = max(status.st_mtime_ns, status.st_ctime_ns)
            now = Identity.of(status)
            if time.time_ns() - changed < _RACY or self._seen.get(name, now) != now:
                return None
            return f"file {path.resolve()} {status.st_ctime_ns} {' '.join(map(str, now))}"
        except OSError:
            return None

    def open(self, name: str) -> LocalFile:
        """Open a file that `files()` named; anything else, such as a broken link, is an empty file."""
        return LocalFile(self.root / name, name, self.files().get(name, 0), self._seen)


def folders_with_weights(root: Path) -> tuple[tuple[str, ...], bool]:
    """Folders in and below one that hold shards, of the first MAX_LOOKED_AT entries; and whether that was all."""
    found, entries = [], 0
    for place, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED)
        entries += len(folders) + len(files)
        if any(f.endswith(WEIGHTS) for f in files):
            found.append(place)
        if entries > MAX_LOOKED_AT:
            return tuple(found), False
    return tuple(found), True
