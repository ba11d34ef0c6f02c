"""How checkpoints are found: which files belong together, and what is said about files that are not there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from attacks import entry, shard
from linted import check, rules_of
from tensorlint.container.checkpoint import MAX_JSON, Checkpoint, find_checkpoints
from tensorlint.errors import UnfinishedError
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
    "two folders of one name": (
        {"b/model.safetensors": tensors("a"), "a/model.safetensors": tensors("a")},
        {"a/model": ["a/model.safetensors"], "b/model": ["b/model.safetensors"]},
    ),
    "numbers of one digit, and of seven": (
        {"m-1-of-2.safetensors": tensors("a"), "m-0000001-of-0000002.safetensors": tensors("b")},
        {"m-0000001-of-0000002": ["m-0000001-of-0000002.safetensors"], "m-1-of-2": ["m-1-of-2.safetensors"]},
    ),
    "numbers of two digits, and of six": (
        {f"m-{n}-of-{t}.safetensors": tensors(n) for n, t in (("01", "02"), ("000002", "000002"))},
        {"m": ["m-000002-of-000002.safetensors", "m-01-of-02.safetensors"]},
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
    "ten of twelve missing": (
        shards_named(*(f"m-{n:02}-of-12.safetensors" for n in (1, 12))),
        [gap("m-01-of-12.safetensors", [2, 3, 4, 5, 6, 7, 8, 9], 2, 12)],
    ),
    "last of two counted from zero missing": (
        shards_named("m-00000-of-00003.safetensors", "m-00001-of-00003.safetensors"),
        [gap("m-00000-of-00003.safetensors", [2], 2, 3)],
    ),
    "none of the first hundred thousand missing": (shards_named("m-000000-of-000000.safetensors"), []),
    "two sets of one stem": (
        shards_named("m-01-of-01.safetensors", "m-01-of-02.safetensors", "m-02-of-03.safetensors"),
        [gap("m-01-of-01.safetensors", [2], 1, 2), gap("m-01-of-01.safetensors", [1, 3], 1, 3)],
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
    "link broken": ({"m-01-of-02.safetensors": tensors("a"), "m-02-of-02.safetensors": None}, False),
    "all numbers there, no index": (shards_named("m-01-of-02.safetensors", "m-02-of-02.safetensors"), True),
    "shard unreadable, another sound": ({A: tensors("a"), B: b"", C: tensors("c"), INDEX: index(a=A, c=C)}, False),
    "index leaves the folder": ({A: tensors("a"), INDEX: index(a=A, b="../x.safetensors")}, False),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_checkpoint_knows_whether_it_is_whole(name: str) -> None:
    files, whole = WHOLE[name]
    (checkpoint,) = found(files)
    assert checkpoint.whole is whole


def test_of_several_sets_of_weights_the_usual_name_comes_first_and_only_the_first_is_the_folders_own() -> None:
    names = ["a", "model", "pytorch_model", "diffusion_pytorch_model", "adapter_model", "zz"]
    checkpoints = found({f"{n}.safetensors": tensors(n) for n in names})
    assert [c.stem for c in checkpoints] == [*names[1:5], "a", "zz"]
    assert [c.primary for c in checkpoints] == [True] + [False] * 5
    assert [c.whole for c in checkpoints] == [True] + [False] * 5
    assert [c.name for c in checkpoints] == [*names[1:5], "a", "zz"]


def test_a_set_of_weights_with_an_index_comes_before_the_usual_name() -> None:
    files = {"zz-01-of-01.safetensors": tensors("z"), "model.safetensors": tensors("a")}
    checkpoints = found({**files, "zz.safetensors.index.json": index(z="zz-01-of-01.safetensors")})
    assert [c.stem for c in checkpoints] == ["zz", "model"]


def other(dtype: str = "U8", shape: Any = (1,), name: str = "a", size: int = 1) -> bytes:
    return shard({name: entry(dtype, list(shape), 0, size)}, size)


# name: (files beside a shard of `a` and `b` and its index, shards of every checkpoint, facts about copies)
COPIES: dict[str, tuple[Mapping[str, bytes | None], dict[str, list[str]], list[tuple[str, int, int]]]] = {
    "same tensors": ({"x.safetensors": tensors("a", "b")}, {"model": [A, "x.safetensors"]}, [("x.safetensors", 2, 2)]),
    "some of the tensors": (
        {"x.safetensors": tensors("b")},
        {"model": [A, "x.safetensors"]},
        [("x.safetensors", 1, 1)],
    ),
    "one more": ({"x.safetensors": tensors("a", "c")}, {"model": [A], "x": ["x.safetensors"]}, []),
    "another dtype": ({"x.safetensors": other("I8")}, {"model": [A], "x": ["x.safetensors"]}, []),
    "another shape": ({"x.safetensors": other(shape=(1, 1))}, {"model": [A], "x": ["x.safetensors"]}, []),
    "nothing": ({"x.safetensors": shard("{}")}, {"model": [A], "x": ["x.safetensors"]}, []),
    "an index of its own": (
        {"x.safetensors": tensors("a"), "x.safetensors.index.json": index(a="x.safetensors")},
        {"model": [A], "x": ["x.safetensors"]},
        [],
    ),
    "two shards": (
        {"x-01-of-02.safetensors": tensors("a"), "x-02-of-02.safetensors": tensors("b", "a")},
        {"model": [A, "x-01-of-02.safetensors", "x-02-of-02.safetensors"]},
        [("x-01-of-02.safetensors", 1, 1), ("x-02-of-02.safetensors", 2, 2)],
    ),
}


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("folder", ["", "sub/"])
def test_shards_of_another_name_that_only_repeat_the_model_belong_to_it(name: str, folder: str) -> None:
    files, shards, facts = COPIES[name]
    checkpoints = found({folder + n: d for n, d in {A: tensors("a", "b"), INDEX: index(a=A, b=A), **files}.items()})
    assert {c.stem: [n.removeprefix(folder) for n in c.shards] for c in checkpoints} == shards
    stated = [f for f in checkpoints[0].facts if f.kind == "unlisted-shard"]
    assert stated == [
        Fact("unlisted-shard", folder + n, values={"shard": n, "tensors": t, "bytes": b, "index": folder + INDEX})
        for n, t, b in facts
    ]


def test_copies_beside_a_model_without_an_index_are_models_of_their_own() -> None:
    assert outline({"model.safetensors": tensors("a"), "x.safetensors": tensors("a")}) == {
        "model": ["model.safetensors"],
        "x": ["x.safetensors"],
    }


def test_gaps_that_an_index_does_not_name_are_kept_apart() -> None:
    (checkpoint,) = found({A: tensors("a"), INDEX: index(a=A)})
    assert (checkpoint.facts, checkpoint.gaps) == ((), (gap(A, [2, 3], 1, 3),))
    assert checkpoint.whole
    (checkpoint,) = found({A: tensors("a"), C: tensors("c"), INDEX: index(a=A)})  # C: left over from another export
    assert checkpoint.gaps == (gap(A, [2], 2, 3),)
    (checkpoint,) = found({A: tensors("a"), "model-00001-of-00002.safetensors": tensors("b"), INDEX: index(a=A)})
    assert [f.values["total"] for f in checkpoint.gaps] == [3]
    (checkpoint,) = found({A: tensors("a"), INDEX: index(a=A, b=B, c=C)})
    assert checkpoint.gaps == ()
    (checkpoint,) = found({A: tensors("a"), B: tensors("b"), C: tensors("c")})
    assert checkpoint.gaps == ()


class Selected(MemorySource):
    """A source of which only some files were asked for, or are here."""

    single: str | None
    not_downloaded: frozenset[str]


def selected(
    files: Mapping[str, bytes | None], single: str | None = None, away: frozenset[str] = frozenset()
) -> Source:
    made = Selected(files)
    object.__setattr__(made, "single", single)
    object.__setattr__(made, "not_downloaded", away)
    return made


@pytest.mark.parametrize(
    ("name", "partial"),
    [
        ("model.safetensors", False),
        ("m-01-of-01.safetensors", False),
        ("m-01-of-02.safetensors", True),
        ("m-02-of-02.safetensors", True),
    ],
)
@pytest.mark.parametrize("folder", ["", "sub/"])
def test_one_of_several_numbered_shards_is_part_of_a_model(name: str, folder: str, partial: bool) -> None:
    (checkpoint,) = find_checkpoints(selected({folder + name: tensors("a")}, folder + name))
    assert (checkpoint.partial, checkpoint.whole) == (partial, not partial)
    assert (checkpoint.facts, checkpoint.gaps) == ((), ())


def test_shards_that_are_on_the_hub_only_are_not_missing() -> None:
    files = {"sub/" + A: tensors("a"), "sub/" + INDEX: index(a=A, b=B, c=C)}
    away = frozenset({"sub/" + B, "sub/" + C, "sub/other.safetensors"})
    (checkpoint,) = find_checkpoints(selected(files, away=away))
    assert checkpoint.not_downloaded == ("sub/" + B, "sub/" + C)
    assert (checkpoint.partial, checkpoint.whole, checkpoint.facts, checkpoint.gaps) == (True, False, (), ())
    (checkpoint,) = find_checkpoints(selected(files, away=frozenset({"sub/" + B})))
    assert [(f.kind, f.values["shard"]) for f in checkpoint.facts] == [("missing-shard", C)]
    (checkpoint,) = find_checkpoints(selected({A: tensors("a"), C: tensors("c")}, away=frozenset({B})))
    assert (checkpoint.partial, checkpoint.facts) == (False, ())
    (checkpoint,) = found({n.removeprefix("sub/"): d for n, d in files.items() if d})
    assert (checkpoint.partial, checkpoint.not_downloaded) == (False, ())


def test_a_size_that_a_listing_states_is_a_fact_of_its_shard() -> None:
    source = MemorySource({A: tensors("a"), B: tensors("b"), INDEX: index(a=A, b=B)}, stated={B: 5})
    (checkpoint,) = find_checkpoints(source)
    assert [(f.kind, f.file, f.values["stated"]) for f in checkpoint.facts] == [("stored-size", B, 5)]


@pytest.mark.parametrize(
    ("files", "checkpoints"),
    [
        ({"0": ["a"], "1": ["b"]}, [["0", "1"]]),
        ({"1": ["a"], "2": ["b"], "3": ["c"]}, [["1", "2", "3"]]),
        ({str(n): [f"t{n}"] for n in range(11)}, [[str(n) for n in range(11)]]),
        ({"0": ["a"], "1": ["a", "b"]}, [["0"], ["1"]]),  # two states of one model
        ({"0": ["a"], "2": ["b"]}, [["0"], ["2"]]),
        ({"2": ["a"], "3": ["b"]}, [["2"], ["3"]]),
        ({"1000": ["a"], "2000": ["b"]}, [["1000"], ["2000"]]),
        ({"00": ["a"], "01": ["b"]}, [["00"], ["01"]]),
        ({"0": ["a"]}, [["0"]]),
        ({"model": ["a"], "0": ["b"], "1": ["c"]}, [["model"], ["0", "1"]]),
    ],
)
def test_files_that_are_nothing_but_numbered_are_one_where_they_go_together(
    files: dict[str, list[str]], checkpoints: list[list[str]]
) -> None:
    here = found({f"x/{stem}.safetensors": tensors(*names) for stem, names in files.items()})
    assert [[name[2 : -len(".safetensors")] for name in one.shards] for one in here] == checkpoints
    assert [one.primary for one in here] == [n == 0 for n in range(len(here))]
    assert all(one.whole for one in here if one.primary)


def test_facts_come_in_the_order_of_configurations_shards_index_and_numbers() -> None:
    broken = shard({"a": entry("U8", [9], 0, 1)}, 1)
    (checkpoint,) = found({"config.json": b"[", A: broken, B: tensors("b"), INDEX: b"{"})
    assert [f.kind for f in checkpoint.facts] == ["config-unreadable", "span-mismatch", "index-unreadable"]
    (checkpoint,) = found({"config.json": b"[", A: broken, B: None})
    assert [f.kind for f in checkpoint.facts] == ["config-unreadable", "span-mismatch", "broken-link", "shard-gap"]


def test_what_a_later_shard_says_of_a_tensor_counts_where_no_index_decides() -> None:
    (checkpoint,) = found({A: tensors("a", "b", "c"), B: tensors("b", "d")})
    assert {t.name: t.shard for t in checkpoint.tensors.values()} == {"a": A, "b": B, "c": A, "d": B}
    assert {n: [t.shard for t in ts] for n, ts in checkpoint.copies.items()} == {"b": [A, B]}


def test_the_index_decides_for_every_tensor_of_a_later_shard() -> None:
    where = {"a": A, "b": B, "c": A, "d": B}
    (checkpoint,) = found({A: tensors("a", "b", "c"), B: tensors("a", "b", "c", "d"), INDEX: index(**where)})
    assert {t.name: t.shard for t in checkpoint.tensors.values()} == where


def test_names_that_cannot_be_read_are_those_of_headers_and_of_the_index() -> None:
    damaged = shard({"a": entry("U8", [1], 0, 1), "b": entry("NOPE", [1], 1, 2)}, 2)
    (checkpoint,) = found({A: damaged, INDEX: index(a=A, c=C)})
    assert checkpoint.unreadable_names == {"b", "c"}
    (checkpoint,) = found({A: damaged, B: shard({"d": entry("U8", [9], 0, 1)}, 1)})
    assert checkpoint.unreadable_names == {"b", "d"}
    assert found({INDEX: index(a=A)})[0].unreadable_names == {"a"}
    assert found({"model.safetensors": tensors("a")})[0].unreadable_names == frozenset()


def test_a_configuration_that_is_not_there_is_empty() -> None:
    (checkpoint,) = found({"model.safetensors": tensors("a"), "sub/config.json": b"{}"})
    assert (checkpoint.config("config.json"), checkpoint.texts) == ({}, {})


def test_configurations_are_those_of_the_folder_and_those_that_are_asked_for() -> None:
    source = MemorySource(
        {
            "config.json": b'{"of": "top"}',
            "sub/model.safetensors": tensors("a"),
            "sub/config.json": b'\xef\xbb\xbf{"of": "sub"}',
            "sub/mine.json": b'{"of": "me"}',
            "sub/quant_config.json": None,
        }
    )
    (checkpoint,) = find_checkpoints(source)
    assert (dict(checkpoint.configs), checkpoint.texts) == (
        {"config.json": {"of": "sub"}},
        {"config.json": '{"of": "sub"}'},
    )
    assert (checkpoint.path("mine.json"), checkpoint.name, checkpoint.facts) == ("sub/mine.json", "sub/model", ())
    (checkpoint,) = find_checkpoints(source, iter(["mine.json"]))
    assert dict(checkpoint.configs) == {"mine.json": {"of": "me"}}


PROBLEMS: dict[str, tuple[bytes, str, int | None]] = {
    "not JSON": (b'{"a" 1}', "Expecting ':' delimiter", 5),
    "not JSON behind a mark": (b'\xef\xbb\xbf{"a" 1}', "Expecting ':' delimiter", 8),
    "not UTF-8": (b'{"a\xff": 1}', "it is not UTF-8 text (byte 3)", 3),
    "no object": (b"1", "it is not a JSON object", None),
    "NaN": (b'{"a": NaN}', "`NaN` is not JSON", None),
    "empty": (b"", "Expecting value", 0),
    "a page": (b"<!DOCTYPE html>", "it is an HTML or XML page, such as a server's error message", 0),
    "zero bytes": (b"\0" * 2000, "it is nothing but zero bytes", 0),
    "zero bytes before something": (b"\0" * 1024 + b"1", "it is nothing but zero bytes", 0),
    "fewer zero bytes before something": (b"\0" * 1023 + b"1", "Expecting value", 0),
}


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("folder", ["", "sub/"])
def test_why_a_json_file_cannot_be_used_and_where(name: str, folder: str) -> None:
    raw, problem, at = PROBLEMS[name]
    (checkpoint,) = found({folder + "model.safetensors": tensors("a"), folder + "config.json": raw})
    assert checkpoint.facts == (Fact("config-unreadable", folder + "config.json", "", at, {"problem": problem}),)
    assert (checkpoint.configs, checkpoint.texts) == ({}, {})


def test_every_key_given_twice_is_a_fact_and_the_file_is_used() -> None:
    raw = b'{"a": 1, "a": 2, "l": [1, [{"k": 1, "k": 2}]], "o": {"p": {"q": 1, "q": 2}}}'
    (checkpoint,) = found({"model.safetensors": tensors("a"), "config.json": raw})
    assert {f.values["key"] for f in checkpoint.facts} == {"a", "k", "q"}
    assert {(f.kind, f.file, f.tensor, f.offset) for f in checkpoint.facts} == {
        ("config-duplicate-key", "config.json", "", None)
    }
    assert checkpoint.config("config.json")["a"] == 2


class Opened(MemorySource):
    """Remembers what was opened, and what was closed; files may have another size, or fail."""

    def __init__(self, contents: Mapping[str, bytes | None], sizes: Mapping[str, int], failing: str = "") -> None:
        super().__init__(contents)
        object.__setattr__(self, "sizes", sizes)
        object.__setattr__(self, "failing", failing)
        object.__setattr__(self, "log", [])

    def open(self, name: str) -> Any:
        source: Any = self
        plain = super().open(name)
        source.log.append(("open", name))

        def read(offset: int, length: int) -> bytes:
            source.log.append(("read", name))
            if name == source.failing:
                raise UnfinishedError("gone")
            return plain.read(offset, min(length, len(plain.data) - offset))

        size = source.sizes.get(name, plain.size)
        return SimpleNamespace(name=name, size=size, read=read, close=lambda: source.log.append(("close", name)))


@pytest.mark.parametrize(
    ("size", "problem"), [(MAX_JSON, ""), (MAX_JSON + 1, "it has 33,554,433 bytes; the limit is 33,554,432")]
)
def test_a_json_file_is_read_up_to_the_limit(size: int, problem: str) -> None:
    assert MAX_JSON == 32 * 1024 * 1024
    source: Any = Opened({"model.safetensors": tensors("a"), "config.json": b"{}"}, {"config.json": size})
    (checkpoint,) = find_checkpoints(source)
    assert [f.values["problem"] for f in checkpoint.facts] == ([problem] if problem else [])
    assert (("read", "config.json") in source.log) == (not problem)


@pytest.mark.parametrize("failing", ["", "config.json", A, INDEX])
def test_every_file_that_is_opened_is_closed(failing: str) -> None:
    source: Any = Opened(
        {A: tensors("a"), INDEX: index(a=A), "config.json": b"[", "quant_config.json": b"{}"}, {}, failing
    )
    with pytest.raises(UnfinishedError) if failing else nullcontext():
        list(find_checkpoints(source))
    opened = [name for what, name in source.log if what == "open"]
    assert sorted(name for what, name in source.log if what == "close") == sorted(opened)
    assert opened[:2] == ["config.json", "quant_config.json"] or failing == "config.json"


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
