"""The bytes that stand beside a finding: which are shown, which are marked, and what is said of the pattern."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tensorlint.container.header import TensorInfo
from tensorlint.dtypes import code_table, encoding_of
from tensorlint.errors import UnfinishedError
from tensorlint.report.findings import Evidence, Location
from tensorlint.run.distribution import distribution
from tensorlint.run.evidence import evidence
from tensorlint.schemes.view import TensorUnit
from tensorlint.sources.interface import File
from tensorlint.sources.memory import MemorySource

BEGIN = 16  # where the tensor starts in its shard


def shown(dtype: str, data: bytes, word: str, at: int, holds: str = "", shape: tuple[int, ...] = ()) -> Evidence | None:
    """The evidence for an element of a tensor of one row."""
    encoding = encoding_of(dtype, holds or None)
    width = max(1, encoding.bits // 8)
    shape = shape or (len(data) // width,)
    tensor = TensorInfo("t", dtype, shape, "s", BEGIN, BEGIN + len(data))
    unit = TensorUnit(tensor, None, None, encoding, frozenset())
    place = Location("s", "t", (at,), BEGIN + at * width, byte_length=width)
    return evidence(unit, place, word, MemorySource({"s": bytes(BEGIN) + data}))


@pytest.mark.parametrize(
    ("dtype", "pattern", "word", "note"),
    [
        ("F8_E4M3", "7f", "nan", "0x7f is NaN in E4M3 (largest: 0x7e = 448)"),
        ("F8_E4M3", "ff", "nan", "0xff is NaN in E4M3 (largest: 0x7e = 448)"),
        ("F8_E4M3", "80", "zero", "0x80 is -0 in E4M3"),
        ("F8_E4M3", "7e", "ceiling", "0x7e is 448 in E4M3"),
        ("F8_E5M2", "7c", "inf", "0x7c is Inf in E5M2 (largest: 0x7b = 57344)"),
        ("F8_E5M2", "fc", "inf", "0xfc is -Inf in E5M2 (largest: 0x7b = 57344)"),
        ("F8_E8M0", "ff", "nan", "0xff is NaN in E8M0 (largest: 0xfe = 1.70141e+38)"),
        ("F16", "007e", "nan", "0x7e00 is NaN in F16"),
        ("F16", "00fc", "inf", "0xfc00 is -Inf in F16"),
        ("BF16", "80ff", "inf", "0xff80 is -Inf in BF16"),
        ("BF16", "803f", "negative", "0x3f80 is 1 in BF16"),
        ("F32", "0000c07f", "nan", "0x7fc00000 is NaN in F32"),
        ("F32", "0000807f", "inf", "0x7f800000 is Inf in F32"),
        ("F32", "000080ff", "inf", "0xff800000 is -Inf in F32"),
        ("F32", "000000bf", "negative", "0xbf000000 is -0.5 in F32"),
        ("F64", "000000000000f87f", "nan", "0x7ff8000000000000 is NaN in F64"),
        ("I8", "80", "negative", "0x80 = -128"),
        ("U8", "80", "negative", "0x80 = 128"),
        ("I32", "feffffff", "negative", "0xfffffffe = -2"),
    ],
)
def test_a_pattern_is_said_in_words(dtype: str, pattern: str, word: str, note: str) -> None:
    data = bytes.fromhex(pattern)
    found = shown(dtype, data, word, 0)
    assert found is not None
    assert (found.note, found.elements) == (note, (data[::-1].hex(),))
    assert (found.tensor, found.dtype, found.shape) == ("t", dtype, (1,))


def test_two_fp4_codes_share_a_byte_that_is_said_as_it_is() -> None:
    found = shown("U8", b"\x7f\x00", "ceiling", 0, "fp4", (4,))
    assert found is not None
    assert (found.note, found.start) == ("byte 0x7f", ())


def test_every_bad_element_in_sight_is_marked_and_the_first_of_them_explained() -> None:
    data = bytes([0x38, 0x7F, 0x38, 0x38, 0xFF, 0x38])
    found = shown("F8_E4M3", data, "nan", 4)
    assert found is not None
    assert (found.marked, found.note[:4]) == (frozenset({1, 4}), "0x7f")


def test_an_element_that_no_measure_counts_is_marked_itself() -> None:
    found = shown("F8_E4M3", bytes([0x38] * 12), "largest", 6)
    assert found is not None
    assert (found.start, found.marked) == ((2,), frozenset({4}))


@pytest.mark.parametrize(("elements", "is_shown"), [(0, False), (1, True), (2, False)])
def test_a_whole_tensor_is_shown_where_it_is_a_lone_number(elements: int, is_shown: bool) -> None:
    tensor = TensorInfo("t", "F32", (elements,), "s", BEGIN, BEGIN + 4 * elements)
    unit = TensorUnit(tensor, None, None, encoding_of("F32"), frozenset())
    source = MemorySource({"s": bytes(BEGIN) + struct.pack("<f", 2) * elements})
    found = evidence(unit, Location("s", "t", None, BEGIN), "nan", source)
    assert (found is not None) is is_shown
    assert evidence(unit, Location("s", "t"), "nan", source) is None, "a place without a byte"


def test_a_finding_stands_without_bytes_that_cannot_be_read_any_more() -> None:
    class Gone(MemorySource):
        def open(self, name: str) -> File:
            raise UnfinishedError(f"{name} is gone")

    tensor = TensorInfo("t", "F32", (1,), "s", 0, 4)
    unit = TensorUnit(tensor, None, None, encoding_of("F32"), frozenset())
    assert evidence(unit, Location("s", "t", (0,), 0), "nan", Gone({"s": bytes(4)})) is None


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "F16", "BF16"])
def test_the_chart_marks_the_bins_below_the_smallest_normal_number(dtype: str) -> None:
    encoding = encoding_of(dtype)
    patterns = np.arange(1 << encoding.bits).astype(f"<u{encoding.bits // 8}")
    table = code_table(encoding)
    # As many powers of two as have a bin of their own, around the smallest normal number.
    power = np.frexp(np.where(np.isfinite(table.value), np.abs(table.value), 0))[1] - 1
    near = patterns[(table.value > 0) & (np.abs(power - (1 - encoding.bias)) <= 3)]
    tensor = TensorInfo("t", dtype, (len(near),), "s", 0, near.nbytes)
    found = distribution(tensor, encoding, "subnormal", MemorySource({"s": near.tobytes()}))
    assert found is not None
    bad = {int(b.label[2:]) for b in found.bins if b.bad}
    good = {int(b.label[2:]) for b in found.bins if not b.bad}
    assert (max(bad), min(good)) == (-encoding.bias, 1 - encoding.bias)
