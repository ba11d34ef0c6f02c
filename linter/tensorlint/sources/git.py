"""Asking git about a clone."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnfinishedError, UsageError


@dataclass(frozen=True)
class Repo:
    """A git repository, seen from a folder in it; a linked worktree and a bare repository will do."""

    folder: Path

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What git prints. Raises UnfinishedError with git's first line when it fails or is not installed."""
        done = self._call(arguments, stdin)
        if done.returncode:
            said = os.fsdecode(done.stderr).strip().splitlines() or [f"exit code {done.returncode}"]
            raise UnfinishedError(f"git {arguments[0]}: {said[0]}")
        return done.stdout

    def ask(self, *arguments: str) -> str | None:
        """What git prints, without the end of the line, or None when it says no."""
        done = self._call(arguments, b"")
        return None if done.returncode else os.fsdecode(done.stdout).rstrip("\n")

    def commit(self, name: str) -> str | None:
        """The commit that a sha or ref stands for; None when there is none here, or it is no commit."""
        return self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")

    def path(self, *arguments: str) -> Path:
        """A path that `git rev-parse` gives, made absolute. Raises UnfinishedError like `run`."""
        return self.folder.absolute() / os.fsdecode(self.run("rev-parse", *arguments)).rstrip("\n")

    def stores(self) -> tuple[Path, ...]:
        """Folders of git-lfs objects, by two levels of two digits: that of `lfs.storage`, else of the clone."""
        common = self.path("--git-common-dir")
        storage = self.ask("config", "--type=path", "--get", "lfs.storage")
        return (common / (storage or "lfs") / "objects",)

    def _call(self, arguments: tuple[str, ...], stdin: bytes) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(["git", *arguments], cwd=self.folder, input=stdin, capture_output=True, check=False)
        except OSError as error:
            raise UnfinishedError(f"cannot run git: {error.strerror or error}") from error


def repo_at(folder: Path) -> Repo:
    """The repository that a folder belongs to. Raises UsageError where there is none."""
    repo = Repo(folder)
    if repo.ask("rev-parse", "--git-dir") is None:
        raise UsageError(f"{folder.absolute()} is not in a git repository", "go to a clone, then try again")
    return repo
