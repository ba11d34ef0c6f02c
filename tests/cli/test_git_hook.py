"""The pre-push hook, with real git and a bare repository as the remote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitclone import HAS_LFS, Clone, make_clone

from .conftest import checkpoint

NAN = float("nan")
needs_lfs = pytest.mark.skipif(not HAS_LFS, reason="git-lfs is not installed")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    made = make_clone(tmp_path)
    made.tensorlint("git-hook", "install")
    return made


@pytest.fixture
def lfs_clone(tmp_path: Path) -> Clone:
    made = make_clone(tmp_path, lfs=True)
    made.tensorlint("git-hook", "install")
    return made


def foreign_hook(clone: Clone, code: int = 0) -> str:
    text = f'#!/bin/sh\ncat > "{clone.root.parent}/stdin"\necho "$@" > "{clone.root.parent}/args"\nexit {code}\n'
    clone.hook.parent.mkdir(exist_ok=True)
    clone.hook.write_text(text)
    clone.hook.chmod(0o755)
    return text


# -- install and uninstall --------------------------------------------------------------------------------------------


def test_outside_a_repository(tmp_path):
    clone = make_clone(tmp_path)
    for action in ("install", "uninstall", "run"):
        done = clone.tensorlint("git-hook", action, ok=False, cwd=tmp_path)
        assert done.returncode == 2
        assert "is not in a git repository" in done.stderr
        assert len(done.stderr.splitlines()) <= 3


def test_installing_twice_and_uninstalling_twice(clone):
    before = clone.hook.read_text()
    clone.tensorlint("git-hook", "install")
    assert clone.hook.read_text() == before
    assert clone.hook.stat().st_mode & 0o111
    clone.tensorlint("git-hook", "uninstall")
    assert not clone.hook.exists()
    assert "there is no hook of tensorlint" in clone.tensorlint("git-hook", "uninstall").stdout
    assert [
        p.name for p in clone.hook.parent.iterdir() if p.name.startswith("pre-push") and p.suffix != ".sample"
    ] == []


def test_an_existing_hook_runs_with_its_stdin_and_is_put_back(tmp_path):
    clone = make_clone(tmp_path)
    text = foreign_hook(clone)
    clone.tensorlint("git-hook", "install")
    clone.tensorlint("git-hook", "install")
    assert "tensorlint" in clone.hook.read_text()
    checkpoint(clone.root, NAN)
    clone.commit()
    assert clone.git("push", "origin", "main", ok=False).returncode != 0
    assert not (tmp_path / "stdin").exists()  # what tensorlint stops, nobody else hears of
    checkpoint(clone.root)
    sha = clone.commit()
    clone.git("push", "origin", "main")
    assert (tmp_path / "stdin").read_text() == f"refs/heads/main {sha} refs/heads/main {'0' * 40}\n"
    assert (tmp_path / "args").read_text() == f"origin {clone.bare}\n"
    clone.tensorlint("git-hook", "uninstall")
    assert clone.hook.read_text() == text
    assert clone.hook.stat().st_mode & 0o111
    clone.tensorlint("git-hook", "uninstall")
    assert clone.hook.read_text() == text


def test_an_existing_hook_still_decides(tmp_path):
    clone = make_clone(tmp_path)
    foreign_hook(clone, 3)
    clone.tensorlint("git-hook", "install")
    checkpoint(clone.root)
    clone.commit()
    assert clone.git("push", "origin", "main", ok=False).returncode != 0
    assert clone.at_remote() == ""


def test_a_link_that_was_the_hook_stays_a_link(tmp_path):
    clone = make_clone(tmp_path)
    foreign_hook(clone)
    clone.hook.rename(clone.hook.with_name("shared.sh"))
    clone.hook.symlink_to("shared.sh")
    text = clone.hook.read_text()
    clone.tensorlint("git-hook", "install")
    assert clone.hook.with_name("shared.sh").read_text() == text
    clone.tensorlint("git-hook", "uninstall")
    assert clone.hook.is_symlink()


def test_two_hooks_of_others_are_both_kept(tmp_path):
    clone = make_clone(tmp_path)
    first = foreign_hook(clone)
    clone.tensorlint("git-hook", "install")
    second = foreign_hook(clone, 1)
    kept = clone.hook.with_name("pre-push.before-tensorlint")
    for action in ("install", "uninstall"):
        done = clone.tensorlint("git-hook", action, ok=False)
        assert done.returncode == 2
        assert "is not tensorlint's" in done.stderr
        assert (kept.read_text(), clone.hook.read_text()) == (first, second)


@pytest.mark.parametrize("where", [".hooks", "{tmp}/shared"])
def test_hooks_path(tmp_path, where):
    clone = make_clone(tmp_path)
    clone.git("config", "core.hooksPath", where.format(tmp=tmp_path))
    (clone.root / "sub").mkdir()
    said = clone.tensorlint("git-hook", "install", cwd=clone.root / "sub").stdout
    assert ("every repository that uses it" in said) == (where != ".hooks")
    assert (clone.root / where.format(tmp=tmp_path) / "pre-push").exists()
    assert not clone.hook.exists()
    checkpoint(clone.root, NAN)
    clone.commit()
    assert "to go on" in clone.git("push", "origin", "main", ok=False).stderr


def test_a_python_that_is_gone_stops_the_push_and_says_how_to_go_on(clone):
    from tensorlint.gate.git.install import script

    clone.hook.write_text(script("/nowhere/it's gone/python"))
    checkpoint(clone.root)
    clone.commit()
    said = clone.git("push", "origin", "main", ok=False).stderr
    assert "/nowhere/it's gone/python is gone" in said
    assert clone.at_remote() == ""
    clone.git("push", "origin", "main", TENSORLINT_GATE="off")


# -- pushing ----------------------------------------------------------------------------------------------------------


def test_a_bad_checkpoint_is_stopped_and_a_good_one_passes(clone):
    checkpoint(clone.root / "deep" / "er", NAN)
    clone.commit()
    done = clone.git("push", "origin", "main", ok=False)
    assert done.returncode != 0
    assert "error[scales/nan]" in done.stderr
    assert "TENSORLINT_GATE=off git push" in done.stderr
    assert "--no-verify" in done.stderr
    assert clone.at_remote() == ""
    checkpoint(clone.root / "deep" / "er")
    sha = clone.commit()
    clone.git("push", "origin", "main")
    assert clone.at_remote() == sha


def test_the_commit_counts_and_not_the_work_tree(clone):
    checkpoint(clone.root)
    clone.commit()
    checkpoint(clone.root, NAN)
    clone.git("push", "origin", "main")
    sha = clone.commit()
    checkpoint(clone.root)
    assert clone.git("push", "origin", "main", ok=False).returncode != 0
    assert clone.at_remote() != sha


@pytest.mark.parametrize(
    ("gate", "passes", "says"),
    [("off", True, False), ("warn", True, True), ("of", False, False), ("enforce", False, True)],
)
def test_gate(clone, gate, passes, says):
    checkpoint(clone.root, NAN)
    clone.commit()
    done = clone.git("push", "origin", "main", ok=False, TENSORLINT_GATE=gate)
    assert (done.returncode == 0) == passes == bool(clone.at_remote())
    assert ("scales/nan" in done.stderr) == says
    assert ("to go on" in done.stderr) == (gate == "enforce")


def test_an_accepted_rule(clone):
    checkpoint(clone.root, NAN)
    clone.commit()
    assert (
        "known (TENSORLINT_ACCEPT)" in clone.git("push", "origin", "main", TENSORLINT_ACCEPT="scales/nan: known").stderr
    )
    assert clone.at_remote()


def test_only_what_the_push_touches(clone):
    checkpoint(clone.root / "old", NAN)
    checkpoint(clone.root / "new")
    clone.commit()
    clone.git("push", "origin", "main", TENSORLINT_GATE="off")
    (clone.root / "old" / "README.md").write_text("no checkpoint")
    clone.commit()
    assert "checked" not in clone.git("push", "origin", "main").stderr
    checkpoint(clone.root / "new", 0.2)
    clone.commit()
    assert "1 shard" in clone.git("push", "origin", "main").stderr
    (clone.root / "old" / "config.json").write_text("{}")
    clone.commit()
    assert "scales/nan" in clone.git("push", "origin", "main", ok=False).stderr


def test_of_two_checkpoints_in_a_folder_the_changed_one(clone):
    checkpoint(clone.root, NAN)
    (clone.root / "model.safetensors").rename(clone.root / "other.safetensors")
    checkpoint(clone.root)
    clone.commit()
    clone.git("push", "origin", "main", TENSORLINT_GATE="off")
    checkpoint(clone.root, 0.2)
    clone.commit()
    clone.git("push", "origin", "main")
    (clone.root / "model.safetensors").unlink()
    clone.commit()
    assert clone.git("push", "origin", "main", ok=False).returncode != 0


def test_a_new_branch_is_compared_with_the_default_branch(clone):
    checkpoint(clone.root / "old", NAN)
    clone.commit()
    clone.git("push", "origin", "main", TENSORLINT_GATE="off")
    clone.git("checkout", "-q", "-b", "side")
    checkpoint(clone.root / "new")
    clone.commit()
    clone.git("push", "origin", "side")
    assert clone.at_remote("side")


def test_a_deleted_branch(clone):
    checkpoint(clone.root)
    clone.commit()
    clone.git("push", "origin", "main", "main:side")
    clone.git("push", "origin", ":side")
    assert clone.at_remote("side") == ""


@pytest.mark.parametrize("annotated", [(), ("-a", "-m", "one")])
def test_a_tag(clone, annotated):
    checkpoint(clone.root)
    clone.commit()
    clone.git("push", "origin", "main")
    clone.git("tag", *annotated, "good")
    clone.git("push", "origin", "good")
    checkpoint(clone.root, NAN)
    clone.commit()
    clone.git("tag", *annotated, "bad")
    assert clone.git("push", "origin", "bad", ok=False).returncode != 0
    assert (bool(clone.at_remote("good")), clone.at_remote("bad")) == (True, "")


def test_a_tag_of_a_file(clone):
    checkpoint(clone.root)
    clone.commit()
    clone.git("tag", "file", "HEAD:model.safetensors")
    clone.git("push", "origin", "file")


def test_a_forced_push(clone):
    checkpoint(clone.root)
    first = clone.commit()
    clone.git("push", "origin", "main")
    checkpoint(clone.root, 0.2)
    clone.git("commit", "-q", "-a", "--amend", "-m", "other")
    clone.git("push", "--force", "origin", "main")
    checkpoint(clone.root, NAN)
    clone.git("commit", "-q", "-a", "--amend", "-m", "bad")
    held = clone.at_remote()
    assert held != first
    assert clone.git("push", "--force", "origin", "main", ok=False).returncode != 0
    assert clone.at_remote() == held


def test_over_a_commit_that_is_not_here(clone, tmp_path):
    checkpoint(clone.root)
    clone.commit()
    clone.git("push", "origin", "main")
    other = tmp_path / "other"
    clone.git("clone", "-q", clone.bare, other)
    clone.git("commit", "-q", "--allow-empty", "-m", "theirs", cwd=other)
    clone.git("push", "-q", cwd=other)
    checkpoint(clone.root, NAN)
    clone.commit()
    assert "scales/nan" in clone.git("push", "--force", "origin", "main", ok=False).stderr
    checkpoint(clone.root, 0.2)
    clone.commit()
    clone.git("push", "--force", "origin", "main")


def test_a_remote_given_by_its_path(clone):
    checkpoint(clone.root, NAN)
    clone.commit()
    assert "scales/nan" in clone.git("push", clone.bare, "main", ok=False).stderr


def test_from_a_subfolder_and_from_a_linked_worktree(clone, tmp_path):
    checkpoint(clone.root / "sub")
    clone.commit()
    clone.git("push", "origin", "main", cwd=clone.root / "sub")
    linked = tmp_path / "linked"
    clone.git("worktree", "add", "-q", "-b", "side", linked)
    assert str(clone.hook) in clone.tensorlint("git-hook", "install", cwd=linked).stdout
    checkpoint(linked / "sub", NAN)
    clone.git("commit", "-q", "-a", "-m", "bad", cwd=linked)
    assert "scales/nan" in clone.git("push", "origin", "side", ok=False, cwd=linked / "sub").stderr
    checkpoint(linked / "sub", 0.2)
    clone.git("commit", "-q", "-a", "-m", "good", cwd=linked)
    clone.git("push", "origin", "side", cwd=linked / "sub")


def test_nothing_of_the_repository_is_imported(clone, tmp_path):
    for name in ("click.py", "numpy.py", "tensorlint.py"):
        (clone.root / name).write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    checkpoint(clone.root, NAN)
    clone.git("add", "-A")
    clone.git("commit", "-q", "-m", "code")
    assert "scales/nan" in clone.git("push", "origin", "main", ok=False).stderr
    assert not (tmp_path / "imported").exists()


def test_input_that_is_not_gits(clone):
    import subprocess
    import sys

    command = [sys.executable, "-m", "tensorlint", "git-hook", "run"]
    done = subprocess.run(command, cwd=clone.root, env=clone.env, input="what\n", capture_output=True, text=True)
    assert done.returncode == 2
    assert "is no line of a pre-push hook" in done.stderr


# -- git-lfs ----------------------------------------------------------------------------------------------------------


@needs_lfs
@pytest.mark.parametrize("first", ["tensorlint", "git-lfs"])
def test_no_object_leaves_before_the_check(tmp_path, first):
    clone = make_clone(tmp_path, lfs=True)
    if first == "git-lfs":
        clone.git("lfs", "update")
        assert "git lfs pre-push" in clone.hook.read_text()
    clone.tensorlint("git-hook", "install")
    checkpoint(clone.root, NAN)
    clone.commit()
    assert "git-lfs" in clone.git("show", "HEAD:model.safetensors").stdout
    assert clone.git("push", "origin", "main", ok=False).returncode != 0
    assert (clone.at_remote(), clone.objects_at_remote()) == ("", [])
    checkpoint(clone.root)
    clone.git("commit", "-q", "-a", "--amend", "-m", "good")
    clone.git("push", "origin", "main")
    assert len(clone.objects_at_remote()) == 1
    clone.tensorlint("git-hook", "uninstall")
    assert clone.hook.exists() == (first == "git-lfs")


def without_objects(clone: Clone, tmp_path: Path) -> Clone:
    """A clone whose LFS files are pointers without objects."""
    other = Clone(tmp_path / "thin", clone.bare, clone.env | {"GIT_LFS_SKIP_SMUDGE": "1"})
    clone.git("clone", "-q", clone.bare, other.root, GIT_LFS_SKIP_SMUDGE="1")
    other.tensorlint("git-hook", "install")
    return other


@needs_lfs
def test_a_pointer_that_the_remote_has_is_a_gap(lfs_clone, tmp_path):
    checkpoint(lfs_clone.root)
    lfs_clone.commit()
    lfs_clone.git("push", "origin", "main")
    thin = without_objects(lfs_clone, tmp_path)
    (thin.root / "config.json").write_text(json.dumps({"model_type": "llama"}))
    thin.commit()
    said = thin.git("push", "origin", "main").stderr
    assert "not in the local LFS store, and the remote has it already" in said
    assert "lfs-pointer" not in said
    thin.git("mv", "model.safetensors", "renamed.safetensors")
    thin.commit()
    thin.git("push", "origin", "main:side")
    assert thin.at_remote("side")


@needs_lfs
def test_a_merge_of_what_the_remote_has_adds_nothing(lfs_clone, tmp_path):
    (lfs_clone.root / "README.md").write_text("one")
    lfs_clone.commit()
    lfs_clone.git("push", "origin", "main")
    lfs_clone.git("checkout", "-q", "-b", "side")
    checkpoint(lfs_clone.root)
    lfs_clone.commit()
    lfs_clone.git("push", "origin", "side")
    thin = without_objects(lfs_clone, tmp_path)
    (thin.root / "README.md").write_text("two")
    thin.commit()
    thin.git("merge", "-q", "-m", "merge", "origin/side")
    assert "the remote has it already" in thin.git("push", "origin", "main").stderr


@needs_lfs
def test_a_new_pointer_without_an_object_stops_the_push(lfs_clone, tmp_path):
    checkpoint(lfs_clone.root)
    lfs_clone.commit()
    for stored in (lfs_clone.root / ".git" / "lfs" / "objects").rglob("*"):
        if stored.is_file():
            stored.unlink()
    said = lfs_clone.git("push", "origin", "main", ok=False).stderr
    assert "error[container/lfs-pointer]" in said
    assert "new to the remote" in said
    assert lfs_clone.at_remote() == ""


@needs_lfs
def test_another_place_for_objects(lfs_clone, tmp_path):
    lfs_clone.git("config", "lfs.storage", tmp_path / "store")
    checkpoint(lfs_clone.root, NAN)
    lfs_clone.commit()
    assert (tmp_path / "store" / "objects").is_dir()
    assert "scales/nan" in lfs_clone.git("push", "origin", "main", ok=False).stderr
