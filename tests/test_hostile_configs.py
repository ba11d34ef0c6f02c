"""Whatever stands in the JSON files, the check ends with a report: no value of the wrong type is ever a traceback."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from linted import check, rules_of
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

NVFP4 = {"weight": ("U8", (8, 64), 512), "weight_scale": ("F8_E4M3", (8, 8), 64), "weight_scale_2": ("F32", (), 4)}
SHARD = write_shard(
    {f"model.layers.{i}.mlp.{p}.{s}": (d, n, b"\x31" * size) for i in (0, 1) for p in ("up_proj", "down_proj") for s, (d, n, size) in NVFP4.items()}
    | {"model.layers.0.self_attn.k_proj.k_scale": ("F32", (), b"\0\0\x80?"), "model.embed_tokens.weight": ("BF16", (4, 4), b"\x31" * 32)}
)  # fmt: skip
KEYS = [
    "quantization_config", "quant_method", "quant_algo", "config_groups", "group_0", "targets", "weights", "num_bits", "group_size",
    "block_structure", "ignore", "exclude_modules", "quantized_layers", "kv_cache_scheme", "kv_cache_quant_algo", "format", "strategy",
    "input_activations", "dynamic", "weight_block_size", "text_config", "model_type", "architectures", "num_hidden_layers", "vocab_size",
    "hidden_size", "num_experts", "tie_word_embeddings", "layer_types", "quantization", "producer", "name", "version", "type",
    "quantization_status", "model.layers.0.mlp.up_proj", "metadata", "weight_map", "total_size",
]  # fmt: skip
WORDS = ["modelopt", "compressed-tensors", "fp8", "NVFP4", "FP8", "MIXED_PRECISION", "Linear", "re:.*", "re:(", "*", "", "model.layers.0*", "llama", "LlamaForCausalLM", "block", "128x128", "../x", "model.safetensors"]  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(WORDS),
    st.text(max_size=5),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=14,
)
OBJECTS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6)


@given(
    config=OBJECTS,
    method=st.sampled_from(["modelopt", "compressed-tensors", "fp8", "gptq", 7]),
    extra=OBJECTS,
    index=OBJECTS,
)
@settings(max_examples=300)
def test_any_json_gives_a_report(
    config: dict[str, Any], method: Any, extra: dict[str, Any], index: dict[str, Any]
) -> None:
    config = {**config, "quantization_config": {**extra, "quant_method": method}}
    files: dict[str, bytes | None] = {
        "model.safetensors": SHARD,
        "config.json": json.dumps(config).encode(),
        "hf_quant_config.json": json.dumps({**extra, "quantization": config}).encode(),
        "model.safetensors.index.json": json.dumps({"weight_map": index, **index}).encode(),
    }
    book = load_book()
    report = check(MemorySource(files), book, rules_of(book))
    assert not report.stopped
