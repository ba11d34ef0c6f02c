"""Pieces cover the plan exactly; readers in any number hand out each byte once and notice what changes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_scan import need

from tensorlint.errors import UnfinishedError
from tensorlint.measures.plan import Need, Plan, make_plan
from tensorlint.measures.reading import ALIGNED, Reader, pieces
from tensorlint.sources.interface import File
from tensorlint.sources.local import LocalSource
from tensorlint.sources.memory import MemoryFile, MemorySource

LONGEST = 2 * ALIGNED


@st.composite
def layouts(draw: st.DrawFn) -> list[Need]:
    """Tensors of two shards, some empty, some with gaps before them."""
    rows = []
    for shard in ("a", "b"):
        end = 0
        for number, (gap, size) in enumerate(
            draw(st.lists(st.tuples(st.sampled_from([0, 0, 3]), st.integers(0, 400)), max_size=8))
        ):
            rows.append(need(f"t{number}", "uint8", end + gap, end + gap + size, shard))
            end += gap + size
    return rows


@given(layouts())
def test_pieces_cover_every_byte_once_in_file_order(rows: list[Need]) -> None:
    plan = make_plan(rows)
    made = list(pieces(plan, LONGEST + 5))
    covered: dict[tuple[str, str], int] = {}
    for piece in made:
        assert piece.size <= LONGEST
        at = 0
        for part in piece.parts:
            tensor = part.need.tensor
            assert (part.at, part.offset) == (at, piece.begin + at)  # parts lie side by side
            assert part.start == covered.get((tensor.shard, tensor.name), 0)
            assert part.start % ALIGNED == 0
            covered[tensor.shard, tensor.name] = part.start + part.size
            at += part.size
        assert at == piece.size
    assert covered == {(n.tensor.shard, n.tensor.name): n.tensor.nbytes for n in rows}
    assert [(p.shard, p.begin) for p in made] == sorted((p.shard, p.begin) for p in made)


def test_tensors_that_overlap_are_read_one_by_one() -> None:
    rows = [need("x", "uint8", 0, 100), need("y", "uint8", 50, 120)]
    assert [(p.begin, p.size) for p in pieces(make_plan(rows), LONGEST)] == [(0, 100), (50, 70)]


@pytest.mark.parametrize("threads", [1, 4])
def test_every_byte_is_handed_out_once_whoever_asks(threads: int) -> None:
    contents = {name: os.urandom(5000) for name in ("a", "b", "c")}
    plan = make_plan([need(f"t{i}", "uint8", i * 500, i * 500 + 500, s) for s in contents for i in range(10)])
    got: dict[tuple[str, int], bytes] = {}

    def work(reader: Reader) -> None:
        buffer = memoryview(bytearray(LONGEST))
        while (piece := reader.fill(buffer)) is not None:
            got[piece.shard, piece.begin] = bytes(buffer[: piece.size])

    with Reader(MemorySource(dict(contents)), plan, LONGEST) as reader:
        workers = [threading.Thread(target=work, args=(reader,)) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    for shard, content in contents.items():
        assert b"".join(got[key] for key in sorted(got) if key[0] == shard) == content


def test_nothing_is_handed_out_after_stop() -> None:
    reader = Reader(MemorySource({"s": bytes(500)}), make_plan([need("x", "uint8", 0, 500)]), LONGEST)
    buffer = memoryview(bytearray(LONGEST))
    assert reader.fill(buffer) is not None
    reader.stop()
    assert reader.fill(buffer) is None


class Counting(MemorySource):
    """Files in memory that note when they are opened and closed."""

    def open(self, name: str) -> File:  # type: ignore[override]
        opened.append(f"open {name}")
        return Noted(name, super().open(name).data)


class Noted(MemoryFile):
    def close(self) -> None:
        opened.append(f"close {self.name}")


opened: list[str] = []


@pytest.mark.parametrize(
    ("fills", "seen"),
    [
        (2, ["open a", "close a"]),
        (4, ["open a", "close a", "open b"]),
        (9, ["open a", "close a", "open b", "close b"]),
    ],
)
def test_a_shard_is_open_only_while_its_pieces_are_read(fills: int, seen: list[str]) -> None:
    opened.clear()
    source = Counting({"a": bytes(200), "b": bytes(300)})
    plan = make_plan([need("x", "uint8", 0, 200, "a"), need("x", "uint8", 0, 300, "b")])
    buffer = memoryview(bytearray(LONGEST))
    with Reader(source, plan, LONGEST) as reader:
        for _ in range(fills):
            reader.fill(buffer)
        assert opened[: len(seen)] == seen
    assert opened[-1].startswith("close")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: os.truncate(p, 600), "ended at byte 600"),
        (lambda p: p.unlink(), "cannot read"),
        (lambda p: os.utime(p, ns=(1, 1)), "was written to"),
        (lambda p: (p.rename(p.with_name("old")), p.write_bytes(bytes(900))), "was replaced"),
        (lambda p: p.open("ab").write(b"more"), "went from 900 to 904 bytes"),
    ],
    ids=["truncated", "removed", "written", "replaced", "grown"],
)
def test_a_file_that_changes_between_pieces_is_noticed(tmp_path: Path, change: object, said: str) -> None:
    path = tmp_path / "s"
    path.write_bytes(bytes(900))
    buffer = memoryview(bytearray(LONGEST))
    with Reader(LocalSource(tmp_path, "t"), make_plan([need("x", "uint8", 0, 900)]), LONGEST) as reader:
        assert reader.fill(buffer) is not None
        change(path)  # type: ignore[operator]
        with pytest.raises(UnfinishedError, match=said):
            while reader.fill(buffer) is not None:
                pass


def test_a_file_replaced_between_two_openings_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(bytes(300))
    source = LocalSource(tmp_path, "t")
    source.open("s").read(0, 8)
    path.rename(tmp_path / "old")
    path.write_bytes(bytes(300))
    with pytest.raises(UnfinishedError, match="was replaced"):
        source.open("s").read(0, 8)


@pytest.mark.parametrize(
    ("longest", "sizes", "lengths"),
    [
        (128, [128], [128]),
        (128, [129], [128, 1]),
        (128, [256], [128, 128]),
        (191, [192], [128, 64]),
        (192, [192], [192]),
        (128, [64, 64], [128]),
        (128, [64, 65], [64, 65]),
        (128, [64, 63, 1, 1], [128, 1]),
        (128, [100, 300], [100, 128, 128, 44]),
        (128, [300, 20], [128, 128, 64]),
        (128, [300, 84, 1], [128, 128, 128, 1]),
        (128, [0, 128, 0], [128]),
        (128, [0], [0]),
        (64, [65], [64, 1]),
    ],
)
def test_how_long_pieces_are(longest: int, sizes: list[int], lengths: list[int]) -> None:
    rows, end = [], 10
    for number, size in enumerate(sizes):
        rows.append(need(f"t{number}", "uint8", end, end + size))
        end += size
    made = list(pieces(make_plan(rows), longest))
    assert [p.size for p in made] == lengths
    assert [p.begin for p in made] == [10 + sum(lengths[:n]) for n in range(len(lengths))]


@pytest.mark.parametrize(("count", "parts"), [(4096, [4096]), (4097, [4096, 1]), (9000, [4096, 4096, 808])])
def test_a_piece_has_no_more_than_4096_parts(count: int, parts: list[int]) -> None:
    plan = Plan({"s": tuple(need(f"t{n}", "uint8", n, n + 1) for n in range(count))})
    assert [len(p.parts) for p in pieces(plan, 1 << 20)] == parts


def test_a_tensor_is_cut_at_a_multiple_of_every_element() -> None:
    assert ALIGNED % 64 == 0
    assert [p.parts[0].start for p in pieces(make_plan([need("x", "f64", 3, 1003)]), 3 * ALIGNED + 1)] == [
        0,
        3 * ALIGNED,
        6 * ALIGNED,
        9 * ALIGNED,
        12 * ALIGNED,
        15 * ALIGNED,
    ][: -(-1000 // (3 * ALIGNED))]


def test_tensors_of_two_shards_share_no_piece() -> None:
    plan = make_plan([need("x", "uint8", 0, 5, "a"), need("y", "uint8", 5, 9, "b")])
    assert [(p.shard, p.begin, p.size) for p in pieces(plan, LONGEST)] == [("a", 0, 5), ("b", 5, 4)]


def test_empty_tensors_are_not_read_and_their_shard_is_closed() -> None:
    opened.clear()
    buffer = memoryview(bytearray(LONGEST))
    with Reader(Counting({"a": b""}), make_plan([need("x", "uint8", 99, 99, "a")]), LONGEST) as reader:
        piece = reader.fill(buffer)
        assert piece is not None
        assert [(p.at, p.start, p.size) for p in piece.parts] == [(0, 0, 0)]
        assert reader.fill(buffer) is None
    assert opened == ["open a", "close a"]


def test_a_remote_source_is_told_what_will_be_read() -> None:
    class Remote(MemorySource):
        fetched = 0
        told: list[object] = []  # noqa: RUF012

        def prefetch(self, ranges: object) -> None:
            self.told.append(ranges)

        def close(self) -> None:
            pass

    rows = [need("x", "uint8", 4, 9, "a"), need("y", "uint8", 0, 4, "a"), need("z", "uint8", 2, 3, "b")]
    Reader(Remote({"a": bytes(9), "b": bytes(3)}), make_plan(rows), LONGEST)
    assert Remote.told == [{"a": [(0, 4), (4, 9)], "b": [(2, 3)]}]


def test_whoever_still_reads_closes_what_another_has_stopped() -> None:
    """Two pieces of a shard are being read when a third reader fails: the file is closed once, by the last of them."""
    opened.clear()
    entered, leave = threading.Barrier(3), threading.Event()

    class Slow(Noted):
        def read_into(self, offset: int, buffer: memoryview) -> None:
            entered.wait(10)
            leave.wait(10)
            super().read_into(offset, buffer)

    class Source(MemorySource):
        def open(self, name: str) -> File:  # type: ignore[override]
            opened.append(f"open {name}")
            return Slow(name, super().open(name).data)

    def work(reader: Reader) -> None:
        reader.fill(memoryview(bytearray(LONGEST)))

    with Reader(Source({"s": bytes(900)}), make_plan([need("x", "uint8", 0, 900)]), LONGEST) as reader:
        workers = [threading.Thread(target=work, args=(reader,)) for _ in range(2)]
        for worker in workers:
            worker.start()
        entered.wait(10)
    assert opened == ["open s"]
    leave.set()
    for worker in workers:
        worker.join()
    assert opened == ["open s", "close s"]


def test_a_file_that_fails_is_closed_and_said_of_its_change(tmp_path: Path) -> None:
    closed: list[str] = []

    class Changing(Noted):
        def verify(self) -> None:
            closed.append("verify")
            raise UnfinishedError("it changed")

        def close(self) -> None:
            closed.append("close")

    class Source(MemorySource):
        def open(self, name: str) -> File:  # type: ignore[override]
            return Changing(name, super().open(name).data)

    with (
        Reader(Source({"s": bytes(9)}), make_plan([need("x", "uint8", 0, 9)]), LONGEST) as reader,
        pytest.raises(UnfinishedError, match="it changed"),
    ):
        reader.fill(memoryview(bytearray(LONGEST)))
    assert closed == ["verify", "close"]
