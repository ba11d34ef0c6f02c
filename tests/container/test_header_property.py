"""The header reader against the reference reader, on mutated files.

What `safetensors.deserialize` refuses must be an error finding here, and what it accepts must not be called
unreadable. The normal run tries 5,400 files in about 20 seconds; a longer one is `HYPOTHESIS_PROFILE=long pytest
tests/test_header_property.py` (65,000 files, a few minutes), or any number of examples per test by
`HEADER_EXAMPLES=20000`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import safetensors
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from attacks import shard
from linted import check, rules_of
from tensorlint.container.header import read_header
from tensorlint.dtypes import DTYPE_BITS
from tensorlint.errors import NoCheckpointError
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemoryFile, MemorySource

EXAMPLES = int(os.environ.get("HEADER_EXAMPLES", "30000" if os.environ.get("HYPOTHESIS_PROFILE") == "long" else "2500"))
# A key given twice is an error on files that the reference reader takes: the format text forbids it.
FORBIDDEN_BY_THE_TEXT = {"container/duplicate-key"}
SLOW = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)


def refused(data: bytes) -> bool:
    """Whether the reference reader refuses a file."""
    try:
        safetensors.deserialize(data)
    except safetensors.SafetensorError:
        return True
    return False


def errors(data: bytes) -> set[str]:
    """Rules of error findings; anything but a finding or NoCheckpointError fails the test."""
    book = load_book()
    try:
        report = check(MemorySource({"model.safetensors": data}), book, rules_of(book, ["container"]))
    except NoCheckpointError:
        return set()
    assert not report.stopped
    return {f.rule for f in report.findings if f.severity == "error"}


def compare(data: bytes) -> bool:
    """Assert that both readers agree; True when the file was accepted."""
    found = errors(data)
    if refused(data):
        event("refused")
        assert found, f"the reference reader refuses this, tensorlint has no error: {data!r}"
        return False
    event("accepted")
    assert found <= FORBIDDEN_BY_THE_TEXT, f"the reference reader accepts this, tensorlint says {found}: {data!r}"
    return True


# -- valid files ----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "layer.0.weight", "x.weight_scale", "", "é", "\x00", "__metadata", "a\\b", '"'])
SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 8]), max_size=3)
EXTRAS: tuple[Any, ...] = (None, 1, "x", [], {}, [[1]], {"k": {"k": []}})


@st.composite
def headers(draw: st.DrawFn) -> tuple[dict[str, Any], int]:
    """A header as an object, and the number of data bytes it claims."""
    header: dict[str, Any] = {}
    if draw(st.booleans()):
        header["__metadata__"] = draw(
            st.dictionaries(st.sampled_from(["format", "k", ""]), st.sampled_from(["pt", ""]))
        )
    at = 0
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        dtype, shape = draw(st.sampled_from(list(DTYPE_BITS))), draw(SHAPES)
        bits = DTYPE_BITS[dtype]
        for size in shape:
            bits *= size
        if bits % 8:
            dtype, bits = "U8", bits // DTYPE_BITS[dtype] * 8
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + bits // 8]}
        at += bits // 8
    keys = draw(st.permutations(list(header)))
    return {key: header[key] for key in keys}, at


@st.composite
def valid_files(draw: st.DrawFn) -> bytes:
    """A file that the reference reader accepts, padded in one of the ways writers use."""
    header, size = draw(headers())
    text = json.dumps(
        header, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    )
    text += " " * draw(st.sampled_from([0, 0, -len(text) % 8, 1, 123 - len(text), 0x8B1F - len(text)]))
    return shard(text, size)


# -- mutations ------------------------------------------------------------------------------------------------------

# Texts that some JSON readers take and others do not, and fields that are legal, odd or hostile.
TOKENS = (
    "-0", "1e0", "1.0", "1e400", "-1", "01", "+1", "0x1", "NaN", "Infinity", "true", "null", "[]", "{}", '""',
    "18446744073709551615", "18446744073709551616", "9" * 90, "9" * 400, "\ufeff", "\0", " ", "\t", "\x0c", "\x7f", "\xa0",
    '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\x"', '"a":1,', '"dtype":"U8",', '"x":1,"x":2,', '"x":1e400,',
    '"x":"\\ud800",', '"x":' + "[" * 126 + "]" * 126 + ",", '"x":' + "[" * 125 + "]" * 125 + ",", '"__metadata__":null,',
    '"__metadata__":{},', '"__metadata__":{"k":1},', '"__metadata__":{"k":"1","k":"2"},', '"":[],', '["U8",[0],[0,0]]',
    '{"U8":null}', '"U8"', '"I4"', "//", ",", ":", "}", "]", "[", "{", '"', "\\",
)  # fmt: skip


def reheader(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Replace the header text and make the length true again, so that the change is what is seen."""
    end = 8 + int.from_bytes(data[:8], "little")
    return shard(change(data[8:end]), data[end:])


def mutate_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Flip, insert, delete, cut or append bytes anywhere in the file."""
    at = draw(st.integers(0, len(data)))
    how = draw(st.sampled_from(["flip", "insert", "delete", "cut", "append"]))
    if how == "flip" and at < len(data):
        return data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
    if how == "insert":
        return data[:at] + draw(st.binary(min_size=1, max_size=4)) + data[at:]
    if how == "delete":
        return data[:at] + data[at + draw(st.integers(1, 9)) :]
    return data[:at] if how == "cut" else data + draw(st.binary(min_size=1, max_size=9))


def splice_token(draw: st.DrawFn, data: bytes) -> bytes:
    """Insert a token into the header where JSON has a boundary, or replace a number or text by it."""
    token = draw(st.sampled_from(TOKENS)).encode()

    def change(text: bytes) -> bytes:
        body = text.rstrip(b" ")
        places = [i for i, byte in enumerate(body) if byte in b'{}[],:"0123456789'] or [0]
        at = draw(st.sampled_from(places)) + draw(st.integers(0, 1))
        return body[:at] + token + body[at + draw(st.sampled_from([0, 0, 1])) :]

    return reheader(data, change)


def change_value(draw: st.DrawFn, data: bytes) -> bytes:
    """Replace, add or drop a value of the parsed header, so that the text stays JSON."""

    def change(text: bytes) -> bytes:
        header = json.loads(text)
        names = [name for name in header if name != "__metadata__"]
        if not names:
            return json.dumps({**header, "__metadata__": draw(st.sampled_from([*EXTRAS, {"k": None}]))}).encode()
        name = draw(st.sampled_from(names))
        entry = header[name]
        how = draw(st.sampled_from(["extra", "list", "map", "dtype", "shape", "begin", "end", "both", "drop", "twin"]))
        if how == "extra":
            entry[draw(st.sampled_from(["x", "", "Dtype"]))] = draw(st.sampled_from(EXTRAS))
        elif how == "list":
            header[name] = list(entry.values())[: draw(st.sampled_from([3, 3, 2]))]
        elif how == "map":
            entry["dtype"] = {entry["dtype"]: draw(st.sampled_from([None, None, 0]))}
        elif how == "dtype":
            entry["dtype"] = draw(st.sampled_from([*DTYPE_BITS, "f32", "I4", None]))
        elif how == "shape":
            huge = st.sampled_from([0, 0, 1, 2, 1 << 31, 1 << 60, 1 << 61, 1 << 62, (1 << 64) - 1, 1 << 64, -1, 1.0])
            entry["shape"] = draw(st.lists(huge, max_size=4))
            if draw(st.booleans()):
                entry["shape"].append(0)
        elif how in ("begin", "end", "both"):
            step = draw(st.sampled_from([-1, 1, 4, 8]))
            begin, end = entry["data_offsets"]
            entry["data_offsets"] = [begin + step * (how != "end"), end + step * (how != "begin")]
        elif how == "drop":
            del entry[draw(st.sampled_from(list(entry)))]
        else:  # an empty tensor somewhere in the data
            at = draw(st.integers(0, entry["data_offsets"][1]))
            header["twin"] = {"dtype": "U8", "shape": [0], "data_offsets": [at, at]}
        return json.dumps(header).encode()

    return reheader(data, change)


def change_harmlessly(draw: st.DrawFn, data: bytes) -> bytes:
    """A change that leaves a sound file sound: a data byte, white space, an unknown field, an empty tensor."""
    start = 8 + int.from_bytes(data[:8], "little")
    how = draw(st.sampled_from(["data", "space", "extra", "empty"]))
    if how == "data" and start < len(data):
        at = draw(st.integers(start, len(data) - 1))
        return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    if how == "space":
        return reheader(data, lambda text: draw(st.sampled_from([b" ", b"\t", b"\r\n", b" " * 1100])) + text)

    def change(text: bytes) -> bytes:
        header = json.loads(text)
        if how == "empty":
            header["empty"] = {"dtype": "F64", "shape": [0, draw(st.integers(0, 1 << 63))], "data_offsets": [0, 0]}
        for entry in header.values():
            if "dtype" in entry:
                entry["x"] = draw(st.sampled_from(EXTRAS))
        return json.dumps(header).encode()

    return reheader(data, change)


def change_length(draw: st.DrawFn, data: bytes) -> bytes:
    """Another header length, small changes and absurd ones."""
    length = int.from_bytes(data[:8], "little")
    others = [0, 1, length - 1, length + 1, len(data) - 8, len(data) - 7, 100_000_001, 1 << 60, (1 << 64) - 1]
    return (draw(st.sampled_from(others)) % (1 << 64)).to_bytes(8, "little") + data[8:]


def start_like_another_format(draw: st.DrawFn, data: bytes) -> bytes:
    """The first bytes of another format in place of the file's own, or in front of them."""
    magics = [
        b"PK\3\4",
        b"\x1f\x8b\x08",
        b"BZh",
        b"\xff\xd8\xff",
        b"\x80\2}q",
        b"GGUF",
        b"{",
        b"<html",
        b"\n{",
        b"\0" * 16,
    ]
    magic = draw(st.sampled_from(magics))
    return magic + data[len(magic) * draw(st.integers(0, 1)) :]


MUTATIONS = (
    *(change_harmlessly,) * 4,
    *(change_value, splice_token) * 2,
    mutate_bytes,
    change_length,
    start_like_another_format,
)


@st.composite
def mutated_files(draw: st.DrawFn) -> bytes:
    """A valid file after one to three mutations; most keep its structure, so that both verdicts are common."""
    data = draw(valid_files())
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        mutation = draw(st.sampled_from(MUTATIONS))
        try:
            data = mutation(draw, data)
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):  # no longer a header to change
            data = mutate_bytes(draw, data)
    return data


# -- tests ----------------------------------------------------------------------------------------------------------


def test_both_readers_agree_on_mutated_files() -> None:
    verdicts: Counter[bool] = Counter()

    @SLOW
    @given(mutated_files())
    def agree(data: bytes) -> None:
        verdicts[compare(data)] += 1

    agree()
    share = verdicts[True] / verdicts.total()
    assert verdicts.total() >= 1000
    assert 0.15 < share < 0.85, f"{share:.0%} of {verdicts.total()} files were accepted: one side is hardly tested"


def test_both_readers_agree_on_headers_close_to_valid_ones() -> None:
    verdicts: Counter[bool] = Counter()

    @SLOW
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        file = data.draw(valid_files())
        change = data.draw(st.sampled_from([splice_token, change_value, change_harmlessly]))
        verdicts[compare(change(data.draw, file))] += 1

    agree()
    assert 0.15 < verdicts[True] / verdicts.total() < 0.85


@settings(SLOW, max_examples=max(200, EXAMPLES // 6))
@given(valid_files())
def test_files_of_real_writers_are_accepted_by_both(data: bytes) -> None:
    assert compare(data)


@pytest.mark.parametrize("token", TOKENS)
def test_every_token_gets_the_same_verdict_everywhere_in_a_header(token: str) -> None:
    plain = b'{"__metadata__":{"k":"v"},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":[0]}}'
    for at in range(len(plain) + 1):
        compare_plain(shard(plain[:at] + token.encode() + plain[at:], 1))


def compare_plain(data: bytes) -> None:
    """`compare` outside of hypothesis, on the reader alone: thousands of files in seconds."""
    harmless = {"unknown-field", "odd-name", "leading-space", "misaligned", "duplicate-key"}
    kinds = {f.kind for f in read_header(MemoryFile("model.safetensors", data)).facts}
    if refused(data):
        assert kinds - (harmless - {"duplicate-key"}), data
    else:
        assert kinds <= harmless, data
