"""What departures from a scheme cost, what votes are worth, and how many of what it takes: just enough, and just too little."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tensorlint.container.checkpoint import find_checkpoints
from tensorlint.container.header import TensorInfo
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.schemes.candidates import Match, match
from tensorlint.schemes.declared import Declaration, read_declared
from tensorlint.schemes.grouping import Grouping, Hints
from tensorlint.schemes.model import Part, Scheme
from tensorlint.schemes.module import Problem
from tensorlint.schemes.shapes import ShapeError, dim
from tensorlint.schemes.voting import Chosen, choose
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
HINTS = Hints(BOOK.general.hints)
Spec = Mapping[str, tuple[str, tuple[int, ...]]]
NVFP4: Spec = {
    ".weight": ("U8", (8, 64)),
    ".weight_scale": ("F8_E4M3", (8, 8)),
    ".weight_scale_2": ("F32", ()),
    ".input_scale": ("F32", ()),
}


def group(spec: Spec, *without: str) -> dict[str, TensorInfo]:
    return {s: TensorInfo(s, dtype, shape, "s", 0, 0) for s, (dtype, shape) in spec.items() if s not in without}


def others(count: int) -> Spec:
    """Tensors that hint at nothing."""
    return {f".other{n}": ("F32", (3,)) for n in range(count)}


# -- what a departure costs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "without", "cost"),
    [
        (NVFP4, (), 0.0),
        ({**NVFP4, ".foo_scale": ("F32", ())}, (), 1.5),
        ({**NVFP4, **others(1)}, (), 0.25),
        ({**NVFP4, ".weight_scale": ("F8_E4M3", (64,))}, (), 1.5),
        ({**NVFP4, ".weight_scale": ("U8", (8, 8))}, (), 2.0),
        (NVFP4, (".input_scale",), 0.0),  # no module of the kind has to have it
        (NVFP4, (".weight_scale_2",), 3.0),
        (NVFP4, (".weight",), 4.0),
        ({**NVFP4, ".weight_scale": ("U8", (8, 8))}, (".weight_scale_2",), 5.0),
        ({**NVFP4, ".weight_scale": ("U8", (8, 8)), **others(3)}, (".weight_scale_2",), 5.75),
        # nothing of the scheme is left
        ({**NVFP4, ".weight_scale": ("U8", (8, 8)), **others(4)}, (".weight_scale_2",), None),
        (NVFP4, (".weight_scale", ".weight_scale_2"), None),
        ({**NVFP4, ".weight_scale": ("U8", (8, 8))}, (".weight",), None),
    ],
)
def test_a_module_of_which_too_much_departs_is_none_of_a_scheme(
    spec: Spec, without: tuple[str, ...], cost: float | None
) -> None:
    found = match(BOOK.schemes["nvfp4-modelopt"], group(spec, *without), HINTS, {})
    assert (found.cost if found else None) == cost


@pytest.mark.parametrize(("count", "perfect"), [(0, True), (3, True), (4, False)])
def test_three_tensors_of_no_account_leave_a_match_perfect(count: int, perfect: bool) -> None:
    found = match(BOOK.schemes["nvfp4-modelopt"], group({**NVFP4, **others(count)}), HINTS, {})
    assert found is not None and found.perfect == perfect


@pytest.mark.parametrize(
    ("declared_size", "scales", "fits"),
    [(1, 128, True), (2, 64, True), (None, 128, False), (0, 128, False), (-1, 128, False)],
)
def test_a_declared_size_is_tried_before_the_usual_ones(declared_size: int | None, scales: int, fits: bool) -> None:
    spec = {**NVFP4, ".weight_scale": ("F8_E4M3", (8, scales))}
    found = match(BOOK.schemes["nvfp4-modelopt"], group(spec), HINTS, {"group_size": declared_size})
    assert found is not None and (found.cost == 0) == fits


# -- votes ------------------------------------------------------------------------------------------------------------


def scheme(name: str, weak: bool = False) -> Scheme:
    return Scheme(name, "", {}, {}, declared=({"method": (name,)},), weak=weak)


A, B, C, WEAK = scheme("awq"), scheme("gptq"), scheme("quark"), scheme("weak", weak=True)
SHAPE, DTYPE, MISSING = Problem("shape", "weight_scale"), Problem("dtype", "weight"), Problem("missing", "weight")


def a_match(of: Scheme, cost: float = 0.0, *problems: Problem, left_over: tuple[str, ...] = ()) -> Match:
    return Match(of, cost, (("weight", ".weight"), ("weight_scale", ".scales")), {}, {}, problems, left_over)


def modules(name: str, count: int, of: Scheme) -> dict[str, tuple[Match, ...]]:
    """Sound modules of a scheme."""
    return {name.replace("*", str(n)): (a_match(of),) for n in range(count)}


def declared(method: str) -> Declaration:
    config = {"quantization_config": {"quant_method": method}}
    files = {"model.safetensors": write_shard({}), "config.json": json.dumps(config).encode()}
    main = read_declared(
        next(iter(find_checkpoints(MemorySource(files)))), BOOK.dialects.values(), BOOK.general.inside
    ).main
    assert main is not None
    return main


def name_of(found: Chosen, module: str) -> str:
    return found[module][0].scheme.name if module in found else ""


@pytest.mark.parametrize(("dearer", "winner"), [(1.49, "gptq"), (1.51, "awq")])
def test_siblings_make_up_for_a_wrong_shape(dearer: float, winner: str) -> None:
    rest = {**modules("l.*.q", 2, B), **modules("l.*.o", 9, C)}
    found = choose({"l.5.q": (a_match(A, 3.0), a_match(B, 3.0 + dearer)), **rest}, None)
    assert name_of(found, "l.5.q") == winner


@pytest.mark.parametrize(("evident", "winner"), [(True, "gptq"), (False, "awq")])
def test_the_declaration_decides_what_a_damaged_module_is_if_its_tensors_say_that_it_is_quantized(
    evident: bool, winner: str
) -> None:
    meant = replace(a_match(B, 9.0, MISSING, DTYPE), evident=evident)
    assert name_of(choose({"l.5.q": (a_match(A, 3.0), meant)}, declared("gptq")), "l.5.q") == winner


@pytest.mark.parametrize(("sound", "winner"), [(0, "gptq"), (1, "awq")])
def test_a_declaration_that_sound_modules_contradict_says_nothing_about_damaged_ones(sound: int, winner: str) -> None:
    two = (a_match(A, 2.0, SHAPE), a_match(B, 4.0, SHAPE, DTYPE))
    assert name_of(choose({"l.5.q": two, **modules("l.*.o", sound, A)}, declared("gptq")), "l.5.q") == winner


SCALE = Problem("dtype", "weight_scale")


@pytest.mark.parametrize(
    ("problems", "left_over", "winner"),
    [
        ((SCALE,), (), "gptq"),  # one part in another form is damage
        ((DTYPE,), (), "gptq"),
        ((Problem("dtype", "weight", {"found": "U8"}),), (), "gptq"),
        ((Problem("dtype", "weight", {"found": "F8_E4M3"}),), (), "awq"),  # says what it is
        ((SCALE, Problem("dtype", "input_scale")), (), "gptq"),  # beside a sound weight
        ((SCALE, DTYPE), (), "awq"),
        ((SCALE, Problem("shape", "weight_scale")), (), "awq"),  # nothing of its own form left
        ((SCALE, Problem("missing", "zero_point")), (), "awq"),
        ((SCALE,), (".other",), "awq"),  # what only the other scheme explains
    ],
)
def test_another_scheme_that_fits_is_believed_where_the_declared_one_would_need_several_defects(
    problems: tuple[Problem, ...], left_over: tuple[str, ...], winner: str
) -> None:
    meant = a_match(B, 2.0, *problems, left_over=left_over)
    found = choose({f"l.{n}.q": (a_match(A), meant) for n in range(3)}, declared("gptq"))
    assert {name_of(found, f"l.{n}.q") for n in range(3)} == {winner}


def test_how_scales_are_grouped_speaks_against_damage_only_where_that_is_declared() -> None:
    scales = {"weight_scale": Part("weight_scale", "scale", ".scales", ("F16",), scales="weight")}
    of = replace(B, parts=scales)
    meant = replace(a_match(of, 2.0, Problem("dtype", "input_scale")), labels={"weight_scale": "channel"})
    found = choose({f"l.{n}.q": (a_match(A), meant) for n in range(3)}, declared("gptq"))  # no word of a strategy
    assert {name_of(found, f"l.{n}.q") for n in range(3)} == {"gptq"}


@pytest.mark.parametrize(("everywhere", "winner"), [(True, "awq"), (False, "gptq")])
def test_another_layout_of_the_weight_is_believed_where_it_fits_all_modules(everywhere: bool, winner: str) -> None:
    meant = a_match(B, 1.5, Problem("shape", "weight"))
    odd = () if everywhere else (a_match(A, 1.5, SHAPE),)
    fits = {f"l.{n}.q": (a_match(A), meant) for n in range(3)}
    found = choose({**fits, "l.9.o": (*(odd or (a_match(A),)), meant)}, declared("gptq"))
    assert {name_of(found, name) for name in found} == {winner}


@pytest.mark.parametrize(("dearer", "winner"), [(0.49, "gptq"), (0.51, "awq")])
def test_the_rest_of_the_checkpoint_decides_between_near_equals(dearer: float, winner: str) -> None:
    found = choose({"l.5.q": (a_match(A, 3.0), a_match(B, 3.0 + dearer)), **modules("l.*.o", 2, B)}, None)
    assert name_of(found, "l.5.q") == winner


@pytest.mark.parametrize(("cost", "winner"), [(2.89, "gptq"), (2.91, "weak"), (3.0, "weak")])
def test_a_weak_scheme_yields_to_less_than_a_missing_part(cost: float, winner: str) -> None:
    found = choose({"l.5.q": (a_match(WEAK), a_match(B, cost))}, None)
    assert name_of(found, "l.5.q") == winner


def test_a_vote_decides_between_a_weak_scheme_and_a_missing_part() -> None:
    found = choose({"l.5.q": (a_match(WEAK), a_match(B, 3.0)), **modules("l.*.o", 2, B)}, None)
    assert name_of(found, "l.5.q") == "gptq"


@pytest.mark.parametrize(("dearer", "rivals"), [(0.0, ("gptq",)), (1e-12, ("gptq",)), (1e-6, ()), (0.25, ())])
def test_schemes_are_rivals_where_they_cost_the_same(dearer: float, rivals: tuple[str, ...]) -> None:
    found = choose({"l.5.q": (a_match(A, 3.0), a_match(B, 3.0 + dearer))}, None)
    assert found["l.5.q"][1] == rivals


@pytest.mark.parametrize(
    ("left_over", "method", "expected"),
    [
        ((), "", ("awq", ("gptq",))),  # both fit: both are named
        ((), "gptq", ("gptq", ())),
        ((".other",), "", ("gptq", ())),  # the one that explains more
        ((".other",), "awq", ("gptq", ())),
    ],
)
def test_of_two_perfect_matches_the_one_that_explains_more_wins(
    left_over: tuple[str, ...], method: str, expected: tuple[str, tuple[str, ...]]
) -> None:
    two = (a_match(A, 0.25 * len(left_over), left_over=left_over), a_match(B))
    best, rivals = choose({"l.5.q": two}, declared(method) if method else None)["l.5.q"]
    assert (best.scheme.name, rivals) == expected


# -- how many siblings tell -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("usual", "odd", "changed"), [(2, 1, True), (1, 1, False), (3, 2, True), (2, 2, False)])
def test_two_siblings_and_more_than_there_are_of_its_own_tell_what_a_damaged_module_was(
    usual: int, odd: int, changed: bool
) -> None:
    damaged = {f"l.{10 + n}.q": (a_match(A), a_match(B, 1.5, SHAPE)) for n in range(odd)}
    found = choose({**modules("l.*.q", usual, B), **damaged}, None)
    assert {name_of(found, name) for name in damaged} == {"gptq" if changed else "awq"}


@pytest.mark.parametrize(("sound", "odd", "changed"), [(6, 1, True), (5, 1, False), (6, 2, False), (60, 2, False)])
def test_six_modules_of_another_scheme_make_a_single_one_look_damaged(sound: int, odd: int, changed: bool) -> None:
    damaged = {f"x{n}.q": (a_match(A), a_match(B, 1.5, SHAPE)) for n in range(odd)}
    found = choose({**modules("l.*.o", sound, B), **damaged}, None)
    assert {name_of(found, name) for name in damaged} == {"gptq" if changed else "awq"}


@pytest.mark.parametrize(
    ("problems", "left_over", "siblings", "elsewhere", "found"),
    [
        ((SHAPE, DTYPE), (), 1, 0, True),  # a sound sibling is known
        ((SHAPE, DTYPE), (), 0, 1, False),  # one defect, where the checkpoint has sound modules
        ((SHAPE,), (), 0, 1, True),
        ((DTYPE,), (), 0, 1, True),
        ((SHAPE,), (), 0, 0, True),  # and where it has none, one that is not in the weight's dtype
        ((SHAPE, SHAPE), (), 0, 0, False),
        ((DTYPE,), (), 0, 0, False),
        ((MISSING,), (), 0, 0, True),
        ((MISSING,), (".other",), 0, 0, False),  # the weight has another name: a format nobody here knows
        ((), (".other",), 0, 0, True),
    ],
)
def test_how_many_defects_a_module_may_have(
    problems: tuple[Problem, ...], left_over: tuple[str, ...], siblings: int, elsewhere: int, found: bool
) -> None:
    damaged = {f"l.{10 + n}.q": (a_match(B, 3.0, *problems, left_over=left_over),) for n in range(2)}
    chosen = choose({**damaged, **modules("l.*.q", siblings, B), **modules("l.*.o", elsewhere, B)}, None)
    assert {name_of(chosen, name) for name in damaged} == {"gptq" if found else ""}


def test_a_module_without_siblings_may_have_several_defects_where_the_checkpoint_has_sound_ones() -> None:
    for sound, expected in ((1, "gptq"), (0, "")):
        found = choose({"x.q": (a_match(B, 3.0, SHAPE, DTYPE),), **modules("l.*.o", sound, B)}, None)
        assert name_of(found, "x.q") == expected


# -- tensors that fit no scheme ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "shape", "expected"),
    [
        ("U8", (8, 8), True),
        ("U8", (7, 9), False),  # 63 integers
        ("I32", (1, 64), True),
        ("U8", (64,), False),  # no matrix
        ("F8_E4M3", (1, 1), True),  # says it by its dtype
        ("F8_E4M3", (64,), False),
        ("F32", (8, 8), False),
    ],
)
def test_a_matrix_of_sixty_four_integers_beside_a_scale_may_be_a_weight(
    dtype: str, shape: tuple[int, ...], expected: bool
) -> None:
    assert HINTS.looks_quantized(group({".codes": (dtype, shape), ".scales": ("F16", (8,))})) == expected


@pytest.mark.parametrize(("shape", "own"), [((4, 8, 8), True), ((8, 8), False)])
def test_codes_in_three_dimensions_are_fused_experts(shape: tuple[int, ...], own: bool) -> None:
    tensors = {"l.experts.gate_up_proj": TensorInfo("l.experts.gate_up_proj", "U8", shape, "s", 0, 0)}
    groups = Grouping({".weight", "_scale"}).groups(tensors)
    assert set(groups) == {"l.experts.gate_up_proj" if own else "l.experts"}


@pytest.mark.parametrize(
    ("tensors", "groups"),
    [
        ({"l.x": "BF16", "l.x_scale": "F32"}, {"l.x": {"", "_scale"}}),
        ({"l.x_scale": "F32"}, {"l.x": {"_scale"}}),
        ({"l._scale": "F32"}, {"l": {"._scale"}}),  # a suffix alone is no name
        ({"l.weight": "BF16", "l.x_scale": "F32"}, {"l": {".weight", ".x_scale"}}),  # a tensor of that module
        ({"l.weight": "BF16", "l.x": "BF16", "l.x_scale": "F32"}, {"l": {".weight"}, "l.x": {"", "_scale"}}),
        ({"l.x": "BF16", "l.x_bias": "BF16"}, {"l": {".x", ".x_bias"}}),  # nothing of it is quantized
        ({"l.x_bias": "BF16"}, {"l": {".x_bias"}}),
        ({"l.x": "U8", "l.x_bias": "BF16"}, {"l.x": {"", "_bias"}}),
    ],
)
def test_two_joined_names_make_a_module_of_their_own(tensors: dict[str, str], groups: dict[str, set[str]]) -> None:
    infos = {n: TensorInfo(n, dtype, (4, 8, 8), "s", 0, 0) for n, dtype in tensors.items()}
    assert {n: set(g) for n, g in Grouping({".weight", "_scale"}).groups(infos).items()} == groups


# -- text and numbers of scheme files and declarations ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "right"), [("N" * 80, True), ("N" * 81, False), (str(1 << 40), True), (str((1 << 40) + 1), False)]
)
def test_a_dimension_has_eighty_characters_and_numbers_up_to_two_to_the_fortieth(text: str, right: bool) -> None:
    try:
        assert dim(text).text == text and right
    except ShapeError:
        assert not right


@pytest.mark.parametrize(("bits", "quantized"), [(15, True), (16, False)])
def test_sixteen_bits_are_not_quantized(bits: int, quantized: bool) -> None:
    whole = declaration({"quant_method": "gptq", "bits": bits})
    assert whole.quantizes == quantized and bool(whole.expect("l.0.x").quantized) == quantized
    single = declaration({"quant_method": "gptq", "bits": 4, "dynamic": {"+:.*x": {"bits": bits}}})
    assert single.expect("l.0.x").quantized is quantized


def declaration(quantization: dict[str, Any], **more: Any) -> Declaration:
    return read(quantization, **more)[0]


def read(quantization: dict[str, Any], **more: Any) -> tuple[Declaration, ...]:
    files = {
        "model.safetensors": write_shard({}),
        "config.json": json.dumps({"quantization_config": quantization}).encode(),
    }
    files |= {f"{name}.json": json.dumps(content).encode() for name, content in more.items()}
    return read_declared(
        next(iter(find_checkpoints(MemorySource(files)))), BOOK.dialects.values(), BOOK.general.inside
    ).all


def test_config_json_comes_first_and_the_exporters_own_file_before_others_whatever_their_methods_are_called() -> None:
    found = read(
        {"quant_method": "torchao"},
        hf_quant_config={"quantization": {"quant_algo": "FP8"}},
        quantize_config={"bits": 4, "group_size": 128},
    )
    assert [d.method for d in found] == ["torchao", "modelopt", "gptq"]
    assert [d.file for d in found] == ["config.json", "hf_quant_config.json", "quantize_config.json"]
