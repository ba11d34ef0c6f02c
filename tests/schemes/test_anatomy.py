"""What the families say of names and of config.json, and a family of a user's own that says it of other names."""

from __future__ import annotations

from typing import Any

import pytest

from linted import check
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import Book, load_book
from tensorlint.schemes.anatomy import Anatomy, Expert
from tensorlint.schemes.families import load_family
from tensorlint.sources.memory import MemorySource
from tensorlint.text.yamlread import read

BOOK = load_book()
GENERAL = BOOK.general
OWN = """\
summary: Models whose modules have names of their own.
model_types: [acme]
layers: [net.stages]
roles: {reads: ["*.query"], writes: ["*.out"]}
ends: {embedding: net.words, head: net.words_back}
experts: {named: [specialists], router: [chooser]}
kv_cache: {keys: [att.key], pair: [key, value]}
in_ratio: [{query: rows, out: columns}]
rows: {"*.query": heads*head_size}
counts: {layers: [depth], hidden: [width], heads: [att_heads], head_size: [att_size], vocabulary: [words]}
"""
FAMILY = load_family(read(OWN.encode(), "acme.yaml"), "acme")
ACME = Anatomy((FAMILY, *GENERAL.families))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("mlp.experts.3.w1.weight", Expert("mlp.experts", 3, "w1.weight")),
        ("experts.0.w1", Expert("experts", 0, "w1")),
        ("mlp.experts.3", None),
        ("mlp.shared_experts.3.w1", None),
        ("mlp.experts.gate_up_proj", None),
        (f"mlp.experts.{'9' * 5000}.w1", None),
        ("mlp.specialists.3.w1", None),
    ],
)
def test_names_inside_numbered_experts(name: str, found: Expert | None) -> None:
    assert GENERAL.expert(name) == found


def test_a_family_adds_names_to_those_of_all() -> None:
    assert ACME.expert("mlp.specialists.3.w1") == Expert("mlp.specialists", 3, "w1")
    assert ACME.expert("mlp.experts.3.w1")
    assert (ACME.partner("key"), ACME.partner("value"), ACME.partner("k_proj")) == ("value", "key", "v_proj")
    assert ACME.partner("o_proj") == "o_proj"
    assert ACME.ends("embedding")[0] == "net.words"
    assert ACME.routers == ("chooser", "gate")


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("model.layers.4.mlp", "4"),
        ("transformer.h.11.ln_1", "11"),
        ("blocks.2.q", "2"),
        (r"re:model\.layers\.7\.mlp", "7"),
        ("model.layers.4", "4"),
        ("model.layers.4*", "4"),
        ("model.layers.4x", None),
        ("model.experts.4.w1", None),
        ("sublayers.4.w1", None),
    ],
)
def test_the_number_of_a_layer(name: str, number: str | None) -> None:
    hit = GENERAL.layer_number.search(name)
    assert (hit[1] if hit else None) == number


@pytest.mark.parametrize(
    ("module", "plain"),
    [
        ("model.language_model.layers.0.q", "layers.0.q"),
        ("language_model.model.layers.0.q", "layers.0.q"),
        ("layers.0.model.q", "layers.0.model.q"),
        ("model", ""),
    ],
)
def test_outer_modules_that_differ_between_library_versions_are_removed(module: str, plain: str) -> None:
    assert GENERAL.canonical(module) == plain


@pytest.mark.parametrize(
    ("module", "linear"),
    [
        ("model.layers.0.self_attn.q_proj", True),
        ("model.layers.0.mlp.experts.3.w1", True),
        ("model.layers.0.mlp.gate", False),
        ("model.layers.0.self_attn.q_norm", False),
        ("model.layers.0.self_attn.q_proj.lora_A", False),
        ("lm_head", False),
    ],
)
def test_linear_modules(module: str, linear: bool) -> None:
    assert GENERAL.is_linear(module) is linear


@pytest.mark.parametrize(
    ("module", "role"),
    [
        ("norm", True),
        ("model.norm", True),  # by its name without the outer module
        ("model.language_model.norm", True),
        ("vision.norm", False),
        ("model.layers.0.norm", False),
        ("backbone.norm_f", True),  # by its whole name
    ],
)
def test_a_module_plays_the_roles_of_its_name_and_of_that_without_outer_modules(module: str, role: bool) -> None:
    assert ("final_norm" in GENERAL.roles(module)) is role


LAYERS = {"num_hidden_layers": 2}


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({**LAYERS, "text_config": {"hidden_size": 4}}, {**LAYERS, "text_config": {"hidden_size": 4}}),
        ({"text_config": LAYERS}, LAYERS),
        ({"vision_config": LAYERS, "llm_config": {**LAYERS, "x": 1}}, {**LAYERS, "x": 1}),
        ({"thinker_config": {"text_config": LAYERS}}, LAYERS),
        ({"text_config": None}, {"text_config": None}),
        ({}, {}),
    ],
)
def test_the_settings_of_the_language_model(config: dict[str, Any], found: dict[str, Any]) -> None:
    assert GENERAL.language(config) == found


def _model(query: int) -> MemorySource:
    config = b"""{"model_type": "acme", "architectures": ["AcmeForCausalLM"], "depth": 3, "width": 8, "words": 16,
        "att_heads": 2, "att_size": 4}"""
    tensors = {
        "net.words.weight": ("BF16", (16, 8), bytes(256)),
        "net.words_back.weight": ("BF16", (16, 8), bytes(256)),
    }
    for layer in range(3):
        tensors[f"net.stages.{layer}.att.query.weight"] = ("BF16", (query, 8), bytes(16 * query))
        tensors[f"net.stages.{layer}.att.out.weight"] = ("BF16", (8, query), bytes(16 * query))
    return MemorySource({"model.safetensors": write_shard(tensors), "config.json": config})


@pytest.mark.parametrize(("query", "said"), [(8, set()), (12, {"config/dimension"})])
def test_checks_look_at_the_modules_that_a_family_of_a_user_names(query: int, said: set[str]) -> None:
    book = Book(BOOK.schemes, BOOK.dialects, {"acme": FAMILY, **BOOK.families}, BOOK.producers, BOOK.rules)
    report = check(_model(query), book, book.rules.values(), "headers")
    assert {f.rule for f in report.findings} == said
