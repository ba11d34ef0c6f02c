"""Values of tensors: what is counted agrees with numpy on decoded numbers, however the bytes are read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorlint.measures import scan
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource
from tensorlint.stats.report import survey, with_values
from tensorlint.stats.values import Histogram, Values

BOOK = load_book()


def values_of(dtype: str, shape: tuple[int, ...], data: bytes, name: str = "a.weight", **more) -> Values:
    tensors = {name: (dtype, shape, data), **more}
    source = MemorySource({"model.safetensors": write_shard(tensors)})
    contents = with_values(source, survey(source, BOOK, ""), "full")
    return contents.values["model.safetensors", name]


def expected(numbers: np.ndarray) -> dict[float, int]:
    finite = numbers[np.isfinite(numbers) & (numbers != 0)].astype(np.float64)
    powers, counts = np.unique(np.floor(np.log2(np.abs(finite))), return_counts=True)
    return dict(zip(powers.tolist(), counts.tolist(), strict=True))


def shown(histogram: Histogram | None) -> dict[float, int]:
    return {} if histogram is None else {k: n for k, n in zip(histogram.labels, histogram.counts, strict=True) if n}


@settings(max_examples=60)
@given(
    st.binary(min_size=4, max_size=400), st.sampled_from([("F32", "<f4", 24), ("F16", "<f2", 15), ("F64", "<f8", 60)])
)
def test_exponents_agree_with_numpy(data: bytes, kind: tuple[str, str, int]) -> None:
    dtype, numpy_dtype, _ = kind
    width = np.dtype(numpy_dtype).itemsize
    data = (data * width)[: len(data) // width * width or width]
    numbers = np.frombuffer(data, numpy_dtype)
    found = values_of(dtype, (len(numbers),), data)
    tiny = np.finfo(numpy_dtype).tiny  # subnormal numbers share one bucket, below the least normal power
    normal = numbers[~(np.abs(numbers) < tiny)]
    subnormal = int(np.count_nonzero((np.abs(numbers) < tiny) & (numbers != 0)))
    wanted = expected(normal)
    if subnormal:
        wanted[float(np.log2(tiny)) - 1] = subnormal
    assert shown(found.histogram) == wanted


def test_small_pieces_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.arange(1, 4097, dtype="<f4").tobytes()
    whole = values_of("F32", (4096,), data)
    monkeypatch.setattr(scan, "PIECE", 256)
    assert values_of("F32", (4096,), data) == whole


def test_fp8_by_power_and_fp4_by_value() -> None:
    scales = ("F8_E4M3", (32, 8), bytes([0x38, 0x40, 0x00, 0x7F] * 64))
    tensor = ("F32", (), b"\0\0\0\x3c")
    more = {"a.weight_scale": scales, "a.weight_scale_2": tensor}
    fp4 = values_of("U8", (32, 64), bytes([0x21] * 2048), **more)
    assert shown(fp4.histogram) == {0.5: 2048, 1.0: 2048}
    assert fp4.entropy == 1.0
    source = MemorySource({"model.safetensors": write_shard({"a.weight": ("U8", (32, 64), bytes(2048)), **more})})
    contents = with_values(source, survey(source, BOOK, "*weight_scale"), "scales")
    found = contents.values["model.safetensors", "a.weight_scale"]
    assert shown(found.histogram) == {0.0: 64, 1.0: 64}
    assert (found.measures.nan, found.measures.zero, found.measures.largest) == (64, 64, 2.0)
    assert contents.bytes_read < contents.bytes, "the weight is not read at depth scales"


def test_packed_integers_are_read_code_by_code() -> None:
    more = {
        "a.scales": ("F16", (2, 32), np.full(64, 0.01, "<f2").tobytes()),
        "a.qzeros": ("I32", (2, 4), b"\x77" * 32),
    }
    found = values_of("I32", (16, 32), bytes([0x98] * 2048), "a.qweight", **more)
    assert found.encoding.name == "uint4"
    assert shown(found.histogram) == {8.0: 2048, 9.0: 2048}
