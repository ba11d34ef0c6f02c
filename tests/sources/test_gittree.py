"""The tree of a commit as a source: blobs, links, and LFS pointers with and without their objects."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gitclone import Clone, make_clone
from linted import check, rules_of
from tensorlint.errors import UnfinishedError, UsageError
from tensorlint.rulebook.library import load_book
from tensorlint.sources import gittree
from tensorlint.sources.git import Repo, repo_at
from tensorlint.sources.gittree import GitTree
from tensorlint.sources.interface import ListedSource

HEADER = b'{"a.weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}} '
SHARD = len(HEADER).to_bytes(8, "little") + HEADER + b"\0\0\x80\x3f" * 4


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    made = make_clone(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
        monkeypatch.setenv(name, made.env[name])
    return made


def tree(clone: Clone) -> GitTree:
    return GitTree(Repo(clone.root), clone.commit(), "(commit)")


def store(clone: Clone, name: str, data: bytes, stated: int | None = None, folder: str = ".git/lfs") -> Path:
    """Commit a pointer by hand, as git-lfs writes it, and put the object into the store."""
    oid = hashlib.sha256(data).hexdigest()
    size = len(data) if stated is None else stated
    (clone.root / name).write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n")
    path = clone.root / folder / "objects" / oid[:2] / oid[2:4] / oid
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return path


def test_blobs_of_the_commit(clone):
    (clone.root / "sub").mkdir()
    (clone.root / "sub" / "modèl\tx.safetensors").write_bytes(SHARD)
    (clone.root / "config.json").write_text("{}")
    source = tree(clone)
    (clone.root / "config.json").write_text("changed")
    assert dict(source.files()) == {"config.json": 2, "sub/modèl\tx.safetensors": len(SHARD)}
    assert source.open("config.json").read(0, 2) == b"{}"
    assert source.open("sub/modèl\tx.safetensors").read(8, 4) == SHARD[8:12]
    assert isinstance(source, ListedSource)


def test_a_large_blob_is_unpacked_and_removed(clone, monkeypatch):
    monkeypatch.setattr(gittree, "SMALL", 16)
    (clone.root / "model.safetensors").write_bytes(SHARD)
    source = tree(clone)
    first, second = source.open("model.safetensors"), source.open("model.safetensors")
    assert first.read(0, len(SHARD)) == second.read(0, len(SHARD)) == SHARD
    unpacked = first.path
    assert unpacked == second.path
    first.close(), second.close(), source.close(), source.close()
    assert not unpacked.exists()


@pytest.mark.parametrize("folder", [".git/lfs", ".git/elsewhere"])
def test_a_pointer_is_read_as_its_object(clone, folder):
    if folder != ".git/lfs":
        clone.git("config", "lfs.storage", "elsewhere")
    store(clone, "model.safetensors", SHARD, folder=folder)
    source = tree(clone)
    assert source.files()["model.safetensors"] == len(SHARD)
    assert source.open("model.safetensors").read(0, len(SHARD)) == SHARD
    assert list(source.facts("model.safetensors")) == []
    assert source.absent == {}
    assert not check(source, load_book(), rules_of(load_book())).count("error")


def test_an_object_of_another_size_than_its_pointer_states(clone):
    store(clone, "model.safetensors", SHARD, stated=4096)
    report = check(tree(clone), load_book(), rules_of(load_book()))
    assert [f.rule for f in report.findings if f.severity == "error"] == ["container/stored-size"]


def test_a_pointer_without_its_object(clone):
    store(clone, "model.safetensors", SHARD).unlink()
    source = tree(clone)
    assert list(source.absent) == ["model.safetensors"]
    assert source.open("model.safetensors").read(0, 7) == b"version"


def test_pointers_that_no_check_reads_are_left_alone(clone):
    store(clone, "tokenizer.model", b"x" * 2000).unlink()
    source = tree(clone)
    assert source.absent == {}
    assert source.files()["tokenizer.model"] < 200


def test_links(clone):
    (clone.root / "blobs").mkdir()
    (clone.root / "blobs" / "one").write_bytes(SHARD)
    for name, leads in (
        ("model", "blobs/one"),
        ("gone", "blobs/two"),
        ("out", "/etc/passwd"),
        ("loop", "loop.safetensors"),
    ):
        (clone.root / f"{name}.safetensors").symlink_to(leads)
    source = tree(clone)
    assert source.open("model.safetensors").read(0, len(SHARD)) == SHARD
    assert sorted(source.broken_links()) == ["gone.safetensors", "loop.safetensors", "out.safetensors"]
    assert source.open("gone.safetensors").size == 0


def test_a_commit_that_is_not_here(clone):
    clone.commit()
    with pytest.raises(UnfinishedError, match="git ls-tree"):
        GitTree(Repo(clone.root), "1" * 40, "(commit)").files()


def test_no_repository_and_no_git(tmp_path, clone, monkeypatch):
    with pytest.raises(UsageError, match="not in a git repository"):
        repo_at(tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnfinishedError, match="cannot run git"):
        repo_at(clone.root)
