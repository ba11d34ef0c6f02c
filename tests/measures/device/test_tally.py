"""Kernels for devices say what the CPU kernel says, bit for bit: every encoding, every word, wherever it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sameness import ALL, same
from slow_measures import grain, slow, told
from test_cpu_kernel import contents

from tensorlint.dtypes import ENCODINGS, Encoding
from tensorlint.measures import zeropages
from tensorlint.measures.cpu import CpuKernel
from tensorlint.measures.device import tally as tallying
from tensorlint.measures.device.kernel import sampled
from tensorlint.measures.device.pages import place, room
from tensorlint.measures.device.tally import Tally
from tensorlint.measures.interface import SAMPLE, WORDS, Measures
from tensorlint.measures.sample import STRIDE

ZERO_PAGES = frozenset({"zero_pages"})
EACH = pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=lambda e: e.name)
NUMBERS = pytest.mark.parametrize(
    "encoding", [e for e in ENCODINGS.values() if e.kind != "raw" and e.bits != 6], ids=lambda e: e.name
)


def measure(
    device: Any, data: bytes, encoding: Encoding, words: frozenset[str] = ALL, offset: int = 0, cuts: Sequence[int] = ()
) -> Measures:
    """Measures of `data` cut into pieces, which are added in the order of `cuts`."""
    tally = Tally(encoding, words)
    content = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
    pieces = list(pairwise(sorted({0, len(data), *cuts})))
    pieces.sort(key=lambda piece: list(cuts).index(piece[0]) if piece[0] in cuts else -1)
    for begin, end in pieces:
        pages = torch.full((room(offset + begin, end - begin)[1],), 0xA5, dtype=torch.uint8, device=device)
        tally.add(place(pages, content[begin:end], begin, offset + begin))
    return tally.measures()


def expected(data: bytes, encoding: Encoding, words: frozenset[str] = ALL, offset: int = 0) -> Measures:
    return CpuKernel().measure(np.frombuffer(data, np.uint8), encoding, words, 0, offset)


@EACH
@given(data=st.data(), offset=st.integers(0, 40))
def test_any_cut_in_any_order_equals_the_cpu_kernel(
    device: Any, encoding: Encoding, data: st.DataObject, offset: int
) -> None:
    plain = encoding.kind == "raw" or encoding.bits == 6
    content = data.draw(st.binary(max_size=40) if plain else contents(encoding))
    width = max(1, encoding.bits // 8)
    content += data.draw(st.binary(max_size=width - 1))  # a last element that is not whole
    places = st.lists(st.integers(0, len(content) // grain(encoding)), max_size=4, unique=True)
    cuts = [grain(encoding) * place for place in data.draw(places)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zeropages, "PAGE", 8)
        found = measure(device, content, encoding, offset=offset, cuts=cuts)
        same(found, expected(content, encoding, offset=offset))
    if not plain:
        assert told(found) == slow(content, encoding)


@EACH
@given(data=st.data())
def test_words_do_not_depend_on_each_other(device: Any, encoding: Encoding, data: st.DataObject) -> None:
    content = data.draw(st.binary(max_size=40))
    words = frozenset(data.draw(st.sets(st.sampled_from(sorted(WORDS)))))
    same(measure(device, content, encoding, words), expected(content, encoding, words), words)


@EACH
def test_every_byte_in_every_place(device: Any, encoding: Encoding) -> None:
    content = bytes(range(256)) + bytes(reversed(range(256)))
    for offset in (0, 1, 4095):
        same(measure(device, content, encoding, offset=offset), expected(content, encoding, offset=offset))


@NUMBERS
def test_every_pattern_alone(device: Any, encoding: Encoding) -> None:
    for pattern in range(256):
        content = bytes([pattern]) * max(1, encoding.bits // 8)
        same(measure(device, content, encoding), expected(content, encoding))


@pytest.mark.parametrize("name", ["f16", "bf16", "int16", "uint16"])
def test_all_patterns_of_16_bits(device: Any, name: str) -> None:
    content = np.random.default_rng(0).permutation(1 << 16).astype("<u2").tobytes()
    encoding = ENCODINGS[name]
    same(measure(device, content, encoding, offset=10, cuts=[4096, 70_000]), expected(content, encoding, offset=10))


@EACH
@pytest.mark.parametrize("size", [1024, 2048, 40_000, 3 * 8192 + 8])
def test_counting_by_rows_and_at_once(device: Any, encoding: Encoding, size: int) -> None:
    # One odd element far inside: its place is looked for in its row of 1,024 elements only.
    rare = bytearray(size)
    rare[size // 2 : size // 2 + 8] = b"\xff\x7f\x80\x01\xff\xff\xff\xff"
    for content in (bytes(size), bytes(rare), np.random.default_rng(size).bytes(size)):
        same(measure(device, content, encoding, offset=24), expected(content, encoding, offset=24))


@pytest.mark.parametrize("name", ["int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"])
def test_ends_of_integers_keep_their_order(device: Any, name: str) -> None:
    encoding = ENCODINGS[name]
    width, bits = encoding.bits // 8, encoding.bits
    for patterns in (
        [1 << (bits - 1)],
        [(1 << bits) - 1],
        [(1 << bits) - 1, 1],
        [1 << (bits - 1), 1],
        [0],
        [(1 << (bits - 1)) - 1],
    ):
        content = b"".join(p.to_bytes(width, "little") for p in patterns)
        same(measure(device, content, encoding), expected(content, encoding))


@given(
    data=st.binary(max_size=200), zeros=st.tuples(st.integers(0, 200), st.integers(0, 200)), offset=st.integers(0, 40)
)
def test_zero_pages(device: Any, data: bytes, zeros: tuple[int, int], offset: int) -> None:
    content = bytearray(data)
    begin, end = sorted(min(z, len(content)) for z in zeros)
    content[begin:end] = bytes(end - begin)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zeropages, "PAGE", 16)
        found = measure(device, bytes(content), ENCODINGS["uint8"], ZERO_PAGES, offset, cuts=[begin, 50])
        same(found, expected(bytes(content), ENCODINGS["uint8"], ZERO_PAGES, offset), ZERO_PAGES)


def test_running_out_of_memory_halves_what_is_looked_at_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    content = np.random.default_rng(1).bytes(300_000)
    looked_at: list[int] = []
    real = tallying.measure

    def tight(data: Any, *rest: Any) -> Any:
        looked_at.append(len(data))
        if len(data) > 80_000:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(data, *rest)

    monkeypatch.setattr(tallying, "measure", tight)
    for name in ("e4m3", "fp4", "f64", "uint16"):
        looked_at.clear()
        same(
            measure(torch.device("cpu"), content, ENCODINGS[name], offset=6),
            expected(content, ENCODINGS[name], offset=6),
        )
        assert [size for size in looked_at if size > 80_000] == looked_at[:2]


def test_no_room_for_the_least_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise RuntimeError("MPS backend out of memory")

    monkeypatch.setattr(tallying, "measure", never)
    with pytest.raises(RuntimeError, match="out of memory"):
        measure(torch.device("cpu"), bytes(1 << 20), ENCODINGS["e4m3"])


def test_other_failures_are_not_taken_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("device-side assert triggered")

    monkeypatch.setattr(tallying, "measure", broken)
    with pytest.raises(RuntimeError, match="assert"):
        measure(torch.device("cpu"), bytes(1 << 20), ENCODINGS["e4m3"])


@pytest.mark.parametrize("name", ["fp4", "e4m3", "raw", "f16", "bf16", "f32"])
@pytest.mark.parametrize("at", [0, 1 << 16, STRIDE - 64])
def test_the_sample_of_pieces_with_many_strides_is_that_of_the_host(name: str, at: int) -> None:
    content = np.random.default_rng(0).integers(0, 256, 3 * STRIDE + 1024).astype(np.uint8)
    for data in (content, content[:STRIDE], content[:64]):
        counts = sampled(torch.from_numpy(data), ENCODINGS[name], at)
        found = CpuKernel().measure(data, ENCODINGS[name], frozenset({SAMPLE}), at, 0)
        assert tuple(counts.tolist()) == found.sample
