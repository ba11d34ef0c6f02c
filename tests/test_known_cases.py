"""Known ways in which published checkpoints break, one small file each: what is said, how loud, and at which place."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import build
from build import Files, Model, Tensor, drop, floats
from linted import check, rules_of
from tensorlint.report.findings import Report
from tensorlint.rulebook.library import load_book
from tensorlint.sources.local import LocalSource

FILE, INDEX, CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"
UP = "model.layers.1.mlp.up_proj"
DOWN = "model.layers.0.mlp.down_proj"
NAN, INF = float("nan"), float("inf")

Case = tuple[Callable[[], Model | Files], str, int, str, str]
CASES: dict[str, Case] = {}


def case(rule: str, code: int, file: str, tensor: str = "") -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Register a damaged checkpoint: the rule that sees it, the exit code, the file and the tensor that are named."""

    def register(make: Callable[[], Any]) -> Callable[[], Any]:
        assert make.__name__ not in CASES
        CASES[make.__name__] = (make, rule, code, file, tensor)
        return make

    return register


def checked(content: Model | Files, folder: Path) -> Report:
    files = content.files() if isinstance(content, Model) else content
    book = load_book()
    return check(LocalSource(build.write(files, folder), str(folder)), book, rules_of(book))


# -- container --------------------------------------------------------------------------------------------------------


def whole() -> bytes:
    return build.nvfp4().files()[FILE]


def container(change: Callable[[dict[str, Any]], None]) -> Files:
    """The good model with an edited header."""
    entries, data = build.parsed(whole())
    change(entries)
    return {**build.nvfp4().files(), FILE: build.with_header(entries, data)}


@case("container/truncated", 1, FILE)
def truncated_by_100_bytes() -> Files:
    return {**build.nvfp4().files(), FILE: whole()[:-100]}


@case("container/overlap", 1, FILE, f"{UP}.weight")
def overlapping_offsets() -> Files:
    def change(entries: dict[str, Any]) -> None:
        begin, end = entries[f"{UP}.weight"]["data_offsets"]
        entries[f"{UP}.weight"]["data_offsets"] = [begin - 16, end - 16]

    return container(change)


@case("container/hole", 1, FILE)
def hole_between_tensors() -> Files:
    entries, data = build.parsed(whole())
    at = entries[f"{UP}.weight"]["data_offsets"][0]
    for name, entry in entries.items():
        if name != "__metadata__" and entry["data_offsets"][0] >= at:
            entry["data_offsets"] = [offset + 64 for offset in entry["data_offsets"]]
    return {**build.nvfp4().files(), FILE: build.with_header(entries, data[:at] + bytes(64) + data[at:])}


@case("container/trailing-bytes", 1, FILE)
def trailing_bytes() -> Files:
    return {**build.nvfp4().files(), FILE: whole() + b"leftover"}


@case("container/span-mismatch", 1, FILE, f"{UP}.weight")
def shape_is_not_the_span() -> Files:
    return container(lambda entries: entries[f"{UP}.weight"].update(shape=[128, 31]))


@case("container/unknown-dtype", 1, FILE, f"{UP}.weight")
def unknown_dtype() -> Files:
    return container(lambda entries: entries[f"{UP}.weight"].update(dtype="NVFP4"))


@case("container/duplicate-key", 1, FILE)
def duplicate_key() -> Files:
    entries, data = build.parsed(whole())
    text = json.dumps(entries)
    again = json.dumps({f"{UP}.weight": entries[f"{UP}.weight"]})
    return {**build.nvfp4().files(), FILE: build.with_header(text[:-1] + "," + again[1:], data)}


@case("container/header-length", 1, FILE)
def header_length_2_to_60() -> Files:
    return {**build.nvfp4().files(), FILE: struct.pack("<Q", 1 << 60) + whole()[8:]}


@case("container/header-not-json", 1, FILE)
def header_json_cut() -> Files:
    entries, data = build.parsed(whole())
    return {**build.nvfp4().files(), FILE: build.with_header(json.dumps(entries)[:-500], data)}


@case("container/too-small", 1, FILE)
def empty_file() -> Files:
    return {**build.nvfp4().files(), FILE: b""}


@case("container/lfs-pointer", 1, FILE)
def lfs_pointer_instead_of_the_file() -> Files:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'5f' * 32}\nsize 181416\n"
    return {**build.nvfp4().files(), FILE: text.encode()}


# -- index ------------------------------------------------------------------------------------------------------------


def sharded(change: Callable[[dict[str, Any]], None]) -> Files:
    """The good model in three shards with an edited index."""
    model = build.nvfp4()
    model.shards = 3
    files = model.files()
    index = json.loads(files[INDEX])
    change(index)
    return {**files, INDEX: json.dumps(index).encode()}


def first(index: dict[str, Any]) -> str:
    return next(iter(index["weight_map"]))


@case("index/missing-shard", 1, INDEX)
def index_names_a_missing_shard() -> Files:
    files = sharded(lambda index: None)
    del files["model-00002-of-00003.safetensors"]
    return files


@case("index/missing-tensor", 1, INDEX, "model.layers.0.ghost.weight")
def index_names_a_tensor_that_no_shard_has() -> Files:
    shard = "model-00001-of-00003.safetensors"
    return sharded(lambda index: index["weight_map"].update({"model.layers.0.ghost.weight": shard}))


@case("index/unlisted-tensor", 1, INDEX, "lm_head.weight")
def shard_tensor_not_in_the_index() -> Files:
    return sharded(lambda index: index["weight_map"].pop("lm_head.weight"))


@case("index/total-size", 0, INDEX)
def index_total_size_wrong() -> Files:
    return sharded(lambda index: index["metadata"].update(total_size=12345))


@case("index/wrong-shard", 1, INDEX, "model.embed_tokens.weight")
def index_maps_a_tensor_to_the_wrong_shard() -> Files:
    shard = "model-00002-of-00003.safetensors"
    return sharded(lambda index: index["weight_map"].update({"model.embed_tokens.weight": shard}))


# -- values -----------------------------------------------------------------------------------------------------------


def damaged(make: Callable[[], Model], tensor: str, at: int, *values: bytes) -> Model:
    """A good model with some elements of one tensor replaced."""
    model = make()
    model.tensors[tensor].put(at, *values)
    return model


@case("scales/nan", 1, FILE, f"{UP}.weight_scale")
def four_7f_in_a_block_scale() -> Model:
    return damaged(build.nvfp4, f"{UP}.weight_scale", 35, b"\x7f\x7f\x7f\x7f")


@case("scales/nan", 1, FILE, f"{UP}.weight_scale")
def one_ff_in_a_block_scale() -> Model:
    return damaged(build.nvfp4, f"{UP}.weight_scale", 0, b"\xff")


@case("scales/nan", 1, FILE, f"{UP}.weight_scale_2")
def nan_in_a_scale_per_tensor() -> Model:
    return damaged(build.nvfp4, f"{UP}.weight_scale_2", 0, build.f32(NAN))


@case("weights/nan", 1, FILE, "lm_head.weight")
def bf16_nan_beside_fp8() -> Model:
    return damaged(build.nvfp4, "lm_head.weight", 77, build.bf16(NAN))


@case("weights/inf", 1, FILE, "model.embed_tokens.weight")
def bf16_inf_beside_fp8() -> Model:
    return damaged(build.nvfp4, "model.embed_tokens.weight", 77, build.bf16(-INF))


@case("weights/inf", 1, FILE, f"{UP}.weight")
def bf16_only_inf() -> Model:
    return damaged(lambda: build.plain("BF16"), f"{UP}.weight", 8191, build.bf16(INF))


@case("weights/nan", 1, FILE, "model.norm.weight")
def bf16_only_nan() -> Model:
    return damaged(lambda: build.plain("BF16"), "model.norm.weight", 63, build.bf16(NAN))


@case("weights/inf", 1, FILE, f"{DOWN}.weight")
def f16_only_inf() -> Model:
    return damaged(lambda: build.plain("F16"), f"{DOWN}.weight", 5000, build.f16(INF))


@case("weights/nan", 1, FILE, f"{DOWN}.weight")
def f32_only_nan() -> Model:
    return damaged(lambda: build.plain("F32"), f"{DOWN}.weight", 5000, build.f32(NAN))


@case("weights/nan", 1, FILE, f"{UP}.weight")
def fp8_block_nan_in_the_weight() -> Model:
    return damaged(build.fp8_block, f"{UP}.weight", 40000, b"\x7f")


@case("scales/inf", 1, FILE, f"{UP}.weight_scale_inv")
def fp8_block_inf_in_a_scale() -> Model:
    return damaged(build.fp8_block, f"{UP}.weight_scale_inv", 3, build.f32(INF))


@case("scales/inf", 1, FILE, f"{UP}.scales")
def gptq_inf_in_a_scale() -> Model:
    return damaged(build.gptq, f"{UP}.scales", 100, build.f16(INF))


@case("scales/nan", 1, FILE, "model.layers.1.mlp.experts.down_proj_scales")
def mxfp4_ff_in_a_shared_exponent() -> Model:
    return damaged(build.gpt_oss, "model.layers.1.mlp.experts.down_proj_scales", 10, b"\xff")


@case("scales/nan", 1, FILE, f"{UP}.weight_scale")
def compressed_nvfp4_nan_in_a_block_scale() -> Model:
    return damaged(build.compressed_nvfp4, f"{UP}.weight_scale", 10, b"\x7f")


@case("scales/inf", 1, FILE, f"{DOWN}.input_global_scale")
def compressed_nvfp4_global_scale_infinite() -> Model:
    return damaged(build.compressed_nvfp4, f"{DOWN}.input_global_scale", 0, build.f32(INF))


@case("scales/all-zero", 1, FILE, f"{UP}.weight_global_scale")
def compressed_nvfp4_global_scale_zero() -> Model:
    return damaged(build.compressed_nvfp4, f"{UP}.weight_global_scale", 0, build.f32(0))


@case("scales/inverted-divisor", 1, FILE, f"{UP}.weight_global_scale")
def compressed_nvfp4_global_scale_inverted() -> Model:
    return damaged(build.compressed_nvfp4, f"{UP}.weight_global_scale", 0, build.f32(1 / 5000))


@case("weights/nan", 1, "adapter_model.safetensors", "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight")
def lora_nan() -> Model:
    name = "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"
    return damaged(build.lora, name, 9, build.f32(NAN))


# -- contracts --------------------------------------------------------------------------------------------------------


@case("scales/all-zero", 1, FILE, f"{UP}.weight_scale")
def block_scale_all_zero() -> Model:
    return damaged(build.nvfp4, f"{UP}.weight_scale", 0, bytes(512))


@case("scales/mostly-saturated", 1, FILE, f"{UP}.weight_scale")
def forty_percent_of_a_block_scale_at_the_ceiling() -> Model:
    return damaged(build.nvfp4, f"{UP}.weight_scale", 0, b"\x7e" * 205)


@case("scales/negative", 1, FILE, f"{UP}.weight_scale")
def negative_block_scales() -> Model:
    return damaged(build.nvfp4, f"{UP}.weight_scale", 5, b"\xb8\xb9")


@case("scales/all-zero", 1, FILE, f"{UP}.input_scale")
def input_scale_zero() -> Model:
    return damaged(build.nvfp4, f"{UP}.input_scale", 0, build.f32(0))


@case("weights/all-zero", 1, FILE, f"{UP}.weight")
def packed_weight_all_zero() -> Model:
    return damaged(build.nvfp4, f"{UP}.weight", 0, bytes(128 * 32))


@case("contract/wrong-dtype", 1, FILE, f"{UP}.weight_scale")
def block_scale_in_f32() -> Model:
    model = build.nvfp4()
    model.tensors[f"{UP}.weight_scale"] = build.floats("F32", 128, 4, value=1.0)
    return model


@case("contract/wrong-shape", 1, FILE, f"{UP}.weight_scale")
def block_scale_of_half_the_width() -> Model:
    model = build.nvfp4()
    model.tensors[f"{UP}.weight_scale"] = build.codes("F8_E4M3", 128, 2, low=0x50, high=0x76)
    return model


@case("contract/missing-part", 1, FILE, f"{UP}.weight_scale")
def block_scale_missing() -> Model:
    model = build.nvfp4()
    build.drop(model, [f"{UP}.weight_scale"])
    return model


@case("contract/missing-part", 1, FILE, f"{UP}.input_scale")
def input_scale_missing() -> Model:
    model = build.nvfp4()
    build.drop(model, [f"{UP}.input_scale"])
    return model


def declared(change: Callable[[dict[str, Any]], None], both: bool = True) -> Model:
    """The good model with edited declarations, of both files or of config.json alone."""
    model = build.nvfp4()
    change(model.configs[CONFIG]["quantization_config"])
    if both:
        other = model.configs["hf_quant_config.json"]["quantization"]
        change(other)
        if "ignore" in other:
            other["exclude_modules"] = other.pop("ignore")
    return model


@case("config/scheme-mismatch", 1, CONFIG)
def declared_fp8_but_nvfp4() -> Model:
    return declared(lambda values: values.update(quant_algo="FP8"))


@case("config/parameter-mismatch", 1, CONFIG)
def declared_group_size_32_but_16() -> Model:
    def change(values: dict[str, Any]) -> None:
        if "config_groups" in values:
            values["config_groups"]["group_0"]["weights"]["group_size"] = 32
        else:
            values["group_size"] = 32

    return declared(change)


@case("config/unquantized-not-ignored", 1, CONFIG, f"{UP}.weight")
def bf16_layer_not_in_the_ignore_list() -> Model:
    model = build.nvfp4()
    build.drop(model, [name for name in model.tensors if name.startswith(UP + ".")])
    model.tensors[f"{UP}.weight"] = build.floats("BF16", 128, 64)
    return model


@case("config/ignored-but-quantized", 1, CONFIG, f"{UP}.weight")
def ignored_module_that_is_quantized() -> Model:
    return declared(lambda values: values.update(ignore=["lm_head", UP]))


@case("config/declarations-differ", 1, CONFIG)
def config_and_hf_quant_config_disagree() -> Model:
    model = build.nvfp4()
    model.configs["hf_quant_config.json"]["quantization"]["quant_algo"] = "FP8"
    return model


@case("model/missing-layer", 1, CONFIG, "model.layers.2.*")
def a_layer_missing_against_the_count() -> Model:
    model = build.nvfp4()
    model.configs[CONFIG]["num_hidden_layers"] = 3
    return model


@case("config/declaration-missing", 1, CONFIG)
def quantization_config_absent() -> Model:
    model = build.nvfp4()
    del model.configs[CONFIG]["quantization_config"]
    del model.configs["hf_quant_config.json"]
    return model


@case("config/dtype", 0, CONFIG)
def another_16_bit_dtype_in_config() -> Model:
    model = build.compressed_nvfp4()
    model.configs[CONFIG]["torch_dtype"] = "float16"
    return model


@case("config/mistaken-entry", 0, CONFIG)
def head_misspelt_in_the_ignore_list() -> Model:
    model = build.compressed_nvfp4()
    model.configs[CONFIG]["quantization_config"]["ignore"] = ["lm_haed"]
    return model


@case("config/head-not-ignored", 0, CONFIG, "lm_head.weight")
def ignore_list_emptied() -> Model:
    model = build.compressed_nvfp4()
    model.configs[CONFIG]["quantization_config"]["ignore"] = []
    return model


@case("config/foreign-key", 0, CONFIG)
def method_of_another_exporter() -> Model:
    model = build.gptq()
    model.configs[CONFIG]["quantization_config"]["quant_method"] = "auto-round"
    return model


@case("config/one-sided", 0, CONFIG)
def declaration_only_in_the_sidecar() -> Model:
    model = build.gptq()
    model.configs["quantize_config.json"] = model.configs[CONFIG].pop("quantization_config")
    return model


@case("config/declarations-differ", 1, CONFIG)
def sidecar_with_another_group_size() -> Model:
    model = build.gptq()
    model.configs["quantize_config.json"] = {**model.configs[CONFIG]["quantization_config"], "group_size": 64}
    return model


@case("config/dimension", 1, CONFIG, "model.layers.0.mlp.router.weight")
def stacked_experts_miscounted() -> Model:
    model = build.gpt_oss()
    model.configs[CONFIG]["num_local_experts"] = 5
    return model


@case("model/extra-layer", 1, CONFIG, "model.layers.1.*")
def one_layer_too_few_in_a_model_that_may_predict_ahead() -> Model:
    model = build.plain("BF16")
    model.configs[CONFIG].update(num_hidden_layers=1, num_nextn_predict_layers=1)
    return model


@case("model/copied-layer", 0, FILE, "model.layers.1.*")
def layer_saved_twice() -> Model:
    model = build.plain("BF16")
    for name in [n for n in model.tensors if n.startswith("model.layers.0.")]:
        model.tensors[name.replace("layers.0.", "layers.1.")] = model.tensors[name]
    return model


def renamed(model: Model, old: str, new: str) -> Model:
    model.tensors = {n.replace(old, new): t for n, t in model.tensors.items()}
    return model


@case("names/repeated-segment", 1, FILE, "model.model.layers.0.self_attn.q_proj.weight")
def saved_inside_a_wrapper() -> Model:
    return renamed(build.plain("BF16"), "model.layers", "model.model.layers")


@case("names/foreign-prefix", 1, FILE, "model.language_model.layers.0.self_attn.q_proj.weight")
def text_model_named_as_part_of_a_larger_one() -> Model:
    return renamed(build.plain("BF16"), "model.layers", "model.language_model.layers")


@case("names/renamed-module", 1, FILE, f"{UP}.linear.weight")
def one_module_left_in_its_wrapper() -> Model:
    return renamed(build.plain("BF16"), f"{UP}.", f"{UP}.linear.")


@case("contract/odd-part-type", 0, FILE, f"{UP}.weight_scale_inv")
def one_scale_in_another_dtype() -> Model:
    model = build.fp8_block()
    scale = model.tensors[f"{UP}.weight_scale_inv"]
    model.tensors[f"{UP}.weight_scale_inv"] = floats("BF16", *scale.shape, value=2e-4)
    return model


@case("contract/odd-type", 1, FILE, "lm_head.weight")
def head_relabelled_as_f16() -> Model:
    model = build.plain("BF16")
    model.tensors["lm_head.weight"].dtype = "F16"
    return model


@case("contract/missing-part", 1, FILE, f"{DOWN}.qzeros")
def zero_points_dropped_everywhere() -> Model:
    model = build.gptq()
    drop(model, [n for n in model.tensors if n.endswith(".qzeros")])
    return model


@case("contract/leaked-state", 0, FILE, f"{UP}.weight_quantizer._amax")
def amax_of_calibration_saved() -> Model:
    model = build.nvfp4()
    model.tensors[f"{UP}.weight_quantizer._amax"] = floats("F32", value=1.5)
    return model


@case("contract/activations-undeclared", 0, CONFIG)
def input_scales_dropped_everywhere() -> Model:
    model = build.nvfp4()
    drop(model, [n for n in model.tensors if n.endswith(".input_scale")])
    return model


# -- tests ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_a_known_defect_is_found_at_its_place(name: str, tmp_path: Path) -> None:
    make, rule, code, file, tensor = CASES[name]
    report = checked(make(), tmp_path)
    said = {f.rule: f for f in report.findings if f.severity != "note"}
    assert rule in said, sorted(said)
    places = [(where.file, where.tensor) for where in said[rule].locations]
    assert any(f == file and (not tensor or t == tensor) for f, t in places), places
    assert report.exit_code("error") == code


@pytest.mark.parametrize("name", CASES)
def test_a_single_defect_is_not_reported_many_times_over(name: str, tmp_path: Path) -> None:
    make = CASES[name][0]
    loud = [f.rule for f in checked(make(), tmp_path).findings if f.severity != "note"]
    assert len(loud) <= 2, loud


GOOD: dict[str, Callable[[], Model]] = {
    "modelopt-nvfp4": build.nvfp4,
    "compressed-nvfp4": build.compressed_nvfp4,
    "fp8-block": build.fp8_block,
    "gptq": build.gptq,
    "gpt-oss-mxfp4": build.gpt_oss,
    "bf16": lambda: build.plain("BF16"),
    "f16": lambda: build.plain("F16"),
    "f32": lambda: build.plain("F32"),
    "lora": build.lora,
}


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_said_about_a_good_file(name: str, shards: int, tmp_path: Path) -> None:
    model = GOOD[name]()
    model.shards = shards
    report = checked(model, tmp_path)
    assert not [(f.rule, f.message) for f in report.findings]
    assert report.exit_code("warning") == 0
    assert not report.gaps


def test_the_nvfp4_model_has_every_tensor_of_its_layout() -> None:
    assert len(build.nvfp4().tensors) == 63


def test_a_packed_tensor_may_be_changed_in_place() -> None:
    tensor = Tensor("F16", (3,), bytes(6))
    tensor.put(1, build.f16(1.0))
    assert tensor.data == b"\0\0\0\x3c\0\0"
