"""Zero points as four real exporters store them: what is silent, and what one relabelled key makes of it."""

from __future__ import annotations

import json
import random

import pytest

from linted import check, rules_of
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
ROWS, COLUMNS, GROUP = 32, 256, 64
RULES = {
    "contract/asymmetric-zeros",
    "contract/zero-point-convention",
    "contract/constant-zeros",
    "contract/shifted-zeros",
}


def packed(codes: list[int], bits: int) -> bytes:
    """Codes one after another, low bits first."""
    return sum(code << (bits * at) for at, code in enumerate(codes)).to_bytes(len(codes) * bits // 8, "little")


def said(
    bits: int, less: int, symmetric: bool, config: dict[str, object], axis: str = "down", zero: int = -1
) -> set[str]:
    """Rules about weights around their zero points, which are stored `less` one; `zero` replaces those of one module."""
    tensors = {}
    for layer in range(4):
        chance = random.Random(layer)
        middle = 1 << (bits - 1)
        zeros = [middle if symmetric else min(middle + chance.randint(-1, 1), 2**bits - 1) for _ in range(ROWS * 4)]
        weights = []
        for column in range(COLUMNS):
            for row in range(ROWS):
                center = zeros[column // GROUP * ROWS + row]
                weights.append(min(max(round(chance.gauss(center, 2 ** (bits - 3))), 0), 2**bits - 1))
        stored = [z - less for z in zeros] if zero < 0 or layer else [zero] * len(zeros)
        name = f"l.{layer}.up_proj"
        shape = (COLUMNS * bits // 32, ROWS) if axis == "down" else (COLUMNS, ROWS * bits // 32)
        tensors[f"{name}.qweight"] = ("I32", shape, packed(weights, bits))
        tensors[f"{name}.qzeros"] = ("I32", (COLUMNS // GROUP, ROWS * bits // 32), packed(stored, bits))
        tensors[f"{name}.scales"] = ("F16", (COLUMNS // GROUP, ROWS), b"\x11\x21" * (ROWS * COLUMNS // GROUP))
    quantization = {"bits": bits, "group_size": GROUP, "sym": symmetric, **config}
    files = {
        "model.safetensors": write_shard(tensors),
        "config.json": json.dumps({"quantization_config": quantization}).encode(),
    }
    report = check(MemorySource(files), BOOK, rules_of(BOOK, ["contract"]))
    return {f.rule for f in report.findings} & RULES


V1 = {"quant_method": "gptq", "checkpoint_format": "gptq"}
UNNAMED = {"quant_method": "gptq"}
V2 = {"quant_method": "gptq", "checkpoint_format": "gptq_v2"}
ROUND = {"quant_method": "auto-round", "packing_format": "auto_round:auto_gptq"}
AWQ = {"quant_method": "awq", "version": "gemm", "zero_point": True}


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("config", "less"), [(V1, 1), (UNNAMED, 1), (V2, 0), (ROUND, 1)])
def test_what_exporters_write_is_silent(bits, symmetric, config, less):
    assert said(bits, less, symmetric, config) == set()


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize(("config", "less"), [(V1, 0), (UNNAMED, 0), (V2, 1), (ROUND, 0)])
def test_symmetric_zero_points_of_the_other_format_are_found_at_every_width(bits, config, less):
    assert said(bits, less, True, config) == {"contract/zero-point-convention"}


@pytest.mark.parametrize(("config", "less"), [(V1, 0), (UNNAMED, 0), (V2, 1), (ROUND, 0)])
@pytest.mark.parametrize("bits", [2, 4])
def test_asymmetric_zero_points_of_the_other_format_are_told_by_the_weights(bits, config, less):
    assert said(bits, less, False, config) == {"contract/shifted-zeros"}


@pytest.mark.parametrize(("less", "found"), [(0, set()), (1, {"contract/shifted-zeros"})])
def test_awq_stores_the_zero_point_itself(less, found):
    assert said(4, less, False, AWQ, axis="along") == found


@pytest.mark.parametrize("zero", [0, 7, 8, 15])
def test_one_constant_among_zero_points_that_vary_is_found(zero):
    found = said(4, 0, False, AWQ, axis="along", zero=zero)
    assert found in ({"contract/constant-zeros"}, {"contract/zero-point-convention"})


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_one_module_that_is_not_symmetric_under_a_symmetric_label(bits):
    vary = said(bits, 1, False, {**V1, "sym": True})
    assert vary == {"contract/asymmetric-zeros"}


def test_a_format_that_is_not_known_is_not_judged():
    assert said(4, 0, True, {"quant_method": "gptq", "checkpoint_format": "marlin"}) == set()
