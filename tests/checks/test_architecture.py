"""Names and sizes against the architecture of the model type: what is said, and what is a legitimate variant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from linted import check
from notation import BOOK, source

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8, "intermediate_size": 12,
    "vocab_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
    "tie_word_embeddings": False,
}  # fmt: skip
ATTENTION = {"q_proj": "[8, 8]", "k_proj": "[4, 8]", "v_proj": "[4, 8]", "o_proj": "[8, 8]"}
MLP = {"gate_proj": "[12, 8]", "up_proj": "[12, 8]", "down_proj": "[8, 12]"}
RULES = tuple(
    rule
    for name, rule in BOOK.rules.items()
    if name.startswith(("model/", "names/")) or name in ("config/dimension", "config/other-model")
)


def layer(n: int) -> dict[str, str]:
    found = {f"self_attn.{name}": shape for name, shape in ATTENTION.items()}
    found |= {f"mlp.{name}": shape for name, shape in MLP.items()}
    found |= {"input_layernorm": "[8]", "post_attention_layernorm": "[8]"}
    return {f"model.layers.{n}.{name}.weight": f"BF16{shape}" for name, shape in found.items()}


def llama(layers: int = 3) -> dict[str, str]:
    ends = {"model.embed_tokens.weight": "BF16[16, 8]", "model.norm.weight": "BF16[8]", "lm_head.weight": "BF16[16, 8]"}
    return ends | {name: text for n in range(layers) for name, text in layer(n).items()}


def found(tensors: Mapping[str, str], **config: Any) -> dict[str, list[str]]:
    """The tensors that rules object to, by rule."""
    report = check(source(tensors, {**CONFIG, **config}), BOOK, RULES)
    return {f.rule: [place.tensor for place in f.locations] for f in report.findings}


def without(*parts: str) -> dict[str, str]:
    return {name: text for name, text in llama().items() if not any(part in name for part in parts)}


def renamed(old: str, new: str) -> dict[str, str]:
    return {name.replace(old, new): text for name, text in llama().items()}


def resized(part: str, text: str) -> dict[str, str]:
    return {name: text if part in name else old for name, old in llama().items()}


@pytest.mark.parametrize(
    ("tensors", "config"),
    [
        (llama(), {}),
        (without("lm_head"), {"tie_word_embeddings": True}),
        (llama(), {"tie_word_embeddings": True, "vocab_size": 16}),  # a tied head that is stored as well
        ({n.removeprefix("model."): t for n, t in without("lm_head").items()}, {"architectures": ["LlamaModel"]}),
        (resized("embed_tokens", "BF16[18, 8]"), {}),  # padded
        (
            {n: t for n, t in llama().items() if ".q_proj" not in n and ".k_proj" not in n and ".v_proj" not in n}
            | {f"model.layers.{n}.self_attn.qkv_proj.weight": "BF16[16, 8]" for n in range(3)},
            {},
        ),
        (llama() | {f"model.layers.{n}.self_attn.{x}_proj.bias": "BF16[8]" for n in range(3) for x in "qo"}
         | {f"model.layers.{n}.self_attn.{x}_proj.bias": "BF16[4]" for n in range(3) for x in "kv"},
         {"attention_bias": True}),
        ({n: t for n, t in llama().items() if ".layers.0.mlp.up" in n or ".layers.1.mlp.up" in n}, {}),  # an extract
        (llama(), {"num_hidden_layers": 1 << 60}),
        (llama(), {"num_hidden_layers": "three", "hidden_size": [8], "intermediate_size": None}),
    ],
)  # fmt: skip
def test_nothing_loud_is_said_about_a_sound_variant(tensors: dict[str, str], config: dict[str, Any]) -> None:
    report = check(source(tensors, {**CONFIG, **config}), BOOK, RULES)
    own = ("model/missing-tensor", "model/wrong-size", "names/")
    assert not [f.message for f in report.findings if f.severity != "note" and f.rule.startswith(own)]


@pytest.mark.parametrize(
    ("tensors", "rule", "places"),
    [
        (without("layers.1.mlp.up_proj"), "model/missing-tensor", ["model.layers.1.mlp.up_proj.weight"]),
        (without("layers.0.input_layernorm"), "model/missing-tensor", ["model.layers.0.input_layernorm.weight"]),
        (without("o_proj"), "model/missing-tensor", [f"model.layers.{n}.self_attn.o_proj.weight" for n in range(3)]),
        (without("embed_tokens"), "model/missing-embedding", ["model.embed_tokens.weight"]),
        (without("lm_head"), "model/missing-head", ["lm_head.weight"]),
        (without("model.norm"), "model/missing-norm", ["model.norm.weight"]),
        (without("layers.2."), "model/missing-layer", ["model.layers.2.*"]),
        (llama(4), "model/extra-layer", ["model.layers.3.*"]),
        (renamed("input_layernorm", "attention_layer_norm"), "names/renamed-tensor",
         [f"model.layers.{n}.attention_layer_norm.weight" for n in range(3)]),
        (renamed("layers.1.mlp.up_proj", "layers.1.mlp.up"), "names/renamed-tensor", ["model.layers.1.mlp.up.weight"]),
        (renamed("lm_head", "output"), "names/renamed-tensor", ["output.weight"]),
        (llama() | {n.replace("model.", "backbone."): t for n, t in without("lm_head").items()}, "names/second-model",
         ["backbone.embed_tokens.weight"]),
        (resized("down_proj", "BF16[12, 8]"), "model/wrong-size", [f"model.layers.{n}.mlp.down_proj.weight" for n in range(3)]),
        (resized("up_proj", "BF16[6, 8]"), "model/wrong-size", [f"model.layers.{n}.mlp.up_proj.weight" for n in range(3)]),
        (resized("k_proj", "BF16[32]"), "model/wrong-size", [f"model.layers.{n}.self_attn.k_proj.weight" for n in range(3)]),
        (resized("1.input_layernorm", "BF16[4]"), "model/wrong-size", ["model.layers.1.input_layernorm.weight"]),
        (resized("k_proj", "BF16[0]"), "model/empty-weight", [f"model.layers.{n}.self_attn.k_proj.weight" for n in range(3)]),
        (resized("embed_tokens", "BF16[8, 8]"), "model/wrong-size", ["model.embed_tokens.weight"]),
    ],
)  # fmt: skip
def test_one_cause_is_one_finding(tensors: dict[str, str], rule: str, places: list[str]) -> None:
    assert found(tensors) == {rule: places}


def test_several_other_names_in_every_layer_are_the_spelling_of_another_tool_or_version() -> None:
    tensors = {name.replace("up_proj", "w3"): text for name, text in renamed("gate_proj", "w1").items()}
    assert found(tensors) == {}


def test_one_other_name_elsewhere_in_every_layer_is_another_spelling() -> None:
    assert found(renamed("self_attn.o_proj", "mixer.out")) == {}


def test_a_key_that_no_tensor_agrees_with_is_wrong_itself() -> None:
    assert list(found(llama(), intermediate_size=24)) == ["config/dimension"]
    assert list(found(llama(), intermediate_size=24, hidden_size=16)) == ["config/other-model"]


def test_a_quantized_matrix_has_the_size_that_it_stands_for() -> None:
    tensors = llama()
    for n in range(3):
        name = f"model.layers.{n}.mlp.up_proj"
        tensors |= {f"{name}.weight": "F8_E4M3[6, 8]", f"{name}.weight_scale": "BF16[6, 1] = 0.01"}
    assert found(tensors)["model/wrong-size"] == [f"model.layers.{n}.mlp.up_proj.weight" for n in range(3)]


def test_what_is_said_of_a_size_names_keys_and_values() -> None:
    report = check(source(resized("down_proj", "BF16[12, 8]"), CONFIG), BOOK, RULES)
    (message,) = [f.message for f in report.findings if f.rule == "model/wrong-size"]
    assert message == (
        "model.layers.0.mlp.down_proj.weight is [12, 8] (it is transposed); in llama models it is [8, 12]: "
        "[hidden_size, intermediate_size], hidden_size is 8, intermediate_size is 12"
    )


def test_a_matrix_is_seen_to_be_transposed_by_one_of_its_sizes() -> None:
    report = check(source(resized("q_proj", "BF16[8, 16]"), {**CONFIG, "num_attention_heads": None}), BOOK, RULES)
    (message,) = [f.message for f in report.findings if f.rule == "model/wrong-size"]
    assert "q_proj.weight is [8, 16] (it is transposed); in llama models it is [16, 8]: " in message
    assert not found(resized("q_proj", "BF16[16, 8]"), num_attention_heads=None)


def test_a_tensor_that_the_configuration_leaves_out_is_worth_a_note() -> None:
    tensors = llama() | {"model.layers.0.self_attn.q_proj.bias": "BF16[8]"}
    report = check(source(tensors, CONFIG), BOOK, RULES)
    assert [(f.rule, f.severity) for f in report.findings] == [("names/surplus-tensor", "note")]


@pytest.mark.parametrize("vision", [{}, {"vision_config": {"depth": 2, "hidden_size": 8}}])
def test_a_model_may_do_without_its_tower_and_what_leads_to_it(vision: dict[str, Any]) -> None:
    text = {
        "hidden_size": 8, "intermediate_size": 12, "vocab_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 2,
    }  # fmt: skip
    shapes = {f"self_attn.{name}": shape for name, shape in ATTENTION.items()}
    shapes |= {f"mlp.{name}": shape for name, shape in MLP.items()}
    shapes |= {"input_layernorm": "[8]", "post_attention_layernorm": "[8]"}
    shapes |= {"self_attn.q_norm": "[2]", "self_attn.k_norm": "[2]"}
    start = "model.language_model."
    tensors = {f"{start}layers.{n}.{name}.weight": f"BF16{shape}" for n in range(2) for name, shape in shapes.items()}
    ends = {f"{start}embed_tokens": "[16, 8]", f"{start}norm": "[8]", "lm_head": "[16, 8]"}
    tensors |= {f"{name}.weight": f"BF16{shape}" for name, shape in ends.items()}
    kind = {"architectures": ["Qwen3VLForConditionalGeneration"], "model_type": "qwen3_vl", "text_config": text}
    report = check(source(tensors, {**kind, **vision, "tie_word_embeddings": False}), BOOK, RULES)
    assert not [f.message for f in report.findings if f.severity != "note"]
