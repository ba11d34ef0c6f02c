"""Carry out a plan on torch devices: threads read ahead, copies overlap with kernels, shards go to devices in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from threading import Event, Lock
from typing import Any

from ...errors import UnfinishedError
from ...sources.interface import File, Source
from .. import zeropages
from ..cpu import CpuKernel
from ..interface import Measures
from ..plan import Need, Plan
from ..scan import Key, Progress
from .lane import CHUNK, Lane, Slot
from .pages import Placed
from .tally import Tally, out_of_memory

SMALL = 1 << 20  # bytes; below this, starting kernels takes longer than measuring on the host
_Piece = tuple[Need, int, int]  # a need, the first byte of its tensor in this piece, and their number


class DeviceScanner:
    """A Scanner for one or several devices of torch.

    Tensors of fewer than `small` bytes are measured on the host from the same buffers; the results are the same.
    """

    def __init__(self, devices: Sequence[Any], chunk: int = CHUNK, small: int = SMALL) -> None:
        self._devices = devices
        self._chunk = chunk
        self._small = small

    def __call__(self, source: Source, plan: Plan, progress: Progress | None = None) -> Mapping[Key, Measures]:
        """See Scanner; raises UnfinishedError also when a device fails."""
        found: dict[Key, Measures] = {}
        turn, stop = Lock(), Event()
        shards = iter(plan.by_shard.items())

        def advance(size: int) -> None:
            if progress is not None:
                with turn:
                    progress(size)

        def work(device: Any) -> None:
            lane: Lane | None = None
            try:
                with ThreadPoolExecutor(1, "tensorlint-read") as readers:
                    while not stop.is_set():
                        with turn:
                            shard, needs = next(shards, ("", ()))
                        if not needs:
                            return
                        lane = lane or Lane(device, self._chunk)
                        file = source.open(shard)
                        try:
                            for need, measures in self._shard(lane, file, needs, readers, stop, advance):
                                found[shard, need.tensor.name] = measures
                        finally:
                            file.close()
            except RuntimeError as error:
                raise _failure(error, device) from error
            finally:
                if lane is not None:
                    lane.close()

        with ThreadPoolExecutor(len(self._devices), "tensorlint-device") as pool:
            workers = [pool.submit(work, device) for device in self._devices]
            try:
                wait(workers, return_when=FIRST_EXCEPTION)
            finally:
                stop.set()
        for worker in workers:
            worker.result()
        return found

    def _shard(
        self,
        lane: Lane,
        file: File,
        needs: Sequence[Need],
        readers: ThreadPoolExecutor,
        stop: Event,
        advance: Callable[[int], None],
    ) -> Iterator[tuple[Need, Measures]]:
        todo = _pieces(needs, lane.chunk)
        ahead: deque[tuple[Slot, _Piece, Future[int]]] = deque()

        def read_next(slot: Slot) -> None:
            piece = next(todo, None)
            if piece is not None:
                ahead.append((slot, piece, readers.submit(_fill, lane, slot, file, piece)))

        for slot in lane.slots:
            read_next(slot)
        tally: Tally | None = None
        try:
            while ahead and not stop.is_set():
                slot, (need, at, size), filled = ahead.popleft()
                length = filled.result()
                offset = need.tensor.begin + at
                lead = offset % zeropages.PAGE
                if need.tensor.nbytes < self._small:
                    data = slot.array[lead : lead + size]
                    yield need, CpuKernel().measure(data, need.encoding, need.words, at, offset)
                else:
                    tally = tally or Tally(need.encoding, need.words)
                    tally.add(Placed(lane.send(slot, length), lead, size, at, offset))
                    lane.release(slot)
                    if at + size == need.tensor.nbytes:
                        yield need, tally.measures()
                        tally = None
                read_next(slot)
                advance(size)
        finally:
            for _, _, filled in ahead:
                filled.cancel()
                if not filled.cancelled():
                    filled.exception()  # the buffers and the file are in use until then


def _pieces(needs: Sequence[Need], chunk: int) -> Iterator[_Piece]:
    """All bytes of the needs in order; one piece even of an empty tensor, whose measures say that it is empty."""
    for need in needs:
        size = need.tensor.nbytes
        for at in range(0, max(size, 1), chunk):
            yield need, at, min(chunk, size - at)


def _fill(lane: Lane, slot: Slot, file: File, piece: _Piece) -> int:
    """Read a piece into the host's side of a slot, laid as `Placed` wants it; the number of bytes of its pages."""
    need, at, size = piece
    offset = need.tensor.begin + at
    lead = offset % zeropages.PAGE
    length = -(-(lead + size) // zeropages.PAGE) * zeropages.PAGE
    lane.sent(slot)
    slot.array[:lead] = 0
    slot.array[lead + size : length] = 0
    if size:
        file.read_into(offset, slot.array[lead : lead + size].data)
    return length


def _failure(error: RuntimeError, device: Any) -> UnfinishedError:
    """What a back end says in many lines, as one sentence."""
    if out_of_memory(error):
        return UnfinishedError(f"{device} has no memory left", "check again with --device cpu")
    said = str(error).strip().partition("\n")[0]
    return UnfinishedError(f"{device} failed: {said[:200]}", "check again with --device cpu")
