"""Hostile and damaged shards, built on the spot: nothing here is larger than a few KiB."""

from __future__ import annotations

import json
from typing import Any

U8 = '"dtype":"U8","shape":[1],"data_offsets":[0,1]'  # the fields of a one-byte tensor


def shard(header: str | bytes | dict[str, Any], data: int | bytes = 0, length: int | None = None) -> bytes:
    """A file with this header and data; `length` replaces the true header length."""
    text = json.dumps(header, separators=(",", ":")) if isinstance(header, dict) else header
    raw = text.encode() if isinstance(text, str) else text
    size = len(raw) if length is None else length
    return size.to_bytes(8, "little") + raw + (b"\1" * data if isinstance(data, int) else data)


def entry(dtype: Any, shape: Any, begin: Any, end: Any) -> dict[str, Any]:
    """One tensor's entry."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def with_extra(extra: str) -> bytes:
    """A valid one-byte tensor `a` whose entry also holds `extra`, as JSON fields."""
    return shard(f'{{"a":{{{extra},{U8}}}}}', 1)


def nested(levels: int, inside: str = "") -> str:
    """Lists in lists."""
    return "[" * levels + inside + "]" * levels


# Files that the reference reader refuses, and that a careless one takes, crashes on or is exhausted by.
REFUSED: dict[str, bytes] = {
    "entry of unknown fields given twice": shard('{"a":{"x":1,"x":2}}'),
    "dtype twice after an unknown field twice": shard(f'{{"a":{{"x":1,"x":2,"dtype":"U8",{U8}}}}}', 1),
    "float that overflows in an unknown field": with_extra('"x":1e400'),
    "integer that overflows in an unknown field": with_extra(f'"x":{"9" * 400}'),
    "integer of 5,000 digits as offset": shard(f'{{"a":{{"dtype":"U8","shape":[1],"data_offsets":[0,{"9" * 5000}]}}}}'),
    "minus zero as offset": shard('{"a":{"dtype":"U8","shape":[1],"data_offsets":[-0,1]}}', 1),
    "exponent in a shape": shard('{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', 1),
    "true as a dimension": shard('{"a":{"dtype":"U8","shape":[true],"data_offsets":[0,1]}}', 1),
    "lone surrogate in a name": shard(f'{{"\\ud800":{{{U8}}}}}', 1),
    "lone surrogate in a value that a second one hides": with_extra(r'"x":{"k":"\ud800","k":1}'),
    "two lone surrogates around a backslash": with_extra(r'"x":"\ud83d\\\ude00"'),
    "reversed surrogate pair": with_extra(r'"x":"\ude00\ud83d"'),
    "unknown field of 126 lists": with_extra(f'"x":{nested(126)}'),
    "unknown field of 900 lists and an escape": with_extra(f'"x":{nested(900, chr(34) + chr(92) + "u0041" + chr(34))}'),
    "deep value that a second one hides": with_extra(f'"x":{nested(140)},"x":1'),
    "shape of 900 lists": shard(f'{{"a":{{"dtype":"U8","shape":[{nested(900)}],"data_offsets":[0,1]}}}}', 1),
    "half a million lists": shard(nested(500_000)),
    "half a million open lists": shard("[" * 500_000),
    "dimensions that overflow before a zero": shard({"a": entry("U8", [1 << 63, 2, 0], 0, 0)}),
    "dimensions that wrap around to the true size": shard({"a": entry("U8", [1 << 63, 2, 1 << 63, 2], 0, 0)}),
    "bits that overflow": shard({"a": entry("F64", [1 << 60], 0, 1 << 63)}),
    "offsets that wrap around": shard({"a": entry("U8", [1], (1 << 64) - 1, 1 << 64)}),
    "empty tensor inside another": shard({"a": entry("U8", [8], 0, 8), "b": entry("U8", [0], 4, 4)}, 8),
    "negative offset": shard({"a": entry("U8", [9], -8, 1)}, 1),
    "tensor over the header": shard({"a": entry("U8", [1], -1, 0)}),
    "metadata twice": shard(f'{{"__metadata__":{{}},"__metadata__":{{}},"a":{{{U8}}}}}', 1),
    "metadata of numbers": shard(f'{{"__metadata__":{{"n":1}},"a":{{{U8}}}}}', 1),
    "byte order mark": shard(f'\ufeff{{"a":{{{U8}}}}}', 1),
    "zero bytes as padding": shard(f'{{"a":{{{U8}}}}}\0\0\0', 1),
    "second object after the first": shard(f'{{"a":{{{U8}}}}}{{}}', 1),
    "comment": shard(f'/**/{{"a":{{{U8}}}}}', 1),
    "trailing comma": shard(f'{{"a":{{{U8}}},}}', 1),
    "single quotes": shard("{'a':1}", 1),
    "overlong UTF-8": shard(b'{"\xc0\xaf":' + f"{{{U8}}}}}".encode(), 1),
    "surrogate in UTF-8": shard(b'{"\xed\xa0\x80":' + f"{{{U8}}}}}".encode(), 1),
    "line break in a name": shard(f'{{"a\nb":{{{U8}}}}}', 1),
    "dtype of 100,000 characters": shard({"a": entry("X" * 100_000, [1], 0, 1)}, 1),
    "thousand different dtypes": shard({f"t{i}": entry(f"U{i}x", [1], i, i + 1) for i in range(1000)}, 1000),
}

# Files that the reference reader takes, and that a careless linter would call damaged.
ACCEPTED: dict[str, bytes] = {
    "header of 123 bytes: its length begins like JSON": shard(f'{{"a":{{{U8}}}}}'.ljust(0x7B), 1),
    "header of 35,615 bytes: its length begins like gzip": shard(f'{{"a":{{{U8}}}}}'.ljust(0x8B1F), 1),
    "the same, behind 2,000 spaces": shard((" " * 2000 + f'{{"a":{{{U8}}}}}').ljust(0x8B1F), 1),
    "entry as a list": shard('{"a":["U8",[1],[0,1]]}', 1),
    "dtype as an object": shard('{"a":{"dtype":{"U8":null},"shape":[1],"data_offsets":[0,1]}}', 1),
    "huge dimension before a zero": shard({"a": entry("U8", [1 << 62, 0], 0, 0)}),
    "unknown field twice": with_extra('"x":1,"x":2'),
    "unknown field of 125 lists": with_extra(f'"x":{nested(125)}'),
    "unknown field of 300 digits": with_extra(f'"x":{"9" * 300}'),
    "unknown field of minus zero": with_extra('"x":-0'),
    "escaped backslash before what looks like a surrogate": with_extra(r'"x":"\\ud800"'),
    "surrogate pairs": with_extra(r'"x":"\ud83d\ude00\uD83D\uDE00"'),
    "brackets in text": with_extra('"x":"' + "[" * 500 + '\\"{"'),
    "white space around": shard(f' \t\r\n{{"a":{{{U8}}}}} \r\n', 1),
    "null metadata": shard(f'{{"__metadata__":null,"a":{{{U8}}}}}', 1),
    "empty tensors at one offset": shard(
        {"a": entry("U8", [0], 0, 0), "b": entry("F32", [0, 4], 0, 0), "c": entry("U8", [1], 0, 1)}, 1
    ),
    "empty tensor at the end": shard({"a": entry("U8", [1], 0, 1), "b": entry("U8", [0], 1, 1)}, 1),
    "tensors out of order": shard({"b": entry("U8", [1], 1, 2), "a": entry("U8", [1], 0, 1)}, 2),
    "packed values": shard({"a": entry("F4", [2], 0, 1), "b": entry("F6_E2M3", [4], 1, 4)}, 4),
    "empty name": shard(f'{{"":{{{U8}}}}}', 1),
    "zero byte in a name": shard(f'{{"\\u0000":{{{U8}}}}}', 1),
    "no tensors": shard("{}"),
}
