"""Carry out a plan on torch devices: threads read ahead, copies overlap with kernels, shards go to devices in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from threading import Event, Lock
from typing import Any

from ...errors import UnfinishedError
from ...sources.interface import RemoteSource, Source
from ..cpu import CpuKernel
from ..interface import Measures
from ..plan import Plan
from ..reading import Part, Piece, Reader
from ..scan import Key, Progress, StoppedError
from .lane import CHUNK, Lane, Slot, wait_until_copied
from .tally import Tally, out_of_memory

SMALL = 1 << 20  # bytes; below this, starting kernels takes longer than measuring on the host
_READERS = 2  # threads for each device; one does not copy from the page cache as fast as a bus takes it


class DeviceScanner:
    """A Scanner for one or several devices of torch.

    Tensors of fewer than `small` bytes are measured on the host, from the same buffers and with the same result.
    """

    def __init__(self, devices: Sequence[Any], chunk: int = CHUNK, small: int = SMALL) -> None:
        self._devices = devices
        self._chunk = chunk
        self._small = min(small, chunk)  # what is measured on the host comes in one piece

    def __call__(self, source: Source, plan: Plan, progress: Progress | None = None) -> Mapping[Key, Measures]:
        """See Scanner; raises StoppedError also when a device fails."""
        found: dict[Key, Measures] = {}
        turn, stop = Lock(), Event()
        shards = iter(plan.by_shard.items())
        threads = 1 if isinstance(source, RemoteSource) else _READERS

        def advance(size: int) -> None:
            if progress is not None:
                with turn:
                    progress(size)

        def work(device: Any) -> None:
            try:
                with closing(Lane(device, self._chunk, self._small)) as lane, ThreadPoolExecutor(threads) as readers:
                    while not stop.is_set():
                        with turn:
                            shard, needs = next(shards, ("", ()))
                        if not needs:
                            return
                        with Reader(source, Plan({shard: needs}), lane.chunk) as reader:
                            found.update(self._shard(lane, reader, readers, stop, advance))
            except RuntimeError as error:
                raise _failure(error, device) from error

        devices = self._devices[: len(plan.by_shard)]
        if not devices:
            return found
        with ThreadPoolExecutor(len(devices)) as pool:
            workers = [pool.submit(work, device) for device in devices]
            try:
                wait(workers, return_when=FIRST_EXCEPTION)
            finally:
                stop.set()
        for worker in workers:
            try:
                worker.result()
            except UnfinishedError as error:
                raise StoppedError(error, found) from error
        return found

    def _shard(
        self,
        lane: Lane,
        reader: Reader,
        readers: ThreadPoolExecutor,
        stop: Event,
        advance: Callable[[int], None],
    ) -> Iterator[tuple[Key, Measures]]:
        """Measures of all tensors that a reader brings."""
        ahead: deque[tuple[Slot, Future[Piece | None]]] = deque()
        open_: dict[Key, Tally] = {}  # pieces of one tensor may come in any order
        kernel = CpuKernel()
        for slot in lane.slots:
            ahead.append((slot, readers.submit(_fill, reader, slot)))
        try:
            while ahead and not stop.is_set():
                slot, filled = ahead.popleft()
                piece = filled.result()
                if piece is None:
                    continue
                big = [part for part in piece.parts if part.need.tensor.nbytes >= self._small]
                for part, placed in zip(big, lane.send(slot, big), strict=True):
                    tensor = part.need.tensor
                    tally = open_.setdefault((tensor.shard, tensor.name), Tally(part.need.encoding, part.need.words))
                    tally.add(placed)
                lane.release(slot)
                for part in piece.parts:
                    key = part.need.tensor.shard, part.need.tensor.name
                    if part.need.tensor.nbytes < self._small:
                        yield key, _on_host(kernel, slot, part)
                    elif open_[key].size == part.need.tensor.nbytes:
                        yield key, open_.pop(key).measures()
                ahead.append((slot, readers.submit(_fill, reader, slot)))
                advance(piece.size)
        finally:
            reader.stop()
            wait([filled for _, filled in ahead])  # the buffers are in use until then


def _fill(reader: Reader, slot: Slot) -> Piece | None:
    wait_until_copied(slot)
    return reader.fill(slot.array.data)


def _on_host(kernel: CpuKernel, slot: Slot, part: Part) -> Measures:
    data = slot.array[part.at : part.at + part.size]
    return kernel.measure(data, part.need.encoding, part.need.words, part.start, part.offset)


def _failure(error: RuntimeError, device: Any) -> UnfinishedError:
    """What a back end says in many lines, as one sentence."""
    if out_of_memory(error):
        return UnfinishedError(f"{device} has no memory left", "check again with --device cpu")
    said = str(error).strip().partition("\n")[0]
    return UnfinishedError(f"{device} failed: {said[:200]}", "check again with --device cpu")
