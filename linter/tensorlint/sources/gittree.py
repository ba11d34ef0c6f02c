"""The tree of one commit, with git-lfs pointers replaced by their objects where this machine has them."""

from __future__ import annotations

import os
import posixpath
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import UnfinishedError
from ..facts import Fact
from ..files import may_belong
from .git import Repo
from .interface import File
from .local import LocalFile
from .memory import MemoryFile
from .sniff import sniff

SMALL = 1 << 20  # bytes; a larger blob is unpacked into a temporary file, as git cannot read parts of one
POINTER = (
    1024  # bytes; git-lfs takes nothing of this size or more for a pointer (git-lfs lfs/pointer.go, blobSizeCutoff)
)
_LINK, _LINKS = "120000", 8


@dataclass(frozen=True)
class Blob:
    """A file as git stores it."""

    mode: str
    sha: str
    size: int


@dataclass(frozen=True)
class Stored:
    """An object of git-lfs: where it is, its size there, and the size that the pointer states."""

    path: Path
    size: int
    stated: int


class GitTree:
    """The files of a commit. `close` removes what was unpacked."""

    def __init__(self, repo: Repo, commit: str, target: str) -> None:
        self.target = target
        self.origin = ""
        self._repo = repo
        self._commit = commit
        self._unpacked: tempfile.TemporaryDirectory[str] | None = None

    @cached_property
    def blobs(self) -> Mapping[str, Blob]:
        """Every file of the tree by its path, symbolic links included."""
        found: dict[str, Blob] = {}
        for row in self._repo.run("ls-tree", "-r", "-l", "-z", "--full-tree", self._commit).split(b"\0"):
            about, _, name = row.partition(b"\t")
            mode, kind, sha, size = (about.decode().split() + [""] * 4)[:4]
            if kind == "blob":
                found[os.fsdecode(name)] = Blob(mode, sha, int(size))
        return found

    @property
    def absent(self) -> Mapping[str, str]:
        """Files that a check may read, of which there is but a pointer: path and the pointer's blob."""
        return {n: self._plain[n].sha for n, stored in self._pointers.items() if stored is None}

    def files(self) -> Mapping[str, int]:
        """Names and sizes; the size of an LFS object where it is here, of its pointer where it is not."""
        stored = self._pointers
        return {n: s.size if (s := stored.get(n)) else blob.size for n, blob in self._plain.items()}

    def broken_links(self) -> Iterable[str]:
        """Symbolic links that lead to no file of the tree."""
        return tuple(n for n in self.blobs if n not in self._plain)

    def facts(self, name: str) -> Iterable[Fact]:
        """Whether an LFS object has another size than its pointer states."""
        stored = self._pointers.get(name)
        if stored and stored.size != stored.stated:
            values = {"stated": stored.stated, "actual": stored.size, "where": "its LFS pointer"}
            yield Fact("stored-size", name, values=values)

    def open(self, name: str) -> File:
        """Open a file; raises UnfinishedError when git cannot give it. What is no file of the tree is empty."""
        stored = self._pointers.get(name)
        if stored:
            return LocalFile(stored.path, name, stored.size)
        blob = self._plain.get(name)
        if blob is None:
            return MemoryFile(name, b"")
        if blob.size <= SMALL:
            return MemoryFile(name, self._repo.run("cat-file", "blob", blob.sha))
        return LocalFile(self._unpack(blob), name, blob.size)

    def close(self) -> None:
        """Remove what was unpacked."""
        if self._unpacked is not None:
            self._unpacked.cleanup()
            self._unpacked = None

    @cached_property
    def _plain(self) -> dict[str, Blob]:
        """Files by path, with symbolic links followed inside the tree."""
        found: dict[str, Blob] = {}
        for name, start in self.blobs.items():
            path, blob = name, start
            for _ in range(_LINKS):
                if blob.mode != _LINK or not may_belong(name):
                    found[name] = blob
                    break
                leads = os.fsdecode(self._repo.run("cat-file", "blob", blob.sha))
                path = posixpath.normpath(posixpath.join(posixpath.dirname(path), leads))
                if path not in self.blobs:
                    break
                blob = self.blobs[path]
        return found

    @cached_property
    def _pointers(self) -> dict[str, Stored | None]:
        """LFS pointers among the files that a check may read, with their objects; None where that is not here."""
        small = {n: b for n, b in self._plain.items() if b.size < POINTER and may_belong(n)}
        contents = self._contents({b.sha for b in small.values()})
        stores = self._repo.stores() if small else ()
        found: dict[str, Stored | None] = {}
        for name, blob in small.items():
            fact = sniff(contents[blob.sha], blob.size)
            if fact is None or fact.kind != "lfs-pointer":
                continue
            oid, stated = str(fact.values["oid"]), int(fact.values["real_size"] or 0)
            paths = (store / oid[:2] / oid[2:4] / oid for store in stores)
            path = next((p for p in paths if p.is_file()), None)
            found[name] = Stored(path, path.stat().st_size, stated) if path else None
        return found

    def _contents(self, shas: set[str]) -> dict[str, bytes]:
        """Several small blobs in one call."""
        if not shas:
            return {}
        answer = self._repo.run("cat-file", "--batch", stdin="".join(f"{s}\n" for s in shas).encode())
        found: dict[str, bytes] = {}
        while answer:
            head, _, answer = answer.partition(b"\n")  # <sha> blob <size>
            sha, kind, *size = head.decode().split()
            if kind != "blob":
                raise UnfinishedError(f"git has no object {sha}", "try `git fsck`")
            found[sha], answer = answer[: int(size[0])], answer[int(size[0]) + 1 :]
        return found

    def _unpack(self, blob: Blob) -> Path:
        if self._unpacked is None:
            self._unpacked = tempfile.TemporaryDirectory(prefix="tensorlint-")
        path = Path(self._unpacked.name, blob.sha)
        if not path.exists():
            with path.open("wb") as file:
                done = subprocess.run(["git", "cat-file", "blob", blob.sha], cwd=self._repo.folder, stdout=file)
            if done.returncode:
                path.unlink()
                raise UnfinishedError(f"git cannot read the object {blob.sha}", "try `git fsck`")
        return path
