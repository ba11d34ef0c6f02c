"""Integers packed down the inputs, or along the outputs: the scales tell which, whatever the sizes are and is declared."""

from __future__ import annotations

import json

import pytest

from linted import check, rules_of
from tensorlint.report.findings import Report
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
SIZES = [(128, 128), (128, 1024), (1024, 128), (256, 32), (64, 64), (512, 64), (32, 256)]
CASES = [(n, k, group) for n, k in SIZES for group in (32, 64) if k % group == 0]
Shape = tuple[int, ...]


def gptq(n: int, k: int, bits: int, group: int) -> dict[str, tuple[str, Shape]]:
    return {
        "qweight": ("I32", (k * bits // 32, n)), "scales": ("F16", (k // group, n)),
        "qzeros": ("I32", (k // group, n * bits // 32)), "g_idx": ("I32", (k,)),
    }  # fmt: skip


def awq(n: int, k: int, bits: int, group: int) -> dict[str, tuple[str, Shape]]:
    parts = gptq(n, k, bits, group)
    del parts["g_idx"]
    return {**parts, "qweight": ("I32", (k, n * bits // 32))}


def linted(parts: dict[str, tuple[str, Shape]], config: dict[str, object], group: int) -> Report:
    tensors = {}
    for layer in range(3):
        for name, (dtype, shape) in parts.items():
            count = 1
            for size in shape:
                count *= size
            data = bytes((7 * i + layer * 11) % 251 for i in range(count * (2 if dtype == "F16" else 4)))
            if name == "scales":
                data = b"\x11\x21" * count
            if name == "g_idx":
                data = b"".join((i // group).to_bytes(4, "little") for i in range(count))
            tensors[f"model.layers.{layer}.o_proj.{name}"] = (dtype, shape, data)
    files = {"model.safetensors": write_shard(tensors), "config.json": json.dumps(config).encode()}
    return check(MemorySource(files), BOOK, rules_of(BOOK, ["contract", "config"]))


def declared(method: str, bits: int, group: int, **more: object) -> dict[str, object]:
    return {
        "model_type": "llama",
        "quantization_config": {"quant_method": method, "bits": bits, "group_size": group, **more},
    }


AS_GPTQ = [("gptq", {"sym": False}), ("auto-round", {"sym": False, "packing_format": "auto_round:auto_gptq"})]
AS_AWQ = [
    ("awq", {"zero_point": True, "version": "gemm"}),
    ("auto-round", {"sym": False, "packing_format": "auto_round:auto_awq"}),
]


@pytest.mark.parametrize(("n", "k", "group"), CASES)
@pytest.mark.parametrize("declaration", [*AS_GPTQ, *AS_AWQ], ids=lambda d: d[0])
def test_integers_packed_down_the_inputs_are_never_taken_for_the_other_axis(n, k, group, declaration):
    method, more = declaration
    report = linted(gptq(n, k, 4, group), declared(method, 4, group, **more), group)
    assert report.schemes == {"gptq": 3}
    said = {f.rule for f in report.findings if f.severity == "error"} - {"contract/shifted-zeros"}
    assert said == ({"config/scheme-mismatch"} if declaration in AS_AWQ else set())


@pytest.mark.parametrize(("n", "k", "group"), CASES)
@pytest.mark.parametrize("declaration", [*AS_GPTQ, *AS_AWQ], ids=lambda d: d[0])
def test_integers_packed_along_the_outputs_are_never_taken_for_the_other_axis(n, k, group, declaration):
    method, more = declaration
    report = linted(awq(n, k, 4, group), declared(method, 4, group, **more), group)
    assert report.schemes == {"awq": 3}
    said = {f.rule for f in report.findings if f.severity == "error"} - {"contract/shifted-zeros"}
    assert said == ({"config/scheme-mismatch"} if declaration in AS_GPTQ else set())


@pytest.mark.parametrize("version", ["gemv", "gemv_fast", "marlin", "llm-awq"])
def test_a_version_of_another_layout_is_a_mismatch(version):
    report = linted(awq(128, 256, 4, 64), declared("awq", 4, 64, zero_point=True, version=version), 64)
    assert "config/scheme-mismatch" in {f.rule for f in report.findings}


def test_zero_points_that_all_modules_lack_are_missed():
    parts = awq(128, 256, 4, 64)
    del parts["qzeros"]
    report = linted(parts, declared("awq", 4, 64, zero_point=True, version="gemm"), 64)
    assert [f.rule for f in report.findings if f.severity == "error"] == ["contract/missing-part"]
