"""How near an entry of a list must be to a name to be a slip, and how many entries are looked up."""

from __future__ import annotations

from typing import Any

import pytest

from notation import said

UP = {
    "model.layers.0.mlp.up_proj.weight": "F8_E4M3[8, 64] = 0x38, 0x30",
    "model.layers.0.mlp.up_proj.weight_scale": "BF16[1] = 0.01",
}


def config(*ignore: str, layers: int = 2) -> dict[str, Any]:
    group = {
        "targets": ["Linear"],
        "weights": {"num_bits": 8, "type": "float", "strategy": "tensor"},
        "input_activations": None,
    }
    return {
        "model_type": "llama",
        "num_hidden_layers": layers,
        "quantization_config": {
            "quant_method": "compressed-tensors",
            "format": "float-quantized",
            "config_groups": {"group_0": group},
            "ignore": list(ignore),
        },
    }


@pytest.mark.parametrize(
    ("name", "entry", "slip"),
    [
        ("gates", "gatez", True),  # 8 of 10 letters are alike
        ("gates_abc", "gates_xyc", False),  # 14 of 18
        ("gates_abcd", "gates_xycd", True),  # 16 of 20
    ],
)
def test_an_entry_of_which_eight_in_ten_letters_are_alike_is_a_slip(name: str, entry: str, slip: bool) -> None:
    tensors = {**UP, f"model.layers.0.mlp.{name}.weight": "BF16[16, 64]"}
    wrong = config(f"model.layers.0.mlp.{entry}")
    assert bool(said("config/mistaken-entry", tensors, wrong)) == slip
    assert bool(said("config/dead-entry", tensors, wrong)) != slip


@pytest.mark.parametrize(("layer", "mistake"), [(5, False), (6, True)])
def test_four_layers_behind_the_counted_ones_may_be_those_that_predict_ahead(layer: int, mistake: bool) -> None:
    text = said("config/mistaken-entry", UP, config(f"model.layers.{layer}.mlp"))
    assert (f"there is no layer {layer}, num_hidden_layers is 2" in text) == mistake


@pytest.mark.parametrize(("entries", "looked_up"), [(5000, True), (5001, False)])
def test_lists_of_more_than_five_thousand_entries_are_not_looked_up(entries: int, looked_up: bool) -> None:
    ignore = [f"x{n}" for n in range(entries)]
    assert bool(said("config/dead-entry", UP, config(*ignore))) == looked_up


@pytest.mark.parametrize(("plain", "found"), [(1, True), (2, False), (0, False)])
def test_one_plain_module_of_a_kind_is_odd_and_two_are_a_choice(plain: int, found: bool) -> None:
    tensors = {}
    for n in range(4):
        for name in ("self_attn.o_proj", "mlp.down_proj"):
            start = f"model.layers.{n}.{name}"
            if name == "mlp.down_proj" and n < plain:
                tensors[f"{start}.weight"] = "BF16[8, 64]"
            else:
                tensors |= {
                    f"{start}.weight": "U32[8, 8]",
                    f"{start}.scales": "BF16[8, 1] = 0.1",
                    f"{start}.biases": "BF16[8, 1] = -0.5",
                }
    mlx = {"model_type": "llama", "quantization": {"group_size": 64, "bits": 4, "mode": "affine"}}
    assert bool(said("model/odd-one-out", tensors, mlx)) == found
