"""One folder of what the next commit holds: names from git's index, bytes from the work tree where it has them."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from ..facts import Fact
from ..files import may_belong
from .git import Repo
from .gittree import POINTER, Blob, GitTree
from .interface import File
from .local import LocalFile
from .sniff import sniff


class StagedFolder(GitTree):
    """The files of one folder, without its sub-folders.

    The work tree is read, as pre-commit sets it to what is staged. git and its LFS store are asked for what is not in
    it: pointers that were not smudged, files outside of a sparse checkout. `tree` is the index as a tree (git
    write-tree), `folder` is "" or ends with a slash, `more` are names of files there that git does not know.
    """

    def __init__(self, repo: Repo, tree: str, folder: str, more: Iterable[str] = ()) -> None:
        super().__init__(repo, f"{tree}:{folder}", folder.rstrip("/") or ".")
        self._top = repo.path("--show-toplevel").resolve()
        self.folder = self._top / folder
        self._more = tuple(more)

    @cached_property
    def blobs(self) -> Mapping[str, Blob]:
        """Files of the folder that git knows; none where the folder is new to it."""
        if self._repo.ask("cat-file", "-e", self._commit) is None:
            return {}
        return {name: blob for name, blob in super().blobs.items() if "/" not in name}

    @cached_property
    def local(self) -> Mapping[str, tuple[Path, int]]:
        """Path and size in bytes of the files whose content is in the work tree."""
        found: dict[str, tuple[Path, int]] = {}
        for name in filter(may_belong, {*self.blobs, *self._more}):
            path = self.folder / name
            try:
                about = path.stat()
                inside = path.resolve().is_relative_to(self._top)
                if (
                    stat.S_ISREG(about.st_mode)
                    and inside
                    and not (name in self.blobs and _is_pointer(path, about.st_size))
                ):
                    found[name] = path, about.st_size
            except (OSError, RuntimeError):  # a link that leads nowhere, or to itself
                continue
        return found

    @property
    def absent(self) -> Mapping[str, str]:
        """Files of which there is but a pointer, here and in the LFS store: name and the pointer's blob."""
        return {name: blob for name, blob in super().absent.items() if name not in self.local}

    def files(self) -> Mapping[str, int]:
        """Names and sizes."""
        return {**super().files(), **{name: size for name, (_, size) in self.local.items()}}

    def broken_links(self) -> Iterable[str]:
        """Symbolic links that lead to no file of the repository."""
        return tuple(name for name in super().broken_links() if name not in self.local)

    def facts(self, name: str) -> Iterable[Fact]:
        """Whether an LFS object has another size than its pointer states."""
        return () if name in self.local else super().facts(name)

    def open(self, name: str) -> File:
        """Open a file; raises UnfinishedError when it cannot be read."""
        if name in self.local:
            path, size = self.local[name]
            return LocalFile(path, name, size)
        return super().open(name)


def _is_pointer(path: Path, size: int) -> bool:
    if size >= POINTER:
        return False
    fact = sniff(path.read_bytes()[:POINTER], size)
    return fact is not None and fact.kind == "lfs-pointer"
