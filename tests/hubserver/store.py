"""Repositories as the Hub keeps them: commits that name entries, entries that name blobs."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

Content = bytes | Path
LFS_SUFFIXES = (".safetensors", ".bin", ".gguf", ".pt", ".h5", ".msgpack")
LFS_OVER = 10 << 20  # bytes; the Hub sends larger files to LFS whatever their name
KINDS = ("models", "datasets", "spaces", "kernels", "buckets")


@dataclass(frozen=True)
class Entry:
    """A file of a commit: `oid` is git's, `lfs` the sha256 of LFS content, `lfs_size` what its pointer says."""

    oid: str
    size: int
    lfs: str | None = None
    lfs_size: int = 0

    @property
    def blob(self) -> str:
        """The key of its content in the store."""
        return self.lfs or self.oid

    def as_json(self, path: str) -> dict[str, object]:
        """The entry as the tree endpoint writes it."""
        made: dict[str, object] = {"type": "file", "oid": self.oid, "size": self.size, "path": path}
        if self.lfs:
            made["lfs"] = {"oid": self.lfs, "size": self.lfs_size, "pointerSize": 134}
        return made


@dataclass(frozen=True)
class Commit:
    """One state of a repository."""

    sha: str
    files: Mapping[str, Entry]
    title: str = ""


@dataclass
class Repo:
    """One repository; `branches` maps `main` and `refs/pr/N` to their commits, oldest first."""

    kind: str
    name: str
    private: bool = False
    gated: bool = False
    disabled: bool = False
    branches: dict[str, list[Commit]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    discussions: int = 0

    def commit(self, revision: str) -> Commit | None:
        """The commit a branch, pull request, tag, or full or short sha stands for."""
        branch = self.branches.get(revision) or self.branches.get(revision.removeprefix("refs/heads/"))
        if branch:
            return branch[-1]
        sha = self.tags.get(revision.removeprefix("refs/tags/"), revision)
        for commits in self.branches.values():
            for commit in commits:
                if commit.sha == sha or (len(sha) >= 7 and commit.sha.startswith(sha)):
                    return commit
        return None

    def record(self, branch: str, files: Mapping[str, Entry], title: str = "") -> Commit:
        """Add a commit to a branch, which is made where it is not there."""
        history = self.branches.setdefault(branch, [])
        # A counter makes shas differ for equal content, the name makes them differ between repositories.
        count = sum(len(b) for b in self.branches.values())
        text = f"{self.kind}/{self.name}/{branch}/{count}/{title}/{sorted(files.items())}"
        commit = Commit(hashlib.sha1(text.encode()).hexdigest(), dict(files), title)
        history.append(commit)
        return commit


class Store:
    """Repositories by (kind, name), and blobs by git's oid or by sha256."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.blobs: dict[str, Content] = {}
        self.lock = threading.RLock()

    def repo(self, kind: str, name: str) -> Repo | None:
        """A repository, or None."""
        return self.repos.get((kind, name))

    def create(self, kind: str, name: str) -> Repo:
        """A repository that is made where it is not there, with an empty `main`."""
        with self.lock:
            repo = self.repos.setdefault((kind, name), Repo(kind, name))
            if not repo.branches:
                repo.record("main", {}, "initial commit")
            return repo

    def put(self, content: Content, path: str) -> Entry:
        """Keep a file's content and return its entry."""
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        if is_lfs(path, size):
            key = sha256(content)
            self.blobs[key] = content
            return Entry(git_oid(f"lfs {key}".encode()), size, key, size)
        content = content.read_bytes() if isinstance(content, Path) else content
        self.blobs[git_oid(content)] = content
        return Entry(git_oid(content), size)

    def read(self, key: str, begin: int = 0, end: int | None = None) -> bytes:
        """Bytes [begin, end) of a blob."""
        content = self.blobs[key]
        if isinstance(content, bytes):
            return content[begin:end]
        stop = content.stat().st_size if end is None else end
        descriptor = os.open(content, os.O_RDONLY)
        try:
            return os.pread(descriptor, stop - begin, begin)
        finally:
            os.close(descriptor)

    def size(self, key: str) -> int:
        """Size of a blob in bytes."""
        content = self.blobs[key]
        return len(content) if isinstance(content, bytes) else content.stat().st_size

    def misstate(self, repo: Repo, path: str, *, size: int | None = None, lfs_size: int | None = None) -> None:
        """Let the last commit of `main` say another size than the stored content has."""
        commit = repo.branches["main"][-1]
        entry = commit.files[path]
        changed = replace(
            entry, size=entry.size if size is None else size, lfs_size=entry.lfs_size if lfs_size is None else lfs_size
        )
        repo.record("main", {**commit.files, path: changed}, "misstate")


def is_lfs(path: str, size: int) -> bool:
    """Whether the Hub keeps a file in LFS."""
    return path.endswith(LFS_SUFFIXES) or size > LFS_OVER


def git_oid(content: bytes) -> str:
    """Git's name of a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def sha256(content: Content) -> str:
    """The LFS name of content."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        whole = hashlib.sha256()
        while piece := file.read(1 << 20):
            whole.update(piece)
        return whole.hexdigest()
