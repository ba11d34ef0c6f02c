"""Every fact that a header can cause, each with the smallest file that causes it."""

from __future__ import annotations

import inspect
import itertools
import json
import re
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from attacks import U8, entry, shard
from tensorlint.container import header as header_module
from tensorlint.container.header import HEADER_CAP, Header, TensorInfo, read_header
from tensorlint.dtypes import DTYPE_BITS
from tensorlint.facts import Fact
from tensorlint.rulebook.facts import catalogue
from tensorlint.sources import sniff as sniff_module
from tensorlint.sources.local import LocalSource
from tensorlint.sources.memory import MemoryFile

NAME = "model.safetensors"
OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 524832\n".encode()
TWO = {"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 2, 4)}
START = 8 + len(shard(TWO)) - 8  # of the data behind the header TWO


def read(data: bytes) -> Header:
    return read_header(MemoryFile(NAME, data))


def fact(kind: str, tensor: str = "", offset: int | None = None, **values: Any) -> Fact:
    return Fact(kind, NAME, tensor, offset, values)


def data_start(data: bytes) -> int:
    return 8 + int.from_bytes(data[:8], "little")


def one(dtype: Any = "U8", shape: Any = (1,), begin: Any = 0, end: Any = 1, data: int = 1) -> bytes:
    return shard({"a": entry(dtype, list(shape) if isinstance(shape, tuple) else shape, begin, end)}, data)


def bad(problem: str) -> Fact:
    return fact("bad-entry", "a", problem=problem)


def foreign(what: str, data: bytes) -> tuple[bytes, Fact]:
    return data, fact("wrong-file-type", "", 0, what=what, start=data[:16].hex(" "), size=len(data))


def length_problem(data: bytes, declared: int, problem: str) -> tuple[bytes, Fact]:
    return data, fact("bad-header-length", "", 0, declared=declared, size=len(data), problem=problem)


HTML = "an HTML or XML page, such as a server's error message"
ODD_STEP = shard('{"a":{"dtype":"U16","shape":[1],"data_offsets":[0,2]}}'.ljust(55), 2)

# name: (file, the one fact it causes)
UNREADABLE: dict[str, tuple[bytes, Fact]] = {
    "empty file": (b"", fact("too-small", "", 0, size=0)),
    "seven bytes": (b"\2\0\0\0\0\0\0", fact("too-small", "", 0, size=7)),
    "Git-LFS pointer": (POINTER, fact("lfs-pointer", "", 0, oid=OID, real_size=524832, size=len(POINTER))),
    "Git-LFS pointer with an extension": (
        (p := POINTER.replace(b"oid", b"ext-0-foo sha256:00\noid")),
        fact("lfs-pointer", "", 0, oid=OID, real_size=524832, size=len(p)),
    ),
    "HTML": foreign(HTML, b"\n<!DOCTYPE html><title>404</title>"),
    "XML": foreign(HTML, b"\xef\xbb\xbf<?xml version='1.0'?><Error/>"),
    "gzip": foreign("a gzip archive", b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"\xff" * 8),
    "zip": foreign("a zip archive, as torch.save writes it", b"PK\3\4\0\0\x08\x08" + b"\0" * 20),
    "zstd": foreign("a zstd archive", b"\x28\xb5\x2f\xfd" + b"\0" * 20),
    "pickle": foreign("a pickle file", b"\x80\2}q\0X\5\0\0\0ab" + b"\0" * 8),
    "GGUF": foreign("a GGUF file", b"GGUF\3\0\0\0" + b"\0" * 16),
    "HDF5": foreign("an HDF5 file", b"\x89HDF\r\n\x1a\n" + b"\0" * 16),
    "plain text": foreign("text that begins with 'Not Found, sorry'", b"Not Found, sorry\n"),
    "JSON without length": foreign("JSON text without the 8-byte header length", b'{"a": {"dtype": "U8"}}'),
    "zero bytes": (b"\0" * 32, fact("zeroed-head", "", 0, zeros=32, size=32)),
    "header length 0": length_problem(shard("", 8), 0, "is zero"),
    "header length beyond the file": length_problem(shard("{}", 0, 3), 3, "is more than the 2 bytes that follow it"),
    "header length 2**60": length_problem(shard("{}", 9, 1 << 60), 1 << 60, "is over the limit of 100,000,000 bytes"),
    "header length 2**64 - 1": length_problem(
        shard("{}", 9, (1 << 64) - 1), (1 << 64) - 1, "is over the limit of 100,000,000 bytes"
    ),
    "not UTF-8": (shard(b'{"\xff"}'), fact("header-not-utf8", "", 10, position=2, byte=0xFF)),
    "not JSON": (shard('{"a"'), fact("header-not-json", "", 12, reason="Expecting ':' delimiter", near='{"a"')),
    "not JSON, offset in bytes": (
        shard('{"é" 1}'),
        fact("header-not-json", "", 14, reason="Expecting ':' delimiter", near='{"é" 1}'),
    ),
    "NaN": (shard('{"a":NaN}'), fact("header-not-json", "", 8, reason="`NaN` is not JSON", near="")),
    "zero byte first": (
        shard(" \0\0"),
        fact("header-not-json", "", 9, reason="it begins with byte 0x00", near=""),
    ),
    "lone surrogate": (
        shard('{"\\ud800":1}'),
        fact("header-not-json", "", 10, reason="a \\u escape is half of a surrogate pair", near='{"\\ud800":1}'),
    ),
    "too deep": (
        shard(f'{{"a":{{{U8},"x":{"[" * 126}{"]" * 126}}}}}', 1),
        fact("header-not-json", "", 8, reason="it is nested deeper than 127 levels", near=""),
    ),
    "list": (shard("[]"), fact("header-not-object", "", 8, found="list")),
    "text": (shard('""'), fact("header-not-object", "", 8, found="text")),
    "null": (shard("null"), fact("header-not-object", "", 8, found="null")),
    "number": (shard("-0"), fact("header-not-object", "", 8, found="number")),
}

# name: (file, the facts it causes, names of the tensors that can be read)
READABLE: dict[str, tuple[bytes, list[Fact], list[str]]] = {
    "whole": (shard(TWO, 4), [], ["a", "b"]),
    "entry is a number": (shard('{"a":5}'), [bad("it is a number, not an object")], []),
    "entry is null": (shard('{"a":null}'), [bad("it is a null, not an object")], []),
    "entry is a short list": (shard('{"a":["U8",[1]]}'), [bad("it is a list, not an object")], []),
    "no dtype": (shard('{"a":{"shape":[],"data_offsets":[0,1]}}', 1), [bad("`dtype` is missing")], []),
    "no shape": (shard('{"a":{"dtype":"U8","data_offsets":[0,1]}}', 1), [bad("`shape` is missing")], []),
    "no offsets": (shard('{"a":{"dtype":"U8","shape":[1]}}', 1), [bad("`data_offsets` is missing")], []),
    "dtype is a number": (one(8), [bad("`dtype` is a number, not text")], []),
    "dtype is an object": (one({"U8": 1}), [bad("`dtype` is a object, not text")], []),
    "shape is text": (one(shape="1"), [bad("`shape` is a text, not a list")], []),
    "shape holds true": (one(shape=(True,)), [bad("`shape` holds a boolean (True), not a whole number")], []),
    "shape holds 1.5": (one(shape=(1.5,)), [bad("`shape` holds a number (1.5), not a whole number")], []),
    "shape holds a list": (one(shape=([1],)), [bad("`shape` holds a list, not a whole number")], []),
    "shape holds -1": (one(shape=(-1,)), [bad("`shape` holds a negative number (-1)")], []),
    "shape holds 2**64": (one(shape=(1 << 64,)), [bad(f"`shape` holds a number beyond 64 bits ({1 << 64})")], []),
    "offset -1": (one(begin=-1), [bad("`data_offsets` holds a negative number (-1)")], []),
    "offset -0": (
        shard('{"a":{"dtype":"U8","shape":[1],"data_offsets":[-0,1]}}', 1),
        [bad("`data_offsets` holds a number (-0), not a whole number")],
        [],
    ),
    "offset of 99 digits": (
        one(begin=int("9" * 99)),
        [bad("`data_offsets` holds a number (999999999999...(99 digits)), not a whole number")],
        [],
    ),
    "three offsets": (
        shard('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}', 1),
        [bad("`data_offsets` is not a list of two numbers")],
        [],
    ),
    "dtype twice": (shard(f'{{"a":{{"dtype":"U8",{U8}}}}}', 1), [bad("`dtype` is given twice")], []),
    "metadata is a list": (
        shard('{"__metadata__":[]}'),
        [fact("bad-metadata", problem="it is a list, not an object")],
        [],
    ),
    "metadata holds a number": (
        shard('{"__metadata__":{"n":1}}'),
        [fact("bad-metadata", problem="the value of `n` is a number, not text")],
        [],
    ),
    "metadata twice": (
        shard('{"__metadata__":{},"__metadata__":{}}'),
        [fact("bad-metadata", problem="it is given twice")],
        [],
    ),
    "unknown dtype": (
        one("F8_E4M3FN"),
        [fact("unknown-dtype", "a", dtype="F8_E4M3FN", near="F8_E4M3")],
        [],
    ),
    "dtype in lower case": (
        one("bf16"),
        [fact("unknown-dtype", "a", dtype="bf16", near="BF16")],
        [],
    ),
    "dtype like nothing": (one("!"), [fact("unknown-dtype", "a", dtype="!", near="")], []),
    "tensor twice": (
        shard(f'{{"a":{{{U8}}},"a":{{{U8}}}}}', 1),
        [fact("duplicate-key", "a", key="a", where="in the header")],
        ["a"],
    ),
    "metadata key twice": (
        shard(f'{{"__metadata__":{{"k":"1","k":"2"}},"a":{{{U8}}}}}', 1),
        [fact("duplicate-key", key="k", where="in __metadata__")],
        ["a"],
    ),
    "elements overflow": (
        one(shape=(1 << 32, 1 << 32), end=0, data=0),
        [fact("size-overflow", "a", shape=[1 << 32, 1 << 32], dtype="U8")],
        [],
    ),
    "bits overflow": (
        one("F64", (1 << 58,), end=0, data=0),
        [fact("size-overflow", "a", shape=[1 << 58], dtype="F64")],
        [],
    ),
    "half a byte": (one("F4", (3,)), [fact("partial-byte", "a", shape=[3], dtype="F4", bits=12)], []),
    "span too short": (
        one("F32", (2,), end=2, data=2),
        [fact("span-mismatch", "a", span=2, needed=8, shape=[2], dtype="F32")],
        [],
    ),
    "reversed": (one(begin=1, end=0), [fact("offsets-reversed", "a", begin=1, end=0)], []),
    "hole at the start": (
        (p := one(begin=8, end=9, data=9)),
        [fact("hole", "a", (s := data_start(p)), bytes=8, begin=s, end=s + 8)],
        ["a"],
    ),
    "overlap": (
        (p := shard({"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 1, 3)}, 3)),
        [fact("overlap", "b", (s := data_start(p)) + 1, bytes=1, other="a", begin=s + 1, end=s + 3)],
        ["a", "b"],
    ),
    "tensor inside another": (
        (p := shard({"a": entry("U8", [9], 0, 9), "b": entry("U8", [2], 4, 6)}, 9)),
        [fact("overlap", "b", (s := data_start(p)) + 4, bytes=2, other="a", begin=s + 4, end=s + 6)],
        ["a", "b"],
    ),
    "empty tensor inside another": (
        (p := shard({"a": entry("U8", [8], 0, 8), "b": entry("U8", [0], 4, 4)}, 8)),
        [fact("overlap", "b", (s := data_start(p)) + 4, bytes=0, other="a", begin=s + 4, end=s + 4)],
        ["a", "b"],
    ),
    "truncated": (
        shard(TWO, 1),
        [fact("truncated", "a", START + 1, missing=3, needed=START + 4, size=START + 1, tensors=2, of=2)],
        [],
    ),
    "truncated in the second tensor": (
        shard(TWO, 3),
        [fact("truncated", "b", START + 3, missing=1, needed=START + 4, size=START + 3, tensors=1, of=2)],
        ["a"],
    ),
    "trailing bytes": (
        shard(TWO, 9),
        [fact("trailing-bytes", "", START + 4, bytes=5, size=START + 9, end=START + 4)],
        ["a", "b"],
    ),
    "odd start": (ODD_STEP, [fact("misaligned", "", 63, tensors=1, of=1, header_bytes=55, bytes=2)], ["a"]),
    "space first": (shard(f' {{"a":{{{U8}}}}}', 1), [fact("leading-space", "", 8, start="20 7b 22 61")], ["a"]),
    "unknown fields": (
        shard(f'{{"a":{{{U8},"z":1,"y":2}}}}', 1),
        [fact("unknown-field", "a", fields=["y", "z"])],
        ["a"],
    ),
    "entry as a list": (
        shard('{"a":["U8",[1],[0,1]]}', 1),
        [fact("unknown-field", "a", fields=["(a list in place of named fields)"])],
        ["a"],
    ),
    "dtype as an object": (
        one({"U8": None}),
        [fact("unknown-field", "a", fields=["(an object in place of a dtype)"])],
        ["a"],
    ),
    "empty name": (shard(f'{{"":{{{U8}}}}}', 1), [fact("odd-name", "", name="''")], [""]),
    "escape code in a name": (
        shard(f'{{"\\u001b[2J":{{{U8}}}}}', 1),
        [fact("odd-name", "\x1b[2J", name="'\\x1b[2J'")],
        ["\x1b[2J"],
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_says_why_in_one_fact(name: str) -> None:
    data, expected = UNREADABLE[name]
    found = read(data)
    assert found.facts == (expected,)
    assert (found.readable, found.tensors, found.size) == (False, (), len(data))


@pytest.mark.parametrize("name", READABLE)
def test_a_defect_causes_its_fact_and_no_second_one(name: str) -> None:
    data, facts, tensors = READABLE[name]
    found = read(data)
    assert list(found.facts) == facts
    assert [t.name for t in found.tensors] == tensors
    assert found.readable


def test_every_kind_that_the_reader_states_has_a_row() -> None:
    source = inspect.getsource(header_module) + inspect.getsource(sniff_module)
    stated = set(re.findall(r'[fF]act\(\s*"([a-z0-9-]+)"', source))
    rows = {f.kind for _, f in UNREADABLE.values()} | {f.kind for _, fs, _ in READABLE.values() for f in fs}
    assert stated == rows
    assert stated <= catalogue().keys()


@pytest.mark.parametrize("name", [*UNREADABLE, *READABLE])
def test_facts_carry_the_fields_of_the_catalogue(name: str) -> None:
    data = UNREADABLE[name][0] if name in UNREADABLE else READABLE[name][0]
    for found in read(data).facts:
        assert set(found.values) == set(catalogue()[found.kind].fields)


def test_a_tensor_lies_where_its_header_says() -> None:
    found = read(shard({"__metadata__": {"format": "pt"}, "a": entry("BF16", [2, 3], 0, 12)}, 12))
    begin = found.data_start
    assert found.tensors == (TensorInfo("a", "BF16", (2, 3), NAME, begin, begin + 12),)
    assert (found.tensors[0].nbytes, found.tensors[0].elements, found.metadata) == (12, 6, {"format": "pt"})


@pytest.mark.parametrize("dtype", DTYPE_BITS)
def test_every_dtype_of_the_format_is_read(dtype: str) -> None:
    size = DTYPE_BITS[dtype]  # bytes of eight elements
    assert {f.kind for f in read(one(dtype, (8,), end=size, data=size)).facts} <= {"misaligned"}


@pytest.mark.parametrize(("length", "shown"), [(40, 40), (41, 40), (1_000_000, 40)])
def test_an_unknown_dtype_is_cut_to_forty_characters(length: int, shown: int) -> None:
    (found,) = read(one("#" * length)).facts
    assert found.values == {"dtype": "#" * shown, "near": ""}


def test_what_was_meant_is_told_for_the_first_hundred_unknown_dtypes_and_again_for_those() -> None:
    spelled = map("".join, itertools.product(*zip("torch.bfloat", "TORCH.BFLOAT", strict=True)))
    names = list(itertools.islice((f"{n}16" for n in dict.fromkeys(spelled)), 102))
    listed = [*names, names[0]]
    found = read(shard({f"t{i}": entry(n, [1], i, i + 1) for i, n in enumerate(listed)}, 200)).facts
    assert [f.values["near"] for f in found] == ["BF16"] * 100 + ["", ""] + ["BF16"]


def test_names_whose_bytes_cannot_be_used_are_known() -> None:
    found = read(shard({"a": entry("U8", [1], 0, 1), "b": entry("X", [1], 1, 2), "c": entry("U8", [9], 2, 4)}, 4))
    assert ([t.name for t in found.tensors], found.unusable) == (["a"], {"b", "c"})


def peak_of(file: Any) -> tuple[Header, int]:
    tracemalloc.start()
    try:
        found = read_header(file)
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("length", [90_000_000, HEADER_CAP, HEADER_CAP + 1, 1 << 60, (1 << 64) - 1])
def test_a_header_length_that_the_file_cannot_hold_allocates_nothing(length: int) -> None:
    found, peak = peak_of(MemoryFile(NAME, shard("{}", 2000, length)))
    assert [f.kind for f in found.facts] == ["bad-header-length"]
    assert peak < 100_000


def test_a_sparse_file_with_a_90_mb_header_is_refused_from_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with path.open("wb") as out:
        out.write((90_000_000).to_bytes(8, "little"))
        out.truncate(95_000_000)
    file = LocalSource(path, str(path)).open(NAME)
    found, peak = peak_of(file)
    file.close()
    assert [(f.kind, f.offset) for f in found.facts] == [("header-not-json", 8)]
    assert peak < 1_000_000


def test_no_more_than_the_header_is_read() -> None:
    asked: list[tuple[int, int]] = []
    data = shard(TWO, 4)

    def record(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return data[offset : offset + length]

    read_header(SimpleNamespace(name=NAME, size=1 << 40, read=record, close=lambda: None))  # type: ignore[arg-type]
    assert max(offset + length for offset, length in asked) <= 1024


# -- limits, and what does not follow -------------------------------------------------------------------------------


def aligned(header: str, data: int) -> bytes:
    """A shard whose data begins at a multiple of eight."""
    return shard(header.ljust(-(-len(header) // 8) * 8), data)


def test_a_header_length_of_the_limit_is_no_defect_of_its_own() -> None:
    problems = [read(shard("{}", 9, n)).facts[0].values["problem"] for n in (HEADER_CAP, HEADER_CAP + 1)]
    assert problems == ["is more than the 11 bytes that follow it", "is over the limit of 100,000,000 bytes"]


@pytest.mark.parametrize(("length", "problem"), [(2, None), (3, "is more than the 2 bytes that follow it")])
def test_a_header_may_fill_the_file_to_its_last_byte(length: int, problem: str | None) -> None:
    assert [f.values["problem"] for f in read(shard("{}", 0, length)).facts] == ([problem] if problem else [])


@pytest.mark.parametrize(("size", "kind"), [(7, "too-small"), (8, "bad-header-length")])
def test_eight_bytes_hold_a_header_length(size: int, kind: str) -> None:
    assert [f.kind for f in read(b"\0" * size).facts] == [kind]


@pytest.mark.parametrize(
    ("before", "after", "near"),
    [
        (5, 5, '{"' + "x" * 5 + '"?' + "y" * 5),
        (17, 19, '{"' + "x" * 17 + '"?' + "y" * 19),
        (18, 20, '"' + "x" * 18 + '"?' + "y" * 19),
    ],
)
def test_twenty_characters_on_either_side_of_an_error_are_shown(before: int, after: int, near: str) -> None:
    (found,) = read(shard('{"' + "x" * before + '"?' + "y" * after)).facts
    assert (found.offset, found.values["near"]) == (8 + 3 + before, near)


@pytest.mark.parametrize("space", [1, 1015, 1016, 1017, 5000])
def test_a_header_begins_wherever_its_space_ends(space: int) -> None:
    found = read(shard(" " * space + f'{{"a":{{{U8}}}}}', 1))
    assert ([f.kind for f in found.facts], len(found.tensors)) == (["leading-space"], 1)


@pytest.mark.parametrize(("count", "stated"), [(9_999, 9_999), (10_000, 10_000), (10_001, 10_000)])
def test_facts_end_at_ten_thousand(count: int, stated: int) -> None:
    found = read(shard("{" + ",".join(f'"{i}":0' for i in range(count)) + "}"))
    assert (len(found.facts), len(found.unusable)) == (stated, count)


def test_the_first_tensor_with_an_odd_field_is_named() -> None:
    text = f'{{"a":{{{U8}}},"b":{{"dtype":"U8","shape":[0],"data_offsets":[1,1],"y":0}},"c":{{"dtype":"U8","shape":[0],"data_offsets":[1,1],"y":0,"x":0}}}}'
    assert read(shard(text, 1)).facts == (fact("unknown-field", "b", fields=["x", "y"]),)


def test_the_first_tensor_given_as_a_list_is_named() -> None:
    found = read(shard('{"a":["U8",[1],[0,1]],"b":["U8",[1],[1,2]]}', 2))
    assert found.facts == (fact("unknown-field", "a", fields=["(a list in place of named fields)"]),)


@pytest.mark.parametrize(
    ("name", "odd"), [("a b", False), ("\u00e9", False), ("\u202e", True), ("a\n", True), ("\x7f", True)]
)
def test_names_that_cannot_be_printed_are_odd(name: str, odd: bool) -> None:
    found = read(shard({name: entry("U8", [1], 0, 1)}, 1)).facts
    assert found == ((fact("odd-name", name, name=ascii(name)),) if odd else ())


def test_what_a_key_of_metadata_is_cut_to() -> None:
    rows = {n: read(shard({"__metadata__": {"k" * n: 1}})).facts[0].values["problem"] for n in (80, 81)}
    assert set(rows.values()) == {f"the value of `{'k' * 80}` is a number, not text"}


def test_metadata_keeps_what_is_text() -> None:
    assert read(shard({"__metadata__": {"a": "1", "b": 2}})).metadata == {"a": "1"}


UNCLAIMED: dict[str, Any] = {
    "bad-entry": {"dtype": "U8", "shape": [1]},
    "unknown-dtype": entry("NOPE", [1], 0, 1),
    "size-overflow": entry("U8", [1 << 61], 0, 1),
    "partial-byte": entry("F4", [1], 0, 1),
    "offsets-reversed": entry("U8", [1], 1, 0),
}


@pytest.mark.parametrize("kind", UNCLAIMED)
def test_bytes_of_an_entry_that_cannot_be_used_are_no_second_defect(kind: str) -> None:
    found = read(shard({"a": UNCLAIMED[kind], "b": entry("U8", [1], 1, 2)}, 3))
    assert ([f.kind for f in found.facts], [t.name for t in found.tensors]) == ([kind], ["b"])


def test_bytes_of_a_wrong_span_are_claimed_and_not_measured() -> None:
    found = read(shard({"a": entry("U8", [9], 0, 1), "b": entry("U8", [1], 1, 2)}, 2))
    assert ([f.kind for f in found.facts], [t.name for t in found.tensors]) == (["span-mismatch"], ["b"])
    assert found.unusable == {"a"}


def test_a_wrong_span_is_one_of_the_tensors_behind_the_end() -> None:
    found = read(p := shard({"a": entry("U8", [9], 0, 1), "b": entry("U8", [1], 1, 2)}, 0)).facts
    assert [(f.kind, f.tensor, f.values.get("tensors")) for f in found] == [
        ("span-mismatch", "a", None),
        ("truncated", "a", 2),
    ]
    assert found[1].values["needed"] == len(p) + 2


@pytest.mark.parametrize("names", ["abc", "acb", "bac", "bca", "cab", "cba"])
def test_the_order_of_entries_does_not_matter_to_the_layout(names: str) -> None:
    entries = {"a": entry("U8", [0], 0, 0), "b": entry("U8", [1], 0, 1), "c": entry("F32", [0, 4], 1, 1)}
    assert read(shard({n: entries[n] for n in names}, 1)).facts == ()


def test_the_last_of_several_that_end_together_is_named_as_the_other() -> None:
    spans = {"a": (0, 4), "b": (2, 4), "c": (3, 4), "d": (3, 3)}
    found = read(shard({n: entry("U8", [e - b], b, e) for n, (b, e) in spans.items()}, 4))
    assert [(f.tensor, f.values["other"], f.values["bytes"]) for f in found.facts] == [
        ("b", "a", 2),
        ("d", "b", 0),
        ("c", "b", 1),
    ]


def test_a_tensor_that_ends_where_the_next_begins_shares_nothing_and_leaves_nothing() -> None:
    spans = {"a": (0, 2), "b": (2, 2), "c": (2, 3), "d": (4, 5)}
    found = read(p := shard({n: entry("U8", [e - b], b, e) for n, (b, e) in spans.items()}, 5))
    at = data_start(p) + 3
    assert found.facts == (fact("hole", "d", at, bytes=1, begin=at, end=at + 1),)


@pytest.mark.parametrize(
    ("dtype", "elements", "size", "at", "crooked"),
    [
        ("F32", 1, 4, 1, True),
        ("F32", 1, 4, 2, True),
        ("F32", 1, 4, 4, False),
        ("F64", 1, 8, 4, True),
        ("C64", 1, 8, 4, True),
        ("F16", 1, 2, 1, True),
        ("F16", 1, 2, 2, False),
        ("F8_E4M3", 1, 1, 1, False),
        ("F4", 2, 1, 1, False),
        ("F6_E2M3", 4, 3, 1, False),
        ("F32", 0, 0, 1, False),
    ],
)
def test_a_tensor_begins_at_a_multiple_of_its_element(
    dtype: str, elements: int, size: int, at: int, crooked: bool
) -> None:
    text = json.dumps({"a": entry("U8", [at], 0, at), "b": entry(dtype, [elements], at, at + size)})
    found = read(p := aligned(text, at + size))
    values = {"tensors": 1, "of": 2, "header_bytes": data_start(p) - 8, "bytes": size}
    assert list(found.facts) == ([fact("misaligned", "", data_start(p), **values)] if crooked else [])


def test_all_bytes_that_lie_askew_are_added_up() -> None:
    text = json.dumps({"a": entry("U8", [1], 0, 1), "b": entry("F16", [3], 1, 7), "c": entry("F32", [2], 7, 15)})
    (found,) = read(aligned(text, 15)).facts
    assert (found.values["tensors"], found.values["of"], found.values["bytes"]) == (2, 3, 14)


def test_only_what_lies_in_the_file_is_read() -> None:
    found = read(shard({"a": entry("U8", [1], 0, 1), "b": entry("U8", [0], 1, 1), "c": entry("U8", [1], 1, 2)}, 1))
    assert ([t.name for t in found.tensors], found.unusable) == (["a", "b"], {"c"})
    whole = read(shard(TWO, 4))
    assert whole.unusable == frozenset()
