"""Models to put on the fake Hub, and how impatiently tests read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorlint.rulebook.examples import write_shard
from tensorlint.sources.client import Patience
from tensorlint.sources.hub import HubSource

QUICK = Patience(attempts=4, first_wait=0.01, longest_wait=5, connect=2, silence=0.5, slowest=100_000)
Opener = Callable[..., HubSource]


def nvfp4(rows: int, columns: int, layers: range, nan: int | None = None) -> dict[str, Any]:
    """Tensors of NVFP4 projections; the block scales of layer `nan` hold a NaN."""
    values = np.random.default_rng(rows + columns)
    made: dict[str, Any] = {}
    for layer in layers:
        for leaf in ("q_proj", "o_proj"):
            name = f"model.layers.{layer}.self_attn.{leaf}"
            scales = values.integers(0x30, 0x48, rows * columns // 16, np.uint8)
            if layer == nan and leaf == "o_proj":
                scales[7] = 0x7F
            made[f"{name}.input_scale"] = ("F32", (), np.float32(0.01).tobytes())
            made[f"{name}.weight"] = ("U8", (rows, columns // 2), values.bytes(rows * columns // 2))
            made[f"{name}.weight_scale"] = ("F8_E4M3", (rows, columns // 16), scales.tobytes())
            made[f"{name}.weight_scale_2"] = ("F32", (), np.float32(0.001).tobytes())
    return made


def sharded(shards: int, rows: int, columns: int, layers: int, nan: int | None = None) -> dict[str, bytes]:
    """The files of an NVFP4 model: shards of `layers` layers each, index and config.json."""
    files: dict[str, bytes] = {}
    weight_map: dict[str, str] = {}
    for number in range(shards):
        name = f"model-{number + 1:05}-of-{shards:05}.safetensors"
        tensors = nvfp4(rows, columns, range(number * layers, (number + 1) * layers), nan)
        files[name] = write_shard(tensors)
        weight_map.update(dict.fromkeys(tensors, name))
    files["model.safetensors.index.json"] = json.dumps({"metadata": {}, "weight_map": weight_map}).encode()
    quantization = {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"]}
    files["config.json"] = json.dumps({"model_type": "llama", "quantization_config": quantization}).encode()
    return files
