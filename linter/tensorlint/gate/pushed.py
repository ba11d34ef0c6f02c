"""What a `git push` would publish: files of commits, with LFS content from git-lfs's own store."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnfinishedError
from .change import Addition, Change, Content, Verdict
from .judge import judge
from .names import folder_of, gated

_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n")
_POINTER_MAX = 1024  # bytes; git-lfs writes about 130
_NOTHING = re.compile(r"0+")  # the name of no commit


@dataclass(frozen=True)
class Push:
    """One line of a pre-push hook's input: `local` is the commit to publish, `remote` what is there, both as names."""

    ref: str
    local: str
    remote: str


def pushes(text: str) -> Iterator[Push]:
    """The refs that a pre-push hook is told about, without those that are deleted (githooks(5))."""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 4 and not _NOTHING.fullmatch(words[1]):
            yield Push(words[2], words[1], words[3])


def git(*words: str, repository: Path) -> bytes:
    """What a git command prints; raises UnfinishedError where it fails."""
    done = subprocess.run(["git", "-C", str(repository), *words], capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise UnfinishedError(f"git {words[0]} failed: {said.splitlines()[-1] if said else done.returncode}")
    return done.stdout


def verdict_of(push: Push, remote: str, repository: Path) -> Verdict | None:
    """The linter's verdict on the folders that a push changes, or None where it changes no checkpoint."""
    changed = [name for name in _changed(push, remote, repository) if gated(name)]
    folders = {folder_of(name) for name in changed}
    if not folders:
        return None
    additions = []
    rows = git("ls-tree", "-r", "-z", "-l", push.local, repository=repository).decode(errors="surrogateescape")
    for row in filter(None, rows.split("\0")):
        about, _, name = row.partition("\t")
        _, kind, blob, size = about.split()
        if kind == "blob" and gated(name) and folder_of(name) in folders:
            additions.append(Addition(name, _content(blob, int(size), repository)))
    return judge(Change(push.ref, push.local, "", additions=tuple(additions), remote=False))


def _changed(push: Push, remote: str, repository: Path) -> Iterable[str]:
    """Names of files that differ from what the remote has; from its branches where the ref is new."""
    base = push.remote
    known = not _NOTHING.fullmatch(base) and not _fails("cat-file", "-e", base + "^{commit}", repository=repository)
    if known:
        out = git("diff", "--name-only", "-z", "--no-renames", base, push.local, repository=repository)
    else:
        new = git("rev-list", push.local, "--not", f"--remotes={remote}", repository=repository).decode().split()
        out = b"".join(
            git("diff-tree", "-r", "-m", "--root", "--no-commit-id", "--name-only", "-z", c, repository=repository)
            for c in new
        )
    return dict.fromkeys(out.decode(errors="surrogateescape").split("\0")[:-1])


def _fails(*words: str, repository: Path) -> bool:
    try:
        git(*words, repository=repository)
    except UnfinishedError:
        return True
    return False


def _content(blob: str, size: int, repository: Path) -> Content:
    """A blob's bytes, or the path of the LFS object that it points to; a pointer to nothing stays a pointer."""
    data = git("cat-file", "blob", blob, repository=repository)
    pointer = _POINTER.match(data) if size <= _POINTER_MAX else None
    if pointer is None:
        return data
    oid = pointer[1].decode()
    place = git("rev-parse", "--git-common-dir", repository=repository).decode().strip()
    stored = (repository / place / "lfs" / "objects" / oid[:2] / oid[2:4] / oid).resolve()
    return str(stored) if stored.is_file() else data
