"""`tensorlint pre-commit`: the checkpoints of a commit, as they are staged, in real clones with git-lfs."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from gitclone import HAS_LFS, Clone, make_clone
from tensorlint.gate.git.advice import ignore_entries
from tensorlint.report.findings import Finding, Location

from .conftest import checkpoint

NAN = float("nan")
needs_lfs = pytest.mark.skipif(not HAS_LFS, reason="git-lfs is not installed")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return make_clone(tmp_path)


def hook(clone: Clone, *names: str, cwd: Path | None = None) -> tuple[int, str]:
    """What the hook says about what is staged, as pre-commit calls it for `names`."""
    clone.git("add", "-A")
    done = clone.tensorlint("pre-commit", *names, ok=False, cwd=cwd)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def sharded(folder: Path) -> None:
    """Two shards with an index."""
    for number, name in enumerate(("a.q_proj", "b.q_proj"), 1):
        checkpoint(folder, name=name)
        (folder / "model.safetensors").rename(folder / f"model-{number:05}-of-00002.safetensors")
    where = {
        f"{module}.{part}": f"model-{number:05}-of-00002.safetensors"
        for number, module in enumerate(("a.q_proj", "b.q_proj"), 1)
        for part in ("weight", "weight_scale")
    }
    index = {"metadata": {"total_size": 136}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_a_broken_checkpoint_is_named_with_what_to_do(clone):
    checkpoint(clone.root / "m", NAN)
    code, said = hook(clone, "m/model.safetensors")
    assert code == 1
    for wanted in ("error[scales/nan]", "tensorlint explain scales/nan", "SKIP=tensorlint git commit"):
        assert wanted in said
    entry = '    [[ignore]]\n    rule = "scales/nan"\n    tensor = "a.q_proj.weight_scale"\n    reason = "..."\n'
    assert entry in said


def test_a_clean_checkpoint_passes(clone):
    checkpoint(clone.root)
    assert hook(clone, "model.safetensors")[0] == 0


def test_nothing_staged_is_silent(clone):
    assert hook(clone) == (0, "")
    assert hook(clone, "README.md", "src/main.py") == (0, "")


def test_a_config_that_belongs_to_no_checkpoint(clone):
    (clone.root / "config.json").write_text("{}")
    assert hook(clone, "config.json") == (0, "")


@pytest.mark.parametrize(
    ("named", "reports"), [(("a/model.safetensors", "a/config.json"), 1), (("a/config.json", "b/config.json"), 2)]
)
def test_each_checkpoint_is_checked_once(clone, named, reports):
    for folder in ("a", "b", "c"):
        checkpoint(clone.root / folder)
        (clone.root / folder / "config.json").write_text("{}")
    assert hook(clone, *named)[1].count("checked ") == reports


def test_only_the_checkpoint_whose_files_change(clone):
    checkpoint(clone.root / "bad", NAN)
    checkpoint(clone.root / "good")
    assert hook(clone, "good/model.safetensors")[0] == 0
    assert hook(clone, "bad/model.safetensors")[0] == 1


def test_of_two_checkpoints_in_a_folder_the_changed_one(clone):
    checkpoint(clone.root, NAN)
    (clone.root / "model.safetensors").rename(clone.root / "other.safetensors")
    checkpoint(clone.root)
    assert hook(clone, "model.safetensors")[0] == 0
    assert hook(clone, "other.safetensors")[0] == 1


@pytest.mark.parametrize("change", ["delete", "rename", "move"])
def test_a_shard_that_leaves_is_found_though_no_name_is_given(clone, change):
    sharded(clone.root / "m")
    clone.commit()
    assert hook(clone, "m/config.json")[0] == 0
    shard = clone.root / "m" / "model-00002-of-00002.safetensors"
    if change == "delete":
        shard.unlink()
    else:
        (clone.root / "n").mkdir()
        shard.rename(clone.root / ("m/other.safetensors" if change == "rename" else "n/model.safetensors"))
    code, said = hook(clone)
    assert code == 1
    assert "index/missing-shard" in said
    assert "m: " in said


def test_a_deleted_checkpoint_is_nothing_to_check(clone):
    checkpoint(clone.root / "m", NAN)
    clone.commit()
    shutil.rmtree(clone.root / "m")
    assert hook(clone) == (0, "")


def test_a_shard_that_was_not_staged_is_not_there(clone):
    sharded(clone.root)
    (clone.root / ".gitignore").write_text("*-00002-*\n")
    code, said = hook(clone, "model.safetensors.index.json")
    assert code == 1
    assert "index/missing-shard" in said


def test_a_file_that_git_does_not_know_is_checked_where_it_is_named(clone):
    checkpoint(clone.root / "m", NAN)
    done = clone.tensorlint("pre-commit", "m/model.safetensors", ok=False)
    assert done.returncode == 1


def test_between_two_commits(clone):
    sharded(clone.root)
    first = clone.commit()
    (clone.root / "model-00001-of-00002.safetensors").unlink()
    second = clone.commit()
    assert hook(clone) == (0, "")
    clone.env.update(PRE_COMMIT_FROM_REF=first, PRE_COMMIT_TO_REF=second)
    assert hook(clone)[0] == 1


def test_the_first_commit_and_an_amended_one(clone):
    checkpoint(clone.root, NAN)
    assert hook(clone, "model.safetensors")[0] == 1
    clone.commit()
    checkpoint(clone.root)
    assert hook(clone, "model.safetensors")[0] == 0


def test_a_conflict_is_one_line(clone):
    checkpoint(clone.root)
    clone.commit()
    clone.git("checkout", "-q", "-b", "side")
    checkpoint(clone.root, 0.2)
    clone.commit()
    clone.git("checkout", "-q", "main")
    checkpoint(clone.root, 0.3)
    clone.commit()
    clone.git("merge", "side", ok=False)
    done = clone.tensorlint("pre-commit", "model.safetensors", ok=False)
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) <= 2


def test_from_a_subfolder_and_a_linked_worktree(clone, tmp_path):
    checkpoint(clone.root / "sub" / "m", NAN)
    checkpoint(clone.root / "other", NAN)
    clone.commit()
    assert hook(clone, "m/model.safetensors", cwd=clone.root / "sub")[0] == 1
    code, said = hook(clone, "--all", cwd=clone.root / "sub")
    assert (code, said.count("checked ")) == (1, 1)  # prek runs the hooks of a sub-project in its folder
    linked = tmp_path / "linked"
    clone.git("worktree", "add", "-q", linked)
    assert clone.tensorlint("pre-commit", "sub/m/model.safetensors", ok=False, cwd=linked).returncode == 1


def test_outside_of_a_repository(clone, tmp_path):
    done = clone.tensorlint("pre-commit", ok=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "is not in a git repository" in done.stderr


@pytest.mark.parametrize(("depth", "code"), [("headers", 0), ("scales", 1), ("full", 1)])
def test_depth(clone, depth, code):
    checkpoint(clone.root, NAN)
    assert hook(clone, "--depth", depth, "model.safetensors")[0] == code


def test_all_checks_every_checkpoint(clone):
    checkpoint(clone.root / "a", NAN)
    checkpoint(clone.root / "b")
    clone.commit()
    code, said = hook(clone, "--all", "--depth", "full")
    assert (code, said.count("checked ")) == (1, 2)
    assert "SKIP=tensorlint-full" in said


@pytest.mark.parametrize("leads", ["/etc/passwd", "../../outside.safetensors", "model.safetensors", "no/where"])
def test_a_link_does_not_lead_out_of_the_repository(clone, tmp_path, leads):
    checkpoint(tmp_path / "x", NAN)
    (tmp_path / "x" / "model.safetensors").rename(tmp_path / "outside.safetensors")
    (clone.root / "m").mkdir()
    (clone.root / "m" / "model.safetensors").symlink_to(leads)
    code, said = hook(clone, "m/model.safetensors")
    assert "scales/nan" not in said
    assert code == 1
    assert "broken-link" in said


def test_a_link_inside_of_the_repository_is_followed(clone):
    checkpoint(clone.root / "shared", NAN)
    (clone.root / "m").mkdir()
    (clone.root / "m" / "model.safetensors").symlink_to("../shared/model.safetensors")
    assert "error[scales/nan]" in hook(clone, "m/model.safetensors")[1]


def test_a_file_outside_of_a_sparse_checkout_is_read_from_git(clone):
    checkpoint(clone.root / "m", NAN)
    (clone.root / "m" / "config.json").write_text("{}")
    (clone.root / "n").mkdir()
    (clone.root / "n" / "x").write_text("")
    clone.commit()
    clone.git("sparse-checkout", "set", "n")
    assert not (clone.root / "m").exists()
    assert clone.tensorlint("pre-commit", "m/model.safetensors", ok=False).returncode == 1


# -- configuration ----------------------------------------------------------------------------------------------------

IGNORE = '[[ignore]]\nrule = "scales/nan"\nreason = "an experiment"\n'


@pytest.mark.parametrize(
    ("file", "text", "options", "code"),
    [
        ("tensorlint.toml", IGNORE, (), 0),
        ("m/tensorlint.toml", IGNORE, (), 0),
        ("n/tensorlint.toml", IGNORE, (), 1),
        ("tensorlint.toml", IGNORE, ("--isolated",), 1),
        ("tensorlint.toml", '[[target]]\npath = "m"\nfail-on = "never"\n', (), 0),
        ("tensorlint.toml", 'depth = "headers"\n', (), 0),
        ("tensorlint.toml", 'depth = "headers"\n', ("--depth", "full"), 1),
        ("tensorlint.toml", 'selcet = ["scales"]\n', (), 2),
        ("other.toml", IGNORE, ("--config", "other.toml"), 0),
    ],
)
def test_the_configuration_of_the_checkpoint_holds(clone, file, text, options, code):
    checkpoint(clone.root / "m", NAN)
    path = clone.root / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    found, said = hook(clone, *options, "m/model.safetensors")
    assert found == code, said
    assert "did you mean `select`" in said or code != 2


def test_a_configuration_does_not_matter_where_there_is_no_checkpoint(clone):
    (clone.root / "tensorlint.toml").write_text("nonsense")
    (clone.root / "config.json").write_text("{}")
    assert hook(clone, "config.json") == (0, "")


# -- git-lfs ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def lfs(tmp_path: Path) -> Clone:
    made = make_clone(tmp_path, lfs=True)
    checkpoint(made.root / "m", NAN)
    made.commit()
    return made


def pointers(clone: Clone) -> str:
    """Replace what is in the work tree by pointers, as a clone without smudging has them."""
    pointer = clone.git("cat-file", "blob", "HEAD:m/model.safetensors").stdout
    assert pointer.startswith("version https://git-lfs")
    (clone.root / "m" / "model.safetensors").write_text(pointer)
    return pointer


@needs_lfs
def test_lfs_content_in_the_work_tree(lfs):
    assert hook(lfs, "m/model.safetensors")[0] == 1


@needs_lfs
def test_a_pointer_is_checked_through_the_local_store(lfs):
    pointers(lfs)
    code, said = hook(lfs, "m/model.safetensors")
    assert code == 1
    assert "error[scales/nan]" in said


@needs_lfs
@pytest.mark.parametrize("option", [(), ("--require-content",)])
def test_a_pointer_without_content_is_named(lfs, option):
    pointers(lfs)
    shutil.rmtree(lfs.root / ".git" / "lfs" / "objects")
    code, said = hook(lfs, *option, "m/model.safetensors")
    assert code == len(option)
    assert ("container/lfs-pointer" in said) == bool(option)
    if not option:
        assert "not checked: model.safetensors: not in the local LFS store" in said
        assert "no findings in what was checked" in said


@needs_lfs
def test_the_hook_that_git_calls(lfs, tmp_path):
    """Through git commit, with the environment that git sets for a hook, all of the index and a part of it."""
    script = lfs.root / ".git" / "hooks" / "pre-commit"
    script.parent.mkdir(exist_ok=True)
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tensorlint pre-commit m/model.safetensors\n')
    script.chmod(0o755)
    (lfs.root / "other").write_text("x")
    lfs.git("add", "other")
    assert "scales/nan" in lfs.git("commit", "-m", "x", ok=False).stderr
    checkpoint(lfs.root / "m")
    assert lfs.git("commit", "-q", "-m", "fixed", "m/model.safetensors").returncode == 0


# -- advice -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "tensors"),
    [
        (["l.0.w"], ['"l.0.w"']),
        (["l.0.w", "l.1.w"], ['"l.*.w"']),
        (["l.0.w", "l.1.v"], ['"l.*.w"', '"l.*.v"']),
        (['a"b[0]*'], [r'"a\"b[[]0][*]"']),
        ([], ['"*"']),
    ],
)  # fmt: skip
def test_ignore_entries_are_toml_that_names_the_tensors(names, tensors):
    finding = Finding("scales/nan", "error", "x", locations=tuple(Location("f", name) for name in names))
    entries = ignore_entries(finding)
    assert [entry.splitlines()[2] for entry in entries] == [f"tensor = {tensor}" for tensor in tensors]
