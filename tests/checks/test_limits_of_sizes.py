"""How many modules have to agree on a size, and how far sizes may lie apart, until one of them is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from notation import places

pytestmark = pytest.mark.usefixtures("no_architecture")
CONFIG: dict[str, Any] = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8}
EMBEDDING = {"model.embed_tokens.weight": "BF16[16, 8]"}


def odd(name: str, *shapes: str, layers: int = 0) -> list[int]:
    """The layers whose module of this name contradicts others, where each layer has one."""
    tensors = {f"model.layers.{n}.{name}.weight": f"BF16{shape}" for n, shape in enumerate(shapes)}
    config = {**CONFIG, "num_hidden_layers": layers or len(shapes)}
    found = places("model/size-contradiction", {**EMBEDDING, **tensors}, config)
    return [int(place.split(".")[2]) for place in found]


@pytest.mark.parametrize(
    ("shapes", "found"),
    [
        (("[8]", "[4]"), [1]),
        (("[8]", "[4]", "[4]"), []),  # most of them: another design, or another hidden size
        (("[8]", "[8]", "[4]", "[4]"), [2, 3]),
    ],
)
@pytest.mark.parametrize(
    ("name", "form"), [("input_layernorm", "{}"), ("self_attn.q_proj", "[6, {}]"), ("self_attn.o_proj", "[{}, 6]")]
)
def test_up_to_half_of_a_role_may_have_another_width_by_accident(
    shapes: tuple[str, ...], found: list[int], name: str, form: str
) -> None:
    rows = [form.format(shape.strip("[]")) if form != "{}" else shape for shape in shapes]
    assert odd(name, *rows) == found


@pytest.mark.parametrize(("counted", "found"), [(3, [2]), (2, [])])
def test_layers_behind_the_counted_ones_have_sizes_of_their_own(counted: int, found: list[int]) -> None:
    assert odd("input_layernorm", "[8]", "[8]", "[4]", layers=counted) == found


@pytest.mark.parametrize(
    ("inner", "tensor", "found"),
    [
        ("[6, 8]", "lm_head.weight BF16[16, 4]", True),
        ("[6, 8]", "lm_head.weight BF16[16, 8]", False),
        ("[6, 4]", "lm_head.weight BF16[16, 4]", False),  # nothing in the layers has the stated width: no witness
        ("[6, 8]", "model.norm.weight BF16[4]", True),
        ("[6, 8]", "model.norm.weight BF16[8]", False),
        ("[6, 8]", "model.norm.weight BF16[4, 4]", False),  # no norm of that kind
        ("[6, 4]", "model.norm.weight BF16[4]", False),
    ],
)
def test_the_ends_of_a_model_need_a_witness_too(inner: str, tensor: str, found: bool) -> None:
    name, _, text = tensor.partition(" ")
    tensors = {**EMBEDDING, "model.layers.0.self_attn.q_proj.weight": f"BF16{inner}", name: text}
    assert places("model/size-contradiction", tensors, {**CONFIG, "num_hidden_layers": 1}) == [name] * found


def attention(*rows: tuple[int, int]) -> list[str]:
    """Odd modules of layers in which q_proj has so many rows, and o_proj so many columns."""
    tensors = {}
    for n, (one, two) in enumerate(rows):
        tensors[f"model.layers.{n}.self_attn.q_proj.weight"] = f"BF16[{one}, 8]"
        tensors[f"model.layers.{n}.self_attn.o_proj.weight"] = f"BF16[8, {two}]"
    found = places("model/size-contradiction", {**EMBEDDING, **tensors}, {**CONFIG, "num_hidden_layers": len(rows)})
    return [place.removeprefix("model.layers.").removesuffix("_proj.weight") for place in found]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (((16, 16), (16, 16), (16, 8)), ["2.self_attn.o"]),
        (((16, 16), (16, 8)), ["1.self_attn.o"]),  # between equals an equal size wins
        (((16, 8), (16, 16)), ["0.self_attn.o"]),
        (((32, 16), (32, 8)), []),  # and else nothing
        (((32, 16), (32, 16), (32, 8)), ["2.self_attn.o"]),
        (((32, 16), (32, 8), (32, 4)), []),
        (((16, 16), (32, 16), (64, 16)), []),  # one of three is no usual ratio, whatever it is
    ],
)
def test_at_least_half_of_the_layers_have_the_usual_ratio(rows: tuple[tuple[int, int], ...], found: list[str]) -> None:
    assert attention(*rows) == found


def mlp(*layers: dict[str, tuple[int, int]]) -> list[str]:
    tensors = {
        f"model.layers.{n}.mlp.{leaf}_proj.weight": f"BF16{list(shape)}"
        for n, layer in enumerate(layers)
        for leaf, shape in layer.items()
    }
    found = places("model/size-contradiction", {**EMBEDDING, **tensors}, {**CONFIG, "num_hidden_layers": len(layers)})
    return [place.removeprefix("model.layers.").removesuffix("_proj.weight") for place in found]


SOUND = {"gate": (12, 8), "up": (12, 8), "down": (8, 12)}


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ((SOUND, {**SOUND, "up": (6, 8)}), ["1.mlp.up"]),
        ((SOUND, {"gate": (12, 8), "up": (6, 8)}), ["1.mlp.up"]),  # two: what their siblings have decides
        ((SOUND, {"up": (6, 8)}), []),  # one alone contradicts nothing
        (({"gate": (12, 8), "down": (8, 12)}, {"gate": (6, 8), "down": (8, 12)}), ["1.mlp.gate"]),
        (({**SOUND, "up": (6, 8)}, {**SOUND, "up": (6, 8)}), ["0.mlp.up", "1.mlp.up"]),  # all alike
        (({"up": (6, 8)}, {**SOUND, "up": (6, 8)}), ["1.mlp.up"]),  # one alone contradicts nothing
    ],
)
def test_two_of_three_projections_tell_that_an_mlp_does_not_fit(layers: Any, found: list[str]) -> None:
    assert mlp(*layers) == found


@pytest.mark.parametrize(
    ("rows", "heads", "found"),
    [
        (19, False, True),  # fewer rows than tokens never fit
        (20, False, False),
        (24, False, False),  # reserved, or padding
        (25, False, True),  # a quarter more is another vocabulary
        (21, True, True),  # a regular decoder has exactly one row for each
        (20, True, False),
    ],
)
def test_a_quarter_more_rows_than_tokens_are_another_vocabulary(rows: int, heads: bool, found: bool) -> None:
    tensors = {"model.embed_tokens.weight": f"BF16[{rows}, 8]", "model.layers.0.mlp.up_proj.weight": "BF16[8, 8]"}
    config = {"hidden_size": 8, "vocab_size": 20, "num_hidden_layers": 1, "model_type": "llama" if heads else "own"}
    config |= {"num_attention_heads": 2, "num_key_value_heads": 2}
    assert places("config/dimension", tensors, config) == ["model.embed_tokens.weight"] * found


REGULAR = {
    **CONFIG,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 12,
}


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("self_attn.q_proj", 8),  # four heads of 8 / 4
        ("self_attn.k_proj", 4),
        ("self_attn.qkv_proj", 16),  # and two times the shared ones
        ("mlp.gate_proj", 12),
        ("mlp.up_proj", 12),
        ("mlp.gate_up_proj", 24),
    ],
)
def test_rows_of_a_projection_are_those_that_the_configuration_leads_to(name: str, fits: int) -> None:
    for rows in (fits - 1, fits, fits + 1, fits // 2, fits * 2, fits * 3 // 2):
        tensors = {**EMBEDDING, f"model.layers.0.{name}.weight": f"BF16[{rows}, 8]"}
        assert bool(places("config/dimension", tensors, REGULAR)) == (rows != fits), rows


@pytest.mark.parametrize(
    ("tensor", "experts", "found"),
    [
        ("mlp.experts.gate_up_proj BF16[4, 8, 8]", 4, False),
        ("mlp.experts.gate_up_proj BF16[4, 8, 8]", 3, True),
        ("mlp.experts.gate_up_proj BF16[4, 8, 8]", 0, False),  # none are counted
        ("mlp.experts.correction BF16[4, 8]", 3, False),  # a matrix is no stack
        ("mlp.experts.correction BF16[4, 8, 2, 2]", 3, True),
        ("mlp.other.gate_up_proj BF16[4, 8, 8]", 3, False),
    ],
)
def test_a_stack_holds_as_many_experts_as_are_counted(tensor: str, experts: int, found: bool) -> None:
    name, _, text = tensor.partition(" ")
    config = {**CONFIG, "num_hidden_layers": 1, "num_experts": experts}
    assert bool(places("config/dimension", {**EMBEDDING, f"model.layers.0.{name}": text}, config)) == found
