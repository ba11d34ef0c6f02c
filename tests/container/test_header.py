"""Every fact that a header can cause, each with the smallest file that causes it."""

from __future__ import annotations

import inspect
import re
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from attacks import U8, entry, shard
from tensorlint.container import header as header_module
from tensorlint.container.header import HEADER_CAP, Header, TensorInfo, read_header
from tensorlint.container.jsontext import BadInteger, JsonError, Pairs, nesting, parse
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
    "unknown dtype": (one("F8_E4M3FN"), [fact("unknown-dtype", "a", dtype="F8_E4M3FN", near="F8_E4M3")], []),
    "dtype in lower case": (one("bf16"), [fact("unknown-dtype", "a", dtype="bf16", near="BF16")], []),
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


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("F8_E4M3FN", "F8_E4M3"),
        ("float8_e4m3fn", "F8_E4M3"),
        ("torch.float8_e8m0fnu", "F8_E8M0"),
        ("F8_E4M3FNUZ ", "F8_E4M3FNUZ"),
        ("torch.bfloat16", "BF16"),
        ("float32", "F32"),
        ("uint8", "U8"),
        ("F" * 1_000_000, ""),
    ],
)
def test_an_unknown_dtype_names_the_one_that_was_meant(given: str, meant: str) -> None:
    (found,) = read(one(given)).facts
    assert (found.kind, found.values["near"], len(found.values["dtype"]) <= 40) == ("unknown-dtype", meant, True)


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


# -- JSON -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("{} {}", "Extra data"),
        ("[NaN]", "`NaN` is not JSON"),
        ("[-Infinity]", "`-Infinity` is not JSON"),
        ("[1e400]", "out of range"),
        (f"[-{'9' * 400}]", "out of range"),
        ("\ufeff{}", "BOM"),
        ('["\\ud800"]', "surrogate"),
        ('["\\udc00\\ud800"]', "surrogate"),
        ('["\\ud83d\\\\\\ude00"]', "surrogate"),
        ('{"a":"\\ud800","a":1}', "surrogate"),
        ("[" * 200_000, "nested too deeply"),
    ],
)
def test_json_that_no_strict_reader_takes_is_refused(text: str, problem: str) -> None:
    with pytest.raises(JsonError, match=re.escape(problem)):
        parse(text)


def test_json_keeps_what_ordinary_parsers_drop() -> None:
    value = parse('{"a":1,"b":-0,"a":2,"c":' + "9" * 90 + "}")
    assert isinstance(value, Pairs)
    assert (value["a"], value.repeated) == (2, ("a",))
    assert isinstance(value["b"], BadInteger) and isinstance(value["c"], BadInteger)


@pytest.mark.parametrize("text", ['"\\\\ud800"', '"\\ud83d\\ude00"', '"\\\\\\ud83d\\ude00"', "1e-999", "0e999"])
def test_json_that_looks_odd_but_is_sound_is_taken(text: str) -> None:
    parse(text)


@pytest.mark.parametrize(
    ("text", "levels"),
    [("1", 0), ("[]", 1), ('{"a":[[]]}', 3), ('"[["', 0), ('["\\"[[", "\\\\", []]', 2), ("[[],[[]]]", 3)],
)
def test_nesting_counts_brackets_outside_of_text(text: str, levels: int) -> None:
    assert nesting(text) == levels
