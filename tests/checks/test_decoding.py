"""How large weights are said to be, against weights that are decoded one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorlint.checks.decoding import decoded, parsed
from tensorlint.checks.spread import Spread, numbers, of_scales
from tensorlint.container.checkpoint import find_checkpoints
from tensorlint.dtypes import ENCODINGS, code_table, encoding_of
from tensorlint.measures.interface import SAMPLE, Measures
from tensorlint.measures.plan import Need, make_plan
from tensorlint.measures.scan import CpuScanner
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.schemes.model import Decoding
from tensorlint.schemes.view import View
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
WORDS = frozenset({SAMPLE, "smallest", "largest"})
ROWS, COLUMNS, GROUP = 32, 128, 32
Floats = npt.NDArray[np.float64]
Stored = tuple[str, tuple[int, ...], bytes]
Case = tuple[dict[str, Stored], Floats, dict[str, object]]


def f32(values: Floats | float) -> Stored:
    array = np.asarray(values, "<f4")
    return "F32", array.shape, array.tobytes()


def bf16(values: Floats) -> tuple[Stored, Floats]:
    bits = np.asarray(values, "<f4").view("<u4") >> np.uint32(16)
    return ("BF16", values.shape, bits.astype("<u2").tobytes()), (bits << np.uint32(16)).view("<f4").astype(np.float64)


def words(codes: npt.NDArray[np.uint32]) -> bytes:
    """Codes of four bits along the last axis, eight in a word."""
    lanes = codes.reshape(*codes.shape[:-1], -1, 8)
    return (lanes << np.arange(0, 32, 4, dtype=np.uint32)).sum(-1).astype("<u4").tobytes()


def in_columns(scales: Floats) -> Floats:
    return np.repeat(scales, COLUMNS // scales.shape[1], axis=1)


def fp8(draw: np.random.Generator, scale: float, spread: float) -> Case:
    """One scale for each row."""
    codes = draw.integers(0, 127, (ROWS, COLUMNS)).astype(np.uint8) | draw.integers(0, 2, (ROWS, COLUMNS)) << 7
    scales = scale * spread ** draw.random((ROWS, 1))
    values = code_table(ENCODINGS["e4m3"]).value[codes] * np.float32(scales)
    weight: Stored = ("F8_E4M3", (ROWS, COLUMNS), codes.astype(np.uint8).tobytes())
    config = {"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8"}}
    return {"weight": weight, "weight_scale": f32(scales)}, values, config


def int8(draw: np.random.Generator, scale: float, spread: float) -> Case:
    """bitsandbytes: the scale is the largest magnitude of a row, of 127 steps."""
    codes = np.rint(draw.normal(0, 40, (ROWS, COLUMNS)).clip(-127, 127)).astype(np.int8)
    scales = scale * spread ** draw.random(ROWS)
    values = codes * scales.astype(np.float32)[:, None] / 127
    config = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}
    return {"weight": ("I8", (ROWS, COLUMNS), codes.tobytes()), "SCB": f32(scales)}, values, config


def nvfp4(draw: np.random.Generator, scale: float, spread: float, divide: bool = False) -> Case:
    """FP8 scales of blocks, below one scale of the tensor that multiplies or divides."""
    codes = draw.integers(0, 16, (ROWS, COLUMNS)).astype(np.uint8)
    low, high = 0x50, 0x50 + int(np.log2(spread) * 8)
    blocks = draw.integers(low, min(high, 0x7E) + 1, (ROWS, COLUMNS // 16)).astype(np.uint8)
    outer = float(np.float32(1 / scale if divide else scale))
    factor = 1 / outer if divide else outer
    values = (
        code_table(ENCODINGS["fp4"]).value[codes] * in_columns(code_table(ENCODINGS["e4m3"]).value[blocks]) * factor
    )
    weight: Stored = ("U8", (ROWS, COLUMNS // 2), (codes[:, ::2] | codes[:, 1::2] << 4).astype(np.uint8).tobytes())
    inner: Stored = ("F8_E4M3", blocks.shape, blocks.tobytes())
    if divide:
        return (
            {"weight_packed": weight, "weight_scale": inner, "weight_global_scale": f32(np.array([outer]))},
            values,
            {},
        )
    config = {"quantization_config": {"quant_method": "modelopt", "quant_algo": "W4A16_NVFP4"}}
    return {"weight": weight, "weight_scale": inner, "weight_scale_2": f32(outer)}, values, config


def divided(draw: np.random.Generator, scale: float, spread: float) -> Case:
    return nvfp4(draw, scale, spread, divide=True)


def gptq(draw: np.random.Generator, scale: float, spread: float) -> Case:
    """Symmetric codes of four bits, packed down the columns."""
    codes = draw.integers(0, 16, (COLUMNS, ROWS)).astype(np.uint32)
    stored, scales = bf16(scale * spread ** draw.random((COLUMNS // GROUP, ROWS)))
    values = (codes - 8.0) * np.repeat(scales, GROUP, axis=0)
    packed = (codes.reshape(-1, 8, ROWS) << np.arange(0, 32, 4, dtype=np.uint32)[:, None]).sum(1).astype("<u4")
    zeros = np.full((COLUMNS // GROUP, ROWS // 8), 0x77777777, "<u4")
    config = {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "sym": True}}
    return {
        "qweight": ("I32", packed.shape, packed.tobytes()), "scales": stored,
        "qzeros": ("I32", zeros.shape, zeros.tobytes()),
    }, values, config  # fmt: skip


def affine(draw: np.random.Generator, scale: float, spread: float) -> Case:
    """MLX: a scale and an offset for each group, whose values lie around zero."""
    codes = draw.integers(0, 16, (ROWS, COLUMNS)).astype(np.uint32)
    stored, scales = bf16(scale * spread ** draw.random((ROWS, COLUMNS // GROUP)))
    offset, offsets = bf16(-scales * draw.uniform(6, 9, scales.shape))
    values = codes * in_columns(scales) + in_columns(offsets)
    config = {"quantization": {"group_size": GROUP, "bits": 4}}
    parts: dict[str, Stored] = {"weight": ("U32", (ROWS, COLUMNS // 8), words(codes)), "scales": stored}
    return {**parts, "biases": offset}, values, config


def nf4(draw: np.random.Generator, scale: float, spread: float) -> Case:
    """bitsandbytes: a table that is the same in every file, and the largest magnitude of 64 values."""
    codes = draw.integers(0, 16, ROWS * COLUMNS).astype(np.uint8)
    scales = (scale * spread ** draw.random(ROWS * COLUMNS // 64)).astype(np.float32)
    table = np.array(BOOK.schemes["bitsandbytes-nf4"].parts["lookup"].constant)
    state = {"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [ROWS, COLUMNS]}
    text = json.dumps(state).encode()
    packed = (codes[::2] << 4 | codes[1::2]).astype(np.uint8)
    parts: dict[str, Stored] = {
        "weight": ("U8", (len(packed), 1), packed.tobytes()), "weight.absmax": f32(scales),
        "weight.quant_map": f32(table), "weight.quant_state.bitsandbytes__nf4": ("U8", (len(text),), text),
    }  # fmt: skip
    config = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    return parts, table[codes] * np.repeat(scales, 64), config


MAKERS: Mapping[str, Callable[[np.random.Generator, float, float], Case]] = {
    "fp8-modelopt": fp8, "bitsandbytes-int8": int8, "nvfp4-modelopt": nvfp4, "nvfp4-compressed-tensors": divided,
    "gptq": gptq, "mlx-affine": affine, "bitsandbytes-nf4": nf4,
}  # fmt: skip


def said(parts: Mapping[str, Stored], config: object, scheme: str, depth: str = "full") -> Spread | None:
    """What is said of the one module of a checkpoint."""
    tensors = {f"l.up_proj.{name}": stored for name, stored in parts.items()}
    source = MemorySource({"model.safetensors": write_shard(tensors, None), "config.json": json.dumps(config).encode()})
    view = View(next(iter(find_checkpoints(source, BOOK.configs))), BOOK)
    needs = [Need(u.tensor, u.encoding, WORDS) for u in view.units if depth == "full" or u.scale_like]
    (module,) = view.quantized
    assert module.scheme.name == scheme
    return decoded(module, CpuScanner(1)(source, make_plan(needs)), depth == "scales")


@pytest.mark.parametrize("scheme", MAKERS)
@given(seed=st.integers(0, 1 << 32), scale=st.floats(1e-5, 1e3), spread=st.floats(1, 8))
def test_the_root_mean_square_is_that_of_the_decoded_values_within_a_factor(
    scheme: str, seed: int, scale: float, spread: float
) -> None:
    parts, values, config = MAKERS[scheme](np.random.default_rng(seed), scale, spread)
    found = said(parts, config, scheme)
    assert found is not None
    truth = float(np.sqrt((values**2).mean()))
    assert truth / 1.3 < found.rms < truth * 1.3
    assert float(np.abs(values).max()) / 1.3 <= found.peak


@pytest.mark.parametrize("scheme", MAKERS)
@given(seed=st.integers(0, 1 << 32), scale=st.floats(1e-5, 1e3))
def test_from_scales_alone_it_is_never_more_than_that(scheme: str, seed: int, scale: float) -> None:
    parts, values, config = MAKERS[scheme](np.random.default_rng(seed), scale, 4)
    found = said(parts, config, scheme, "scales")
    assert found is not None
    assert 0 < found.rms <= float(np.sqrt((values**2).mean())) * 1.05


def test_reciprocal_scales_show() -> None:
    draw = np.random.default_rng(0)
    for scheme, make in MAKERS.items():
        right, _, config = make(draw, 0.002, 2)
        wrong, _, _ = make(draw, 500, 2)
        low, high = said(right, config, scheme), said(wrong, config, scheme)
        assert low is not None
        assert high is not None
        assert high.rms > 1e4 * low.rms


@pytest.mark.parametrize("name", ["f16", "bf16", "f32"])
@pytest.mark.parametrize("divide", [False, True])
@given(values=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40))
def test_floats_from_their_exponents(name: str, divide: bool, values: list[float]) -> None:
    array = np.array(values, "<f2" if name == "f16" else "<f4")
    if name == "bf16":
        array = (array.view("<u4") >> np.uint32(16) << np.uint32(16)).view("<f4")
    stored = (array.view("<u4") >> np.uint32(16)).astype("<u2") if name == "bf16" else array
    source = MemorySource({"model.safetensors": write_shard({"a.b": ("U8", (stored.nbytes,), stored.tobytes())}, None)})
    view = View(next(iter(find_checkpoints(source, BOOK.configs))), BOOK)
    (unit,) = view.units
    (found,) = CpuScanner(1)(source, make_plan([Need(unit.tensor, ENCODINGS[name], WORDS)])).values()
    spread = of_scales(found, ENCODINGS[name], divide)
    assert spread is not None
    real = 1 / array.astype(np.float64) if divide else array.astype(np.float64)
    truth = float(np.sqrt((real**2).mean()))
    assert truth / 1.54 <= spread.rms <= truth * 1.54
    assert spread.peak == pytest.approx(float(real.max()))
    if len(set(values)) == 1:
        assert spread.rms == pytest.approx(truth, rel=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_scales_that_are_no_numbers_tell_nothing(value: float) -> None:
    parts, _, config = fp8(np.random.default_rng(0), 0.01, 1)
    scales = np.full((ROWS, 1), 0.01)
    scales[3] = value
    assert said({**parts, "weight_scale": f32(scales)}, config, "fp8-modelopt") is None


def test_nothing_is_divided_by_zero() -> None:
    parts, _, config = divided(np.random.default_rng(0), 0.01, 1)
    found = said({**parts, "weight_global_scale": f32(np.zeros(1))}, config, "nvfp4-compressed-tensors")
    assert found is None
    assert of_scales(Measures(), ENCODINGS["f32"]) is None


@pytest.mark.parametrize("formula", ["weight *", "f(weight", "weight ? 2", "weight" + " + weight" * 100])
def test_what_is_no_arithmetic_is_not_followed(formula: str) -> None:
    assert parsed(formula) is None


STRANGE = (
    "weight - (0-2)^0.5", "weight - 2^(0-1)", "weight - 9^999", "weight / 0", "weight / (1-1)", "weight_scale", "2", "-weight",
    "weight[weight]", "weight % 2", "weight * nothing", "(weight - 8) * weight_scale - 8", "weight @ weight_scale",
)  # fmt: skip


@pytest.mark.parametrize("formula", STRANGE)
def test_formulas_of_strangers_are_followed_or_not_and_never_fail(formula: str) -> None:
    parts, _, config = gptq(np.random.default_rng(0), 0.01, 1)
    tensors = {f"l.up_proj.{name}": stored for name, stored in parts.items()}
    source = MemorySource({"model.safetensors": write_shard(tensors, None), "config.json": json.dumps(config).encode()})
    view = View(next(iter(find_checkpoints(source, BOOK.configs))), BOOK)
    measured = CpuScanner(1)(source, make_plan(Need(u.tensor, u.encoding, WORDS) for u in view.units))
    (module,) = view.quantized
    strange = replace(module, scheme=replace(module.scheme, decode=(Decoding("", formula),)))
    for by_scales in (False, True):
        found = decoded(strange, measured, by_scales)
        assert found is None or np.isfinite(found.rms)


def test_most_schemes_say_how_large_their_weights_are() -> None:
    """Those that do not hold vectors of codes, codes that straddle bytes, rotated trellises, or zeros between scales."""
    silent = set()
    for scheme in BOOK.schemes.values():
        part = scheme.weight if scheme.quantized and scheme.decode else None
        if part is not None and part.integers is None and all(part.encoding(d).kind == "raw" for d in part.dtypes):
            silent.add(scheme.name)
    assert silent == {
        "aqlm", "comfy-w4a8", "exl2", "exl3", "higgs", "int4-modelslim", "mxfp6", "mxfp6-compressed-tensors", "qqq",
        "spqr", "svdquant-nunchaku", "torchao-int4-tiled", "vptq",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("bits", "signed", "values"),
    [(1, False, [0, 1]), (1, True, [0, -1]), (2, True, [0, 1, -2, -1]), (3, False, list(range(8)))],
)
def test_integers_of_few_bits(bits: int, signed: bool, values: list[int]) -> None:
    assert numbers(bits, signed).tolist() == values


@pytest.mark.parametrize("dtype", ["I8", "U8"])
def test_integers_of_a_byte_are_those_of_its_dtype(dtype: str) -> None:
    assert numbers(8, dtype == "I8").tolist() == code_table(encoding_of(dtype)).value.tolist()
