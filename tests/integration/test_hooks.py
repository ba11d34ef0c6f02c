"""The hooks under pre-commit and prek, installed from a clone, in a repository with git-lfs."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cli.conftest import checkpoint
from gitclone import HAS_LFS, Clone, make_clone

from .conftest import program

NAN = float("nan")
pytestmark = pytest.mark.skipif(not HAS_LFS, reason="git-lfs is not installed")

CONFIG = """\
repos:
  - repo: file://{repo}
    rev: {revision}
    hooks:
      - id: tensorlint
      - id: tensorlint-rules
      - id: tensorlint-full
"""
RULE = """\
summary: All block scales of a tensor are the same.
severity: warning
since: "0.1"
for: {{kind: scale, part: block_scale}}
when: {{count: {{at_least: 64}}}}
require: {{uniform: 0}}
message: "all {{count}} {{part}} values are {{byte:x}}"
effect: Quiet blocks round to zero.
remedy: Export again.
bad:
  - model.safetensors:
      l.up_proj.weight: "U8[8, 64]"
      l.up_proj.weight_scale: "F8_E4M3[8, 8] = 0x38"
      l.up_proj.weight_scale_2: "F32[] = 0.001"
    says: "all 64 block_scale values are {said}"
good:
  - model.safetensors:
      l.up_proj.weight: "U8[8, 64]"
      l.up_proj.weight_scale: "F8_E4M3[8, 8] = 0x38, 0x40"
      l.up_proj.weight_scale_2: "F32[] = 0.001"
"""


@dataclass(frozen=True)
class Hooked:
    """A clone whose commits go through a runner of hooks."""

    clone: Clone
    runner: str

    def commit(self, **env: str) -> tuple[bool, str]:
        """Whether a commit of everything passes, and what is printed."""
        self.clone.git("add", "-A")
        done = self.clone.git("commit", "-m", "more", ok=False, **env)
        return done.returncode == 0, done.stdout + done.stderr

    def run(self, *args: str) -> tuple[int, str]:
        done = subprocess.run(
            [self.runner, "run", "--verbose", *args], cwd=self.clone.root, env=self.clone.env, capture_output=True, text=True
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(params=["pre-commit", "prek"])
def hooked(request: pytest.FixtureRequest, offline: dict[str, str], published: Path, tmp_path: Path) -> Hooked:
    runner = program(request.param)
    made = make_clone(tmp_path, lfs=True)
    own = ("HOME", "GIT_CONFIG_GLOBAL")
    clone = replace(made, env={**offline, **{name: made.env[name] for name in own}})
    revision = clone.git("rev-parse", "HEAD", cwd=published).stdout.strip()
    (clone.root / ".pre-commit-config.yaml").write_text(CONFIG.format(repo=published, revision=revision))
    subprocess.run([runner, "install"], cwd=clone.root, env=clone.env, check=True, capture_output=True)
    return Hooked(clone, runner)


def test_from_a_blocked_commit_to_one_that_passes(hooked):
    checkpoint(hooked.clone.root / "m", NAN)
    passes, said = hooked.commit()
    assert not passes
    assert "error[scales/nan]" in said
    entry = said[said.index("[[ignore]]") : said.index("skip once")].replace("    ", "").replace("...", "an experiment")
    config = hooked.clone.root / "tensorlint.toml"
    config.write_text(entry)
    passes, said = hooked.commit()
    assert passes, said
    config.unlink()
    checkpoint(hooked.clone.root / "m", NAN, name="b.q_proj")
    assert not hooked.commit()[0]
    assert hooked.commit(SKIP="tensorlint")[0]


def test_a_clean_checkpoint_and_then_a_deleted_shard(hooked):
    for number, name in enumerate(("a.q_proj", "b.q_proj"), 1):
        checkpoint(hooked.clone.root, name=name)
        (hooked.clone.root / "model.safetensors").rename(hooked.clone.root / f"model-{number:05}-of-00002.safetensors")
    passes, said = hooked.commit()
    assert passes, said
    (hooked.clone.root / "model-00001-of-00002.safetensors").unlink()
    passes, said = hooked.commit()
    assert not passes
    assert "index/shard-gap" in said


def test_pointers_that_were_not_smudged(hooked, tmp_path):
    checkpoint(hooked.clone.root / "m", NAN)
    assert hooked.commit(SKIP="tensorlint")[0]
    pointer = hooked.clone.git("cat-file", "blob", "HEAD:m/model.safetensors").stdout
    (hooked.clone.root / "m" / "model.safetensors").write_text(pointer)
    assert hooked.run("tensorlint", "--all-files")[0] == 1
    shutil.rmtree(hooked.clone.root / ".git" / "lfs" / "objects")
    code, said = hooked.run("tensorlint", "--all-files")
    assert code == 0
    assert "not in the local LFS store" in said


def test_rule_files(hooked):
    folder = hooked.clone.root / "tensorlint-rules"
    folder.mkdir()
    (folder / "flat.yaml").write_text(RULE.format(said="0x39"))
    passes, said = hooked.commit()
    assert not passes
    assert "1 failed" in said
    (folder / "flat.yaml").write_text(RULE.format(said="0x38"))
    assert hooked.commit()[0]
    (hooked.clone.root / "tensorlint.toml").write_text('selcet = ["scales"]\n')
    passes, said = hooked.commit()
    assert not passes
    assert "did you mean `select`" in said


def test_every_byte_on_demand(hooked):
    checkpoint(hooked.clone.root / "m")
    path = hooked.clone.root / "m" / "model.safetensors"
    path.write_bytes(path.read_bytes().replace(b"\x30\x31\x32", b"\x7f\x31\x32"))  # a weight, which scales do not show
    assert hooked.commit()[0]
    code, said = hooked.run("tensorlint-full", "--hook-stage", "manual")
    assert code == 1
    assert "error[weights/nan]" in said


@pytest.mark.parametrize("hooked", ["pre-commit"], indirect=True)
def test_try_repo(hooked, published):
    checkpoint(hooked.clone.root, NAN)
    hooked.clone.git("add", "-A")
    done = subprocess.run(
        [hooked.runner, "try-repo", str(published), "tensorlint", "--all-files"], cwd=hooked.clone.root,
        env=hooked.clone.env, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "error[scales/nan]" in done.stdout
