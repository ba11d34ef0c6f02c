"""The CPU kernel against the slow reference, for every encoding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_measures import EVERY, PLACED, slow, told

from tensorlint.dtypes import ENCODINGS, Encoding
from tensorlint.measures import cpu
from tensorlint.measures.cpu import CpuKernel
from tensorlint.measures.interface import CODES, WORDS, Measures

NUMBERS = [e for e in ENCODINGS.values() if e.kind != "raw" and e.bits != 6]
each_encoding = pytest.mark.parametrize("encoding", NUMBERS, ids=lambda e: e.name)


def measure(data: bytes, encoding: Encoding, words: frozenset[str] = EVERY, at: int = 0, offset: int = 0) -> Measures:
    return CpuKernel().measure(np.frombuffer(data, np.uint8), encoding, words, at, offset)


def special(encoding: Encoding) -> list[int]:
    """Patterns at which something changes: signed zeros, both ends, NaN payloads, Inf, subnormals, their neighbours."""
    bits = encoding.bits
    edges = {0, 1, (1 << bits) - 1, 1 << (bits - 1)}
    if encoding.kind == "float":
        top = ((1 << encoding.exponent) - 1) << encoding.mantissa
        edges |= {1 << encoding.mantissa, top, top | (1 << encoding.mantissa) >> 1}
    edges = {(e + d) % (1 << bits) for e in edges for d in (-2, -1, 0, 1, 2)}
    return sorted(edges | {e ^ (1 << (bits - 1)) for e in edges})


def contents(encoding: Encoding) -> st.SearchStrategy[bytes]:
    """Bytes of whole elements: any, special patterns only, or one pattern many times."""
    if encoding.bits == 4:
        ends = st.lists(st.sampled_from([0x77, 0xF7, 0x7F, 0xFF, 0x76]), max_size=40).map(bytes)  # runs at the ceiling
        return st.one_of(st.binary(max_size=40), ends)
    width = encoding.bits // 8
    one = st.one_of(st.sampled_from(special(encoding)), st.integers(0, (1 << encoding.bits) - 1))
    elements = one.map(lambda pattern: pattern.to_bytes(width, "little"))
    return st.one_of(
        st.lists(elements, max_size=40).map(b"".join),
        st.tuples(elements, st.integers(0, 40)).map(lambda pair: pair[0] * pair[1]),
    )


@each_encoding
@given(data=st.data())
def test_equals_the_reference(encoding: Encoding, data: st.DataObject) -> None:
    content = data.draw(contents(encoding))
    assert told(measure(content, encoding)) == slow(content, encoding)


@each_encoding
@given(data=st.data())
def test_words_do_not_depend_on_each_other(encoding: Encoding, data: st.DataObject) -> None:
    content = data.draw(contents(encoding).filter(bool))
    words = frozenset(data.draw(st.sets(st.sampled_from(sorted(WORDS)))))
    found = told(measure(content, encoding, words), words)
    everything = slow(content, encoding)
    assert found == {k: everything[k] for k in found}


@each_encoding
def test_every_pattern_alone(encoding: Encoding) -> None:
    width = max(1, encoding.bits // 8)
    patterns = range(256) if width == 1 else special(encoding)
    for pattern in patterns:
        content = pattern.to_bytes(width, "little")
        assert told(measure(content, encoding)) == slow(content, encoding), hex(pattern)


@each_encoding
def test_every_byte_at_once(encoding: Encoding) -> None:
    content = bytes(range(256))
    assert told(measure(content, encoding)) == slow(content, encoding)


@each_encoding
@given(content=st.binary(max_size=40))
def test_a_last_element_that_is_not_whole_is_left_out(encoding: Encoding, content: bytes) -> None:
    assert told(measure(content, encoding)) == slow(content, encoding)


@each_encoding
def test_nothing_measured(encoding: Encoding) -> None:
    found = measure(b"", encoding)
    assert (found.count, found.positions, found.value("zero_pages")) == (0, {}, 0)
    assert found.value("smallest") == found.value("largest") == 0


@each_encoding
@given(data=st.data())
def test_blocks_inside_a_chunk_leave_no_trace(encoding: Encoding, data: st.DataObject) -> None:
    content = data.draw(contents(encoding))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu, "BLOCK", 16)
        assert told(measure(content, encoding)) == slow(content, encoding)


@each_encoding
@given(data=st.data(), at=st.integers(0, 1000))
def test_positions_count_stored_elements_of_the_tensor(encoding: Encoding, data: st.DataObject, at: int) -> None:
    content = data.draw(contents(encoding))
    width = max(1, encoding.bits // 8)
    here, there = measure(content, encoding), measure(content, encoding, at=at * width)
    assert there.positions == {word: place + at for word, place in here.positions.items()}
    assert set(here.positions) == {word for word in PLACED if here.value(word)}


@pytest.mark.parametrize("name", ["fp4", "int4", "e4m3", "uint8", "int8", "e8m0"])
@given(content=st.binary(max_size=60))
def test_histogram_only_on_request(name: str, content: bytes) -> None:
    encoding = ENCODINGS[name]
    codes = [c for byte in content for c in ((byte & 15, byte >> 4) if encoding.bits == 4 else (byte,))]
    found = measure(content, encoding, frozenset({CODES})).codes
    if content:
        assert found == tuple(codes.count(c) for c in range(1 << encoding.bits))
    assert measure(content, encoding).codes is None


@given(content=st.binary(min_size=1, max_size=60))
def test_raw_bytes_have_no_values(content: bytes) -> None:
    found = measure(content, ENCODINGS["raw"])
    assert (found.count, found.nan, found.zero) == (len(content), 0, 0)
    assert found.value("uniform") == int(len(set(content)) == 1)
    assert found.value("byte") == min(content)


def test_six_bit_codes_are_counted_and_not_read() -> None:
    found = measure(bytes(range(12)), ENCODINGS["fp6_e2m3"])
    assert (found.count, found.nan, found.zero, found.value("uniform")) == (16, 0, 0, 0)


def test_data_at_an_odd_address() -> None:
    content = np.frombuffer(b"?" + np.array([0.0, -1.5, np.nan], "<f4").tobytes(), np.uint8)[1:]
    found = CpuKernel().measure(content, ENCODINGS["f32"], EVERY, 0, 1)
    assert (found.count, found.nan, found.zero, found.negative, found.largest) == (3, 1, 1, 1, 1.5)


def repeated(pattern: int, encoding: Encoding, count: int) -> bytes:
    return pattern.to_bytes(max(1, encoding.bits // 8), "little") * count


@each_encoding
def test_a_pattern_behind_more_than_a_glance_is_found_where_it_stands(encoding: Encoding) -> None:
    width = max(1, encoding.bits // 8)
    for pattern in special(encoding):
        content = bytes(260 * width) + repeated(pattern << 4 if encoding.bits == 4 else pattern, encoding, 1)
        assert told(measure(content, encoding)) == slow(content, encoding), hex(pattern)


@pytest.mark.parametrize("name", ["fp4", "e4m3"])
def test_older_numpy_counts_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    content = np.random.default_rng(0).bytes(1001)
    assert told(measure(content, ENCODINGS[name])) == slow(content, ENCODINGS[name])


@pytest.mark.parametrize("size", [31, 32, 33, 64, 95, 96, 1000])
@pytest.mark.parametrize("byte", [0x01, 0x10, 0x11, 0x77, 0xFF])
def test_both_halves_of_every_byte_are_counted(size: int, byte: int) -> None:
    content = bytes([byte]) * size
    assert told(measure(content, ENCODINGS["fp4"])) == slow(content, ENCODINGS["fp4"])


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("name", ["fp4", "int4", "e4m3", "f32", "int16"])
def test_what_the_second_block_has_is_placed_behind_the_first(
    name: str, blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "BLOCK", 16)
    encoding = ENCODINGS[name]
    width = max(1, encoding.bits // 8)
    content = repeated(0x11, encoding, 16 * blocks // width) + repeated(0, encoding, 2)
    found = measure(content, encoding, at=width * 5)
    assert found.positions["zero"] == 16 * blocks // width + 5
    assert found.first == (5, slow_first(content, encoding))
    assert told(found)["zero"] == slow(content, encoding)["zero"]


def slow_first(content: bytes, encoding: Encoding) -> float:
    return float(str(slow(content, encoding)["first"]))


def test_a_kernel_serves_longer_and_shorter_chunks_after_each_other() -> None:
    kernel = CpuKernel()
    for size in (4, 400, 12, 1600):
        content = np.random.default_rng(size).bytes(size)
        found = kernel.measure(np.frombuffer(content, np.uint8), ENCODINGS["f32"], EVERY, 0, 0)
        assert told(found) == slow(content, ENCODINGS["f32"])


@pytest.mark.parametrize(("at", "counts"), [(0, [1, 2, 4, 5]), (3, [1, 2, 4, 5]), (1, [1, 3, 4, 5]), (2, [2, 3, 4, 6])])
def test_codes_of_six_bits_count_where_they_end(at: int, counts: list[int]) -> None:
    sizes = (1, 2, 3, 4)
    assert [measure(bytes(n), ENCODINGS["fp6_e3m2"], at=at).count for n in sizes] == counts


@pytest.mark.parametrize("name", ["e4m3", "int8", "uint8", "fp4"])
@pytest.mark.parametrize("words", [["largest"], ["smallest"], ["smallest", "largest"]])
def test_ends_are_those_of_the_whole_tensor_and_not_of_its_last_block(
    name: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "BLOCK", 4)
    encoding = ENCODINGS[name]
    for content in (b"\x22\x22\x22\x22\x33\x33\x33\x33\x11\x11\x11\x11", bytes(8) + b"\x44" * 4 + bytes(4)):
        found = measure(content, encoding, frozenset(words))
        for word in words:
            assert found.value(word) == slow(content, encoding)[word]


def test_the_two_ends_of_unlike_bytes_are_known_beyond_a_glance() -> None:
    for size, place in ((256, 255), (257, 256), (1000, 999)):
        content = bytearray(size)
        content[place] = 9
        found = measure(bytes(content), ENCODINGS["uint8"], frozenset({"uniform"}))
        assert (found.lowest_byte, found.highest_byte) == (0, 9)


@pytest.mark.parametrize("name", ["int8", "uint8", "int4", "e4m3", "e8m0", "f32", "raw"])
def test_nothing_that_was_not_asked_for_is_computed(name: str) -> None:
    content = bytes(range(256))
    bare = measure(content, ENCODINGS[name], frozenset())
    count = 256 * 8 // ENCODINGS[name].bits
    assert bare == Measures(count)
