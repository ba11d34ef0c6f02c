"""How many layers, experts or tensors tell an accident from a design: just enough of them, and one less."""

from __future__ import annotations

from typing import Any

import pytest

from notation import places, said

pytestmark = pytest.mark.usefixtures("no_architecture")
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8, "vocab_size": 16}
ENDS = {"model.embed_tokens.weight": "BF16[16, 8]", "model.norm.weight": "BF16[8]", "lm_head.weight": "BF16[16, 8]"}


def config(layers: int, **more: Any) -> dict[str, Any]:
    return {**LLAMA, "num_hidden_layers": layers, "tie_word_embeddings": False, **more}


def of(*layers: str) -> dict[str, str]:
    """Tensors of layers that are given as the names of their matrices."""
    rows = {f"model.layers.{n}.{name}.weight": "BF16[8, 8]" for n, layer in enumerate(layers) for name in layer.split()}
    return {**ENDS, **rows}


def missing(*layers: str, counted: int = 0, types: str = "") -> list[str]:
    """What is missing from which layer, `layer.name`; `types` has a letter for each layer."""
    more = {"layer_types": list(types)} if types else {}
    found = places("model/missing-module", of(*layers), config(counted or len(layers), **more))
    return [name.removeprefix("model.layers.").removesuffix(".weight") for name in found]


# -- what a layer lacks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("have", "lack", "found"), [(3, 2, True), (2, 2, False), (1, 1, True), (4, 3, True), (3, 3, False)]
)
def test_as_many_layers_without_a_tensor_as_with_it_are_a_design(have: int, lack: int, found: bool) -> None:
    layers = ["mlp.a mlp.b mlp.c"] * have + ["mlp.a mlp.b"] * lack
    assert missing(*layers) == [f"{n}.mlp.c" for n in range(have, have + lack) if found]


@pytest.mark.parametrize(
    ("size", "gone", "found"),
    [
        (5, 2, True),
        (5, 3, False),
        (6, 2, True),
        (6, 3, False),
        (8, 2, True),
        (12, 4, True),
        (12, 5, False),
        (14, 4, True),
    ],
)
def test_a_layer_that_lacks_more_than_two_tensors_and_a_third_is_of_another_kind(
    size: int, gone: int, found: bool
) -> None:
    names = [f"mlp.m{i:02}" for i in range(size)]
    whole, part = " ".join(names), " ".join(names[gone:])
    assert missing(whole, whole, whole, part) == [f"3.{name}" for name in names[:gone] if found]


@pytest.mark.parametrize(
    ("others", "found"),
    [
        (("mlp.a mlp.c", "mlp.a mlp.e"), True),  # two of four
        (("mlp.a mlp.f", "mlp.a mlp.e"), False),
        (("mlp.a mlp.e",), False),  # one of three
    ],
)
def test_a_tensor_that_less_than_half_of_the_layers_have_is_not_missing(others: tuple[str, ...], found: bool) -> None:
    lacking = missing("mlp.a mlp.b mlp.c", "mlp.a mlp.b", *others)
    assert ("1.mlp.c" in lacking) == found


NORMS = ("input_layernorm", "post_attention_layernorm")


@pytest.mark.parametrize("lacking", [NORMS[:1], NORMS[1:], NORMS])
def test_dense_and_routed_layers_share_their_norms(lacking: tuple[str, ...]) -> None:
    routed = "mlp.gate " + " ".join(f"mlp.experts.{e}.up_proj" for e in range(2))
    norms = f"{' '.join(NORMS)} z_norm"
    dense = " ".join(["mlp.up_proj", *(n for n in norms.split() if n not in lacking)])
    assert missing(dense, *[f"{routed} {norms}"] * 3) == [f"0.{name}" for name in lacking]


@pytest.mark.parametrize(("size", "found"), [(2, True), (3, False)])
def test_an_inner_part_of_three_tensors_may_be_in_some_layers_only(size: int, found: bool) -> None:
    rest = " ".join(f"self_attn.m{i}" for i in range(10))
    inner = [f"self_attn.indexer.w{i}" for i in range(size)]
    whole = f"{rest} {' '.join(inner)}"
    lacking = missing(whole, whole, whole, rest, rest)
    assert sorted(lacking) == [f"{layer}.{name}" for layer in (3, 4) for name in inner if found]


@pytest.mark.parametrize(("without", "found"), [(1, True), (2, False)])
def test_one_layer_alone_does_not_do_without_an_inner_part(without: int, found: bool) -> None:
    rest = " ".join(f"self_attn.m{i}" for i in range(10))
    inner = " ".join(f"self_attn.indexer.w{i}" for i in range(3))
    lacking = missing(*[f"{rest} {inner}"] * 4, *[rest] * without)
    assert bool(lacking) == found


ABC, AB = "mlp.a mlp.b mlp.c", "mlp.a mlp.b"
INNER = " ".join([*(f"self_attn.m{i}" for i in range(10)), *(f"self_attn.indexer.w{i}" for i in range(3))])


@pytest.mark.parametrize(
    ("layers", "types", "found"),
    [
        ((ABC, ABC, AB), "", ["2.mlp.c"]),
        ((f"{AB} x.c", f"{AB} x.c", AB), "", ["2.x.c"]),  # without layers of the same blocks all of them tell
        ((ABC, AB, "x.q", "x.q", "x.q"), "", ["1.mlp.c"]),  # two of the same blocks are enough
        ((ABC, ABC, ABC, AB), "aaab", ["3.mlp.c"]),  # the only one of its type is compared with all
        ((f"{AB} mlp.d", f"{AB} mlp.d", ABC, AB), "aabb", ["3.mlp.c"]),  # two of a type are enough
        ((ABC, ABC, AB, AB), "aabb", []),  # a type has what all of it have
        ((ABC, ABC, AB), "aa", ["2.mlp.c"]),  # a list that is too short tells nothing of the last layer
        ((INNER, INNER, INNER, INNER.partition(" self_attn.indexer")[0]), "aaab", []),  # a type without an inner part
        ((INNER, INNER, INNER, INNER.partition(" self_attn.indexer")[0]), "aaaa", [f"3.self_attn.indexer.w{i}" for i in range(3)]),
    ],
)  # fmt: skip
def test_which_layers_a_layer_is_compared_with(layers: tuple[str, ...], types: str, found: list[str]) -> None:
    assert missing(*layers, types=types) == found


@pytest.mark.parametrize(("counted", "found"), [(3, ["2.mlp.c"]), (2, [])])
def test_layers_behind_the_counted_ones_are_not_compared(counted: int, found: list[str]) -> None:
    assert missing(ABC, ABC, AB, counted=counted) == found


# -- layers and experts that are counted ------------------------------------------------------------------------------


@pytest.mark.parametrize(("last", "found"), [("mlp.a mlp.b x", True), ("mlp.a mlp.b x y", False)])
def test_a_layer_too_many_shares_more_than_half_of_its_tensors_with_another(last: str, found: bool) -> None:
    assert bool(said("model/extra-layer", of("mlp.a mlp.b mlp.c", last), config(1))) == found


@pytest.mark.parametrize(("of_them", "lacking", "found"), [(4, 1, True), (4, 2, False), (5, 2, True), (5, 3, False)])
def test_less_than_half_of_the_experts_may_lack_a_module_by_accident(of_them: int, lacking: int, found: bool) -> None:
    experts = [f"mlp.experts.{e}.up_proj" for e in range(of_them)]
    experts += [f"mlp.experts.{e}.down_proj" for e in range(lacking, of_them)]
    expected = [f"model.layers.0.mlp.experts.{e}.down_proj.weight" for e in range(lacking) if found]
    assert places("model/missing-module", of(" ".join(experts)), config(1, num_experts=of_them)) == expected


@pytest.mark.parametrize(("count", "key"), [(4, "num_experts"), (0, "the other layers"), (None, "the other layers")])
def test_experts_are_counted_by_the_configuration_or_else_by_the_other_layers(count: int | None, key: str) -> None:
    layers = [" ".join(f"mlp.experts.{e}.up_proj" for e in range(number)) for number in (4, 4, 3)]
    more = {} if count is None else {"num_experts": count}
    text = said("model/missing-experts", of(*layers), config(3, **more))
    assert text == f"model.layers.2.mlp.experts has 3 experts, {key} says 4; missing: [3]"


@pytest.mark.parametrize(("present", "count", "found"), [(3, 2, True), (2, 2, False), (2, 3, False)])
def test_one_expert_more_than_counted_is_one_too_many(present: int, count: int, found: bool) -> None:
    layer = " ".join(f"mlp.experts.{e}.up_proj" for e in range(present))
    assert bool(said("model/extra-experts", of(layer, layer), config(2, num_experts=count))) == found


@pytest.mark.parametrize(
    ("layers", "stated", "found"),
    [(("mlp.a",), 1, True), (("mlp.a",), 0, False), (("mlp.a", "eh_proj"), 1, False), (("mlp.a", "mlp.a", "eh_proj"), 1, False)],
)  # fmt: skip
def test_one_layer_behind_the_counted_ones_predicts_ahead(layers: tuple[str, ...], stated: int, found: bool) -> None:
    text = said("model/missing-mtp", of(*layers), config(1, num_nextn_predict_layers=stated))
    assert bool(text) == found


@pytest.mark.parametrize(("name", "found"), [("", True), ("model.words_of_its_own.weight", False)])
def test_a_second_matrix_with_a_row_for_each_token_is_the_head(name: str, found: bool) -> None:
    tensors = {n: t for n, t in of("mlp.a").items() if n != "lm_head.weight"}
    tensors |= {name: "BF16[16, 8]"} if name else {}
    assert bool(said("model/missing-head", tensors, config(1))) == found


@pytest.mark.parametrize(("count", "named"), [(17, 16), (18, 16), (16, 15), (10**12, 16)])
def test_no_more_than_sixteen_missing_layers_are_named(count: int, named: int) -> None:
    text = said("model/missing-layer", of("mlp.a"), config(count))
    assert str(list(range(1, named + 1))) in text


@pytest.mark.parametrize(("count", "named"), [(17, 16), (18, 16), (16, 15), (10**12, 16)])
def test_no_more_than_sixteen_missing_experts_are_named(count: int, named: int) -> None:
    text = said("model/missing-experts", of("mlp.experts.0.up_proj"), config(1, num_experts=count))
    assert str(list(range(1, named + 1))) in text


# -- names and copies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("plain", "wrapped", "found"), [(2, 1, True), (1, 1, True), (1, 2, False)])
def test_a_longer_name_is_odd_in_one_layer_only(plain: int, wrapped: int, found: bool) -> None:
    layers = ["mlp.up_proj mlp.a"] * plain + ["mlp.up_proj.linear mlp.a"] * wrapped
    expected = [f"model.layers.{plain}.mlp.up_proj.linear.weight"] if found else []
    assert places("names/renamed-module", of(*layers), config(plain + wrapped)) == expected


COPIES = {"mlp.up_proj": "BF16[32, 32] = 0.1, 0.2", "mlp.down_proj": "BF16[32, 32] = 0.3, 0.4"}


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (COPIES, True),  # 2048 bytes each
        ({**COPIES, "mlp.down_proj": "BF16[31, 33] = 0.3, 0.4"}, False),  # 2046 bytes are not looked at, one is left
        ({**COPIES, "mlp.down_proj": "BF16[32, 32] = 0x3c3c"}, False),  # one byte over and over tells nothing
        ({**COPIES, "mlp.gate_proj": "BF16[32, 32] = 0x3c3c"}, True),
    ],
)
def test_two_weights_of_two_thousand_bytes_tell_that_a_layer_is_a_copy(rows: dict[str, str], found: bool) -> None:
    tensors = {f"model.layers.{n}.{name}.weight": text for n in range(2) for name, text in rows.items()}
    assert bool(said("model/copied-layer", tensors, config(2))) == found
