"""Adapters of PEFT against their adapter_config.json: sound ones get no word, each defect is named."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from linted import check, rules_of
from tensorlint.report.findings import Report
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
PREFIX = "base_model.model."
LAYERS = "base_model.model.model.layers"
CONFIG = {
    "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "meta-llama/Llama-3.2-1B", "r": 4,
    "lora_alpha": 8, "bias": "none", "target_modules": ["q_proj", "v_proj"], "init_lora_weights": True,
}  # fmt: skip
Tensors = dict[str, tuple[str, tuple[int, ...], bytes]]


def bf16(*shape: int) -> tuple[str, tuple[int, ...], bytes]:
    """Values that differ."""
    count = 1
    for size in shape:
        count *= size
    return "BF16", shape, b"".join((0x3C00 + 37 * i % 900).to_bytes(2, "little") for i in range(count))


def pairs(modules: Iterable[str], rank: int = 4, start: str = "") -> Tensors:
    """Both halves for each module."""
    found: Tensors = {}
    for module in modules:
        found[f"{start}{module}.lora_A.weight"] = bf16(rank, 16)
        found[f"{start}{module}.lora_B.weight"] = bf16(16, rank)
    return found


def usual(*leaves: str, layers: int = 4) -> Tensors:
    return pairs(f"{LAYERS}.{n}.self_attn.{leaf}" for n in range(layers) for leaf in leaves or ("q_proj", "v_proj"))


def renamed(old: str, new: str) -> Tensors:
    return {name.replace(old, new, 1): tensor for name, tensor in usual().items()}


def report(tensors: Tensors, config: dict[str, Any] | None = None, **more: Any) -> Report:
    files = {"adapter_model.safetensors": write_shard(tensors)}
    files["adapter_config.json"] = json.dumps({**CONFIG, **(config or {})}).encode()
    files |= {name.replace("_json", ".json"): json.dumps(value).encode() for name, value in more.items()}
    return check(MemorySource(files), BOOK, rules_of(BOOK))


def said(found: Report) -> list[tuple[str, str]]:
    return [(finding.severity, finding.rule) for finding in found.findings]


whole = {f"{PREFIX}lm_head.weight": bf16(32, 16)}

SOUND: dict[str, tuple[Tensors, dict[str, Any]]] = {
    "usual": (usual(), {}),
    "all linear": (usual(), {"target_modules": "all-linear"}),
    "an expression": (usual(), {"target_modules": r"model\.layers\.\d+\.self_attn\.(q|v)_proj"}),
    "no expression": (usual(), {"target_modules": "(("}),
    "no targets": (usual(), {"target_modules": None}),
    "ranks by pattern": (
        {**usual("q_proj"), **pairs((f"{LAYERS}.{n}.self_attn.v_proj" for n in range(4)), 2)},
        {"rank_pattern": {"v_proj": 2}, "alpha_pattern": {r"layers\.1\.self_attn\.q_proj": 4}},
    ),
    "a part of the layers": (usual(layers=1), {"layers_to_transform": [0]}),
    "saved whole": ({**usual(), **whole}, {"modules_to_save": ["lm_head"]}),
    "a classifier of two that are asked for": (
        {**usual(), f"{PREFIX}score.weight": bf16(2, 16)},
        {"task_type": "SEQ_CLS", "modules_to_save": ["classifier", "score"]},
    ),
    "an embedding without a word": ({**usual(), f"{LAYERS[:-7]}.embed_tokens.weight": bf16(32, 16)}, {}),
    "rows of an embedding": (
        {**usual(), f"{LAYERS[:-7]}.embed_tokens.token_adapter.trainable_tokens_delta": bf16(2, 16)},
        {"trainable_token_indices": [1, 2]},
    ),
    "biases": ({**usual(), f"{LAYERS}.0.self_attn.q_proj.base_layer.bias": bf16(16)}, {"bias": "lora_only"}),
    "parameters of experts": (
        {**usual("q_proj"), **pairs([f"{LAYERS}.{n}.mlp.experts" for n in range(4)], 8)},
        {"target_modules": ["q_proj"], "target_parameters": ["mlp.experts.down_proj"]},
    ),
    "two parameters of one module": (
        pairs([f"{LAYERS}.0.mlp.experts{inner}" for inner in ("", ".base_layer")], 8),
        {"target_modules": [], "target_parameters": ["mlp.experts.down_proj", "mlp.experts.gate_up_proj"]},
    ),
    "a bare model": (
        pairs(f"{PREFIX}layers.{n}.self_attn.{leaf}" for n in range(4) for leaf in ("q_proj", "v_proj")),
        {"task_type": "FEATURE_EXTRACTION"},
    ),
    "the name of the adapter, which PEFT takes": (renamed(".weight", ".default.weight"), {}),
    "prompts": ({"prompt_embeddings": bf16(4, 16)}, {"peft_type": "PROMPT_TUNING"}),
    "another kind": ({f"{LAYERS}.0.self_attn.q_proj.new_w": bf16(4, 4)}, {"peft_type": "SOMETHING_NEW"}),
    "another library": ({"a.lora_A.weight": bf16(4, 16), "a.lora_B.weight": bf16(16, 4)}, {"peft_type": None, "r": 8}),
    "one factor": (
        {f"{LAYERS}.{n}.self_attn.q_proj.oft_R.weight": ("F32", (4, 6), bytes(96)) for n in range(4)},
        {"peft_type": "OFT", "target_modules": ["q_proj"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_said_about_a_sound_adapter(name: str) -> None:
    tensors, config = SOUND[name]
    assert said(report(tensors, config)) == []


def without(*parts: str) -> Tensors:
    return {name: t for name, t in usual().items() if not any(part in name for part in parts)}


DAMAGED: dict[str, tuple[Tensors, dict[str, Any], tuple[str, str], str]] = {
    "no prefix": (renamed(PREFIX, ""), {}, ("error", "adapters/prefix"), "16 of 16 adapter tensors"),
    "the prefix twice": (
        renamed(PREFIX, PREFIX * 2), {}, ("error", "names/repeated-segment"), "`base_model.model.base_model.model`",
    ),
    "compiled": (renamed(PREFIX, f"_orig_mod.{PREFIX}"), {}, ("error", "names/wrapper-left"), "_orig_mod"),
    "compiled inside": (renamed(PREFIX, f"{PREFIX}_orig_mod."), {}, ("error", "names/wrapper-left"), "_orig_mod"),
    "parallel": (renamed(PREFIX, f"module.{PREFIX}"), {}, ("error", "names/wrapper-left"), "module"),
    "parallel inside": (renamed(PREFIX, f"{PREFIX}module."), {}, ("error", "names/wrapper-left"), "module"),
    "a bare model, a task with a head": (
        renamed(LAYERS, f"{PREFIX}layers"), {}, ("warning", "adapters/headless"), "task_type is CAUSAL_LM",
    ),
    "rank": (usual(), {"r": 8}, ("error", "adapters/rank"), "has rank 4, declared is 8 (r)"),
    "rank of a pattern": (
        usual(), {"rank_pattern": {"v_proj": 2}}, ("error", "adapters/rank"), "declared is 2 (rank_pattern.v_proj)",
    ),
    "a target that the base model has": (
        usual("q_proj"), {"target_modules": ["q_proj", "down_proj"]}, ("warning", "adapters/target-lost"),
        "down_proj, which llama models have",
    ),
    "a target of other models": (
        usual("q_proj"), {"target_modules": ["q_proj", "W_pack"]}, ("note", "adapters/target-unused"), "names W_pack",
    ),
    "a target that experts may have": (
        usual("q_proj"), {"target_modules": ["q_proj", "down_proj"], "base_model_name_or_path": "Qwen/Qwen3-30B-A3B"},
        ("note", "adapters/target-unused"), "names down_proj",
    ),
    "a layer without a target": (
        without("layers.2.self_attn.v_proj"), {}, ("warning", "adapters/target-gap"),
        "model.layers.2.self_attn.v_proj has no tensors, although 3 of 4",
    ),
    "a module that is no target": (
        usual(), {"target_modules": ["q_proj"]}, ("warning", "adapters/undeclared-target"), "self_attn.v_proj",
    ),
    "a head that is not there": (
        usual(), {"modules_to_save": ["lm_head"]}, ("error", "adapters/saved-module-missing"), "names lm_head",
    ),
    "one of several that is not there": (
        {**usual(), **whole}, {"modules_to_save": ["lm_head", "projector"]}, ("warning", "adapters/saved-module-unused"),
        "names projector",
    ),
    "a pattern for nothing": (
        usual(), {"alpha_pattern": {"up_proj": 3}}, ("note", "adapters/dead-setting"), "alpha_pattern has up_proj",
    ),
    "the base model too": (
        {**usual(), f"{LAYERS}.0.self_attn.q_proj.base_layer.weight": bf16(16, 16)}, {},
        ("warning", "adapters/base-weight"), "1 of 17 tensors, 512 B",
    ),
    "a half": (
        without("layers.1.self_attn.q_proj.lora_B"), {}, ("error", "contract/missing-part"), "3 of 4 modules of its kind",
    ),
    "an empty half": (
        {**usual(), f"{LAYERS}.1.self_attn.q_proj.lora_B.weight": ("BF16", (0,), b"")}, {}, ("error", "model/empty-weight"),
        "its shape is [0], as that of 1 of 16",
    ),
    "nothing": ({}, {}, ("error", "model/no-tensors"), "adapter_config.json is that of an adapter"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_each_defect_is_named_and_nothing_else(name: str) -> None:
    tensors, config, wanted, words = DAMAGED[name]
    found = report(tensors, config)
    assert set(said(found)) == {wanted}
    assert words in found.findings[0].message


def test_a_half_that_is_missing_has_a_remedy_of_its_own() -> None:
    found = report(without("layers.1.self_attn.q_proj.lora_B")).findings[0]
    assert "adds" not in found.remedy
    assert "a half cannot be computed from the other one" in found.remedy
    assert "The adapter has no product to add" in found.effect


def test_a_config_of_the_base_model_beside_it_is_not_the_adapters() -> None:
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_hidden_layers": 16,
        "hidden_size": 2048,
    }
    assert said(report(usual(), config_json=config)) == []


def test_a_config_of_the_base_model_tells_its_type() -> None:
    settings = {"target_modules": ["q_proj", "down_proj"], "base_model_name_or_path": "./base"}
    assert said(report(usual("q_proj"), settings)) == [("note", "adapters/target-unused")]
    beside = {"model_type": "llama"}
    assert said(report(usual("q_proj"), settings, config_json=beside)) == [("warning", "adapters/target-lost")]


def test_hostile_configurations_are_no_tracebacks() -> None:
    for odd in (7, [], {}, [7, None, {}], "x" * 5000, {"a": []}, True, -1):
        for key in (
            *CONFIG,
            "rank_pattern",
            "alpha_pattern",
            "modules_to_save",
            "exclude_modules",
            "target_parameters",
        ):
            report(usual(layers=1), {key: odd})
