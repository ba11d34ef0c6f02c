"""A clone with a bare remote, in an environment in which nothing of the user's git configuration counts."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from tensorlint.cli import main

HAS_LFS = shutil.which("git-lfs") is not None


def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "TENSORLINT_", "XDG_", "COLUMNS"))}
    who = {
        f"GIT_{role}_{what}": f"{role}@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    home.mkdir(exist_ok=True)
    (home / "gitconfig").touch()
    return {
        **kept,
        **who,
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "NO_COLOR": "1",
    }


@dataclass(frozen=True)
class Clone:
    """A work tree, its bare remote `origin`, and the environment of both."""

    root: Path
    bare: Path
    env: dict[str, str]

    def git(
        self, *args: object, ok: bool = True, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return self._run(["git", *map(str, args)], ok, cwd, env)

    def tensorlint(
        self, *args: str, ok: bool = True, cwd: Path | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """The command in this process, which spares a start each time."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in os.environ.keys() - self.env.keys():
                patch.delenv(name)
            for name, value in self.env.items():
                patch.setenv(name, value)
            patch.chdir(cwd or self.root)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            code = main(args)
        assert not ok or code == 0, out.getvalue() + err.getvalue()
        return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())

    def commit(self, message: str = "more") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").stdout.strip()

    def at_remote(self, ref: str = "main") -> str:
        command = ["git", "-C", str(self.bare), "rev-parse", "-q", "--verify", ref]
        return self._run(command, False, None, {}).stdout.strip()

    def objects_at_remote(self) -> list[Path]:
        return [p for p in (self.bare / "lfs" / "objects").rglob("*") if p.is_file()]

    @property
    def hook(self) -> Path:
        return self.root / ".git" / "hooks" / "pre-push"

    def _run(
        self, command: list[str], ok: bool, cwd: Path | None, env: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=cwd or self.root, env=self.env | env, capture_output=True, text=True, timeout=300,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done


def make_clone(folder: Path, lfs: bool = False) -> Clone:
    env = environment(folder / "home")
    clone = Clone(folder / "clone", folder / "remote.git", env)
    clone.root.mkdir()
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(clone.bare)], env=env, check=True)
    clone.git("init", "-q", "-b", "main")
    clone.git("remote", "add", "origin", clone.bare)
    if lfs:
        clone.git("lfs", "install", "--skip-repo")
        (clone.root / ".gitattributes").write_text("*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
    return clone
