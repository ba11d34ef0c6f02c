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
from tensorlint.measures.plan import Need, make_plan
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
