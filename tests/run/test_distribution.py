"""Distributions: every element is in one bin, the bad ones are marked, and bins are in the order of values."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorlint.container.header import TensorInfo
from tensorlint.dtypes import ENCODINGS, code_table, encoding_of
from tensorlint.measures.cpu import CpuKernel
from tensorlint.measures.interface import COUNTED
from tensorlint.report.chart import chart
from tensorlint.report.findings import Distribution
from tensorlint.run.distribution import distribution
from tensorlint.sources.memory import MemorySource

NARROW = ("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F16", "BF16")


def spread(data: bytes, dtype: str, word: str = "nan") -> Distribution | None:
    width = encoding_of(dtype).bits // 8
    tensor = TensorInfo("t", dtype, (len(data) // width,), "s", 3, 3 + len(data))
    return distribution(tensor, encoding_of(dtype), word, MemorySource({"s": b"abc" + data}))


@given(
    st.binary(min_size=8, max_size=400).map(lambda b: b[: len(b) // 8 * 8]),
    st.sampled_from([*NARROW, "F32", "F64"]),
    st.sampled_from([word for word in COUNTED if word not in ("below_ceiling", "ceiling_runs")]),  # never marked
)
def test_bins_count_every_element_once_and_mark_what_the_kernel_counts(data, dtype, word):
    found = spread(data, dtype, word)
    assert found is not None
    assert sum(b.count for b in found.bins) == found.elements == found.of == len(data) * 8 // encoding_of(dtype).bits
    assert all(0 <= b.bad <= b.count for b in found.bins)
    if word == "ceiling" and dtype in ("F32", "F64"):
        return  # one of four billion values is not looked for
    if word == "floor" and dtype in ("F32", "F64"):
        return
    measured = CpuKernel().measure(np.frombuffer(data, np.uint8), encoding_of(dtype), frozenset({word}), 0, 0)
    if word == "subnormal" and len(found.bins) > 20:
        return  # several powers share a bin
    assert sum(b.bad for b in found.bins) == measured.value(word)


@pytest.mark.parametrize("dtype", NARROW)
def test_every_pattern_of_a_format_has_its_bin(dtype):
    encoding = encoding_of(dtype)
    found = spread(np.arange(1 << encoding.bits).astype(f"<u{encoding.bits // 8}").tobytes(), dtype)
    table = code_table(encoding)
    labels = {b.label: b.count for b in found.bins}
    assert labels.get("NaN", 0) == table.nan.sum()
    assert labels.get("Inf", 0) + labels.get("-Inf", 0) == table.inf.sum()
    assert labels.get("0", 0) == table.zero.sum()


def labels(found: Distribution) -> list[tuple[str, int, int]]:
    return [(b.label, b.count, b.bad) for b in found.bins]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bits", [0x7F800001, 0xFF800001, 0x7FBFFFFF, 0x7FC00000], ids=hex)
def test_a_nan_of_any_payload_is_counted_without_a_word(bits):
    found = spread(struct.pack("<4I", bits, 0, bits, 0x3F800000), "F32")
    assert {b.label: b.count for b in found.bins}["NaN"] == 2


def test_the_order_is_that_of_values():
    data = struct.pack("<8f", 1.0, 3.0, -1.5, 0.0, -0.0, float("inf"), float("-inf"), float("nan"))
    assert labels(spread(data, "F32", "negative")) == [
        ("-Inf", 1, 0), ("-2^0", 1, 1), ("0", 2, 0), ("2^0", 1, 0), ("2^1", 1, 0), ("Inf", 1, 0), ("NaN", 1, 0),
    ]  # fmt: skip


def test_saturated_values_have_a_bin_of_their_own():
    data = bytes([0x7E] * 5 + [0x78] * 3 + [0x38])
    assert labels(spread(data, "F8_E4M3", "ceiling"))[-2:] == [("2^8", 3, 0), ("448 (largest)", 5, 5)]


def test_far_powers_share_bins():
    found = spread(struct.pack("<3d", 1e-300, 1.0, 1e300), "F64", "largest")
    assert len(found.bins) <= 25
    assert found.bins[-1].bad == 1
    assert sum(b.count for b in found.bins) == 3


@pytest.mark.parametrize("dtype", ["U8", "I32", "F4"])
def test_what_is_no_float_has_none(dtype):
    assert (
        distribution(
            TensorInfo("t", dtype, (4,), "s", 0, 16), encoding_of(dtype), "nan", MemorySource({"s": bytes(16)})
        )
        is None
    )


def test_a_file_that_shrank_has_none():
    assert (
        distribution(TensorInfo("t", "F32", (4,), "s", 0, 16), ENCODINGS["f32"], "nan", MemorySource({"s": b""}))
        is None
    )


def test_of_a_large_tensor_the_first_bytes_are_read(monkeypatch):
    monkeypatch.setattr("tensorlint.run.distribution._READ", 8)
    found = spread(b"\x38" * 8 + b"\x7f" * 8, "F8_E4M3")
    assert (found.elements, found.of) == (8, 16)
    assert labels(found) == [("2^0", 8, 0)]
    assert next(chart(found)) == "F8_E4M3, the first 8 of 16 values by magnitude"


def test_the_chart():
    data = bytes([0x38] * 800 + [0x40] * 100 + [0x48] + [0x7F] * 3 + [0])
    assert list(chart(spread(data, "F8_E4M3"))) == [
        "F8_E4M3, 905 values by magnitude",
        "  0    1  ▏",
        "2^0  800  ████████████████████████████████",
        "2^1  100  ████",
        "2^2    1  ▏",
        "NaN    3  ▏  <- bad",
    ]


@pytest.mark.parametrize(("dtype", "pattern", "word", "label"), [
    ("F16", 0x7C00, "inf", "Inf"), ("F16", 0xFC00, "inf", "-Inf"), ("F16", 0x7E00, "nan", "NaN"), ("F16", 0, "zero", "0"),
    ("F8_E4M3", 0x7E, "ceiling", "448 (largest)"), ("F8_E4M3", 0x01, "floor", "0.001953 (smallest)"),
    ("F8_E4M3", 0x78, "largest", "2^8"), ("F8_E4M3", 0x78, "nan", None),
])  # fmt: skip
def test_the_bin_that_a_finding_is_about_is_marked_and_no_other(dtype, pattern, word, label):
    width = encoding_of(dtype).bits // 8
    one = 1 << (encoding_of(dtype).mantissa or 0)  # any other number than the pattern
    found = spread(b"".join(p.to_bytes(width, "little") for p in (one, one, pattern)), dtype, word)
    assert found is not None
    assert {b.label: b.bad for b in found.bins if b.bad} == ({} if label is None else {label: 1})
