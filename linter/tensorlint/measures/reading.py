"""Reading what a plan needs: pieces in file order, handed out to any number of threads that bring their own buffers.

    with Reader(source, plan, len(buffer)) as reader:
        while (piece := reader.fill(buffer)) is not None:
            for part in piece.parts:
                data = buffer[part.at : part.at + part.size]

Whoever calls `fill` waits for its own bytes only, so a caller that computes on one buffer while another thread fills
the next one reads ahead. Pieces are handed out in file order; they may be finished in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import NamedTuple

from ..sources.interface import File, RemoteSource, Source, Watched
from .plan import Need, Plan

MOST_PARTS = 4096  # in one piece
ALIGNED = 64  # bytes; tensors are cut at multiples of it, which is a multiple of every element size


class Part(NamedTuple):
    """A stretch of one tensor inside a piece: bytes [at, at + size) of the buffer.

    They are bytes [start, start + size) of the tensor and lie at byte `offset` of the file. An empty tensor has one
    empty part. A part always begins at a whole element.
    """

    need: Need
    at: int
    start: int
    size: int

    @property
    def offset(self) -> int:
        """Where it begins in the file."""
        return self.need.tensor.begin + self.start


@dataclass(frozen=True)
class Piece:
    """Bytes [begin, begin + size) of a shard, read in one go: parts of one or of several neighbouring tensors."""

    shard: str
    begin: int
    size: int
    parts: tuple[Part, ...]


def pieces(plan: Plan, longest: int) -> Iterator[Piece]:
    """Every byte of the plan once, in file order; at most `longest` bytes (ALIGNED or more) a piece, in MOST_PARTS.

    A tensor that does not fit is cut; tensors without a gap between them share a piece, gaps are not read.
    """
    longest -= longest % ALIGNED
    for shard, needs in plan.by_shard.items():
        begin = end = 0
        parts: list[Part] = []
        for need in needs:
            tensor = need.tensor
            if parts and (tensor.begin != end or end - begin + tensor.nbytes > longest or len(parts) == MOST_PARTS):
                yield Piece(shard, begin, end - begin, tuple(parts))
                parts = []
            if not parts:
                begin = tensor.begin
            start = 0
            while tensor.nbytes - start > longest:
                yield Piece(shard, tensor.begin + start, longest, (Part(need, 0, start, longest),))
                start += longest
                begin = tensor.begin + start
            parts.append(Part(need, tensor.begin + start - begin, start, tensor.nbytes - start))
            end = tensor.end
        if parts:
            yield Piece(shard, begin, end - begin, tuple(parts))


class _Open:
    """An open shard, and how many of its pieces are being read."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.reading = 0
        self.last = False  # no further piece will be asked of it


class Reader:
    """The pieces of a plan, one `fill` at a time; safe for any number of threads.

    A shard is opened for its first piece and closed after its last, when it is also asked whether it is still the file
    that it was (see Watched).
    """

    def __init__(self, source: Source, plan: Plan, longest: int) -> None:
        if isinstance(source, RemoteSource):
            source.prefetch({s: [(n.tensor.begin, n.tensor.end) for n in ns] for s, ns in plan.by_shard.items()})
        self._source = source
        self._pieces = pieces(plan, longest)
        self._next = next(self._pieces, None)
        self._lock = Lock()
        self._open: dict[str, _Open] = {}
        self._stopped = False

    def fill(self, buffer: memoryview) -> Piece | None:
        """Read the next piece into the beginning of `buffer`, which has `longest` bytes; None when there is no more.

        Raises UnfinishedError when the bytes cannot be had or the file has changed; the other threads should then be
        told by `stop`.
        """
        with self._lock:
            piece = self._next
            if piece is None or self._stopped:
                return None
            shard = self._open.get(piece.shard)
            if shard is None:
                shard = self._open[piece.shard] = _Open(self._source.open(piece.shard))
            self._next = next(self._pieces, None)
            shard.reading += 1
            shard.last = self._next is None or self._next.shard != piece.shard
        try:
            if piece.size:
                shard.file.read_into(piece.begin, buffer[: piece.size])
        finally:
            with self._lock:
                shard.reading -= 1
                done = shard.last and not shard.reading and self._open.pop(piece.shard, None) is not None
            if done:
                self._finish(shard.file)
        return piece

    def stop(self) -> None:
        """No further piece for anybody."""
        self._stopped = True

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        with self._lock:
            for name, shard in list(self._open.items()):
                shard.last = True  # whoever still reads from it closes it
                if not shard.reading:
                    self._open.pop(name).file.close()

    def _finish(self, file: File) -> None:
        try:
            if isinstance(file, Watched):
                file.verify()
        finally:
            file.close()
