"""What looks wrong and is not: published layouts that a linter is tempted to call broken. Nothing loud is said."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import build
from build import Files, Model, Tensor, bf16, codes, f16, floats, fp8
from linted import check, rules_of
from tensorlint.rulebook.library import load_book
from tensorlint.sources.local import LocalSource

CONFIG = "config.json"
TRAPS: dict[str, Callable[[], Model | Files]] = {}


def trap(make: Callable[[], Model | Files]) -> Callable[[], Model | Files]:
    """Register a checkpoint that is sound in spite of its looks."""
    assert make.__name__ not in TRAPS
    TRAPS[make.__name__] = make
    return make


def quantization(model: Model) -> dict[str, Any]:
    found: dict[str, Any] = model.configs[CONFIG]["quantization_config"]
    return found


def block_fp8(scale: str) -> Model:
    """Fine-grained FP8 whose block scales are stored in another dtype than F32."""
    model = build.fp8_block()
    for name, tensor in model.tensors.items():
        if name.endswith("weight_scale_inv"):
            model.tensors[name] = floats(scale, *tensor.shape, value=2e-4)
    return model


# -- values -----------------------------------------------------------------------------------------------------------


@trap
def negative_scales_of_symmetric_int4_as_auto_round_writes_them() -> Model:
    model = build.gptq()
    quantization(model).update(quant_method="auto-round", packing_format="auto_round:auto_gptq", data_type="int")
    for key in ("desc_act", "checkpoint_format"):
        del quantization(model)[key]
    for name, tensor in list(model.tensors.items()):
        if name.endswith(".g_idx"):
            del model.tensors[name]
        if name.endswith(".scales"):
            tensor.put(0, *(f16(-0.01 if i % 2 else 0.01) for i in range(len(tensor.data) // 2)))
    return model


@trap
def zero_blocks_and_padded_rows() -> Model:
    """An intermediate size padded with zero rows, an embedding padded with zero rows for tokens nobody has."""
    model = build.plain("BF16")
    for name in ("model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.gate_proj.weight"):
        tensor = model.tensors[name]
        half = len(tensor.data) // 2
        tensor.data = tensor.data[:half] + bytes(half)
    embedding = model.tensors["model.embed_tokens.weight"]
    row = len(embedding.data) // embedding.shape[0]
    embedding.data = embedding.data[: -8 * row] + bytes(8 * row)
    return model


@trap
def zero_blocks_of_nvfp4() -> Model:
    """ModelOpt writes scale 1.0 for a block of zeros."""
    model = build.nvfp4()
    weight, scale = (model.tensors[f"model.layers.0.mlp.up_proj.{part}"] for part in ("weight", "weight_scale"))
    weight.data = bytes(8) + weight.data[8:]
    scale.data = b"\x38" + scale.data[1:]
    return model


@trap
def attention_biases_that_stayed_zero() -> Model:
    model = build.gpt_oss()
    for layer in range(build.LAYERS):
        bias = model.tensors[f"model.layers.{layer}.self_attn.q_proj.bias"]
        bias.data = bytes(len(bias.data))
    return model


@trap
def lora_that_was_never_trained() -> Model:
    return build.lora()


# -- dtypes and shapes ------------------------------------------------------------------------------------------------


@trap
def block_scales_in_bf16() -> Model:
    return block_fp8("BF16")


@trap
def block_scales_in_f16() -> Model:
    return block_fp8("F16")


@trap
def e8m0_as_bytes() -> Model:
    return build.gpt_oss()


@trap
def e8m0_as_its_own_dtype() -> Model:
    model = build.gpt_oss()
    for name, tensor in model.tensors.items():
        if name.endswith("_scales"):
            tensor.dtype = "F8_E8M0"
    return model


@trap
def scalars_as_one_element_lists() -> Model:
    model = build.nvfp4()
    for name, tensor in model.tensors.items():
        if name.endswith(("weight_scale_2", "input_scale")):
            tensor.shape = (1,)
    return model


@trap
def divisors_as_scalars() -> Model:
    model = build.compressed_nvfp4()
    for name, tensor in model.tensors.items():
        if name.endswith("_global_scale"):
            tensor.shape = ()
    return model


@trap
def a_vocabulary_larger_than_that_of_the_tokenizer() -> Files:
    files = build.plain("BF16").files()
    words = {f"w{i}": i for i in range(build.VOCABULARY - 16)}
    files["tokenizer.json"] = json.dumps({"model": {"type": "WordLevel", "vocab": words}}).encode()
    return files


@trap
def norms_in_f32_beside_bf16() -> Model:
    model = build.plain("BF16")
    for name, tensor in model.tensors.items():
        if name.endswith("norm.weight"):
            model.tensors[name] = floats("F32", *tensor.shape, value=1.0)
    return model


# -- presence ---------------------------------------------------------------------------------------------------------


@trap
def weight_only_nvfp4_without_input_scales() -> Model:
    model = build.nvfp4()
    build.drop(model, [n for n in model.tensors if n.endswith("input_scale")])
    quantization(model)["quant_algo"] = "W4A16_NVFP4"
    quantization(model)["config_groups"]["group_0"]["input_activations"] = None
    model.configs["hf_quant_config.json"]["quantization"]["quant_algo"] = "W4A16_NVFP4"
    return model


@trap
def weight_only_nvfp4_under_the_general_name() -> Model:
    """All input_activations are null: engines read the same label as weight-only."""
    model = build.nvfp4()
    build.drop(model, [n for n in model.tensors if n.endswith("input_scale")])
    quantization(model)["config_groups"]["group_0"]["input_activations"] = None
    return model


@trap
def dynamic_activations_have_no_scale() -> Model:
    return build.fp8_block()


def comfy(static: bool) -> Files:
    tensors: dict[str, Tensor] = {"scaled_fp8": floats("F32", 0)}
    for block in range(2):
        for name in ("attn.to_q", "attn.to_k", "ff.net.0.proj"):
            module = f"transformer_blocks.{block}.{name}"
            tensors[f"{module}.weight"] = fp8(64, 32, seed=module)
            tensors[f"{module}.scale_weight"] = floats("F32", value=0.002)
            tensors[f"{module}.bias"] = floats("BF16", 64, seed=module)
            if static:
                tensors[f"{module}.scale_input"] = floats("F32", value=0.5)
    return {"flux-fp8.safetensors": build.shard(tensors)}


@trap
def comfy_fp8_with_static_inputs() -> Files:
    return comfy(static=True)


@trap
def comfy_fp8_with_dynamic_inputs() -> Files:
    return comfy(static=False)


@trap
def no_metadata_in_the_header() -> Files:
    files = build.gpt_oss().files()
    entries, data = build.parsed(files["model.safetensors"])
    del entries["__metadata__"]
    files["model.safetensors"] = build.with_header(entries, data)
    return files


@trap
def mixed_precision_of_nvfp4_fp8_and_bf16() -> Model:
    """ModelOpt MIXED_PRECISION: FP8 attention, NVFP4 MLPs, and one layer left alone."""
    model = build.nvfp4()
    layers: dict[str, Any] = {}
    for name in [n for n in model.tensors if n.endswith("_proj.weight")]:
        module, tensor = name.removesuffix(".weight"), model.tensors[name]
        rows, columns = tensor.shape[0], tensor.shape[1] * 2
        if ".self_attn." in name:
            build.drop(model, [f"{module}.{part}" for part in ("weight_scale", "weight_scale_2")])
            model.tensors[name] = fp8(rows, columns, seed=name)
            model.tensors[f"{module}.weight_scale"] = floats("F32", value=2e-4)
            layers[module] = {"quant_algo": "FP8"}
        elif name.startswith("model.layers.1."):
            build.drop(model, [f"{module}.{part}" for part in ("weight_scale", "weight_scale_2", "input_scale")])
            model.tensors[name] = floats("BF16", rows, columns, seed=name)
        else:
            layers[module] = {"quant_algo": "NVFP4", "group_size": 16}
    quantization(model).update(quant_algo="MIXED_PRECISION", quantized_layers=layers, ignore=[], config_groups={})
    model.configs["hf_quant_config.json"]["quantization"] = {
        "quant_algo": "MIXED_PRECISION",
        "kv_cache_quant_algo": None,
        "quantized_layers": layers,
        "exclude_modules": [],
    }
    return model


# -- files ------------------------------------------------------------------------------------------------------------


@trap
def one_tiny_shard_beside_large_ones() -> Files:
    model = build.plain("BF16")
    names = list(model.tensors)
    parts = {"model-00001-of-00002.safetensors": names[:-1], "model-00002-of-00002.safetensors": names[-1:]}
    model.tensors[names[-1]] = model.tensors.pop(names[-1])
    weight_map = {n: file for file, mine in parts.items() for n in mine}
    total = sum(len(t.data) for t in model.tensors.values())
    files = {f: build.shard({n: model.tensors[n] for n in mine}) for f, mine in parts.items()}
    files["model.safetensors.index.json"] = json.dumps(
        {"metadata": {"total_size": total}, "weight_map": weight_map}
    ).encode()
    return {**files, CONFIG: json.dumps(model.configs[CONFIG]).encode()}


# -- models that are put together otherwise ---------------------------------------------------------------------------


@trap
def deepseek_v3_with_its_mtp_layer() -> Model:
    """Block FP8, a dense first layer, routed experts, and behind the counted layers the one that predicts ahead."""
    model = Model()
    hidden, inner, expert, q_rank, kv_rank, rope, heads, nope = 256, 512, 256, 256, 256, 64, 4, 64
    model.tensors["model.embed_tokens.weight"] = floats("BF16", 96, hidden, seed="embedding")

    def linear(name: str, rows: int, columns: int) -> None:
        model.tensors[f"{name}.weight"] = fp8(rows, columns, seed=name)
        grid = (-(-rows // 128), -(-columns // 128))
        model.tensors[f"{name}.weight_scale_inv"] = floats("F32", *grid, value=2e-4)

    def norm(name: str, size: int = hidden) -> None:
        model.tensors[f"{name}.weight"] = floats("BF16", size, value=1.0)

    for layer in range(3):
        start = f"model.layers.{layer}"
        linear(f"{start}.self_attn.q_a_proj", q_rank, hidden)
        linear(f"{start}.self_attn.q_b_proj", heads * (nope + rope), q_rank)
        linear(f"{start}.self_attn.kv_a_proj_with_mqa", kv_rank + rope, hidden)
        linear(f"{start}.self_attn.kv_b_proj", heads * 2 * nope, kv_rank)
        linear(f"{start}.self_attn.o_proj", hidden, heads * nope)
        norm(f"{start}.self_attn.q_a_layernorm", q_rank)
        norm(f"{start}.self_attn.kv_a_layernorm", kv_rank)
        norm(f"{start}.input_layernorm")
        norm(f"{start}.post_attention_layernorm")
        mlps = {f"{start}.mlp": inner}
        if layer:
            mlps = {f"{start}.mlp.experts.{e}": expert for e in range(2)} | {f"{start}.mlp.shared_experts": expert}
            model.tensors[f"{start}.mlp.gate.weight"] = floats("BF16", 2, hidden, seed=start)
            model.tensors[f"{start}.mlp.gate.e_score_correction_bias"] = floats("F32", 2, seed=start)
        for mlp, size in mlps.items():
            linear(f"{mlp}.gate_proj", size, hidden)
            linear(f"{mlp}.up_proj", size, hidden)
            linear(f"{mlp}.down_proj", hidden, size)
    ahead = "model.layers.2"
    model.tensors[f"{ahead}.eh_proj.weight"] = floats("BF16", hidden, 2 * hidden, seed="eh")
    model.tensors[f"{ahead}.embed_tokens.weight"] = model.tensors["model.embed_tokens.weight"]
    model.tensors[f"{ahead}.shared_head.head.weight"] = floats("BF16", 96, hidden, seed="head")
    for name in ("enorm", "hnorm", "shared_head.norm"):
        norm(f"{ahead}.{name}")
    norm("model.norm")
    model.tensors["lm_head.weight"] = floats("BF16", 96, hidden, seed="head")
    model.configs[CONFIG] = {
        "architectures": ["DeepseekV3ForCausalLM"],
        "model_type": "deepseek_v3",
        "hidden_size": hidden,
        "intermediate_size": inner,
        "moe_intermediate_size": expert,
        "num_hidden_layers": 2,
        "num_nextn_predict_layers": 1,
        "first_k_dense_replace": 1,
        "n_routed_experts": 2,
        "n_shared_experts": 1,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "q_lora_rank": q_rank,
        "kv_lora_rank": kv_rank,
        "qk_rope_head_dim": rope,
        "qk_nope_head_dim": nope,
        "v_head_dim": nope,
        "vocab_size": 96,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "quantization_config": {
            "activation_scheme": "dynamic",
            "fmt": "e4m3",
            "quant_method": "fp8",
            "weight_block_size": [128, 128],
        },
    }
    return model


@trap
def a_router_pattern_that_is_part_of_longer_names() -> Model:
    """MiniMax lists `gate`; loaders that look at the end of a name leave gate_proj quantized."""
    model = build.fp8_block()
    quantization(model)["modules_to_not_convert"] = ["gate", "e_score_correction_bias", "lm_head"]
    return model


@trap
def entries_of_an_mtp_layer_that_was_left_out() -> Model:
    model = build.nvfp4()
    more = [f"model.layers.{build.LAYERS}*", "mtp*", "model.visual*"]
    quantization(model)["ignore"] += more
    model.configs["hf_quant_config.json"]["quantization"]["exclude_modules"] += more
    return model


@trap
def layers_named_without_the_model() -> Model:
    """What AutoModel saves: no head, no `model.` in front."""
    model = build.plain("BF16")
    model.tensors = {n.removeprefix("model."): t for n, t in model.tensors.items() if n != "lm_head.weight"}
    model.configs[CONFIG]["architectures"] = ["LlamaModel"]
    return model


@trap
def a_merge_that_repeats_layers() -> Model:
    """Layers are stacked twice on purpose: more copies than any accident makes."""
    model = build.plain("BF16")
    layers = {n: t for n, t in model.tensors.items() if n.startswith("model.layers.0.")}
    for number in range(build.LAYERS, 6):
        model.tensors.update({n.replace("layers.0.", f"layers.{number}."): t for n, t in layers.items()})
    model.configs[CONFIG]["num_hidden_layers"] = 6
    return model


@trap
def gptq_with_other_bits_in_single_modules() -> Model:
    """`dynamic` of GPTQModel: one module in 8 bit, one layer not quantized."""
    model = build.gptq()
    name = "model.layers.0.mlp.down_proj"
    columns, rows = build.INNER, build.HIDDEN
    model.tensors[f"{name}.qweight"] = codes("I32", columns // 4, rows, seed=name)
    model.tensors[f"{name}.qzeros"] = Tensor("I32", (columns // 32, rows // 4), b"\x7f" * (columns // 32 * rows))
    for module in [n.removesuffix(".qweight") for n in model.tensors if "layers.1." in n and n.endswith("qweight")]:
        packed = model.tensors[f"{module}.qweight"].shape
        build.drop(model, [f"{module}.{part}" for part in ("qweight", "qzeros", "scales", "g_idx")])
        model.tensors[f"{module}.weight"] = floats("F16", packed[1], packed[0] * 8, seed=module)
    quantization(model)["dynamic"] = {"-:model\\.layers\\.1\\..*": {}, "+:.*\\.down_proj.*": {"bits": 8}}
    return model


@trap
def f16_scales_and_bf16_weights_in_one_file() -> Model:
    """auto-round keeps the model's BF16 beside F16 scales and states float16."""
    model = build.gptq()
    for name, tensor in model.tensors.items():
        if tensor.dtype == "F16" and not name.endswith(".scales"):
            values = struct.unpack(f"<{len(tensor.data) // 2}e", tensor.data)
            model.tensors[name] = Tensor("BF16", tensor.shape, b"".join(map(bf16, values)))
    model.configs[CONFIG]["torch_dtype"] = "float16"
    return model


@trap
def an_overlay_shard_that_the_index_prefers_to_a_stale_copy() -> Files:
    files = build.plain("BF16").files()
    name = "model.layers.0.mlp.down_proj.weight"
    entries, data = build.parsed(files["model.safetensors"])
    weight_map = {n: "model.safetensors" for n in entries if n != "__metadata__"}
    files["overlay.safetensors"] = build.shard({name: floats("BF16", *entries[name]["shape"], seed="newer")})
    weight_map[name] = "overlay.safetensors"
    index = {"metadata": {"total_size": len(data)}, "weight_map": weight_map}
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    return files


# -- the test ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRAPS)
def test_nothing_loud_is_said_about_what_only_looks_wrong(name: str, tmp_path: Path) -> None:
    content = TRAPS[name]()
    files = content.files() if isinstance(content, Model) else content
    book = load_book()
    report = check(LocalSource(build.write(files, tmp_path), str(tmp_path)), book, rules_of(book))
    assert not [(f.rule, f.message) for f in report.findings if f.severity != "note"]
    assert not [g for g in report.gaps if "no known scheme" in g]
