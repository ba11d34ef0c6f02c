"""Tensors in memory as the file that they would be saved as: the same bytes at the same offsets, without a copy.

The layout is that of the safetensors crate (`safetensors/src/tensor.rs`, `prepare`): dtypes from the widest to the
narrowest, names in order, a header padded to 8 bytes.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from ..dtypes import DTYPE_BITS
from ..errors import UnfinishedError
from .memory import MemoryFile

FILE = "model.safetensors"
_TORCH_NAMES = {
    "BOOL": "bool", "F4": "float4_e2m1fn_x2", "U8": "uint8", "I8": "int8", "F8_E5M2": "float8_e5m2",
    "F8_E4M3": "float8_e4m3fn", "F8_E8M0": "float8_e8m0fnu", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "I16": "int16", "U16": "uint16", "F16": "float16", "BF16": "bfloat16",
    "I32": "int32", "U32": "uint32", "F32": "float32", "C64": "complex64", "F64": "float64", "I64": "int64",
    "U64": "uint64",
}  # fmt: skip
# Not every version of torch has all of them.
DTYPES: dict[Any, str] = {getattr(torch, n): ours for ours, n in _TORCH_NAMES.items() if hasattr(torch, n)}
_ORDER = {dtype: number for number, dtype in enumerate(DTYPE_BITS)}


def stored_shape(tensor: Any) -> tuple[int, ...]:
    """The shape that a header states: of packed types it counts values, torch counts their bytes."""
    shape = tuple(tensor.shape)
    return (*shape[:-1], shape[-1] * 2) if shape and DTYPES[tensor.dtype] == "F4" else shape


def stretch(tensor: Any, begin: int, end: int) -> Any:
    """Bytes [begin, end) of a tensor as it would be stored, on its device: a view of it wherever it is contiguous.

    Of other tensors only what is asked for is copied.
    """
    if begin == end:
        return torch.empty(0, dtype=torch.uint8, device=tensor.device)
    width = tensor.element_size()
    first = begin // width
    flat = _elements(tensor, first, -(-end // width)).resolve_conj().resolve_neg()
    flat = flat.as_strided(flat.shape, (1,))  # a single element may have any stride
    return flat.view(torch.uint8)[begin - first * width : end - first * width]


def _elements(tensor: Any, begin: int, end: int) -> Any:
    """Elements [begin, end) in row-major order, as one contiguous dimension."""
    if tensor.is_contiguous():
        return tensor.view(-1)[begin:end]
    if tensor.dim() == 1:
        return tensor[begin:end].contiguous()
    row = tensor[0].numel()
    first, last = -(-begin // row), end // row  # whole rows
    if first > last:
        return _elements(tensor[last], begin - last * row, end - last * row)
    pieces = [tensor[first:last].reshape(-1).contiguous()] if first < last else []
    if begin < first * row:
        pieces.insert(0, _elements(tensor[first - 1], begin - (first - 1) * row, row))
    if last * row < end:
        pieces.append(_elements(tensor[last], 0, end - last * row))
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


class TensorFile:
    """The file that tensors would be saved as; read piece by piece from wherever they are."""

    def __init__(self, name: str, header: bytes, tensors: Mapping[str, Any]) -> None:
        self.name = name
        self._header = header
        self._tensors = tuple(tensors.values())
        self._begins = [len(header)]
        for tensor in self._tensors:
            self._begins.append(self._begins[-1] + tensor.numel() * tensor.element_size())

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self._begins[-1]

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`."""
        buffer = bytearray(length)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset`."""
        if offset + len(buffer) > self.size:
            raise UnfinishedError(f"{self.name} has no {len(buffer):,} bytes at {offset:,}")
        done = 0
        while done < len(buffer):
            at, left = offset + done, len(buffer) - done
            if at < len(self._header):
                piece = self._header[at : at + left]
            else:
                number = bisect_right(self._begins, at) - 1
                begin, end = self._begins[number], min(self._begins[number + 1], at + left)
                piece = stretch(self._tensors[number], at - begin, end - begin).cpu().numpy().data
            buffer[done : done + len(piece)] = piece
            done += len(piece)

    def close(self) -> None:
        """Nothing to release."""


@dataclass(frozen=True)
class TensorSource:
    """Tensors by name, and the JSON files that would stand beside them.

    `tensors` have dtypes of DTYPES and real bytes; `unreadable` maps the names of others to the dtype and the shape
    that they would be stored with, and `gaps` say why.
    """

    tensors: Mapping[str, Any]
    configs: Mapping[str, bytes] = field(default_factory=dict)
    unreadable: Mapping[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()
    target: str = "state dict"
    origin: str = "memory"

    @cached_property
    def ordered(self) -> Mapping[str, Any]:
        """The tensors in the order in which they would be stored."""
        rows = self.tensors.items()
        return dict(sorted(rows, key=lambda row: (-_ORDER[DTYPES[row[1].dtype]], row[0])))

    @cached_property
    def _file(self) -> TensorFile:
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}  # as save_pretrained of transformers writes
        at = 0
        rows = [(n, DTYPES[t.dtype], stored_shape(t)) for n, t in self.ordered.items()]
        # What cannot be read lies behind the end of the file, where the header reader leaves it out and says so.
        for name, dtype, shape in [*rows, *((n, *row) for n, row in self.unreadable.items())]:
            size = DTYPE_BITS[dtype]
            for length in shape:
                size *= length
            header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size // 8]}
            at += size // 8
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
        text += b" " * (-len(text) % 8)
        return TensorFile(FILE, len(text).to_bytes(8, "little") + text, self.ordered)

    def files(self) -> Mapping[str, int]:
        """The one file of tensors, and the JSON files."""
        return {FILE: self._file.size, **{name: len(data) for name, data in self.configs.items()}}

    def broken_links(self) -> Iterable[str]:
        """There are none in memory."""
        return ()

    def open(self, name: str) -> TensorFile | MemoryFile:
        """Open one of `files()`."""
        return self._file if name == FILE else MemoryFile(name, self.configs[name])
