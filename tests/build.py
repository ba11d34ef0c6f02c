"""Small Llama-shaped checkpoints, built byte by byte: what each format puts on the disk, with every file a model has."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorlint.dtypes import DTYPE_BITS

HIDDEN, INNER, VOCABULARY, LAYERS = 64, 128, 96, 2
HEADS, SHARED_HEADS, HEAD_SIZE = 4, 2, 16
Files = dict[str, bytes]


@dataclass
class Tensor:
    """One tensor as it is stored."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def put(self, at: int, *values: bytes) -> None:
        """Replace elements from index `at` on."""
        width = DTYPE_BITS[self.dtype] // 8
        raw = b"".join(values)
        self.data = self.data[: at * width] + raw + self.data[at * width + len(raw) :]


@dataclass
class Model:
    """A checkpoint in the making: tensors in file order, JSON files, and how many shards it is written to."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    shards: int = 1
    name: str = "model"

    def files(self) -> Files:
        """The content of every file."""
        found = {name: json.dumps(content, indent=2).encode() for name, content in self.configs.items()}
        if self.shards == 1:
            return {f"{self.name}.safetensors": shard(self.tensors), **found}
        names = list(self.tensors)
        size = -(-len(names) // self.shards)
        weight_map: dict[str, str] = {}
        for number in range(self.shards):
            file = f"{self.name}-{number + 1:05}-of-{self.shards:05}.safetensors"
            mine = names[number * size : (number + 1) * size]
            found[file] = shard({n: self.tensors[n] for n in mine})
            weight_map.update(dict.fromkeys(mine, file))
        total = sum(len(t.data) for t in self.tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        found[f"{self.name}.safetensors.index.json"] = json.dumps(index).encode()
        return found


def write(files: Files, folder: Path) -> Path:
    """Put files into a folder."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


# -- bytes ------------------------------------------------------------------------------------------------------------


def shard(tensors: dict[str, Tensor]) -> bytes:
    """A safetensors file."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, tensor in tensors.items():
        end = at + len(tensor.data)
        entries[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    return with_header(entries, b"".join(t.data for t in tensors.values()))


def with_header(entries: dict[str, Any] | str, data: bytes) -> bytes:
    """A file of a header (entries or its text) and data."""
    text = (entries if isinstance(entries, str) else json.dumps(entries, separators=(",", ":"))).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def parsed(file: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and data of a file."""
    length = int.from_bytes(file[:8], "little")
    return json.loads(file[8 : 8 + length]), file[8 + length :]


def f32(value: float) -> bytes:
    """One F32 element."""
    return struct.pack("<f", value)


def f16(value: float) -> bytes:
    """One F16 element."""
    return struct.pack("<e", value)


def bf16(value: float) -> bytes:
    """One BF16 element: the upper half of an F32, cut."""
    return struct.pack("<f", value)[2:]


_FLOATS: dict[str, Callable[[float], bytes]] = {"F32": f32, "F16": f16, "BF16": bf16}


def floats(dtype: str, *shape: int, seed: str = "", value: float | None = None) -> Tensor:
    """Normally distributed values, or one value over and over."""
    source = random.Random(f"{seed} {shape}")
    values = (source.gauss(0, 0.02) if value is None else value for _ in range(math.prod(shape)))
    return Tensor(dtype, shape, b"".join(map(_FLOATS[dtype], values)))


def codes(dtype: str, *shape: int, seed: str = "", low: int = 0, high: int = 255) -> Tensor:
    """Packed values: bytes from `low` to `high`."""
    source = random.Random(f"{seed} {shape}")
    count = math.prod(shape) * DTYPE_BITS[dtype] // 8
    return Tensor(dtype, shape, bytes(source.randint(low, high) for _ in range(count)))


def fp8(*shape: int, seed: str = "") -> Tensor:
    """E4M3 values of both signs, none of them NaN."""
    source = random.Random(f"{seed} {shape}")
    data = bytes(source.randrange(0x78) | source.choice((0, 0x80)) for _ in range(math.prod(shape)))
    return Tensor("F8_E4M3", shape, data)


# -- models -----------------------------------------------------------------------------------------------------------

Linear = Callable[[Model, str, int, int], None]


def llama(linear: Linear, dtype: str = "BF16", quantization: dict[str, Any] | None = None, scale: int = 1) -> Model:
    """A whole Llama: embedding, layers, norms and head in `dtype`, the projections as `linear` stores them."""
    hidden, inner, size = HIDDEN * scale, INNER * scale, HEAD_SIZE * scale
    model = Model()
    model.tensors["model.embed_tokens.weight"] = floats(dtype, VOCABULARY, hidden, seed="embedding")
    for layer in range(LAYERS):
        start = f"model.layers.{layer}"
        for name, rows, columns in (
            ("self_attn.q_proj", HEADS * size, hidden),
            ("self_attn.k_proj", SHARED_HEADS * size, hidden),
            ("self_attn.v_proj", SHARED_HEADS * size, hidden),
            ("self_attn.o_proj", hidden, HEADS * size),
            ("mlp.gate_proj", inner, hidden),
            ("mlp.up_proj", inner, hidden),
            ("mlp.down_proj", hidden, inner),
        ):
            linear(model, f"{start}.{name}", rows, columns)
        for name in ("input_layernorm", "post_attention_layernorm"):
            model.tensors[f"{start}.{name}.weight"] = floats(dtype, hidden, value=1.0)
    model.tensors["model.norm.weight"] = floats(dtype, hidden, value=1.0)
    model.tensors["lm_head.weight"] = floats(dtype, VOCABULARY, hidden, seed="head")
    model.configs["config.json"] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": SHARED_HEADS,
        "head_dim": size,
        "vocab_size": VOCABULARY,
        "tie_word_embeddings": False,
        **({"quantization_config": quantization} if quantization else {}),
    }
    model.configs["generation_config.json"] = {"bos_token_id": 1, "eos_token_id": 2}
    return model


def plain(dtype: str) -> Model:
    """No quantization."""

    def linear(model: Model, name: str, rows: int, columns: int) -> None:
        model.tensors[f"{name}.weight"] = floats(dtype, rows, columns, seed=name)

    return llama(linear, dtype)


def nvfp4() -> Model:
    """ModelOpt NVFP4: 63 tensors, declared in both files."""

    def linear(model: Model, name: str, rows: int, columns: int) -> None:
        model.tensors[f"{name}.weight"] = codes("U8", rows, columns // 2, seed=name)
        model.tensors[f"{name}.weight_scale"] = codes("F8_E4M3", rows, columns // 16, seed=name, low=0x50, high=0x76)
        model.tensors[f"{name}.weight_scale_2"] = floats("F32", value=2e-4)
        model.tensors[f"{name}.input_scale"] = floats("F32", value=1e-3)

    producer = {"name": "modelopt", "version": "0.47.0"}
    numbers = {"dynamic": False, "num_bits": 4, "type": "float", "group_size": 16}
    group = {"input_activations": numbers, "weights": dict(numbers), "targets": ["Linear"]}
    model = llama(
        linear,
        quantization={
            "quant_method": "modelopt",
            "quant_algo": "NVFP4",
            "config_groups": {"group_0": group},
            "ignore": ["lm_head"],
            "producer": producer,
        },
    )
    model.configs["hf_quant_config.json"] = {
        "producer": producer,
        "quantization": {
            "quant_algo": "NVFP4",
            "kv_cache_quant_algo": None,
            "group_size": 16,
            "exclude_modules": ["lm_head"],
        },
    }
    return model


def compressed_nvfp4() -> Model:
    """compressed-tensors NVFP4: the global scales divide."""

    def linear(model: Model, name: str, rows: int, columns: int) -> None:
        model.tensors[f"{name}.weight_packed"] = codes("U8", rows, columns // 2, seed=name)
        model.tensors[f"{name}.weight_scale"] = codes("F8_E4M3", rows, columns // 16, seed=name, low=0x50, high=0x76)
        model.tensors[f"{name}.weight_global_scale"] = floats("F32", 1, value=5000.0)
        model.tensors[f"{name}.input_global_scale"] = floats("F32", 1, value=900.0)

    numbers = {"num_bits": 4, "type": "float", "symmetric": True, "strategy": "tensor_group", "group_size": 16}
    group = {
        "targets": ["Linear"],
        "weights": {**numbers, "dynamic": False},
        "input_activations": {**numbers, "dynamic": "local"},
        "output_activations": None,
    }
    quantization = {
        "quant_method": "compressed-tensors",
        "format": "nvfp4-pack-quantized",
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "ignore": ["lm_head"],
        "kv_cache_scheme": None,
    }
    return llama(linear, quantization=quantization)


def fp8_block() -> Model:
    """FP8 with one scale per 128x128 block, four times as wide as the others so that there are several blocks."""

    def linear(model: Model, name: str, rows: int, columns: int) -> None:
        model.tensors[f"{name}.weight"] = fp8(rows, columns, seed=name)
        grid = (-(-rows // 128), -(-columns // 128))
        model.tensors[f"{name}.weight_scale_inv"] = floats("F32", *grid, value=2e-4)

    quantization = {
        "quant_method": "fp8",
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
        "weight_block_size": [128, 128],
    }
    return llama(linear, quantization=quantization, scale=4)


def gptq() -> Model:
    """GPTQ, 4 bit, symmetric, groups of 32, format v1."""

    def linear(model: Model, name: str, rows: int, columns: int) -> None:
        groups = columns // 32
        model.tensors[f"{name}.qweight"] = codes("I32", columns // 8, rows, seed=name)
        model.tensors[f"{name}.qzeros"] = Tensor("I32", (groups, rows // 8), b"\x77" * (groups * rows // 2))
        model.tensors[f"{name}.scales"] = floats("F16", groups, rows, value=0.01)
        index = b"".join(struct.pack("<i", column // 32) for column in range(columns))
        model.tensors[f"{name}.g_idx"] = Tensor("I32", (columns,), index)

    quantization = {
        "quant_method": "gptq",
        "bits": 4,
        "group_size": 32,
        "desc_act": False,
        "sym": True,
        "checkpoint_format": "gptq",
    }
    return llama(linear, "F16", quantization)


def gpt_oss() -> Model:
    """MXFP4 experts in the layout of gpt-oss: blocks of 32 values with an E8M0 scale."""
    experts = 4
    model = Model()
    model.tensors["model.embed_tokens.weight"] = floats("BF16", VOCABULARY, HIDDEN, seed="embedding")
    for layer in range(LAYERS):
        start = f"model.layers.{layer}"
        for name, rows, columns in (
            ("q_proj", HEADS * HEAD_SIZE, HIDDEN),
            ("k_proj", SHARED_HEADS * HEAD_SIZE, HIDDEN),
            ("v_proj", SHARED_HEADS * HEAD_SIZE, HIDDEN),
            ("o_proj", HIDDEN, HEADS * HEAD_SIZE),
        ):
            model.tensors[f"{start}.self_attn.{name}.weight"] = floats("BF16", rows, columns, seed=name)
            model.tensors[f"{start}.self_attn.{name}.bias"] = floats("BF16", rows, seed=name)
        model.tensors[f"{start}.self_attn.sinks"] = floats("BF16", HEADS, seed="sinks")
        model.tensors[f"{start}.mlp.router.weight"] = floats("BF16", experts, HIDDEN, seed="router")
        model.tensors[f"{start}.mlp.router.bias"] = floats("BF16", experts, seed="router")
        for name, rows, columns in (("gate_up_proj", 2 * INNER, HIDDEN), ("down_proj", HIDDEN, INNER)):
            here = f"{start}.mlp.experts.{name}"
            blocks = columns // 32
            model.tensors[f"{here}_blocks"] = codes("U8", experts, rows, blocks, 16, seed=here)
            model.tensors[f"{here}_scales"] = codes("U8", experts, rows, blocks, seed=here, low=115, high=125)
            model.tensors[f"{here}_bias"] = floats("BF16", experts, rows, seed=here)
        for name in ("input_layernorm", "post_attention_layernorm"):
            model.tensors[f"{start}.{name}.weight"] = floats("BF16", HIDDEN, value=1.0)
    model.tensors["model.norm.weight"] = floats("BF16", HIDDEN, value=1.0)
    model.tensors["lm_head.weight"] = floats("BF16", VOCABULARY, HIDDEN, seed="head")
    left_out = ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]
    model.configs["config.json"] = {
        "architectures": ["GptOssForCausalLM"],
        "model_type": "gpt_oss",
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": SHARED_HEADS,
        "num_local_experts": experts,
        "head_dim": HEAD_SIZE,
        "vocab_size": VOCABULARY,
        "layer_types": ["sliding_attention", "full_attention"],
        "tie_word_embeddings": False,
        "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": left_out},
    }
    return model


def linear_start(rows: int, columns: int, seed: str) -> Tensor:
    """A matrix as torch initializes a linear layer, and PEFT the first half of a low-rank pair."""
    source, bound = random.Random(seed), columns**-0.5
    values = (source.uniform(-bound, bound) for _ in range(rows * columns))
    return Tensor("F32", (rows, columns), b"".join(map(_FLOATS["F32"], values)))


def lora() -> Model:
    """A PEFT adapter for q_proj and v_proj, before training."""
    model = Model(name="adapter_model")
    for layer in range(LAYERS):
        for name, rows in (("q_proj", HEADS * HEAD_SIZE), ("v_proj", SHARED_HEADS * HEAD_SIZE)):
            start = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            model.tensors[f"{start}.lora_A.weight"] = linear_start(8, HIDDEN, start)
            model.tensors[f"{start}.lora_B.weight"] = floats("F32", rows, 8, value=0.0)
    model.configs["adapter_config.json"] = {
        "peft_type": "LORA",
        "r": 8,
        "lora_alpha": 16,
        "target_modules": ["q_proj", "v_proj"],
        "base_model_name_or_path": "meta-llama/Llama-3.2-1B",
    }
    return model


def drop(model: Model, names: Iterable[str]) -> None:
    """Remove tensors."""
    for name in list(names):
        del model.tensors[name]
