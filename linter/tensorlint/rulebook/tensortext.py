"""One tensor in one line: `F8_E4M3[8, 16] = 0x38; [35..38] = 0x7F`; `text {...}` is a U8 tensor of these characters."""

from __future__ import annotations

import math
import re
import struct
from typing import NoReturn

from ..dtypes import DTYPE_BITS
from ..text.place import suggest
from ..text.yamltext import Item

Tensor = tuple[str, tuple[int, ...], bytes]  # dtype, shape, bytes

MAX_BYTES = 1 << 20
_SPEC = re.compile(r"\s*(\w+)\s*\[([^\[\]]*)\]\s*(?:[=;]\s*(.+))?", re.DOTALL)
_SIZES = re.compile(r"\s*|\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*")
_RANGE = re.compile(r"\[(\d{1,9})(?:\.\.(\d{1,9}))?\]\s*=\s*(.+)", re.DOTALL)
_FLOAT_FORMATS = {"F32": "<f", "F64": "<d", "F16": "<e"}


def read_tensor(item: Item) -> Tensor:
    """The tensor that a text describes; raises RuleFileError.

    Without a value the elements are small and varied; a list of values is repeated.
    """
    if item.raw.startswith("text "):
        text = item.raw[5:].encode()
        return "U8", (len(text),), text
    found = _SPEC.fullmatch(item.string("a tensor"))
    if not found:
        item.fail(
            "a tensor is written DTYPE[shape] = value; [range] = value",
            'such as "F8_E4M3[8, 16] = 0x38; [3..5] = 0x7F"',
        )
    dtype, sizes, rest = found.groups()
    if dtype not in DTYPE_BITS:
        item.fail_at(dtype, f"`{dtype}` is not a dtype", suggest(dtype, DTYPE_BITS))
    if not _SIZES.fullmatch(sizes):
        item.fail_at(
            f"[{sizes}]", f"`[{sizes}]` is not a shape", "whole numbers with commas: [8, 16], or [] for one value"
        )
    shape = tuple(int(s) for s in sizes.split(",") if s.strip())
    size = math.prod(shape) * DTYPE_BITS[dtype]
    if size > MAX_BYTES * 8:
        item.fail(f"an example tensor has at most {MAX_BYTES:,} bytes")
    width = max(1, DTYPE_BITS[dtype] // 8)
    data = bytearray(_mixed(dtype, size // 8))
    for piece in (rest or "").split(";"):
        if piece.strip():
            _fill(data, piece.strip(), dtype, width, item)
    return dtype, shape, bytes(data)


def _fill(data: bytearray, piece: str, dtype: str, width: int, item: Item) -> None:
    count = len(data) // width
    low, high, fill = 0, count - 1, piece
    ranged = _RANGE.fullmatch(piece)
    if ranged:
        low, fill = int(ranged[1]), ranged[3]
        high = int(ranged[2] or low)
        if high < low:
            item.fail_at(piece, f"the range {low}..{high} is empty", f"write [{high}..{low}]")
        if high >= count:
            item.fail_at(piece, f"element {high} is beyond the tensor", f"it has {count} elements, the first is 0")
    values = [_value(v.strip(), dtype, width, item) for v in fill.split(",")]
    if len(values) > high - low + 1 and count:
        item.fail_at(piece, f"{len(values)} values do not fit into {high - low + 1}")
    for number, at in enumerate(range(low, high + 1)):
        data[at * width : (at + 1) * width] = values[number % len(values)]


def _mixed(dtype: str, size: int) -> bytes:
    """Harmless, varied content: small positive numbers in every format."""
    if dtype in _FLOAT_FORMATS or dtype == "BF16":
        width = DTYPE_BITS[dtype] // 8
        return _repeated(b"".join(_encode(0.01 + 0.003 * i, dtype) for i in range(13)), size // width * width)
    low = 0x30 if dtype.startswith("F8") else 0x21
    return _repeated(bytes(low + (i * 7 + i // 16) % 23 for i in range(16 * 23)), size)


def _repeated(period: bytes, size: int) -> bytes:
    return (period * (size // len(period) + 1))[:size]


def _value(text: str, dtype: str, width: int, item: Item) -> bytes:
    try:
        if re.fullmatch(r"0x[0-9a-fA-F]{1,16}", text):
            return int(text, 16).to_bytes(width, "little")
        if text == "mixed":
            return _mixed(dtype, width)
        if dtype in _FLOAT_FORMATS or dtype == "BF16":
            return _encode(float(text), dtype)
        if re.fullmatch(r"-?\d{1,20}", text):
            return int(text).to_bytes(width, "little", signed=int(text) < 0)
    except (ValueError, OverflowError):
        pass
    return _no_value(text, dtype, width, item)


def _no_value(text: str, dtype: str, width: int, item: Item) -> NoReturn:
    numbers = dtype in _FLOAT_FORMATS or dtype == "BF16" or dtype[0] in "IU"
    hint = f"hex of {width} byte{'s' * (width > 1)} such as 0x{'7f' * width}" + (", or a number" if numbers else "")
    item.fail_at(text, f"`{text}` is not a value of {dtype}", hint)


def _encode(value: float, dtype: str) -> bytes:
    if dtype == "BF16":
        return b"\xc0\x7f" if math.isnan(value) else struct.pack("<f", value)[2:]
    return struct.pack(_FLOAT_FORMATS[dtype], value)
