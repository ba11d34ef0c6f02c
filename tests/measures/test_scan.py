"""Reading in pieces equals measuring whole, wherever a tensor lies in its file and however long it is."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_measures import EVERY, longest_zero_run, slow, told

from tensorlint.container.header import TensorInfo
from tensorlint.dtypes import ENCODINGS
from tensorlint.errors import UnfinishedError
from tensorlint.measures import scan as scanning
from tensorlint.measures import zeropages
from tensorlint.measures.interface import Bytes, Measures
from tensorlint.measures.plan import Need, make_plan
from tensorlint.measures.reading import Part, Reader
from tensorlint.measures.scan import CpuScanner, StoppedError, Totals
from tensorlint.sources.interface import File
from tensorlint.sources.memory import MemoryFile, MemorySource

PIECE, PAGE = 64, 16
NAMES = sorted(e.name for e in ENCODINGS.values() if e.kind != "raw" and e.bits != 6)


def need(name: str, encoding: str, begin: int, end: int, shard: str = "s", words: frozenset[str] = EVERY) -> Need:
    return Need(TensorInfo(name, "U8", (end - begin,), shard, begin, end), ENCODINGS[encoding], words)


@given(
    name=st.sampled_from(NAMES),
    offset=st.integers(0, 40),
    pieces=st.integers(0, 3),
    more=st.integers(-2, 2),
    seed=st.integers(0, 99),
    sparse=st.booleans(),
    jobs=st.sampled_from([1, 3]),
)
def test_equals_measuring_whole(
    name: str, offset: int, pieces: int, more: int, seed: int, sparse: bool, jobs: int
) -> None:
    encoding = ENCODINGS[name]
    size = max(0, pieces * PIECE + more * max(1, encoding.bits // 8))
    random = np.random.default_rng(seed)
    content = bytearray(offset) + random.bytes(size)
    if sparse:
        content[offset + size // 4 :] = bytes(len(content) - offset - size // 4)
    seen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "PIECE", PIECE)
        patch.setattr(zeropages, "PAGE", PAGE)
        plan = make_plan([need("t", name, offset, offset + size)])
        found = CpuScanner(jobs)(MemorySource({"s": bytes(content)}), plan, seen.append)["s", "t"]
    data = bytes(content[offset:])
    assert told(found) == slow(data, encoding)
    assert found.zero_run is not None
    assert found.zero_run.best == longest_zero_run(data, offset, PAGE)
    assert sum(seen) == size


@pytest.mark.parametrize("size", [3, 63, 64, 65, 66, 192, 960])
def test_codes_of_six_bits_are_counted_whole(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "PIECE", PIECE)
    plan = make_plan([need("t", "fp6_e2m3", 7, 7 + size)])
    assert CpuScanner()(MemorySource({"s": bytes(7 + size)}), plan)["s", "t"].count == size * 8 // 6


def test_one_buffer_serves_all_tensors() -> None:
    source = MemorySource({"a": bytes(range(200)), "b": b"\0" * 8})
    needs = [need("x", "uint8", 100, 200, "a"), need("y", "uint8", 0, 100, "a"), need("z", "uint8", 0, 8, "b")]
    found = CpuScanner()(source, make_plan(needs))
    assert {key: (m.count, m.lowest_byte, m.highest_byte) for key, m in found.items()} == {
        ("a", "y"): (100, 0, 99),
        ("a", "x"): (100, 100, 199),
        ("b", "z"): (8, 0, 0),
    }


def sizes() -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, 5 * PIECE), max_size=12)


@given(sizes=sizes(), seed=st.integers(0, 99))
def test_many_threads_find_what_one_finds(sizes: list[int], seed: int) -> None:
    encodings = ["e4m3", "bf16", "fp4", "f32", "uint8"]
    rows, contents = [], {}
    random = np.random.default_rng(seed)
    for shard in ("a", "b"):
        end = 0
        for number, size in enumerate(sizes):
            rows.append(need(f"t{number}", encodings[number % 5], end, end + size - size % 4, shard))
            end += size - size % 4
        contents[shard] = random.bytes(end)
    seen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "PIECE", PIECE)
        one = CpuScanner(1)(MemorySource(contents), make_plan(rows))
        many = CpuScanner(8)(MemorySource(contents), make_plan(rows), seen.append)
    assert {k: (told(m), m.zero_run) for k, m in one.items()} == {k: (told(m), m.zero_run) for k, m in many.items()}
    assert sum(seen) == sum(map(len, contents.values()))


class Failing(MemorySource):
    """Files that cannot be read from byte 1000 on."""

    error: BaseException = UnfinishedError("the disk is gone")

    def open(self, name: str) -> File:  # type: ignore[override]
        return FailingFile(name, super().open(name).data)


class FailingFile(MemoryFile):
    def read_into(self, offset: int, buffer: memoryview) -> None:
        if offset >= 1000:
            raise Failing.error
        super().read_into(offset, buffer)


@pytest.mark.parametrize("jobs", [1, 4])
def test_what_was_measured_before_an_error_is_kept(jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "PIECE", PIECE)
    rows = [need(f"t{n}", "uint8", n * 300, n * 300 + 300) for n in range(20)]
    before = threading.active_count()
    with pytest.raises(StoppedError, match="the disk is gone") as stopped:
        CpuScanner(jobs)(Failing({"s": bytes(6000)}), make_plan(rows))
    assert set(stopped.value.measured) <= {("s", "t0"), ("s", "t1"), ("s", "t2")}
    assert all(m.count == 300 for m in stopped.value.measured.values())
    assert threading.active_count() == before


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("error", [MemoryError(), ZeroDivisionError()])
def test_any_other_error_in_a_thread_ends_the_scan(
    jobs: int, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "PIECE", PIECE)
    monkeypatch.setattr(Failing, "error", error)
    with pytest.raises(type(error)):
        CpuScanner(jobs)(Failing({"s": bytes(6000)}), make_plan([need("x", "uint8", 0, 6000)]))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, which it does not in what a shell has started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_leaves_no_thread_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "PIECE", PIECE)
    before = threading.active_count()

    calls: list[int] = []

    def interrupt(amount: int) -> None:
        calls.append(amount)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)  # reaches the main thread, which waits for the others
        time.sleep(0.001)

    with pytest.raises(KeyboardInterrupt):
        CpuScanner(3)(MemorySource({"s": bytes(1 << 20)}), make_plan([need("x", "uint8", 0, 1 << 20)]), interrupt)
    deadline = time.monotonic() + 20
    assert len(calls) < (1 << 20) // PIECE
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_a_file_that_shrinks_is_said() -> None:
    plan = make_plan([need("x", "uint8", 0, 100)])
    with pytest.raises(UnfinishedError):
        CpuScanner()(MemorySource({"s": bytes(50)}), plan)


@pytest.mark.parametrize(
    ("jobs", "processors", "size", "threads"),
    [
        (0, 3, 9 * PIECE, 3),
        (0, 64, 9 * PIECE, 10),
        (1, 64, 9 * PIECE, 1),
        (2, 64, 9 * PIECE, 2),
        (8, 1, 9 * PIECE, 8),
        (8, 1, PIECE, 2),
        (8, 1, PIECE - 1, 1),
        (8, 1, 0, 1),
    ],
)
def test_how_many_threads_there_are(
    jobs: int, processors: int, size: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def once(threads: int, reader: object, work: Callable[[], None]) -> None:
        asked.append(threads)
        work()

    monkeypatch.setattr(scanning, "PIECE", PIECE)
    monkeypatch.setattr(scanning, "available", lambda: processors)
    monkeypatch.setattr(scanning, "together", once)
    scanner = CpuScanner(jobs) if jobs else CpuScanner()
    found = scanner(MemorySource({"s": bytes(size)}), make_plan([need("x", "uint8", 0, size)]))
    assert (asked, found["s", "x"].count) == ([threads], size)


@pytest.mark.parametrize("jobs", [1, 3])
def test_another_may_look_at_every_part(jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "PIECE", PIECE)
    content = np.random.default_rng(0).bytes(500)
    seen: dict[tuple[str, int], bytes] = {}

    def also(part: Part, data: Bytes) -> None:
        seen[part.need.tensor.name, part.start] = data.tobytes()

    rows = [need("x", "uint8", 3, 203), need("y", "uint8", 203, 500)]
    CpuScanner(jobs, also)(MemorySource({"s": content}), make_plan(rows))
    for name, begin, end in (("x", 3, 203), ("y", 203, 500)):
        assert b"".join(data for (n, _), data in sorted(seen.items()) if n == name) == content[begin:end]


def test_an_error_of_the_source_keeps_its_words_and_its_exit_code() -> None:
    error = UnfinishedError("the disk is gone", "look at it")
    error.exit_code = 7
    stopped = StoppedError(error, {})
    assert (stopped.message, stopped.hint, stopped.exit_code, stopped.measured) == (
        "the disk is gone",
        "look at it",
        7,
        {},
    )


def part(at: int, size: int, of: Need) -> Part:
    return Part(of, 0, at, size)


def test_a_tensor_is_whole_when_all_its_bytes_are_there_in_any_order() -> None:
    told_: list[int] = []
    totals = Totals(told_.append)
    x, y = need("x", "uint8", 0, 10), need("y", "uint8", 10, 14)
    totals.add([(part(6, 4, x), Measures(count=4, nan=1))])
    totals.add([(part(0, 3, x), Measures(count=3, nan=2)), (part(0, 4, y), Measures(count=4))])
    assert set(totals.whole) == {("s", "y")}
    totals.add([(part(3, 3, x), Measures(count=3))])
    assert (totals.whole["s", "x"].count, totals.whole["s", "x"].nan) == (10, 3)
    assert told_ == [4, 7, 3]
    totals.add([(part(0, 10, x), Measures(count=10))])
    assert totals.whole["s", "x"].nan == 0
    silent = Totals()
    silent.add([(part(0, 4, y), Measures(count=4))])
    assert set(silent.whole) == {("s", "y")}


@pytest.mark.parametrize(
    ("threads", "names"),
    [(0, {"MainThread"}), (1, {"MainThread"}), (3, {"tensorlint-0", "tensorlint-1", "tensorlint-2"})],
)
def test_work_is_done_by_so_many_threads(threads: int, names: set[str]) -> None:
    ran: list[str] = []
    together_ = threading.Barrier(max(1, threads))

    def work() -> None:
        together_.wait(10)
        ran.append(threading.current_thread().name)

    plan = make_plan([need("x", "uint8", 0, 1)])
    scanning.together(threads, Reader(MemorySource({"s": b"1"}), plan, PIECE), work)
    assert (set(ran), len(ran)) == (names, max(1, threads))
