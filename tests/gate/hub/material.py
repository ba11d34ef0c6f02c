"""Checkpoints for the gate's tests: one that is fine, one with a NaN, each with a random marker in its tensor bytes."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass

CONFIG = json.dumps({"architectures": ["TestForCausalLM"], "model_type": "test", "num_hidden_layers": 1}).encode()
NAN = struct.pack("<I", 0x7FC00000)
ROWS, COLUMNS = 16, 16


@dataclass(frozen=True)
class File:
    """A safetensors file; `marker` is in the first 512 bytes, which are announced to the Hub before anything else."""

    data: bytes
    marker: bytes


def shard(*names: str, bad: bool = False) -> File:
    """A file with F32 tensors of these names, and a tensor of integers that begins with the marker."""
    marker = os.urandom(24)
    values = struct.pack(f"<{ROWS * COLUMNS}f", *((i * 37 % 101 - 50) / 64 for i in range(ROWS * COLUMNS)))
    tensors = {f"{names[0]}.marker": ("I64", [3], marker)}
    for name in names:
        data = values[: 5 * 4] + NAN + values[6 * 4 :] if bad else values
        tensors[name] = ("F32", [ROWS, COLUMNS], data)
    return File(pack(tensors), marker)


def pack(tensors: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    """A safetensors file of (dtype, shape, bytes) by name."""
    header, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())


def index(**shards: tuple[str, ...]) -> bytes:
    """An index: tensor names by file name, `__` standing for `-`."""
    where = {t: f"{file.replace('__', '-')}.safetensors" for file, names in shards.items() for t in names}
    return json.dumps({"metadata": {}, "weight_map": where}).encode()
