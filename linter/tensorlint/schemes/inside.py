"""Declarations that stand in the shards: JSON in the header's metadata, or in a small tensor of each module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..container.checkpoint import Checkpoint
from ..container.header import TensorInfo
from ..container.jsontext import JsonError, parse
from ..errors import UnfinishedError
from .model import Description

_LONGEST_METADATA = 1 << 24  # characters of JSON about all modules
_LONGEST_ENTRY = 1 << 16  # characters of JSON about one module
_LONGEST_MARKER = 4096  # bytes of it
_MOST_READ = 32  # markers that are read: those of one size, beside weights of one kind, say the same


def of_metadata(checkpoint: Checkpoint, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The JSON objects under a key of the metadata, each with its shard."""
    for shard in checkpoint.shards.values():
        text = shard.header.metadata.get(key, "")
        content = _object(text) if 0 < len(text) <= _LONGEST_METADATA else None
        if content:
            yield shard.name, content


def of_markers(checkpoint: Checkpoint, suffix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the tensors with this suffix say, as one table `layers` of all modules, with the shard of the first one."""
    kinds: dict[tuple[object, ...], list[TensorInfo]] = {}
    for name, tensor in checkpoint.tensors.items():
        if name.endswith(suffix) and tensor.dtype == "U8" and 0 < tensor.nbytes <= _LONGEST_MARKER:
            weight = checkpoint.tensors.get(name.removesuffix(suffix) + ".weight")
            kind = (tensor.nbytes, weight.dtype, len(weight.shape)) if weight is not None else (tensor.nbytes,)
            kinds.setdefault(kind, []).append(tensor)
    layers: dict[str, Mapping[str, Any]] = {}
    shard = ""
    for markers in list(kinds.values())[:_MOST_READ]:
        content = _object(_text(checkpoint, markers[0]))
        if content:
            shard = shard or markers[0].shard
            layers.update(dict.fromkeys((m.name.removesuffix(suffix) for m in markers), content))
    if layers:
        yield shard, {"layers": layers}


def of_module(metadata: Mapping[str, str], module: str, described: Description) -> str:
    """What the metadata's entry about a module states in the field by which its readers know the format."""
    text = metadata.get(module + described.suffix, "")
    content = _object(text) if 0 < len(text) <= _LONGEST_ENTRY else None
    return str(content.get(described.field)) if content else ""


def _text(checkpoint: Checkpoint, tensor: TensorInfo) -> str:
    try:
        file = checkpoint.source.open(tensor.shard)
        try:
            return file.read(tensor.begin, tensor.nbytes).decode("utf-8", "replace")
        finally:
            file.close()
    except UnfinishedError:
        return ""


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        content = parse(text)
    except JsonError:
        return None
    return content if isinstance(content, dict) else None
