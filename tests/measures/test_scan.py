"""Reading in pieces equals measuring whole, wherever a tensor lies in its file and however long it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_measures import EVERY, longest_zero_run, slow, told

from tensorlint.dtypes import ENCODINGS
from tensorlint.errors import UnfinishedError
from tensorlint.header import TensorInfo
from tensorlint.measures import scan as scanning
from tensorlint.measures import zeropages
from tensorlint.measures.plan import Need, make_plan
from tensorlint.measures.scan import CpuScanner
from tensorlint.sources.memory import MemorySource

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


def test_one_buffer_serves_all_tensors() -> None:
    source = MemorySource({"a": bytes(range(200)), "b": b"\0" * 8})
    needs = [need("x", "uint8", 100, 200, "a"), need("y", "uint8", 0, 100, "a"), need("z", "uint8", 0, 8, "b")]
    found = CpuScanner()(source, make_plan(needs))
    assert {key: (m.count, m.lowest_byte, m.highest_byte) for key, m in found.items()} == {
        ("a", "y"): (100, 0, 99),
        ("a", "x"): (100, 100, 199),
        ("b", "z"): (8, 0, 0),
    }


def test_a_file_that_shrinks_is_said() -> None:
    plan = make_plan([need("x", "uint8", 0, 100)])
    with pytest.raises(UnfinishedError):
        CpuScanner()(MemorySource({"s": bytes(50)}), plan)
