"""A configuration means the same for `check`, for the hooks of commits and pushes, and for uploads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import tensorlint.run.run as run_module
from cli.conftest import checkpoint
from gitclone import Clone, make_clone
from tensorlint.gate.hub.change import Addition, Change
from tensorlint.gate.hub.judge import judge
from tensorlint.measures.scan import CpuScanner
from tensorlint.rulebook.examples import write_shard

NAN = float("nan")
NAME = "model.safetensors"


def check(clone: Clone) -> bool:
    return clone.tensorlint("check", ".", ok=False).returncode == 0


def pre_commit(clone: Clone) -> bool:
    clone.git("add", "-A")
    return clone.tensorlint("pre-commit", NAME, "--depth", "full", ok=False).returncode == 0


def push(clone: Clone) -> bool:
    line = f"refs/heads/main {clone.commit()} refs/heads/main {'0' * 40}\n"
    return clone.tensorlint("git-hook", "run", "origin", ok=False, stdin=line).returncode == 0


def upload(clone: Clone) -> bool:
    additions = tuple(Addition(p.name, str(p)) for p in sorted(clone.root.iterdir()) if p.name == NAME)
    verdict = judge(Change("org/model", "main", "http://localhost", additions=additions, remote=False))
    return not verdict.stopped and all(f.accepted or f.severity != "error" for f in verdict.findings)


DOORS: dict[str, Callable[[Clone], bool]] = {
    "check": check, "pre-commit": pre_commit, "push": push, "upload": upload,
}  # fmt: skip


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return make_clone(tmp_path)


def unknown(folder: Path) -> None:
    """A quantized module of no known scheme, which is a gap and no finding."""
    tensors = {
        "l.q_proj.strange_weight": ("U8", (8, 8), bytes(range(64))),
        "l.q_proj.strange_scale": ("F8_E4M3", (8, 1), b"\x30" * 8),
    }
    (folder / NAME).write_bytes(write_shard(tensors))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", False),
        ('[severity]\n"scales/nan" = "note"\n', True),
        ('[severity]\n"scales/nan" = "off"\n', True),
        ('select = ["container"]\n', True),
        ('ignore = ["scales/nan"]\n', True),
        ('[[ignore]]\nrule = "scales/nan"\nreason = "known"\n', True),
        ('[[ignore]]\nrule = "scales/nan"\nreason = "known"\ntensor = "b.*"\n', False),
        ('baseline = "known.json"\n', True),
        ('baseline = "other.json"\n', False),
        ('device = "cuda:7"\n', False),
        ("jobs = 1\n", False),
    ],
)
def test_a_broken_checkpoint_passes_every_door_or_none(clone: Clone, door: str, text: str, passes: bool) -> None:
    checkpoint(clone.root, NAN)
    known = clone.tensorlint("check", ".", "-f", "json", ok=False).stdout
    (clone.root / "known.json").write_text(known)
    (clone.root / "other.json").write_text(known.replace("a.q_proj", "b.q_proj"))
    (clone.root / "tensorlint.toml").write_text(text)
    assert DOORS[door](clone) == passes


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("text", "passes"), [("", True), ("fail-on-coverage = true\n", False)])
def test_what_cannot_be_looked_at_fails_where_a_configuration_says_so(
    clone: Clone, door: str, text: str, passes: bool
) -> None:
    unknown(clone.root)
    (clone.root / "tensorlint.toml").write_text(text)
    assert DOORS[door](clone) == passes


@pytest.mark.parametrize("door", DOORS)
def test_as_many_threads_read_as_are_set(clone: Clone, door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def scanner(jobs: int) -> CpuScanner:
        seen.append(jobs)
        return CpuScanner(jobs)

    monkeypatch.setattr(run_module, "CpuScanner", scanner)
    checkpoint(clone.root)
    (clone.root / "tensorlint.toml").write_text("jobs = 3\n")
    assert DOORS[door](clone)
    assert seen == [3]
