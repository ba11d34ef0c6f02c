"""Measure tensors where they are: those of the host through views, those of a device by kernels that run there."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from ...errors import UnfinishedError
from ...sources.interface import Source
from ...sources.tensors import TensorSource, stretch
from ..cores import available
from ..cpu import CpuKernel
from ..interface import Measures
from ..plan import Need, Plan
from ..scan import Key, Progress, StoppedError
from .pages import place, room
from .tally import Tally, free_cache, out_of_memory

_ON_HOST = 8 << 20  # bytes looked at together; a multiple of every element size, like the next one
_ON_DEVICE = 32 << 20
_LEAST = 1 << 16


def where_they_are(source: Source, plan: Plan, progress: Progress | None = None) -> Mapping[Key, Measures]:
    """A Scanner for a TensorSource; raises StoppedError when a device has no room for a copy of 64 KiB."""
    assert isinstance(source, TensorSource)
    tensors = source.tensors

    def measure(need: Need) -> Measures:
        tensor = tensors[need.tensor.name]
        return _on_host(tensor, need) if tensor.device.type == "cpu" else measure_on_device(tensor, need)

    found: dict[Key, Measures] = {}
    needs = list(plan.needs())
    with ThreadPoolExecutor(available()) as pool:
        try:
            for need, measures in zip(needs, pool.map(measure, needs), strict=True):
                found[need.tensor.shard, need.tensor.name] = measures
                if progress is not None:
                    progress(need.tensor.nbytes)
        except UnfinishedError as error:
            raise StoppedError(error, found) from error
    return found


def _on_host(tensor: Any, need: Need) -> Measures:
    whole, size, kernel = Measures(), need.tensor.nbytes, CpuKernel()
    for at in range(0, max(size, 1), _ON_HOST):
        data = stretch(tensor, at, min(at + _ON_HOST, size)).numpy()
        whole = whole + kernel.measure(data, need.encoding, need.words, at, need.tensor.begin + at)
    return whole


def measure_on_device(tensor: Any, need: Need) -> Measures:
    """Measures of a tensor by the kernels for devices, on the device where it is."""
    tally, size, chunk = Tally(need.encoding, need.words), need.tensor.nbytes, _ON_DEVICE
    while tally.size < size:
        at, offset = tally.size, need.tensor.begin + tally.size
        try:
            data = stretch(tensor, at, min(at + chunk, size))
            pages = torch.empty(room(offset, len(data))[1], dtype=torch.uint8, device=tensor.device)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if chunk <= _LEAST:
                raise UnfinishedError(
                    f"{tensor.device} has no memory left", "free some, or check the tensors on the CPU"
                ) from error
            chunk //= 2
            free_cache(tensor.device)
        else:
            tally.add(place(pages, data, at, offset))
    return tally.measures()
