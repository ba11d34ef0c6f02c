"""How checkpoints are found: which files belong together, and what is said about files that are not there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from attacks import entry, shard
from linted import check, rules_of
from tensorlint.container.checkpoint import Checkpoint, find_checkpoints
from tensorlint.facts import Fact
from tensorlint.rulebook.facts import catalogue
from tensorlint.rulebook.library import load_book
from tensorlint.sources.interface import Source
from tensorlint.sources.local import LocalSource
from tensorlint.sources.memory import MemorySource


def tensors(*names: str) -> bytes:
    """A shard of one-byte tensors."""
    return shard({name: entry("U8", [1], i, i + 1) for i, name in enumerate(names)}, len(names))


def index(**where: str) -> bytes:
    """An index; tensors by name."""
    return json.dumps({"metadata": {"total_size": len(where)}, "weight_map": where}).encode()


def found(files: Mapping[str, bytes | None]) -> list[Checkpoint]:
    return list(find_checkpoints(MemorySource(files)))


def outline(files: Mapping[str, bytes | None]) -> dict[str, list[str]]:
    """Shards of every checkpoint, by folder and stem."""
    return {c.folder + c.stem: list(c.shards) for c in found(files)}


A, B, C = (f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3))
INDEX = "model.safetensors.index.json"

# name: (files, shards by checkpoint)
LAYOUTS: dict[str, tuple[Mapping[str, bytes | None], dict[str, list[str]]]] = {
    "nothing": ({"config.json": b"{}", "README.md": b""}, {}),
    "single file": ({"model.safetensors": tensors("a")}, {"model": ["model.safetensors"]}),
    "single file of any name": ({"flux-dev.safetensors": tensors("a")}, {"flux-dev": ["flux-dev.safetensors"]}),
    "sharded with index": (
        {A: tensors("a"), B: tensors("b"), C: tensors("c"), INDEX: index(a=A, b=B, c=C)},
        {"model": [A, B, C]},
    ),
    "sharded without index": ({A: tensors("a"), B: tensors("b"), C: tensors("c")}, {"model": [A, B, C]}),
    "index without shards": ({INDEX: index(a=A)}, {"model": []}),
    "index that cannot be read": ({INDEX: b"{", A: tensors("a")}, {"model": [A]}),
    "whole model beside the shards": (
        {A: tensors("a"), "model.safetensors": tensors("a"), INDEX: index(a=A)},
        {"model": [A, "model.safetensors"]},
    ),
    "two models in one folder": (
        {
            A: tensors("a"),
            INDEX: index(a=A),
            "consolidated-00001-of-00001.safetensors": tensors("x"),
            "consolidated.safetensors.index.json": index(x="consolidated-00001-of-00001.safetensors"),
        },
        {"consolidated": ["consolidated-00001-of-00001.safetensors"], "model": [A]},
    ),
    "index that names shards of another stem": (
        {"part-a.safetensors": tensors("a"), "part-b.safetensors": tensors("b"), INDEX: index(a="part-a.safetensors")},
        {"model": ["part-a.safetensors"], "part-b": ["part-b.safetensors"]},
    ),
    "two indexes that name one shard": (
        {"a.safetensors": tensors("a"), INDEX: index(a="a.safetensors"), "b" + INDEX: index(a="a.safetensors")},
        {"bmodel": ["a.safetensors"], "model": []},
    ),
    "variants": (
        {"model.fp8-00001-of-00001.safetensors": tensors("a"), "model.safetensors": tensors("a")},
        {"model": ["model.safetensors"], "model.fp8": ["model.fp8-00001-of-00001.safetensors"]},
    ),
    "variant after the number": (
        {"model-00001-of-00001.fp8.safetensors": tensors("a"), "model-00001-of-00001.safetensors": tensors("a")},
        {"model": ["model-00001-of-00001.safetensors"], "model.fp8": ["model-00001-of-00001.fp8.safetensors"]},
    ),
    "pipeline of subfolders": (
        {
            "model_index.json": b"{}",
            "unet/diffusion_pytorch_model.safetensors": tensors("a"),
            "text_encoder/model.safetensors": tensors("a"),
            "scheduler/scheduler_config.json": b"{}",
        },
        {
            "text_encoder/model": ["text_encoder/model.safetensors"],
            "unet/diffusion_pytorch_model": ["unet/diffusion_pytorch_model.safetensors"],
        },
    ),
    "adapter": (
        {"adapter_model.safetensors": tensors("a"), "adapter_config.json": b"{}"},
        {"adapter_model": ["adapter_model.safetensors"]},
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_files_that_belong_together_are_one_checkpoint(name: str) -> None:
    files, expected = LAYOUTS[name]
    assert outline(files) == expected


def shards_named(*names: str) -> dict[str, bytes | None]:
    return {name: tensors(f"t{i}") for i, name in enumerate(names)}


def gap(first: str, missing: list[int], present: int, total: int) -> Fact:
    return Fact("shard-gap", first, values={"missing": missing, "present": present, "total": total})


# name: (files, facts)
NUMBERING: dict[str, tuple[Mapping[str, bytes | None], list[Fact]]] = {
    "one of one": (shards_named("model-00001-of-00001.safetensors"), []),
    "all, no index": (shards_named(A, B, C), [Fact("no-index", A, values={"shards": 3})]),
    "all, counted from zero": (
        shards_named("m-00000-of-00002.safetensors", "m-00001-of-00002.safetensors"),
        [Fact("no-index", "m-00000-of-00002.safetensors", values={"shards": 2})],
    ),
    "middle missing": (shards_named(A, C), [gap(A, [2], 2, 3)]),
    "first missing": (shards_named(B, C), [gap(B, [1], 2, 3)]),
    "last missing": (shards_named(A, B), [gap(A, [3], 2, 3)]),
    "most missing": (
        shards_named("model-00001-of-99999.safetensors"),
        [gap("model-00001-of-99999.safetensors", [2, 3, 4, 5, 6, 7, 8, 9], 1, 99999)],
    ),
    "underscores": (shards_named("m_01-of-02.safetensors"), [gap("m_01-of-02.safetensors", [2], 1, 2)]),
    "gap that an index knows of": (
        {A: tensors("a"), INDEX: index(a=A, c=C)},
        [Fact("missing-shard", INDEX, "c", values={"shard": C, "tensors": 1, "of": 2, "held": ""})],
    ),
    "broken link": (
        {"model-00001-of-00002.safetensors": tensors("a"), "model-00002-of-00002.safetensors": None},
        [
            Fact(
                "broken-link",
                "model-00002-of-00002.safetensors",
                values={"target": "model-00002-of-00002.safetensors"},
            ),
            Fact("no-index", "model-00001-of-00002.safetensors", values={"shards": 2}),
        ],
    ),
}


@pytest.mark.parametrize("name", NUMBERING)
def test_shards_that_are_not_there_are_facts(name: str) -> None:
    files, expected = NUMBERING[name]
    (checkpoint,) = found(files)
    assert list(checkpoint.facts) == expected


CONFIGS: dict[str, tuple[bytes, list[Fact]]] = {
    "sound": (b'{"a": 1}', []),
    "byte order mark": (b"\xef\xbb\xbf{}", []),
    "key twice, deep inside": (
        b'{"a": [{"k": 1, "k": 2}]}',
        [Fact("config-duplicate-key", "config.json", values={"key": "k"})],
    ),
    "not JSON": (b"{", [Fact("config-unreadable", "config.json", values={"problem": "..."})]),
    "a list": (b"[]", [Fact("config-unreadable", "config.json", values={"problem": "it is not a JSON object"})]),
    "not UTF-8": (
        b'{"\xff": 1}',
        [Fact("config-unreadable", "config.json", values={"problem": "it is not UTF-8 text (byte 2)"})],
    ),
    "nested 100,000 deep": (
        b"[" * 100_000,
        [Fact("config-unreadable", "config.json", values={"problem": "nested too deeply"})],
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_json_files_that_cannot_be_used_are_facts(name: str) -> None:
    raw, expected = CONFIGS[name]
    (checkpoint,) = found({"model.safetensors": tensors("a"), "config.json": raw})
    assert [(f.kind, f.file) for f in checkpoint.facts] == [(f.kind, f.file) for f in expected]
    for fact, wanted in zip(checkpoint.facts, expected, strict=True):
        assert wanted.values.get("problem") == "..." or fact.values == wanted.values


def test_a_fact_about_a_json_file_is_stated_once_in_a_folder_of_two_models() -> None:
    checkpoints = found({"a.safetensors": tensors("a"), "b.safetensors": tensors("b"), "config.json": b"["})
    assert [[f.kind for f in c.facts] for c in checkpoints] == [["config-unreadable"], []]


def test_facts_carry_the_fields_of_the_catalogue() -> None:
    every = [f for _, fs in NUMBERING.values() for f in fs] + [f for _, fs in CONFIGS.values() for f in fs]
    assert {f.kind for f in every} >= {"shard-gap", "no-index", "broken-link", "config-unreadable"}
    assert all(set(f.values) == set(catalogue()[f.kind].fields) for f in every)


def test_the_index_decides_which_copy_of_a_tensor_counts() -> None:
    (checkpoint,) = found({A: tensors("a", "b"), B: tensors("b"), INDEX: index(a=A, b=A)})
    assert {t.name: t.shard for t in checkpoint.tensors.values()} == {"a": A, "b": A}
    assert [t.shard for t in checkpoint.copies["b"]] == [A, B]


WHOLE: dict[str, tuple[Mapping[str, bytes | None], bool]] = {
    "sound": ({"model.safetensors": tensors("a")}, True),
    "shard missing": ({A: tensors("a"), INDEX: index(a=A, c=C)}, False),
    "number missing": ({A: tensors("a")}, False),
    "shard unreadable": ({"model.safetensors": b"\0" * 32}, False),
    "tensor unreadable": ({"model.safetensors": shard({"a": entry("X", [1], 0, 1)}, 1)}, False),
    "link broken": ({A: tensors("a"), B: None}, False),
    "index leaves the folder": ({A: tensors("a"), INDEX: index(a=A, b="../x.safetensors")}, False),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_checkpoint_knows_whether_it_is_whole(name: str) -> None:
    files, whole = WHOLE[name]
    (checkpoint,) = found(files)
    assert checkpoint.whole is whole


# -- on a disk ------------------------------------------------------------------------------------------------------


def run(source: Source) -> tuple[set[str], str]:
    """Rules of the container and the index that object, and why the run stopped."""
    book = load_book()
    report = check(source, book, rules_of(book, ["container", "index"]))
    return {f.rule for f in report.findings}, report.stopped


def hub_cache(root: Path) -> Path:
    """A snapshot folder as huggingface_hub keeps it: links into a folder of blobs."""
    blobs, snapshot = root / "blobs", root / "snapshots" / "0123abcd"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    files = {A: tensors("a"), B: tensors("b"), C: tensors("c"), INDEX: index(a=A, b=B, c=C), "config.json": b"{}"}
    for number, (name, data) in enumerate(files.items()):
        (blobs / f"blob{number}").write_bytes(data)
        (snapshot / name).symlink_to(Path("..") / ".." / "blobs" / f"blob{number}")
    return snapshot


def test_a_snapshot_of_links_is_read_like_files(tmp_path: Path) -> None:
    snapshot = hub_cache(tmp_path)
    assert run(LocalSource(snapshot, "hub")) == (set(), "")


def test_a_blob_that_is_gone_is_a_broken_link_and_a_missing_shard(tmp_path: Path) -> None:
    snapshot = hub_cache(tmp_path)
    (tmp_path / "blobs" / "blob1").unlink()
    assert run(LocalSource(snapshot, "hub")) == ({"index/broken-link", "index/missing-shard"}, "")


def test_an_index_that_is_a_broken_link_is_a_finding(tmp_path: Path) -> None:
    snapshot = hub_cache(tmp_path)
    (tmp_path / "blobs" / "blob3").unlink()
    assert run(LocalSource(snapshot, "hub"))[0] == {"index/unreadable"}


def test_one_shard_of_several_is_partial_and_its_neighbours_are_not_missed(tmp_path: Path) -> None:
    snapshot = hub_cache(tmp_path)
    (checkpoint,) = find_checkpoints(LocalSource(snapshot / A, A))
    assert (list(checkpoint.shards), checkpoint.partial, checkpoint.index, checkpoint.facts) == ([A], True, None, ())


def test_a_loop_of_folders_ends(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(tensors("a"))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to("..", target_is_directory=True)
    assert [c.folder for c in find_checkpoints(LocalSource(tmp_path, "loop"))] == [""]


def test_an_index_that_points_outside_reads_nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "model"
    inside.mkdir()
    (tmp_path / "secret.safetensors").write_bytes(tensors("secret"))
    (inside / "model.safetensors").write_bytes(tensors("a"))
    (inside / INDEX).write_bytes(index(a="model.safetensors", secret="../secret.safetensors"))
    opened: list[str] = []
    real = os.open

    def record(path: Any, *args: Any, **kwargs: Any) -> int:
        opened.append(str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", record)
    rules, _ = run(LocalSource(inside, "model"))
    assert "index/path-escape" in rules
    assert not any("secret" in path for path in opened)
