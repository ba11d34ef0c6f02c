"""`tensorlint git-hook`: broken checkpoints are not pushed, and the earlier hook runs after the check."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .material import CONFIG, shard

NAME = "model.safetensors"


class Work:
    """A clone with a bare remote."""

    def __init__(self, root: Path) -> None:
        self.remote, self.place = root / "remote.git", root / "work"
        env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "TENSORLINT_"))}
        who = {f"GIT_{w}_{k}": v for w in ("AUTHOR", "COMMITTER") for k, v in (("NAME", "t"), ("EMAIL", "t@localhost"))}
        self.env = {**env, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        subprocess.run(["git", "init", "-q", "--bare", str(self.remote)], check=True, env=self.env)
        subprocess.run(["git", "init", "-q", "-b", "main", str(self.place)], check=True, env=self.env)
        self.git("remote", "add", "origin", str(self.remote))
        self.hook = self.place / ".git" / "hooks" / "pre-push"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, cwd=self.place, env=self.env, capture_output=True, text=True, check=False)

    def git(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("git", *words)

    def tensorlint(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "tensorlint", "git-hook", *words)

    def commit(self, name: str, data: bytes) -> None:
        (self.place / name).parent.mkdir(parents=True, exist_ok=True)
        (self.place / name).write_bytes(data)
        self.git("add", name)
        assert self.git("commit", "-q", "-m", name).returncode == 0

    def push(self) -> subprocess.CompletedProcess[str]:
        return self.git("push", "-q", "origin", "main")

    def pushed(self) -> bool:
        there = subprocess.run(["git", "-C", str(self.remote), "rev-parse", "main"], capture_output=True, text=True)
        return there.stdout.strip() == self.git("rev-parse", "HEAD").stdout.strip()


@pytest.fixture
def work(tmp_path: Path) -> Work:
    made = Work(tmp_path)
    assert made.tensorlint("install").returncode == 0
    return made


def test_a_broken_checkpoint_is_not_pushed_and_a_sound_one_is(work: Work) -> None:
    work.commit("config.json", CONFIG)
    work.commit(NAME, shard("model.w", bad=True).data)
    done = work.push()
    assert done.returncode == 1
    assert "error[weights/nan]" in done.stderr
    assert "tensorlint: push to refs/heads/main blocked: weights/nan" in done.stderr
    assert not work.pushed()
    work.commit(NAME, shard("model.w").data)
    assert work.push().returncode == 0
    assert work.pushed()


def test_the_commit_is_checked_and_not_the_working_tree(work: Work) -> None:
    work.commit(NAME, shard("model.w", bad=True).data)
    (work.place / NAME).write_bytes(shard("model.w").data)
    assert work.push().returncode == 1


def test_content_behind_an_lfs_pointer_is_checked(work: Work) -> None:
    file = shard("model.w", bad=True)
    oid = hashlib.sha256(file.data).hexdigest()
    stored = work.place / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
    stored.parent.mkdir(parents=True)
    stored.write_bytes(file.data)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(file.data)}\n"
    work.commit(NAME, pointer.encode())
    done = work.push()
    assert done.returncode == 1
    assert "error[weights/nan]" in done.stderr


def test_a_push_that_changes_no_checkpoint_is_not_checked(work: Work) -> None:
    work.commit(NAME, shard("model.w", bad=True).data)
    assert work.git("push", "-q", "--no-verify", "origin", "main").returncode == 0
    work.commit("README.md", b"text")
    done = work.push()
    assert done.returncode == 0
    assert "weights/nan" not in done.stderr
    assert work.pushed()


@pytest.mark.parametrize(
    "variables", [{"TENSORLINT_GATE": "off"}, {"TENSORLINT_GATE": "warn"}, {"TENSORLINT_ACCEPT": "weights/nan: known"}]
)
def test_an_override_lets_it_pass_and_is_printed(work: Work, variables: dict[str, str]) -> None:
    work.commit(NAME, shard("model.w", bad=True).data)
    work.env.update(variables)
    done = work.push()
    assert done.returncode == 0
    assert next(iter(variables)) in done.stderr
    assert work.pushed()


def test_the_hook_that_was_there_runs_after_the_check_with_the_same_input(tmp_path: Path) -> None:
    work = Work(tmp_path)
    work.hook.parent.mkdir(exist_ok=True)
    work.hook.write_text('#!/bin/sh\n{ echo "$@"; cat; } > ran\n')
    work.hook.chmod(0o755)
    before = work.hook.read_bytes()
    assert work.tensorlint("install").returncode == 0
    assert work.tensorlint("install").returncode == 0
    work.commit(NAME, shard("model.w", bad=True).data)
    assert work.push().returncode == 1
    assert not (work.place / "ran").exists()
    work.commit(NAME, shard("model.w").data)
    assert work.push().returncode == 0
    words = (work.place / "ran").read_text().split()
    assert words[0] == "origin" and words[2] == "refs/heads/main" and len(words) == 6
    assert work.tensorlint("uninstall").returncode == 0
    assert work.hook.read_bytes() == before


def test_uninstall_leaves_nothing_behind_and_touches_no_other_hook(work: Work) -> None:
    assert work.tensorlint("uninstall").returncode == 0
    assert not work.hook.exists()
    work.hook.write_text("#!/bin/sh\n")
    assert work.tensorlint("uninstall").returncode == 0
    assert work.hook.read_text() == "#!/bin/sh\n"
