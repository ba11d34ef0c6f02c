"""Every fact of an index, each with the smallest checkpoint that causes it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from attacks import entry, shard
from tensorlint.container import index as index_module
from tensorlint.container.checkpoint import find_checkpoints
from tensorlint.container.index import MAX_INDEX, escapes, read_index
from tensorlint.facts import Fact
from tensorlint.rulebook.facts import catalogue
from tensorlint.sources.memory import MemoryFile, MemorySource

INDEX = "model.safetensors.index.json"
ONE, TWO, THREE = (f"model-0000{i}-of-00002.safetensors" for i in (1, 2, 3))


def tensors(*names: str) -> bytes:
    """A shard of one-byte tensors."""
    return shard({name: entry("U8", [1], i, i + 1) for i, name in enumerate(names)}, len(names))


WHOLE: Mapping[str, bytes | None] = {ONE: tensors("a", "b"), TWO: tensors("c")}
MAP = {"a": ONE, "b": ONE, "c": TWO}


def facts(index: Any, files: Mapping[str, bytes | None] = WHOLE, folder: str = "") -> list[Fact]:
    """The facts of a checkpoint that concern its index; `index` is text, bytes, or an object."""
    text = index if isinstance(index, (str, bytes)) else json.dumps(index)
    raw = text.encode() if isinstance(text, str) else text
    contents = {folder + name: data for name, data in files.items()}
    (checkpoint,) = find_checkpoints(MemorySource({**contents, folder + INDEX: raw}))
    return [f for f in checkpoint.facts if f.kind in STATED]


def mapped(changes: Mapping[str, str | None], **metadata: Any) -> dict[str, Any]:
    """An index like MAP, with changed entries; None removes one."""
    return {"metadata": metadata, "weight_map": {k: v for k, v in {**MAP, **changes}.items() if v is not None}}


def fact(kind: str, tensor: str = "", file: str = INDEX, **values: Any) -> Fact:
    return Fact(kind, file, tensor, None, values)


def unusable(problem: str, tensor: str = "", at: int | None = None) -> list[Fact]:
    return [Fact("index-unreadable", INDEX, tensor, at, {"problem": problem})]


def unlisted(name: str, count: int) -> Fact:
    return fact("unlisted-shard", "", name, shard=name, tensors=count, bytes=count, index=INDEX)


STATED = set(re.findall(r'Fact\(\s*"([a-z0-9-]+)"', inspect.getsource(index_module)))

# name: (index, files, facts)
DEFECTS: dict[str, tuple[Any, Mapping[str, bytes | None], list[Fact]]] = {
    "whole": (mapped({}, total_size=3), WHOLE, []),
    "no metadata": ({"weight_map": MAP}, WHOLE, [fact("index-no-metadata")]),
    "byte order mark": ("\ufeff" + json.dumps(mapped({})), WHOLE, []),
    "missing shard": (
        mapped({}),
        {ONE: WHOLE[ONE]},
        [fact("missing-shard", "c", shard=TWO, tensors=1, of=3, held="")],
    ),
    "tensor that no shard holds": (
        mapped({"ghost": TWO}),
        WHOLE,
        [fact("missing-tensor", "ghost", shard=TWO, instead="")],
    ),
    "shard that is a copy of another": (
        mapped({}),
        {ONE: WHOLE[ONE], TWO: WHOLE[ONE]},
        [fact("missing-tensor", "c", shard=TWO, instead=f"; {TWO} holds the tensors of {ONE}")],
    ),
    "shard of another name": (
        mapped({}),
        {ONE: WHOLE[ONE], THREE: WHOLE[TWO]},
        [fact("missing-shard", "c", shard=TWO, tensors=1, of=3, held=f"; {THREE} holds 1 of them")],
    ),
    "index of another export": (
        mapped({"c": None, "d": TWO}),
        WHOLE,
        [fact("stale-index", t, gone=1, new=1, first_gone="d", first_new="c") for t in ("d", "c")],
    ),
    "two shards changed over, total right": (
        mapped({"a": TWO, "b": TWO, "c": ONE}, total_size=3),
        WHOLE,
        [
            fact("wrong-shard", "c", shard=ONE, holder=TWO),
            *(fact("wrong-shard", t, shard=TWO, holder=ONE) for t in ("a", "b")),
        ],
    ),
    "not JSON, but a pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 9\n",
        {},
        unusable("it is a Git-LFS pointer (sha256 abababababab...), not the file it stands for"),
    ),
    "not JSON, but a page": (
        "<!DOCTYPE html><html></html>",
        {},
        unusable("it is an HTML or XML page, such as a server's error message"),
    ),
    "tensor in another shard": (mapped({"b": TWO}), WHOLE, [fact("wrong-shard", "b", shard=TWO, holder=ONE)]),
    "tensor that is not listed": (mapped({"b": None}), WHOLE, [fact("unlisted-tensor", "b", shard=ONE)]),
    "shard that is not listed": (
        mapped({"c": None}, total_size=2),
        WHOLE,
        [unlisted(TWO, 1)],
    ),
    "whole model beside the shards": (
        mapped({}),
        {**WHOLE, "model.safetensors": tensors("a", "b", "c")},
        [unlisted("model.safetensors", 3)],
    ),
    "two shards that are not there, of which others hold the tensors": (
        {"metadata": {}, "weight_map": {"a": "x.safetensors", "b": "x.safetensors", "c": "x.safetensors"}},
        WHOLE,
        [
            fact(
                "missing-shard",
                "a",
                shard="x.safetensors",
                tensors=3,
                of=3,
                held=f"; {ONE} and 1 other shard hold 3 of them",
            )
        ],
    ),
    "shard that is not there, of which three hold the tensors": (
        {"metadata": {}, "weight_map": dict.fromkeys("abcd", "x.safetensors")},
        {ONE: tensors("a"), TWO: tensors("b", "c"), THREE: tensors("d")},
        [
            fact(
                "missing-shard",
                "a",
                shard="x.safetensors",
                tensors=4,
                of=4,
                held=f"; {TWO} and 2 other shards hold 4 of them",
            )
        ],
    ),
    "shard that is not there, of which nobody holds all": (
        mapped({"d": THREE, "a": THREE}),
        WHOLE,
        [fact("missing-shard", "a", shard=THREE, tensors=2, of=4, held=f"; {ONE} holds 1 of them")],
    ),
    "shard of another name, larger than the model": (
        mapped({}),
        {
            ONE: WHOLE[ONE],
            TWO: WHOLE[TWO],
            THREE: shard({"x": entry("U16", [3], 0, 6), "y": entry("U8", [1], 6, 7)}, 7),
        },
        [fact("unlisted-shard", "", THREE, shard=THREE, tensors=2, bytes=7, index=INDEX)],
    ),
    "several tensors that no shard holds": (
        mapped({"g": ONE, "f": TWO}),
        WHOLE,
        [fact("missing-tensor", t, shard=s, instead="") for t, s in (("g", ONE), ("f", TWO))],
    ),
    "index of another export, several tensors": (
        mapped({"a": None, "b": None, "g": ONE, "f": TWO, "e": TWO}),
        WHOLE,
        [fact("stale-index", t, gone=3, new=2, first_gone="g", first_new="a") for t in ("g", "f", "e", "a", "b")],
    ),
    "empty shard where another holds all": (
        mapped({"c": None, "d": TWO}),
        {ONE: WHOLE[ONE], TWO: tensors()},
        [fact("missing-tensor", "d", shard=TWO, instead="")],
    ),
    "total that is true": (mapped({}, total_size=True), WHOLE, []),
    "right total as a fraction": (mapped({}, total_size=3.0), WHOLE, []),
    "total below": (mapped({}, total_size=2), WHOLE, [fact("total-size", stated=2, actual=3)]),
    "wrong total and a tensor that no shard holds": (
        mapped({"ghost": TWO}, total_size=9),
        WHOLE,
        [fact("missing-tensor", "ghost", shard=TWO, instead="")],
    ),
    "wrong total": (mapped({}, total_size=4), WHOLE, [fact("total-size", stated=4, actual=3)]),
    "wrong total as a fraction": (mapped({}, total_size=4.5), WHOLE, [fact("total-size", stated=4, actual=3)]),
    "total that is no number": (mapped({}, total_size="3"), WHOLE, []),
    "wrong total with a shard missing": (
        mapped({}, total_size=4),
        {ONE: WHOLE[ONE]},
        [fact("missing-shard", "c", shard=TWO, tensors=1, of=3, held="")],
    ),
    "tensor twice": (
        f'{{"metadata":{{}},"weight_map":{{"a":"{ONE}","a":"{ONE}","b":"{ONE}","c":"{TWO}"}}}}',
        WHOLE,
        [fact("index-duplicate-key", "a", key="a")],
    ),
    "weight map twice": (
        f'{{"metadata":{{}},"weight_map":{{}},"weight_map":{json.dumps(MAP)}}}',
        WHOLE,
        [fact("index-duplicate-key", key="weight_map")],
    ),
    "two tensors twice": (
        f'{{"metadata":{{}},"metadata":{{}},"weight_map":{{"a":"{ONE}","b":"{ONE}","b":"{ONE}","a":"{ONE}","c":"{TWO}"}}}}',
        WHOLE,
        [
            fact("index-duplicate-key", key="metadata"),
            fact("index-duplicate-key", "b", key="b"),
            fact("index-duplicate-key", "a", key="a"),
        ],
    ),
    "metadata is a list": ({"metadata": [], "weight_map": MAP}, WHOLE, [fact("index-no-metadata")]),
    "names are no text, the first of 121 characters": (
        {"metadata": {}, "weight_map": {**MAP, "d" * 121: None, "e": 1}},
        WHOLE,
        unusable(f"`weight_map` gives no file name for `{'d' * 120}`", "d" * 121),
    ),
    "zero bytes": (b"\0" * 2000, {}, unusable("it is nothing but zero bytes")),
    "name is a number": (
        {"metadata": {}, "weight_map": {**MAP, "d": 1}},
        WHOLE,
        unusable("`weight_map` gives no file name for `d`", "d"),
    ),
    "not JSON, beside shards": ("}", WHOLE, unusable("it is not JSON: Expecting value", at=0)),
    "no tensors, beside a shard": (
        {"metadata": {}, "weight_map": {}},
        {ONE: WHOLE[ONE]},
        unusable("its `weight_map` is empty"),
    ),
    "empty": ("", {}, unusable("it is empty")),
    "not JSON": ("{", {}, unusable("it is not JSON: Expecting property name enclosed in double quotes", at=1)),
    "NaN": ('{"weight_map":{"a":NaN}}', {}, unusable("it is not JSON: `NaN` is not JSON")),
    "not UTF-8": (b'{"\xff"', {}, unusable("it is not UTF-8 text (byte 2)", at=2)),
    "list": ("[]", {}, unusable("it is not a JSON object")),
    "no weight map": ({"metadata": {}}, {}, unusable("it has no `weight_map`")),
    "weight map is a list": ({"weight_map": []}, {}, unusable("it has no `weight_map`")),
    "nested 100,000 deep": ("[" * 100_000, {}, unusable("it is not JSON: nested too deeply")),
}


@pytest.mark.parametrize("name", DEFECTS)
@pytest.mark.parametrize("folder", ["", "text_encoder/"])
def test_a_defect_causes_its_fact_and_no_second_one(name: str, folder: str) -> None:
    index, files, expected = DEFECTS[name]
    moved = [Fact(f.kind, folder + f.file, f.tensor, f.offset, _in(folder, f.values)) for f in expected]
    assert facts(index, files, folder) == moved


def _in(folder: str, values: Mapping[str, Any]) -> dict[str, Any]:
    # `index` is a path from the root; shards are named as the index names them.
    return {k: folder + v if k == "index" else v for k, v in values.items()}


def test_every_kind_that_an_index_causes_has_a_row() -> None:
    assert {f.kind for _, _, fs in DEFECTS.values() for f in fs} | {"path-escape"} == STATED
    assert all(set(f.values) == set(catalogue()[f.kind].fields) for _, _, fs in DEFECTS.values() for f in fs)


OUTSIDE = {
    "empty": "",
    "absolute": "/etc/passwd",
    "parent": "../model.safetensors",
    "parent in the middle": "sub/../../model.safetensors",
    "parent in a folder": "sub/..",
    "home of another drive": "C:\\model.safetensors",
    "drive without a slash": "C:model.safetensors",
    "parent with a backslash": "..\\model.safetensors",
    "root with a backslash": "\\model.safetensors",
    "network share": "\\\\server\\share\\model.safetensors",
    "device": "\\\\.\\PhysicalDrive0",
    "zero byte": "model.safetensors\0.txt",
    "line break": "model\n.safetensors",
    "escape code": "\x1b[2Jmodel.safetensors",
    "right-to-left override": "model\u202esrotsnetefas.safetensors",
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_file_name_that_leaves_the_folder_is_a_fact_and_never_opened(name: str) -> None:
    expected = [fact("path-escape", "d", shard=OUTSIDE[name], tensors=1)]
    assert escapes(OUTSIDE[name])
    assert facts(mapped({"d": OUTSIDE[name]}), WHOLE) == expected
    assert OUTSIDE[name] not in read_index(MemoryFile(INDEX, json.dumps(mapped({"d": OUTSIDE[name]})).encode())).files


@pytest.mark.parametrize(
    "name", ["model.safetensors", "sub/model.safetensors", "..model", "a..b", "modèle.safetensors"]
)
def test_a_file_name_below_the_folder_is_allowed(name: str) -> None:
    assert not escapes(name)


def test_names_of_absurd_length_are_cut_in_facts() -> None:
    (found,) = facts(mapped({"d": "../" * 5000}), WHOLE)
    assert (found.kind, len(found.values["shard"])) == ("path-escape", 200)


def test_a_shard_that_cannot_be_read_hides_what_follows_from_it() -> None:
    assert facts(mapped({}, total_size=9), {**WHOLE, TWO: b"\0" * 32}) == []


def test_a_tensor_with_a_broken_entry_is_not_reported_missing_too() -> None:
    damaged = shard({"c": entry("NOPE", [1], 0, 1)}, 1)
    assert facts(mapped({}), {**WHOLE, TWO: damaged}) == []


def test_an_index_over_the_limit_is_not_read() -> None:
    class Huge(MemoryFile):
        @property
        def size(self) -> int:
            return MAX_INDEX + 1

        def read(self, offset: int, length: int) -> bytes:
            raise AssertionError("it was read")

    (found,) = read_index(Huge(INDEX, b"")).facts
    assert found.values["problem"] == "it has 268,435,457 bytes; the limit is 268,435,456"


@pytest.mark.parametrize(("over", "read"), [(0, True), (1, False)])
def test_an_index_is_read_up_to_the_limit(over: int, read: bool) -> None:
    asked: list[tuple[int, int]] = []

    class Huge(MemoryFile):
        @property
        def size(self) -> int:
            return MAX_INDEX + over

        def read(self, offset: int, length: int) -> bytes:
            asked.append((offset, length))
            return b"{}"

    assert MAX_INDEX == 256 * 1024 * 1024
    read_index(Huge(INDEX, b""))
    assert asked == ([(0, MAX_INDEX)] if read else [])


@pytest.mark.parametrize(
    ("stale", "total", "facts_"),
    [(2, 5, []), (2, 6, [(6, 5)]), (1, 4, [(4, 5)])],
)
def test_a_tensor_in_two_shards_counts_where_the_index_has_it(
    stale: int, total: int, facts_: list[tuple[int, int]]
) -> None:
    """`b` has four bytes in the shard that the index names, and fewer in a copy before or behind it."""
    copy = shard({"b": entry("U8", [stale], 0, stale), "a": entry("U8", [1], stale, stale + 1)}, stale + 1)
    right = shard({"b": entry("U8", [4], 0, 4)}, 4)
    for first, second in ((copy, right), (right, copy)):
        where = {"a": ONE if first is copy else TWO, "b": TWO if first is copy else ONE}
        found = facts({"metadata": {"total_size": total}, "weight_map": where}, {ONE: first, TWO: second})
        assert [(f.values["stated"], f.values["actual"]) for f in found] == facts_


def test_a_shard_named_twice_is_a_copy_of_the_first_that_has_all() -> None:
    files = {ONE: tensors("a", "b"), TWO: tensors("a"), THREE: tensors("a", "b", "c")}
    (found,) = facts(mapped({"a": ONE, "c": THREE, "d": TWO}), files)
    assert (found.tensor, found.values["instead"]) == ("d", f"; {TWO} holds the tensors of {ONE}")


def test_only_safe_names_are_files_of_an_index() -> None:
    index = read_index(MemoryFile(INDEX, json.dumps(mapped({"d": "/etc/passwd", "e": ONE})).encode()))
    assert index.files == {ONE, TWO}
