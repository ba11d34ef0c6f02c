"""Examples in rule and scheme files: small checkpoints written in one-line notation, and the runner that checks them.

    bad:
      - model.safetensors:
          up_proj.weight: "U8[8, 128]"                                     # mixed values
          up_proj.weight_scale: "F8_E4M3[8, 16] = 0x38; [35..38] = 0x7F"   # one byte each, then a range of elements
          up_proj.weight_scale_2: "F32[] = 0.001"                          # numbers; nan, inf and -inf too
        config.json: {model_type: llama}
        says: "4 of 128 block scales are NaN"

A file may also be given as `broken link` or raw: `{raw: "00ff"}` (hex), `{text: "..."}`,
`{header: '{...}', data: 16, length: 99}`, or `{tensors: {...}, metadata: {...}, cut: 1, append: "00"}`.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterable

from ..dtypes import DTYPE_BITS
from .model import Example
from .yamltext import Item

MAX_EXAMPLE_BYTES = 1 << 20
_SPEC = re.compile(r"\s*(\w+)\s*\[([\d,\s]*)\]\s*(?:[=;]\s*(.+))?", re.DOTALL)
_RANGE = re.compile(r"\[(\d+)(?:\.\.(\d+))?\]\s*=\s*(.+)", re.DOTALL)
_FLOAT_FORMATS = {"F32": "<f", "F64": "<d", "F16": "<e"}
_SPECIAL = {"raw", "text", "header", "data", "length", "tensors", "metadata", "cut", "append", "pad"}


def read_examples(item: Item, what: str, need_says: bool) -> tuple[Example, ...]:
    """The examples of one list; raises RuleFileError at the place of a mistake."""
    rows = item.sequence(what)
    if not rows:
        item.fail(f"{what} has no example", "a rule carries at least one bad and one good example")
    return tuple(_example(row, what, need_says) for row in rows)


def _example(item: Item, what: str, need_says: bool) -> Example:
    keys = item.mapping(f"an example of {what}")
    says = ""
    files: dict[str, bytes | None] = {}
    for name, value in keys.items():
        if name == "says":
            says = value.string("`says`")
        elif not value.is_map and not value.is_list and value.raw == "broken link":
            files[name] = None
        elif name.endswith(".safetensors"):
            files[name] = _shard(value)
        elif name.endswith((".json", ".txt")):
            if value.is_map and value.mapping("this").keys() & {"raw", "text"}:
                files[name] = _raw(value)
            else:
                files[name] = json.dumps(value.plain()).encode()
        else:
            value.fail(f"`{name}` is neither a .safetensors nor a .json file nor `says`")
    if need_says and not says:
        item.fail("a bad example says what must be said about it", 'add `says: "..."` with a piece of the message')
    if not files:
        item.fail("an example has at least one file")
    place = f"{item.text.path}:{item.node.start_mark.line + 1}"
    return Example(files, says, place)


def _raw(item: Item) -> bytes:
    keys = item.mapping("a raw file", {"raw", "text"})
    if "text" in keys:
        return keys["text"].string("`text`").encode()
    try:
        return bytes.fromhex(keys["raw"].string("`raw`"))
    except ValueError as error:
        keys["raw"].fail(f"`raw` is not hex: {error}")


def _shard(item: Item) -> bytes:
    keys = item.mapping("a shard")
    if not keys.keys() & {"raw", "text", "header", "tensors"}:
        return write_shard({name: _tensor(value) for name, value in keys.items()})
    for name in keys.keys() - _SPECIAL:
        keys[name].fail(f"`{name}` does not go with `raw`, `text`, `header` or `tensors`")
    if "raw" in keys or "text" in keys:
        return _raw(item)
    if "header" in keys:
        header = keys["header"].string("`header`").encode()
        length = int(keys["length"].number("`length`")) if "length" in keys else len(header)
        body = struct.pack("<Q", length) + header + bytes(int(keys["data"].number("`data`")) if "data" in keys else 0)
    else:
        tensors = {name: _tensor(value) for name, value in keys["tensors"].mapping("`tensors`").items()}
        metadata = keys["metadata"].plain() if "metadata" in keys else None
        body = write_shard(tensors, metadata, pad="pad" not in keys)
    if "append" in keys:
        body += bytes.fromhex(keys["append"].string("`append`"))
    return body[: len(body) - int(keys["cut"].number("`cut`"))] if "cut" in keys else body


def write_shard(
    tensors: dict[str, tuple[str, tuple[int, ...], bytes]],
    metadata: dict[str, str] | None = None,
    pad: bool = True,
) -> bytes:
    """A safetensors file; `tensors` maps names to dtype, shape and bytes."""
    header: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    at = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    if pad:
        text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())


def _tensor(item: Item) -> tuple[str, tuple[int, ...], bytes]:
    text = item.string("a tensor")
    found = _SPEC.fullmatch(text)
    if not found:
        item.fail(
            "a tensor is written DTYPE[shape] = value; [range] = value",
            'such as "F8_E4M3[8, 16] = 0x38; [3..5] = 0x7F"',
        )
    dtype, sizes, rest = found.groups()
    if dtype not in DTYPE_BITS:
        item.fail(f"`{dtype}` is not a dtype")
    shape = tuple(int(s) for s in sizes.split(",") if s.strip())
    bits = DTYPE_BITS[dtype]
    count = math.prod(shape)
    if count * bits // 8 > MAX_EXAMPLE_BYTES:
        item.fail(f"an example tensor has at most {MAX_EXAMPLE_BYTES:,} bytes")
    width = max(1, bits // 8)
    data = bytearray(_mixed(dtype, count * bits // 8))
    for piece in (rest or "").split(";"):
        piece = piece.strip()
        if not piece:
            continue
        ranged = _RANGE.fullmatch(piece)
        low, high, fill = (0, len(data) // width - 1, piece)
        if ranged:
            low, fill = int(ranged[1]), ranged[3]
            high = int(ranged[2] or low)
        values = [_value(v.strip(), dtype, width, item) for v in fill.split(",")]
        if high * width >= len(data) and len(data):
            item.fail(f"element {high} is beyond the tensor")
        for number, at in enumerate(range(low, high + 1)):
            data[at * width : (at + 1) * width] = values[number % len(values)]
    return dtype, shape, bytes(data)


def _mixed(dtype: str, size: int) -> bytes:
    """Harmless, varied content: small positive numbers in every format."""
    if dtype in _FLOAT_FORMATS or dtype == "BF16":
        width = DTYPE_BITS[dtype] // 8
        values = [_encode(0.01 + 0.003 * (i % 13), dtype, width) for i in range(13)]
        return b"".join(values[i % 13] for i in range(size // width))
    low = 0x30 if dtype.startswith("F8") else 0x21
    return bytes(low + (i * 7 + i // 16) % 23 for i in range(size))


def _value(text: str, dtype: str, width: int, item: Item) -> bytes:
    try:
        if text.startswith("0x"):
            return int(text, 16).to_bytes(width, "little")
        if text == "mixed":
            return _mixed(dtype, width)
        if dtype in _FLOAT_FORMATS or dtype == "BF16":
            return _encode(float(text), dtype, width)
        return int(text).to_bytes(width, "little", signed=int(text) < 0)
    except (ValueError, OverflowError):
        item.fail(f"`{text}` is not a value of {dtype}", "hex bytes such as 0x7F, or a number")


def _encode(value: float, dtype: str, width: int) -> bytes:
    if dtype == "BF16":
        if math.isnan(value):
            return b"\xc0\x7f"
        return struct.pack("<f", value)[2:]
    return struct.pack(_FLOAT_FORMATS[dtype], value)[:width]


def places(examples: Iterable[Example]) -> list[str]:
    """Where examples stand, for test ids."""
    return [e.place for e in examples]
