"""Carry out a plan: threads that each read the next piece, measure it, and add it to what is known of its tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Protocol

import numpy as np

from ..errors import UnfinishedError
from ..sources.interface import Source
from .cores import available
from .cpu import CpuKernel
from .interface import Bytes, Measures
from .plan import Plan
from .reading import Part, Reader

PIECE = 4 << 20  # bytes a thread reads and measures at a time; its buffer
Progress = Callable[[int], None]  # is called with every number of bytes read, by one thread at a time
Key = tuple[str, str]  # (shard, tensor)


class Scanner(Protocol):
    """Carries out a plan, on whatever device."""

    def __call__(self, source: Source, plan: Plan, progress: Progress | None = None) -> Mapping[Key, Measures]:
        """Measures of every tensor of the plan, by (shard, tensor name); raises StoppedError when a file changes."""


class StoppedError(UnfinishedError):
    """The bytes cannot be had; `measured` holds the tensors that were measured whole before that."""

    def __init__(self, reason: UnfinishedError, measured: Mapping[Key, Measures]) -> None:
        super().__init__(reason.message, reason.hint)
        self.exit_code = reason.exit_code
        self.measured = measured


@dataclass(frozen=True)
class CpuScanner:
    """The scanner that needs nothing but numpy; `jobs` threads, 0 for one per processor.

    `also` is shown every part with its bytes, by several threads at a time; the bytes are overwritten afterwards.
    """

    jobs: int = 0
    also: Callable[[Part, Bytes], None] | None = None

    def __call__(self, source: Source, plan: Plan, progress: Progress | None = None) -> Mapping[Key, Measures]:
        """See Scanner. Memory is bounded by PIECE per thread, whatever the size of a tensor."""
        totals = Totals(progress)
        with Reader(source, plan, PIECE) as reader:
            try:
                together(
                    min(self.jobs or available(), 1 + plan.bytes // PIECE), reader, lambda: self._work(reader, totals)
                )
            except UnfinishedError as error:
                raise StoppedError(error, totals.whole) from error
        return totals.whole

    def _work(self, reader: Reader, totals: Totals) -> None:
        buffer, kernel = np.empty(PIECE, np.uint8), CpuKernel()
        while (piece := reader.fill(buffer.data)) is not None:
            found = []
            for part in piece.parts:
                need, data = part.need, buffer[part.at : part.at + part.size]
                found.append((part, kernel.measure(data, need.encoding, need.words, part.start, part.offset)))
                if self.also is not None:
                    self.also(part, data)
            totals.add(found)


class Totals:
    """Measures of tensors as their parts come in, in any order and from any thread."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.whole: dict[Key, Measures] = {}
        self._some: dict[Key, tuple[Measures, int]] = {}  # of tensors of which parts are missing, with bytes so far
        self._progress = progress
        self._lock = Lock()

    def add(self, found: Iterable[tuple[Part, Measures]]) -> None:
        """Add parts with their measures."""
        with self._lock:
            amount = 0
            for part, measures in found:
                tensor = part.need.tensor
                key = tensor.shard, tensor.name
                amount += part.size
                if part.size < tensor.nbytes:
                    before, size = self._some.get(key, (Measures(), 0))
                    measures, size = before + measures, size + part.size
                    if size < tensor.nbytes:
                        self._some[key] = measures, size
                        continue
                    del self._some[key]
                self.whole[key] = measures
            if self._progress is not None:
                self._progress(amount)


def together(threads: int, reader: Reader, work: Callable[[], None]) -> None:
    """Run `work` in this many threads and wait for all; the first error in any of them stops the reader and is raised.

    Ctrl-C ends the wait at once; threads that hang in a read end with the process.
    """
    if threads <= 1:
        work()
        return
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)
            reader.stop()

    running = [Thread(target=guarded, name=f"tensorlint-{n}", daemon=True) for n in range(threads)]
    try:
        for thread in running:
            thread.start()
        for thread in running:
            while thread.is_alive():
                thread.join(_PATIENCE)
    finally:
        reader.stop()
    if errors:
        raise errors[0]


_PATIENCE = 0.5  # seconds; a wait without an end cannot be interrupted on Windows


on_cpu: Scanner = CpuScanner()
