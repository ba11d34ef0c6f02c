"""Joining ranges, and the window that fetches them ahead."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorlint.sources.ranges import Span, Window, join

Ranges = dict[str, list[tuple[int, int]]]


def spans(ranges: Ranges, **settings: float) -> list[tuple[str, int, int]]:
    return [(s.file, s.begin, s.end) for s in join(ranges, **settings)]  # type: ignore[arg-type]


def test_ranges_that_touch_are_one_request() -> None:
    assert spans({"a": [(0, 10), (10, 30), (40, 50)]}, waste=0) == [("a", 0, 30), ("a", 40, 50)]


def test_overlapping_ranges_are_fetched_once() -> None:
    (span,) = join({"a": [(0, 100), (50, 80), (90, 120)]})
    assert (span.begin, span.end, span.wanted) == (0, 120, 160)


def test_the_smallest_gaps_are_joined_until_the_waste_is_used_up() -> None:
    ranges = {"a": [(0, 1000), (1030, 2000), (2010, 3000), (3050, 4000)]}
    assert spans(ranges, waste=0.005) == [("a", 0, 1000), ("a", 1030, 3000), ("a", 3050, 4000)]
    assert spans(ranges, waste=0.011) == [("a", 0, 3000), ("a", 3050, 4000)]
    assert spans(ranges, waste=1) == [("a", 0, 4000)]
    assert len(spans(ranges, waste=1, gap=20)) == 3


def test_long_ranges_are_cut_and_empty_ones_left_out() -> None:
    assert spans({"a": [(5, 5), (0, 25)], "b": [(7, 7)]}, longest=10) == [("a", 0, 10), ("a", 10, 20), ("a", 20, 25)]


RANGES = st.dictionaries(
    st.sampled_from("abc"),
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 60)).map(lambda r: (r[0], r[0] + r[1])), max_size=20),
)


@given(RANGES, st.integers(0, 50), st.floats(0, 0.5), st.integers(1, 100))
def test_every_wanted_byte_is_covered_once_and_waste_is_bounded(
    ranges: Ranges, gap: int, waste: float, longest: int
) -> None:
    made = join(ranges, gap=gap, waste=waste, longest=longest)
    wanted = {(f, at) for f, rs in ranges.items() for b, e in rs for at in range(b, e)}
    fetched = [(s.file, at) for s in made for at in range(s.begin, s.end)]
    assert len(fetched) == len(set(fetched))
    assert wanted <= set(fetched)
    planned = sum(e - b for rs in ranges.values() for b, e in rs)
    assert len(fetched) <= len(wanted) + waste * planned
    assert sum(s.wanted for s in made) == planned
    assert all(0 < s.size <= longest for s in made)


CONTENT = {name: random.Random(name).randbytes(1000) for name in "abc"}


@given(RANGES, st.integers(1, 400), st.randoms(use_true_random=False), st.booleans())
def test_a_window_gives_back_the_bytes_in_any_order(
    ranges: Ranges, limit: int, order: random.Random, shuffled: bool
) -> None:
    fetches: list[Span] = []

    def fetch(span: Span) -> bytes:
        fetches.append(span)
        return CONTENT[span.file][span.begin : span.end]

    with ThreadPoolExecutor(4) as pool:
        made = join(ranges, gap=10, waste=0.1, longest=50)
        window = Window(made, fetch, pool, limit)
        reads = [(f, b, e) for f, rs in ranges.items() for b, e in sorted(rs)]
        if shuffled:
            order.shuffle(reads)
        for file, begin, end in reads:
            buffer = bytearray(end - begin)
            got = window.read_into(file, begin, memoryview(buffer))
            assert buffer[:got] == CONTENT[file][begin : begin + got]
            overlapping = any(s.wanted > s.size for s in made if s.file == file)
            assert got == end - begin or overlapping
        assert window._held == 0 or any(s.wanted > s.size for s in made)
        window.close()
    assert len(fetches) == len(made)


def test_a_window_holds_no_more_than_its_limit() -> None:
    held: list[Span] = []
    with ThreadPoolExecutor(8) as pool:
        made = join({"a": [(0, 1000)]}, longest=100)
        window = Window(made, lambda s: held.append(s) or bytes(s.size), pool, 300)  # type: ignore[func-returns-value]
        pool.submit(lambda: None).result()
        assert len(window._futures) == 3
        window.read_into("a", 0, memoryview(bytearray(100)))
        assert len(window._futures) == 3
        window.read_into("a", 900, memoryview(bytearray(50)))  # out of order: fetched at once, above the limit
        assert len(window._futures) == 4
        window.close()


def test_reads_outside_the_plan_are_left_to_the_caller() -> None:
    with ThreadPoolExecutor(2) as pool:
        window = Window(join({"a": [(10, 20)]}), lambda s: bytes(s.size), pool, 100)
        assert window.read_into("b", 0, memoryview(bytearray(5))) == 0
        assert window.read_into("a", 0, memoryview(bytearray(5))) == 0
        assert window.read_into("a", 15, memoryview(bytearray(10))) == 5
        window.close()
        assert window.read_into("a", 10, memoryview(bytearray(5))) == 0


def test_a_failure_reaches_the_reader() -> None:
    def fetch(span: Span) -> bytes:
        raise ValueError("no luck")

    with ThreadPoolExecutor(2) as pool:
        window = Window(join({"a": [(0, 20)]}), fetch, pool, 100)
        with pytest.raises(ValueError, match="no luck"):
            window.read_into("a", 0, memoryview(bytearray(20)))


def test_several_readers_at_once() -> None:
    data = random.Random(1).randbytes(200_000)
    made = join({"a": [(0, len(data))]}, longest=1000)
    wrong: list[int] = []
    with ThreadPoolExecutor(8) as pool:
        window = Window(made, lambda s: data[s.begin : s.end], pool, 20_000)

        def read(first: int) -> None:
            for at in range(first, len(data), 4 * 500):
                buffer = bytearray(500)
                if window.read_into("a", at, memoryview(buffer)) != 500 or buffer != data[at : at + 500]:
                    wrong.append(at)

        readers = [threading.Thread(target=read, args=(n * 500,)) for n in range(4)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    assert wrong == []
    assert window._held == 0
