"""The tables of number formats against expected values written out here, and against independent decoders."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tensorlint.dtypes import DTYPE_BITS, ENCODINGS, PLAIN_FLOATS, Encoding, code_table, encoding_of

NARROW = [e for e in ENCODINGS.values() if e.kind != "raw" and e.bits <= 16]
FLOATS = [e for e in NARROW if e.kind == "float"]

# (encoding, pattern, value): OCP OFP8 1.0 tables 1 and 2, OCP MX 1.0 tables 3 to 7, and the FNUZ paper's table 1;
# E5M3 has no public standard: its values are those that AutoRound packs (auto_round/data_type/nvfp.py).
KNOWN = [
    ("e4m3", 0x00, 0.0), ("e4m3", 0x01, 2.0**-9), ("e4m3", 0x07, 0.875 * 2.0**-6), ("e4m3", 0x08, 2.0**-6),
    ("e4m3", 0x38, 1.0), ("e4m3", 0x7E, 448.0), ("e4m3", 0x78, 256.0), ("e4m3", 0xFE, -448.0), ("e4m3", 0xB8, -1.0),
    ("e5m2", 0x01, 2.0**-16), ("e5m2", 0x03, 0.75 * 2.0**-14), ("e5m2", 0x04, 2.0**-14), ("e5m2", 0x3C, 1.0),
    ("e5m2", 0x7B, 57344.0), ("e5m2", 0x7C, math.inf), ("e5m2", 0xFC, -math.inf), ("e5m2", 0xFB, -57344.0),
    ("e4m3fnuz", 0x01, 2.0**-10), ("e4m3fnuz", 0x08, 2.0**-7), ("e4m3fnuz", 0x40, 1.0), ("e4m3fnuz", 0x7F, 240.0),
    ("e4m3fnuz", 0xFF, -240.0), ("e4m3fnuz", 0x81, -(2.0**-10)),
    ("e5m2fnuz", 0x01, 2.0**-17), ("e5m2fnuz", 0x40, 1.0), ("e5m2fnuz", 0x7F, 57344.0), ("e5m2fnuz", 0xFF, -57344.0),
    ("e8m0", 0, 2.0**-127), ("e8m0", 126, 0.5), ("e8m0", 127, 1.0), ("e8m0", 128, 2.0), ("e8m0", 254, 2.0**127),
    ("e5m3", 0x00, 0.0), ("e5m3", 0x01, 2.0**-17), ("e5m3", 0x08, 2.0**-14), ("e5m3", 0x78, 1.0),
    ("e5m3", 0x80, 2.0), ("e5m3", 0xFE, 114688.0),
    ("fp6_e2m3", 0x01, 0.125), ("fp6_e2m3", 0x08, 1.0), ("fp6_e2m3", 0x1F, 7.5), ("fp6_e2m3", 0x3F, -7.5),
    ("fp6_e3m2", 0x01, 0.0625), ("fp6_e3m2", 0x0C, 1.0), ("fp6_e3m2", 0x1F, 28.0), ("fp6_e3m2", 0x3F, -28.0),
    ("bf16", 0x0001, 2.0**-133), ("bf16", 0x3F80, 1.0), ("bf16", 0x7F7F, 3.3895313892515355e38),
    ("bf16", 0x7F80, math.inf), ("bf16", 0xC000, -2.0),
    ("f16", 0x0001, 2.0**-24), ("f16", 0x3C00, 1.0), ("f16", 0x7BFF, 65504.0), ("f16", 0xFC00, -math.inf),
    ("int4", 7, 7.0), ("int4", 8, -8.0), ("int4", 15, -1.0), ("uint4", 15, 15.0),
    ("int8", 0x7F, 127.0), ("int8", 0x80, -128.0), ("int8", 0xFF, -1.0), ("uint8", 0xFF, 255.0),
    ("int16", 0x8000, -32768.0), ("uint16", 0x8000, 32768.0),
]  # fmt: skip

NANS = {
    "fp4": [], "fp6_e2m3": [], "fp6_e3m2": [], "e4m3": [0x7F, 0xFF], "e5m2": [0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF],
    "e4m3fnuz": [0x80], "e5m2fnuz": [0x80], "e8m0": [0xFF], "e5m3": [0xFF],
}  # fmt: skip


@pytest.mark.parametrize(("name", "pattern", "value"), KNOWN, ids=lambda x: hex(x) if isinstance(x, int) else str(x))
def test_known_values(name: str, pattern: int, value: float) -> None:
    table = code_table(ENCODINGS[name])
    assert table.value[pattern] == value
    assert not table.nan[pattern]
    assert bool(table.inf[pattern]) == math.isinf(value)


@pytest.mark.parametrize("name", NANS)
def test_nan_patterns(name: str) -> None:
    assert np.flatnonzero(code_table(ENCODINGS[name]).nan).tolist() == NANS[name]


def test_fp4_is_the_table_of_the_specification() -> None:
    half = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    table = code_table(ENCODINGS["fp4"])
    assert table.value.tolist() == half + [-v for v in half]
    assert np.flatnonzero(table.zero).tolist() == [0, 8]
    assert np.flatnonzero(table.ceiling).tolist() == [7, 15]
    assert np.flatnonzero(table.floor).tolist() == [1, 9]
    assert np.flatnonzero(table.subnormal).tolist() == [1, 9]


@pytest.mark.parametrize("encoding", NARROW, ids=lambda e: e.name)
def test_every_pattern_is_one_kind_of_number(encoding: Encoding) -> None:
    table = code_table(encoding)
    finite = ~(table.nan | table.inf)
    assert not (table.nan & table.inf).any()
    for flag in (table.zero, table.negative, table.subnormal, table.ceiling, table.floor):
        assert not (flag & ~finite).any()
    assert np.isfinite(table.value[finite]).all()
    assert (table.negative == (finite & (table.value < 0))).all()
    assert (table.zero == (finite & (table.value == 0))).all()
    assert not (table.subnormal & table.zero).any()


@pytest.mark.parametrize("encoding", FLOATS, ids=lambda e: e.name)
def test_floats_grow_with_their_pattern(encoding: Encoding) -> None:
    table = code_table(encoding)
    positive = table.value[: 1 << (encoding.bits - encoding.signed)]
    finite = ~(table.nan | table.inf)[: len(positive)]
    assert (np.diff(positive[finite]) > 0).all()


@pytest.mark.parametrize(
    ("name", "ceiling", "floor"),
    [
        ("e4m3", [0x7E, 0xFE], [0x01, 0x81]),
        ("e5m2", [0x7B, 0xFB], [0x01, 0x81]),
        ("e8m0", [254], [0]),
        ("e5m3", [0xFE], [0x01]),
        ("e4m3fnuz", [0x7F, 0xFF], [0x01, 0x81]),
        ("int8", [0x7F, 0x80, 0x81], [0x01, 0xFF]),
        ("uint8", [0x00, 0xFF], [0x01]),
        ("int4", [7, 8, 9], [1, 15]),
    ],
)
def test_both_ends(name: str, ceiling: list[int], floor: list[int]) -> None:
    table = code_table(ENCODINGS[name])
    assert np.flatnonzero(table.ceiling).tolist() == ceiling
    assert np.flatnonzero(table.floor).tolist() == floor


def test_f16_equals_numpy() -> None:
    table = code_table(ENCODINGS["f16"])
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float64)
    _same(table.value, table.nan, table.inf, numbers)


def test_bf16_is_the_upper_half_of_f32() -> None:
    table = code_table(ENCODINGS["bf16"])
    with np.errstate(invalid="ignore"):  # signalling NaN
        numbers = (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32).astype(np.float64)
    _same(table.value, table.nan, table.inf, numbers)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("e4m3", "float8_e4m3fn"),
        ("e5m2", "float8_e5m2"),
        ("e4m3fnuz", "float8_e4m3fnuz"),
        ("e5m2fnuz", "float8_e5m2fnuz"),
        ("e8m0", "float8_e8m0fnu"),
        ("bf16", "bfloat16"),
        ("f16", "float16"),
    ],
)
def test_tables_equal_torch(name: str, theirs: str) -> None:
    torch = pytest.importorskip("torch")
    if not hasattr(torch, theirs):
        pytest.skip(f"this torch has no {theirs}")
    encoding = ENCODINGS[name]
    codes = np.arange(1 << encoding.bits, dtype=f"uint{encoding.bits}").view(f"int{encoding.bits}")
    numbers = torch.from_numpy(codes).view(getattr(torch, theirs)).to(torch.float32).to(torch.float64).numpy()
    table = code_table(encoding)
    _same(table.value, table.nan, table.inf, numbers)


def _same(value: object, nan: object, inf: object, numbers: object) -> None:
    numbers = np.asarray(numbers)
    assert (np.asarray(nan) == np.isnan(numbers)).all()
    assert (np.asarray(inf) == np.isinf(numbers)).all()
    assert np.array_equal(np.asarray(value), numbers, equal_nan=True)
    real = ~np.isnan(numbers)
    assert (np.signbit(np.asarray(value)[real]) == np.signbit(numbers[real])).all()


def test_every_dtype_has_an_encoding_of_its_width() -> None:
    for dtype, bits in DTYPE_BITS.items():
        encoding = encoding_of(dtype)
        if dtype == "C64":
            assert (encoding.name, bits) == ("f32", 64)  # a pair of them
        elif encoding.kind != "raw":
            assert encoding.bits == bits
    assert DTYPE_BITS.keys() >= PLAIN_FLOATS


def test_a_scheme_overrides_the_dtype() -> None:
    assert encoding_of("U8").name == "uint8"
    assert encoding_of("U8", "e8m0").name == "e8m0"
    assert encoding_of("U8", "fp4").bits == 4
