"""Each dialect of ignore lists: what an entry covers, and what is said of lists that do not agree with the tensors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linted import check, rules_of
from tensorlint.report.findings import Report
from tensorlint.rulebook.library import load_book
from tensorlint.schemes.matching import matcher
from tensorlint.sources.memory import MemorySource

BOOK = load_book()

# dialect, entry, module, whether the entry covers it for loaders of that method
COVERED = [
    # ModelOpt: exact, `prefix*` and `prefix.*` cut at dots; globs for vLLM and SGLang.
    ("modelopt", "lm_head", "lm_head", True),
    ("modelopt", "model.layers.0.self_attn*", "model.layers.0.self_attn.q_proj", True),
    ("modelopt", "model.layers.0.mlp.gate", "model.layers.0.mlp.gate", True),
    ("modelopt", "model.layers.0.mlp.gate", "model.layers.0.mlp.gate_proj", False),
    ("modelopt", "model.layers.1*", "model.layers.0.mlp.up_proj", False),
    ("modelopt", "*.mlp.gate", "model.layers.3.mlp.gate", True),
    ("modelopt", "mtp*", "mtp.layers.0.self_attn.q_proj", True),
    # compressed-tensors: exact, `re:` from the start without an end, class names, no globs, no suffixes.
    ("compressed-tensors", "lm_head", "lm_head", True),
    ("compressed-tensors", "re:.*mlp.gate$", "model.layers.0.mlp.gate", True),
    ("compressed-tensors", "re:.*mlp.gate$", "model.layers.0.mlp.gate_proj", False),
    ("compressed-tensors", "re:.*mlp.gate", "model.layers.0.mlp.gate_proj", True),
    ("compressed-tensors", "re:mlp", "model.layers.0.mlp.gate", False),
    ("compressed-tensors", "model.layers.*.mlp.gate", "model.layers.0.mlp.gate", False),
    ("compressed-tensors", "mlp.gate", "model.layers.0.mlp.gate", False),
    ("compressed-tensors", "Linear", "model.layers.0.mlp.up_proj", True),
    # transformers: a regular expression at a module boundary, or the end of the name.
    ("fp8", "lm_head", "lm_head", True),
    ("fp8", "gate", "model.layers.0.mlp.gate", True),
    ("fp8", "gate", "model.layers.0.mlp.gate_proj", False),
    ("fp8", "model.layers.0", "model.layers.0.mlp.up_proj", True),
    ("fp8", "model.layers.1", "model.layers.10.mlp.up_proj", False),
    ("bitsandbytes", "layers.0.mlp", "model.layers.0.mlp.up_proj", False),
    ("bitsandbytes", "model.layers.0.mlp", "model.layers.0.mlp.up_proj", True),
    ("mxfp4", "model.layers.*.self_attn", "model.layers.4.self_attn.q_proj", True),
    ("mxfp4", "model.layers.*.mlp.router", "model.layers.4.mlp.router", True),
    # AutoAWQ: any part of the name.
    ("awq", "visual", "model.visual.blocks.0.attn.qkv", True),
    ("awq", "mlp.gate", "model.layers.0.mlp.gate", True),
    ("awq", "lm_head", "model.layers.0.mlp.gate", False),
    # Quark: exact, `re:`, globs.
    ("quark", "lm_head", "lm_head", True),
    ("quark", "re:.*mlp.gate$", "model.layers.0.mlp.gate", True),
    ("quark", "*self_attn*", "model.layers.0.self_attn.q_proj", True),
    # fp_quant: the end of the name.
    ("fp_quant", "lm_head", "lm_head", True),
    ("fp_quant", "up_proj", "model.layers.0.mlp.up_proj", True),
]


@pytest.mark.parametrize(("dialect", "entry", "module", "covers"), COVERED)
def test_an_entry_covers_what_loaders_of_its_method_take_it_for(
    dialect: str, entry: str, module: str, covers: bool
) -> None:
    assert (matcher([entry], BOOK.dialects[dialect].matching).covering(module) == entry) is covers


# dialect, key, module, whether the table of exceptions has a row for it
EXCEPTIONS = [
    ("gptq", "-:.*\\.1\\..*", "model.layers.1.mlp.up_proj", True),
    ("gptq", "+:.*down_proj", "model.layers.1.mlp.down_proj", True),
    ("gptq", ".*down_proj", "model.layers.1.mlp.up_proj", False),
    ("gptq", "down_proj", "model.layers.1.mlp.down_proj", False),
    ("auto-round", "lm_head", "lm_head", True),
    ("auto-round", "mlp.gate", "model.layers.1.mlp.gate", True),
    ("auto-round", ".*layers\\.1\\.mlp\\.gate.*", "model.layers.1.mlp.gate", True),
    ("auto-round", "layers\\.1\\.mlp", "model.layers.1.mlp.gate", True),
    ("auto-round", "layers\\.1\\.mlp", "model.layers.2.mlp.gate", False),
]


@pytest.mark.parametrize(("dialect", "key", "module", "covers"), EXCEPTIONS)
def test_settings_of_single_modules_are_found_as_loaders_find_them(
    dialect: str, key: str, module: str, covers: bool
) -> None:
    assert (matcher([key], BOOK.dialects[dialect].exceptions).covering(module) == key) is covers


FP8 = {"weight": ("F8_E4M3", (128, 128), 0x38), "weight_scale": ("BF16", (1,), 0x3C)}
GROUP = {
    "targets": ["Linear"],
    "weights": {"num_bits": 8, "type": "float", "strategy": "tensor", "symmetric": True, "dynamic": False},
    "input_activations": None,
}
GROUPED = {"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": {"group_0": GROUP}}


def report(modules: dict[str, str], quantization: dict[str, Any], **config: Any) -> Report:
    """A model of modules, each `fp8` or `bf16`, checked by its headers."""
    entries: dict[str, Any] = {}
    at = 0
    for name, kind in modules.items():
        parts = FP8 if kind == "fp8" else {"weight": ("BF16", (128, 128), 0x3C)}
        for part, (dtype, shape, _) in parts.items():
            size = (1 if dtype == "F8_E4M3" else 2) * (shape[0] * shape[1] if len(shape) > 1 else 1)
            entries[f"{name}.{part}"] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
            at += size
    text = json.dumps(entries).encode()
    shard = len(text).to_bytes(8, "little") + text + bytes(at)
    content = {"model_type": "qwen3_moe", **config, "quantization_config": quantization}
    source = MemorySource({"model.safetensors": shard, "config.json": json.dumps(content).encode()})
    return check(source, BOOK, rules_of(BOOK), "headers")


def said(found: Report) -> set[str]:
    return {f.rule for f in found.findings if f.severity != "note" and f.rule.startswith("config/")}


UP = "model.layers.{}.mlp.up_proj"
MODEL = {UP.format(0): "fp8", UP.format(1): "fp8", "model.layers.0.mlp.gate": "bf16", "lm_head": "bf16"}

LISTS: dict[str, tuple[list[str], dict[str, str], set[str]]] = {
    "sound": (["lm_head", "re:.*mlp.gate$"], MODEL, set()),
    "quantized but ignored": (
        ["lm_head", "re:.*mlp.gate$", UP.format(1)],
        MODEL,
        {"config/ignored-but-quantized"},
    ),
    "plain but not ignored": (
        ["lm_head", "re:.*mlp.gate$"],
        {**MODEL, UP.format(2): "bf16"},
        {"config/unquantized-not-ignored"},
    ),
    "head not ignored": (["re:.*mlp.gate$"], MODEL, {"config/head-not-ignored"}),
    "head misspelt": (["lm_haed", "re:.*mlp.gate$"], MODEL, {"config/head-not-ignored", "config/mistaken-entry"}),
    "glob where there are none": (["lm_head", "*.mlp.gate"], MODEL, {"config/mistaken-entry"}),
    "layer that does not exist": (
        ["lm_head", "re:.*mlp.gate$", "model.layers.77.mlp.up_proj"],
        MODEL,
        {"config/mistaken-entry"},
    ),
    "layer that may predict ahead": (["lm_head", "re:.*mlp.gate$", "model.layers.2.eh_proj"], MODEL, set()),
    "name of another library version": (
        ["lm_head", "re:.*mlp.gate$", "model.layers.0.block_sparse_moe.router"],
        MODEL,
        set(),
    ),
    "MTP layer plain and silent": (
        ["lm_head", "re:.*mlp.gate$"],
        {**MODEL, "mtp.layers.0.mlp.up_proj": "bf16"},
        {"config/unquantized-not-ignored"},
    ),
    "MTP layer plain and named": (
        ["lm_head", "re:.*mlp.gate$", "re:mtp.*"],
        {**MODEL, "mtp.layers.0.mlp.up_proj": "bf16"},
        set(),
    ),
    "broken pattern": (["lm_head", "re:.*mlp.gate$", "re:(["], MODEL, {"config/broken-pattern"}),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_held_against_the_tensors(name: str) -> None:
    ignore, modules, wanted = LISTS[name]
    assert said(report(modules, {**GROUPED, "ignore": ignore}, num_hidden_layers=2)) == wanted


@pytest.mark.parametrize("method", ["gptq", "bitsandbytes", "auto-round", "torchao"])
def test_methods_without_complete_lists_may_leave_modules_plain(method: str) -> None:
    found = report(MODEL, {"quant_method": method, "bits": 8}, num_hidden_layers=2)
    assert not said(found) & {"config/unquantized-not-ignored", "config/head-not-ignored", "config/mistaken-entry"}


def test_a_lenient_reading_excuses_but_does_not_accuse() -> None:
    """`gate` as part of a name: transformers 4 leaves gate_proj alone, other loaders only the router."""
    listed = {"quant_method": "fp8", "modules_to_not_convert": ["gate"]}
    for gate in ("fp8", "bf16"):
        modules = {f"model.layers.{n}.mlp.{m}_proj": "fp8" for n in (0, 1) for m in ("gate", "up")}
        found = report({**modules, "model.layers.1.mlp.gate_proj": gate}, listed, num_hidden_layers=2)
        assert not said(found) & {"config/ignored-but-quantized", "config/unquantized-not-ignored"}


def test_missing_mtp_layers_are_a_note() -> None:
    found = report(
        MODEL,
        {**GROUPED, "ignore": ["lm_head", "re:.*mlp.gate$"]},
        num_hidden_layers=2,
        num_nextn_predict_layers=1,
    )
    assert [f.severity for f in found.findings if f.rule == "model/missing-mtp"] == ["note"]
