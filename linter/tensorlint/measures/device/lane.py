"""One torch device with a ring of buffers: bytes come in through pinned host memory while earlier ones are measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ...errors import UnfinishedError
from .. import zeropages
from ..reading import MOST_PARTS, Part
from .pages import Placed, place, room
from .tally import free_cache, out_of_memory

SLOTS = 4
CHUNK = 32 << 20  # bytes; about a millisecond on a fast bus, several times what it takes to start the kernels
_LEAST_CHUNK = 1 << 20
_SHARE = 32  # a chunk takes at most this part of the free memory: there are SLOTS of them, and what is computed


class Slot:
    """Pinned memory of the host for one piece of a file, and memory of the device for the parts that go there."""

    def __init__(self, chunk: int, spare: int, device: Any, back_end: Any) -> None:
        self.host = torch.empty(chunk, dtype=torch.uint8, pin_memory=back_end is not None)
        self.array = self.host.numpy()
        self.device = torch.empty(chunk + spare, dtype=torch.uint8, device=device)
        self.copied: Any = None
        self.measured: Any = None
        if back_end is not None:
            self.copied, self.measured = back_end.Event(), back_end.Event()


class Lane:
    """The buffers and streams of one device; to be made and used by one thread.

    `least` is the size of the smallest part that will be sent. The size of a chunk adapts to the free memory of the
    device and is halved while that is not enough; raises UnfinishedError when there is no room at all.
    """

    def __init__(self, device: Any, chunk: int = CHUNK, least: int = _LEAST_CHUNK) -> None:
        self.device = device
        self._back_end = getattr(torch, device.type) if device.type in ("cuda", "xpu") else None
        self._copies: Any = None
        if self._back_end is not None:
            self._back_end.set_device(device)  # of this thread; else pinning would also start the first device
            self._copies = self._back_end.Stream(device=device)
        share = _power_of_two(_free_memory(device, chunk * _SHARE) // _SHARE)
        self.chunk = min(chunk, max(_LEAST_CHUNK, share))
        while True:
            # Every part may begin and end inside a page.
            spare = min(MOST_PARTS, self.chunk // max(1, least) + 2) * 2 * zeropages.PAGE
            try:
                self.slots = [Slot(self.chunk, spare, device, self._back_end) for _ in range(SLOTS)]
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                free_cache(device)
            else:
                return
            if self.chunk <= _LEAST_CHUNK:
                raise UnfinishedError(f"{device} has no memory left", "check again with --device cpu")
            self.chunk //= 2

    def send(self, slot: Slot, parts: Sequence[Part]) -> list[Placed]:
        """Parts of the piece in a slot, on the device: for kernels that are enqueued from now on."""
        if self._back_end is None:
            return _place(slot, parts, pinned=False)
        self._copies.wait_event(slot.measured)
        with self._back_end.stream(self._copies):
            placed = _place(slot, parts, pinned=True)
            slot.copied.record(self._copies)
        self._back_end.current_stream(self.device).wait_event(slot.copied)
        return placed

    def release(self, slot: Slot) -> None:
        """Say that all kernels that read a slot are enqueued: its device side is free once they are done."""
        if self._back_end is not None:
            slot.measured.record(self._back_end.current_stream(self.device))

    def close(self) -> None:
        """Wait for the device and give its memory back."""
        if self._back_end is not None:
            self._back_end.synchronize(self.device)
        self.slots = []
        free_cache(self.device)


def _place(slot: Slot, parts: Sequence[Part], pinned: bool) -> list[Placed]:
    placed, at = [], 0
    for part in parts:
        end = at + room(part.offset, part.size)[1]
        data = slot.host[part.at : part.at + part.size]
        placed.append(place(slot.device[at:end], data, part.start, part.offset, pinned))
        at = end
    return placed


def wait_until_copied(slot: Slot) -> None:
    """Wait until the host's side of a slot may be filled again."""
    if slot.copied is not None:
        slot.copied.synchronize()


def _power_of_two(size: int) -> int:
    return 1 << max(0, size.bit_length() - 1)


def _free_memory(device: Any, unknown: int) -> int:
    """Bytes that are free on a device; `unknown` where torch cannot tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "xpu" and hasattr(torch.xpu, "mem_get_info"):
        return int(torch.xpu.mem_get_info(device)[0])
    if device.type == "mps" and hasattr(torch.mps, "recommended_max_memory"):
        return int(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    return unknown
