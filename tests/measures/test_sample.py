"""The sampled histogram is that of the elements it says it looks at, whatever the pieces of a tensor are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cpu_kernel import measure

from tensorlint.dtypes import ENCODINGS, Encoding
from tensorlint.measures import sample
from tensorlint.measures.interface import SAMPLE, Measures

WORDS = frozenset({SAMPLE})
SAMPLED = [e for e in ENCODINGS.values() if sample.is_sampled(e)]
each_sampled = pytest.mark.parametrize("encoding", SAMPLED, ids=lambda e: e.name)


def slow(data: bytes, encoding: Encoding) -> tuple[int, ...]:
    """What should be counted, one element after the other."""
    counts = [0] * 256
    width = max(1, encoding.bits // 8)
    for at in range(0, len(data) // width * width, width):
        if at < 16 or at % 32 < 8:
            pattern = int.from_bytes(data[at : at + width], "little")
            counts[pattern if width == 1 else pattern >> (8 * width - 9) & 255] += 1
    return tuple(counts)


@each_sampled
@given(data=st.data())
def test_pieces_in_any_order_are_the_elements_of_the_whole(encoding: Encoding, data: st.DataObject) -> None:
    width = max(4, encoding.bits // 8)
    content = data.draw(st.binary(min_size=1, max_size=200))
    cuts = data.draw(st.lists(st.integers(0, len(content) // width), max_size=4).map(sorted))
    ends = [0, *(cut * width for cut in cuts), len(content)]
    with pytest.MonkeyPatch.context() as patch:
        for name, size in (("WHOLE", 16), ("STRIDE", 32), ("TAKEN", 8)):
            patch.setattr(sample, name, size)
        pieces = [measure(content[a:b], encoding, WORDS, a) for a, b in pairwise(ends)]
    summed = Measures()
    for piece in data.draw(st.permutations(pieces)):
        summed = summed + piece
    if len(content) >= max(1, encoding.bits // 8):
        assert summed.sample == slow(content, encoding)


@pytest.mark.parametrize("name", [e.name for e in ENCODINGS.values() if not sample.is_sampled(e)])
def test_wide_integers_and_codes_of_six_bits_are_not_sampled(name: str) -> None:
    assert measure(bytes(64), ENCODINGS[name], WORDS).sample is None
    assert name in ("fp6_e2m3", "fp6_e3m2", "f64", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def test_only_on_request() -> None:
    assert measure(bytes(64), ENCODINGS["int8"], frozenset({"nan", "zero"})).sample is None


def test_of_a_large_tensor_few_bytes_are_looked_at() -> None:
    content = np.zeros(8 << 20, np.uint8)
    found = measure(content.tobytes(), ENCODINGS["raw"], WORDS).sample
    assert found is not None
    assert sum(found) == sample.WHOLE + ((8 << 20) // sample.STRIDE - 1) * sample.TAKEN
    assert sum(found) * 200 < len(content)


@pytest.mark.parametrize("name", ["f16", "bf16", "f32"])
@given(value=st.floats(1e-4, 6e4))
def test_a_value_lies_between_the_ends_of_its_bin(name: str, value: float) -> None:
    single = np.float32(value)
    stored = {
        "f16": np.float16(single).tobytes(),
        "f32": single.tobytes(),
        "bf16": (single.view(np.uint32) >> np.uint32(16)).astype("<u2").tobytes(),
    }[name]
    held = {"f16": float(np.float16(single)), "f32": float(single)}.get(name, float(single))
    found = measure(stored, ENCODINGS[name], WORDS).sample
    assert found is not None
    low, high = sample.ends(ENCODINGS[name])
    at = found.index(1)
    assert low[at] <= held < high[at]
    assert high[at] / low[at] <= (1.13 if name == "f16" else 2)


@pytest.mark.parametrize("name", ["f16", "bf16", "f32"])
def test_bins_of_numbers_that_are_none_have_no_end(name: str) -> None:
    low, high = sample.ends(ENCODINGS[name])
    assert np.isinf(high[-1]) or np.isnan(high[-1])
    assert low[0] == 0
    assert not np.isfinite(low[-1])
