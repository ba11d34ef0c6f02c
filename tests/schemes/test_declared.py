"""What configuration files say of a module, in one form for all dialects."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from tensorlint.container.checkpoint import find_checkpoints
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.schemes.declared import Declared, read_declared
from tensorlint.schemes.dialect import Dialect, load_dialect
from tensorlint.sources.memory import MemorySource
from tensorlint.text.yamlread import read


def declared(
    quantization: dict[str, Any] | None = None,
    dialects: Iterable[Dialect] | None = None,
    wrap: str = "",
    **files: dict[str, Any],
) -> Declared:
    config: dict[str, Any] = {"quantization_config": quantization} if quantization is not None else {}
    contents: dict[str, bytes | None] = {
        "model.safetensors": write_shard({"a.weight": ("F32", (1,), bytes(4))}),
        "config.json": json.dumps({wrap: config} if wrap else config).encode(),
    }
    contents.update({name + ".json": json.dumps(value).encode() for name, value in files.items()})
    checkpoint = next(iter(find_checkpoints(MemorySource(contents))))
    book = load_book()
    return read_declared(checkpoint, book.dialects.values() if dialects is None else dialects, book.general.inside)


MODELOPT = {
    "quant_method": "modelopt",
    "quant_algo": "NVFP4",
    "ignore": ["lm_head", "model.layers.1*"],
    "group_size": 16,
}
GROUPED = {
    "quant_method": "compressed-tensors",
    "format": "mixed-precision",
    "ignore": ["lm_head"],
    "config_groups": {
        "g0": {
            "targets": ["re:.*self_attn.*"],
            "format": "float-quantized",
            "weights": {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 64]},
            "input_activations": {"dynamic": True},
        },
        "g1": {
            "targets": ["re:.*mlp.*"],
            "weights": {"num_bits": 4, "group_size": 16},
            "input_activations": {"dynamic": "local"},
        },
        "g2": {"targets": ["re:.*kv.*"], "weights": None},
    },
}
FP8 = {
    "quant_method": "fp8",
    "weight_block_size": [128, 128],
    "activation_scheme": "dynamic",
    "modules_to_not_convert": ["gate"],
}
TABLE = {
    "quant_method": "modelopt",
    "quant_algo": "MIXED_PRECISION",
    "quantized_layers": {"a.q": {"quant_algo": "FP8"}},
}


@pytest.mark.parametrize(
    ("config", "module", "quantized", "values"),
    [
        (MODELOPT, "model.layers.0.mlp.up_proj", True, {"algorithm": "NVFP4", "group_size": 16, "activations": "static"}),
        (MODELOPT, "model.layers.1.mlp.up_proj", False, {}),
        (MODELOPT, "lm_head", False, {}),
        (GROUPED, "model.layers.0.self_attn.q_proj", True, {"bits": 8, "block_rows": 128, "block_cols": 64, "format": "float-quantized", "activations": "dynamic"}),
        (GROUPED, "model.layers.0.mlp.up_proj", True, {"bits": 4, "group_size": 16, "activations": "local", "format": "mixed-precision"}),
        (GROUPED, "model.kv", None, {}),
        (GROUPED, "model.other", None, {}),
        (FP8, "model.layers.0.mlp.up_proj", True, {"block_rows": 128, "block_cols": 128, "activations": "dynamic"}),
        (FP8, "model.layers.0.mlp.gate", False, {}),
        (TABLE, "a.q", True, {"algorithm": "FP8", "activations": "static"}),
        (TABLE, "a.k", False, {}),
        ({"quant_method": "modelopt", "quant_algo": None, "kv_cache_scheme": "FP8"}, "a.q", False, {}),
    ],
)  # fmt: skip
def test_a_module_is_expected_to_be_what_the_declaration_says(
    config: dict[str, Any], module: str, quantized: bool | None, values: dict[str, Any]
) -> None:
    main = declared(config).main
    assert main is not None
    expected = main.expect(module)
    assert expected.quantized is quantized
    assert {k: expected.values.get(k) for k in values} == values


def test_names_come_before_classes_whatever_the_order_of_the_groups_is() -> None:
    groups = {
        "g0": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "int"}},
        "g1": {"targets": ["re:.*down_proj$"], "weights": {"num_bits": 8, "type": "int"}},
    }
    for order in (("g0", "g1"), ("g1", "g0")):
        content = {"quant_method": "compressed-tensors", "config_groups": {name: groups[name] for name in order}}
        main = declared(content).main
        assert main is not None
        assert main.expect("layers.0.down_proj").values["bits"] == 8
        assert main.expect("layers.0.up_proj").values["bits"] == 4


def test_settings_of_single_modules_are_read_below_the_first_key() -> None:
    content = {
        "quant_method": "quark",
        "global_quant_config": {"weight": {"dtype": "fp4", "group_size": 32}, "input_tensors": {"dtype": "fp4"}},
        "layer_quant_config": {"*o_proj": {"weight": {"dtype": "fp8_e4m3"}}, "*gate": {"weight": None}},
    }
    main = declared(content).main
    assert main is not None
    assert main.expect("layers.0.q_proj").values["type"] == "fp4"
    assert main.expect("layers.0.o_proj").values["type"] == "fp8_e4m3"
    assert main.expect("layers.0.gate").quantized is False
    staged = {**content, "global_quant_config": {"weight": [{"dtype": "fp4", "group_size": 16}, {"dtype": "fp8_e4m3"}]}}
    first = declared(staged).main
    assert first is not None and first.expect("layers.0.q_proj").values["type"] == "fp4"


OWN = """\
summary: Groups in a spelling of their own.
method: acme
places: [{file: config.json, at: quantization_config, when: {quant_method: acme}}]
fields: {groups: parts_of_the_model}
group: {targets: of, bits: w.width, block: w.tile, activations: x, activation_dynamic: x.live, activation_bits: x.width}
targets: [glob]
"""


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ({"w": {"width": 5}}, {"bits": 5}),
        ({"w": {"width": 8, "tile": "128x64"}}, {"bits": 8, "block_rows": 128, "block_cols": 64}),
        ({"w": {"width": 8, "tile": [128, 64]}}, {"bits": 8, "block_rows": 128, "block_cols": 64}),
        ({"w": {"width": 8}, "x": {"live": True, "width": 4}}, {"bits": 8, "activations": "dynamic", "activation_bits": 4}),
        ({"w": {"width": 8}, "x": {"live": "local"}}, {"bits": 8, "activations": "local"}),
        ({"w": {"width": 8}, "x": {}}, {"bits": 8, "activations": "static"}),
        ({"w": {"width": 8}, "x": None}, {"bits": 8, "activations": "none"}),
        ({"weights": {"num_bits": 4}}, {"bits": 0}),
    ],
)  # fmt: skip
def test_a_dialect_says_how_a_group_is_spelt(group: dict[str, Any], values: dict[str, Any]) -> None:
    dialect = load_dialect(read(OWN.encode(), "acme.yaml"), "acme")
    content = {"quant_method": "acme", "parts_of_the_model": {"g": {"of": ["*.q"], **group}}}
    (only,) = declared(content, [dialect]).all
    assert only.groups is not None
    assert dict(only.groups[0].values) == values
    assert only.groups[0].targets.covering("a.q") and not only.groups[0].targets.covering("a.k")


def test_a_declaration_inside_text_config_is_found() -> None:
    main = declared(MODELOPT, wrap="text_config").main
    assert main is not None
    assert main.where == "text_config.quantization_config"


def test_config_json_comes_before_the_exporters_own_file() -> None:
    found = declared(
        MODELOPT, hf_quant_config={"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8"}}
    )
    assert [d.file for d in found.all] == ["config.json", "hf_quant_config.json"]


def test_the_exporters_own_file_counts_where_config_json_says_nothing() -> None:
    main = declared(None, hf_quant_config={"quantization": {"quant_algo": "FP8", "exclude_modules": ["x"]}}).main
    assert main is not None
    assert main.expect("x").quantized is False
    assert main.expect("y").quantized is True


@pytest.mark.parametrize(
    ("listed", "module", "quantized"),
    [
        ([["self_attn.q_proj"], ["mlp.up_proj"]], "model.layers.0.mlp.up_proj", True),
        (["self_attn.q_proj", "mlp.up_proj"], "model.layers.0.mlp.up_proj", True),
        ([["self_attn.q_proj"]], "model.layers.0.mlp.up_proj", False),
        ([["mlp.experts"]], "model.layers.0.mlp.experts.3.up_proj", True),
        ([["self_attn.q_proj"]], "model.layers.0.mlp.experts.3.up_proj", True),
        ([["self_attn.q_proj"]], "lm_head", True),
        ([], "model.layers.0.mlp.up_proj", True),
        ([[]], "model.layers.0.mlp.up_proj", True),
        (None, "model.layers.0.mlp.up_proj", True),
    ],
)
def test_a_list_of_what_is_quantized_in_a_layer_leaves_out_the_rest_of_it(
    listed: Any, module: str, quantized: bool
) -> None:
    main = declared({"quant_method": "gptq", "bits": 4, "modules_in_block_to_quantize": listed}).main
    assert main is not None
    assert main.expect(module).quantized is quantized
    assert main.left_out(module) is not quantized


def test_a_method_no_dialect_knows_is_named() -> None:
    assert declared({"quant_method": "brand_new"}).unknown == (("config.json", "brand_new"),)


@pytest.mark.parametrize(
    "config",
    [
        {"quant_method": "modelopt", "quant_algo": ["NVFP4"], "ignore": "lm_head", "config_groups": []},
        {"quant_method": "compressed-tensors", "config_groups": {"g": 1, "h": {"targets": 5, "weights": [1]}}},
        {"quant_method": "fp8", "weight_block_size": ["128", None], "modules_to_not_convert": [1, None]},
        {"quant_method": "modelopt", "quantized_layers": {"a": 1, "b": None}},
        {"quant_method": ["modelopt"]},
        {
            "quant_method": "compressed-tensors",
            "config_groups": {"g": {"targets": ["a"], "weights": {"block_structure": "²x²"}}},
        },
        {
            "quant_method": "compressed-tensors",
            "config_groups": {"g": {"targets": ["a"], "weights": {"block_structure": "9" * 5000 + "x1"}}},
        },
        {"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": [[{}]], "input_activations": [[]]}}},
        {"quant_method": "gptq", "dynamic": {"a.b": {"bits": "sixteen"}}},
        {"quant_method": "gptq", "modules_in_block_to_quantize": [1, [None, ["a"]], {"b": 2}]},
        {"quant_method": "gptq", "modules_in_block_to_quantize": "a.b"},
    ],
)
def test_values_of_the_wrong_type_never_raise(config: dict[str, Any]) -> None:
    found = declared(config)
    for declaration in found.all:
        declaration.expect("a.b")
