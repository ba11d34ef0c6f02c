"""How much has to be read, and how much of it has to be alike, until values are called wrong."""

from __future__ import annotations

from typing import Any

import pytest

from notation import places, said, view
from tensorlint.checks import exponents, packing, signs, zeropoints
from tensorlint.schemes.view import View

# -- codes of 4-bit weights -------------------------------------------------------------------------------------------


def nvfp4(weight: str, name: str = "l.up_proj", rows: int = 128) -> dict[str, str]:
    return {
        f"{name}.weight": weight,
        f"{name}.weight_scale": f"F8_E4M3[{rows}, 16] = 0x38, 0x3c",
        f"{name}.weight_scale_2": "F32[] = 0.001",
        f"{name}.input_scale": "F32[] = 0.002",
    }


@pytest.mark.parametrize(
    ("values", "half"),
    [
        ("0x10, 0x7f", "upper"),
        ("0x10, 0x80", ""),
        ("0x80, 0xff", "lower"),
        ("0x7f, 0xff", ""),
        ("0x10, 0x11", "upper"),
        ("0x11", ""),  # one byte over and over is another rule's
    ],
)
def test_bytes_below_or_from_0x80_on_are_half_of_the_codes(values: str, half: str) -> None:
    text = said("weights/half-codes", nvfp4(f"U8[128, 128] = {values}"))
    assert [name for name in ("upper", "lower") if f"the {name} half" in text] == [half] * bool(half)


# -- powers of two ----------------------------------------------------------------------------------------------------

FP8 = {"quantization_config": {"quant_method": "fp8", "weight_block_size": [16, 16]}}


def scaled(modules: int, odd: int = -1) -> dict[str, str]:
    """Modules of four scales each that are powers of two, but for those of one."""
    tensors = {}
    for n in range(modules):
        tensors[f"l.{n}.up_proj.weight"] = "F8_E4M3[32, 32]"
        tensors[f"l.{n}.up_proj.weight_scale_inv"] = f"F32[2, 2] = 0.25, {0.3 if n == odd else 0.5}"
    return tensors


@pytest.mark.parametrize(
    ("modules", "odd", "found"), [(15, -1, ""), (16, -1, "all 64"), (17, 15, ""), (17, 16, "all 64")]
)
def test_the_first_sixteen_modules_tell_whether_scales_are_powers_of_two(modules: int, odd: int, found: str) -> None:
    assert said("scales/power-of-two-undeclared", scaled(modules, odd), FP8).startswith(found)
    assert bool(said("scales/power-of-two-undeclared", scaled(modules, odd), FP8)) == bool(found)


# -- scales out of line -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_a_scale_of_a_wide_format_can_be_out_of_line(dtype: str) -> None:
    tensors = {f"l.{n}.mlp.up_proj.weight": "F8_E4M3[8, 8]" for n in range(5)}
    tensors |= {f"l.{n}.mlp.up_proj.weight_scale": f"{dtype}[] = {5 if n == 3 else 0.001}" for n in range(5)}
    assert places("scales/out-of-line", tensors) == ["l.3.mlp.up_proj.weight_scale"]


def test_a_scale_of_eight_bits_is_what_another_scale_left_over() -> None:
    tensors = {}
    for n in range(5):
        tensors |= nvfp4("U8[128, 128]", f"l.{n}.up_proj")
        tensors[f"l.{n}.up_proj.weight_scale"] = f"F8_E4M3[128, 16] = {'0x7e' if n == 3 else '0x01'}"
    assert places("scales/out-of-line", tensors) == []


# -- dtypes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("others", "found"), [(3, False), (4, True)])
def test_a_lone_dtype_is_odd_beside_four_others(others: int, found: bool) -> None:
    tensors = {f"model.layers.0.mlp.m{n}.weight": "BF16[8, 8]" for n in range(others)} | {"model.norm.weight": "F16[8]"}
    assert places("contract/odd-type", tensors) == ["model.norm.weight"] * found


@pytest.mark.parametrize(("lone", "found"), [(("model.norm",), True), (("model.norm", "lm_head"), False)])
def test_two_of_the_rarer_dtype_are_no_accident(lone: tuple[str, ...], found: bool) -> None:
    tensors = {f"model.layers.0.mlp.m{n}.weight": "BF16[8, 8]" for n in range(6)}
    tensors |= {f"{name}.weight": "F16[8]" for name in lone}
    assert bool(places("contract/odd-type", tensors)) == found


@pytest.mark.parametrize(
    ("dtypes", "odd"),
    [
        (("BF16", "BF16", "F16"), [2]),
        (("BF16", "F16", "F32"), []),  # each is rarer than the rest together
        (("BF16", "BF16", "F16", "F32"), [2, 3]),
    ],
)
def test_a_dtype_is_usual_where_at_least_half_of_the_layers_have_it(dtypes: tuple[str, ...], odd: list[int]) -> None:
    tensors = {}
    for n, dtype in enumerate(dtypes):
        tensors[f"l.{n}.mlp.up_proj.weight"] = "F8_E4M3[8, 64] = 0x38, 0x30"
        tensors[f"l.{n}.mlp.up_proj.weight_scale"] = f"{dtype}[1] = 0.01"
    assert places("contract/odd-part-type", tensors) == [f"l.{n}.mlp.up_proj.weight_scale" for n in odd]


# -- group indices and signs ------------------------------------------------------------------------------------------


def gptq(columns: int, index: str) -> dict[str, str]:
    groups = columns // 128
    return {
        "l.up_proj.qweight": f"I32[{columns // 8}, 8]",
        "l.up_proj.qzeros": f"I32[{groups}, 1] = 0x77777777",
        "l.up_proj.scales": f"F16[{groups}, 8] = 0.01",
        "l.up_proj.g_idx": f"I32[{columns}] = {index}",
    }


@pytest.mark.parametrize(
    ("columns", "index", "problem"),
    [
        (128, "0", ""),  # one group: all of it is right
        (128, "1", ""),  # and nothing is read by it
        (256, "0", "every column"),
        (256, "0; [128..255] = 1", ""),
        (256, "0; [127..255] = 1", "group 1 has 129 columns"),
        (256, "0; [128..255] = 1; [0] = 2", "it names group 2, the last one is 1"),
        (256, "0; [128..255] = 1; [0] = -1", "the lowest is -1"),
    ],
)
def test_every_group_has_its_columns_and_no_more(columns: int, index: str, problem: str) -> None:
    text = said("contract/group-index", gptq(columns, index))
    assert problem in text and bool(text) == bool(problem)


def test_larger_indices_than_any_model_has_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = view(gptq(256, "0"))
    for limit, found in ((256 * 4, True), (256 * 4 - 1, False)):
        monkeypatch.setattr(packing, "_MAX_BYTES", limit)
        assert bool(list(packing.run(wrong, {}))) == found


MLX = {"l.weight": "U32[64, 8]", "l.scales": "BF16[64, 1] = 0.1", "l.biases": "BF16[64, 1] = -0.5"}
AWQ = {"l.qweight": "I32[128, 8]", "l.qzeros": "I32[1, 8] = 0x87788778", "l.scales": "F16[1, 64] = 0.01"}
DECLARED = {
    "quantization_config": {"quant_method": "awq", "bits": 4, "zero_point": True, "group_size": 128, "version": "gemm"}
}


@pytest.mark.parametrize(
    ("run", "tensors", "config", "most"),
    [
        (exponents.run, scaled(1), FP8, 1 << 20),
        (signs.run, MLX, None, 1 << 20),
        (zeropoints.run_shift, AWQ, DECLARED, 1 << 20),
    ],
)
def test_a_mebibyte_of_each_tensor_is_read(
    run: Any, tensors: dict[str, str], config: dict[str, Any] | None, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    stored = View.stored
    monkeypatch.setattr(View, "stored", lambda self, tensor, n: (asked.append(n), stored(self, tensor, n))[1])
    list(run(view(tensors, config), {}))
    assert set(asked) == {most}


# -- zero points ------------------------------------------------------------------------------------------------------


def zeros(words: int, value: str) -> dict[str, str]:
    """One module with so many words of zero points, eight in each."""
    return {
        "l.up_proj.qweight": f"I32[128, {words}]",
        "l.up_proj.qzeros": f"I32[1, {words}] = {value}",
        "l.up_proj.scales": f"F16[1, {words * 8}] = 0.01",
    }


@pytest.mark.parametrize(("words", "found"), [(8, True), (7, False)])
@pytest.mark.parametrize(
    ("rule", "value"), [("contract/constant-zeros", "0"), ("contract/zero-point-convention", "0x77777777")]
)
def test_sixty_four_equal_zero_points_are_no_chance(rule: str, value: str, words: int, found: bool) -> None:
    assert bool(said(rule, zeros(words, value), DECLARED)) == found


def test_symmetric_zero_points_are_equal_however_few_they_are() -> None:
    declared = {"quantization_config": {**DECLARED["quantization_config"], "sym": True, "zero_point": False}}
    assert said("contract/zero-point-convention", zeros(1, "0x77777777"), declared)


@pytest.mark.parametrize(("varied", "constant", "found"), [(2, 1, True), (1, 1, False), (3, 2, True), (2, 2, False)])
def test_the_middle_is_odd_where_most_modules_vary(varied: int, constant: int, found: bool) -> None:
    tensors = {}
    for n in range(varied + constant):
        value = "0x87788778" if n < varied else "0x88888888"
        tensors |= {name.replace("l.", f"l.{n}."): text for name, text in zeros(8, value).items()}
    assert bool(said("contract/constant-zeros", tensors, DECLARED)) == found


# -- zeros in the middle of things ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "found"),
    [
        ("BF16[64, 64]; [2000..4095] = 0", True),  # 8192 bytes, zero from the middle of row 31 on
        ("BF16[63, 65]; [0..2100] = 0", False),  # 8190
        ("BF16[64, 64]; [1984..4095] = 0", False),  # whole rows
    ],
)
def test_a_weight_of_two_pages_can_have_a_page_of_zeros(weight: str, found: bool) -> None:
    assert bool(said("weights/zero-filled", {"a.weight": weight})) == found


@pytest.mark.parametrize(("scales", "checked"), [(4095, "4,095"), (4096, "4,096"), (4097, "4,096")])
def test_the_first_four_thousand_zero_scales_are_looked_up(scales: int, checked: str) -> None:
    tensors = nvfp4("U8[257, 128] = 0x12, 0x34", rows=257)
    tensors["l.up_proj.weight_scale"] = f"F8_E4M3[257, 16] = 0x38; [0..{scales - 1}] = 0"
    assert f"of the {checked} blocks" in said("scales/zero-over-values", tensors)


@pytest.mark.parametrize(("row", "found"), [(65_536, True), (65_537, False)])
def test_sixty_four_kibibytes_of_a_block_are_looked_at(row: int, found: bool) -> None:
    tensors = {"l.weight": f"I8[2, {row}] = 0; [{row - 1}] = 1", "l.SCB": "F32[2] = 0, 0.5"}
    config = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}
    assert bool(said("scales/zero-over-values", tensors, config)) == found


@pytest.mark.parametrize(("block", "found"), [("0", False), ("7", False), ("0, 7", True)])
def test_a_block_of_integers_is_live_where_two_of_them_differ(block: str, found: bool) -> None:
    tensors = {"l.weight": f"I8[8, 64] = {block}; [64..511] = 1, 2", "l.SCB": "F32[8] = 0.5; [0] = 0"}
    config = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}
    assert bool(said("scales/zero-over-values", tensors, config)) == found


@pytest.mark.parametrize(
    ("block", "found"),
    [("0x00", False), ("0x08", False), ("0x80", False), ("0x88", False), ("0x81", True), ("0x18", True)],
)
def test_a_block_of_fp4_is_live_where_a_code_is_neither_zero_nor_minus_zero(block: str, found: bool) -> None:
    tensors = nvfp4(f"U8[128, 128] = 0x12; [24..31] = {block}")
    tensors["l.up_proj.weight_scale"] = "F8_E4M3[128, 16] = 0x38; [3] = 0"
    assert bool(said("scales/zero-over-values", tensors)) == found
