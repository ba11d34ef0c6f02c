"""Carry out a plan: read each tensor in bounded chunks and add up the measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from ..sources.interface import Source
from .cpu import CpuKernel
from .interface import Kernel, Measures
from .plan import Need, Plan

CHUNK = 4 << 20  # bytes; a multiple of every element size
Progress = Callable[[int], None]
Key = tuple[str, str]  # (shard, tensor)


class Scanner(Protocol):
    """Carries out a plan, on whatever device."""

    def __call__(self, source: Source, plan: Plan, progress: Progress | None = None) -> Mapping[Key, Measures]:
        """Measures of every tensor of the plan, by (shard, tensor name); raises UnfinishedError when a file changes."""


def on_cpu(source: Source, plan: Plan, progress: Progress | None = None) -> Mapping[Key, Measures]:
    """The scanner that needs nothing but numpy."""
    return scan(source, plan, CpuKernel(), progress)


def scan(source: Source, plan: Plan, kernel: Kernel, progress: Progress | None = None) -> Mapping[Key, Measures]:
    """Measures of every tensor of the plan, by (shard, tensor name).

    Memory stays bounded by the chunk, whatever the size of a tensor. Raises UnfinishedError when a file changes.
    """
    found: dict[Key, Measures] = {}
    buffer = np.empty(CHUNK, np.uint8)
    for shard, needs in plan.by_shard.items():
        file = source.open(shard)
        try:
            for need in needs:
                found[shard, need.tensor.name] = _measure(file.read_into, need, kernel, buffer, progress)
        finally:
            file.close()
    return found


def _measure(
    read_into: Callable[[int, memoryview], None],
    need: Need,
    kernel: Kernel,
    buffer: np.ndarray[tuple[int], np.dtype[np.uint8]],
    progress: Progress | None,
) -> Measures:
    begin, end = need.tensor.begin, need.tensor.end
    whole = Measures()
    # One round even for an empty tensor, whose measures say that it is empty.
    for at in range(begin, max(end, begin + 1), CHUNK):
        piece = buffer[: min(end - at, CHUNK)]
        if len(piece):
            read_into(at, piece.data)
        whole = whole + kernel.measure(piece, need.encoding, need.words, at - begin, at)
        if progress is not None:
            progress(len(piece))
    return whole
