"""Planned byte ranges: joined across small gaps, fetched ahead by a few threads, held in bounded memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from threading import Lock

GAP = 256 << 10  # bytes; fetching a gap of this size takes about as long as a request of its own
WASTE = 0.04  # of the wanted bytes may be gaps, the smallest first
LONGEST = 4 << 20  # bytes in one request; what is lost when a connection breaks
Range = tuple[int, int]  # first byte, byte after the last


@dataclass(frozen=True)
class Span:
    """One request: bytes [begin, end) of a file, of which `wanted` will be read (twice where ranges overlap)."""

    file: str
    begin: int
    end: int
    wanted: int

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return self.end - self.begin


def join(
    ranges: Mapping[str, Iterable[Range]], gap: int = GAP, waste: float = WASTE, longest: int = LONGEST
) -> tuple[Span, ...]:
    """Requests that cover the ranges, in the order of the files and then of the bytes."""
    pieces = {file: sorted(r for r in rs if r[1] > r[0]) for file, rs in ranges.items()}
    budget = waste * sum(end - begin for rs in pieces.values() for begin, end in rs)
    joined: set[tuple[str, int]] = set()
    for size, file, at in sorted(_gaps(pieces)):
        if size > gap or size > budget:
            break
        budget -= size
        joined.add((file, at))
    made: list[Span] = []
    for file, rs in pieces.items():
        begin = end = -1
        group: list[Range] = []
        for low, high in rs:
            if group and low > end and (file, low) not in joined:
                made.extend(_split(file, begin, end, group, longest))
                group = []
            if not group:
                begin, end = low, high
            group.append((low, high))
            end = max(end, high)
        if group:
            made.extend(_split(file, begin, end, group, longest))
    return tuple(made)


def _gaps(pieces: Mapping[str, Sequence[Range]]) -> Iterable[tuple[int, str, int]]:
    """(bytes, file, where the next range begins) of every gap."""
    for file, rs in pieces.items():
        end = rs[0][1] if rs else 0
        for low, high in rs[1:]:
            if low > end:
                yield low - end, file, low
            end = max(end, high)


def _split(file: str, begin: int, end: int, group: Sequence[Range], longest: int) -> Iterable[Span]:
    for low in range(begin, end, longest):
        high = min(end, low + longest)
        wanted = sum(max(0, min(high, b) - max(low, a)) for a, b in group) if end - begin > longest else None
        yield Span(file, low, high, sum(b - a for a, b in group) if wanted is None else wanted)


class Window:
    """Fetches spans ahead of their reader; `limit` bounds the bytes that are under way or not yet read.

    A span is dropped once all of it that was wanted has been read. What is asked for out of order is fetched at once,
    whatever the limit. Safe for several readers.
    """

    def __init__(self, spans: Sequence[Span], fetch: Callable[[Span], bytes], pool: Executor, limit: int) -> None:
        self._spans = spans
        self._fetch = fetch
        self._pool = pool
        self._limit = limit
        self._lock = Lock()
        self._left = [span.wanted for span in spans]
        self._futures: dict[int, Future[bytes]] = {}
        self._next = 0
        self._held = 0
        self._by_file: dict[str, list[int]] = {}
        for number, span in enumerate(spans):
            self._by_file.setdefault(span.file, []).append(number)
        self._begins = {file: [spans[n].begin for n in numbers] for file, numbers in self._by_file.items()}
        with self._lock:
            self._advance()

    def read_into(self, file: str, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` as far as spans reach without a hole; returns the number of bytes, 0 where there is no span."""
        done = 0
        while done < len(buffer):
            number = self._span_at(file, offset + done)
            future = None if number is None else self._future(number)
            if number is None or future is None:
                break
            span = self._spans[number]
            start = offset + done - span.begin
            amount = min(len(buffer) - done, span.size - start)
            buffer[done : done + amount] = memoryview(future.result())[start : start + amount]
            done += amount
            self._used(number, amount)
        return done

    def close(self) -> None:
        """Drop everything; requests that have not begun never will."""
        with self._lock:
            self._next = len(self._spans)
            self._left = [0] * len(self._spans)
            for future in self._futures.values():
                future.cancel()
            self._futures.clear()

    def _span_at(self, file: str, offset: int) -> int | None:
        begins = self._begins.get(file)
        if not begins:
            return None
        index = bisect_right(begins, offset) - 1
        number = self._by_file[file][max(index, 0)]
        return number if self._spans[number].begin <= offset < self._spans[number].end else None

    def _future(self, number: int) -> Future[bytes] | None:
        with self._lock:
            if self._left[number] <= 0:
                return None
            if number not in self._futures:
                self._submit(number)
            return self._futures[number]

    def _used(self, number: int, amount: int) -> None:
        with self._lock:
            self._left[number] -= amount
            if self._left[number] <= 0 and self._futures.pop(number, None) is not None:
                self._held -= self._spans[number].size
            self._advance()

    def _advance(self) -> None:
        while self._next < len(self._spans):
            number = self._next
            if number not in self._futures and self._left[number] > 0:
                size = self._spans[number].size
                if self._held and self._held + size > self._limit:
                    return
                self._submit(number)
            self._next += 1

    def _submit(self, number: int) -> None:
        self._held += self._spans[number].size
        self._futures[number] = self._pool.submit(self._fetch, self._spans[number])
