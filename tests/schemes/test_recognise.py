"""Modules are recognised from names, dtypes and shapes; a damaged one stays a module of its scheme."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tensorlint.container.header import TensorInfo
from tensorlint.rulebook.library import load_book
from tensorlint.schemes.module import Module, Recognised
from tensorlint.schemes.recognise import Recogniser

Spec = Mapping[str, tuple[str, tuple[int, ...]]]
NVFP4: Spec = {
    ".weight": ("U8", (8, 64)),
    ".weight_scale": ("F8_E4M3", (8, 8)),
    ".weight_scale_2": ("F32", ()),
    ".input_scale": ("F32", ()),
}


def recognised(modules: Mapping[str, Spec]) -> Recognised:
    tensors = {}
    for module, spec in modules.items():
        for suffix, (dtype, shape) in spec.items():
            name = module + suffix
            tensors[name] = TensorInfo(name, dtype, shape, "model.safetensors", 0, 0)
    book = load_book()
    return Recogniser(book.schemes.values(), book.general.hints).recognise(tensors, None)


def module(found: Recognised, name: str) -> Module:
    return next(m for m in found.modules if m.name == name)


@pytest.mark.parametrize(
    ("scheme", "spec", "env"),
    [
        ("nvfp4-modelopt", NVFP4, {"N": 8, "K": 128, "g": 16}),
        ("nvfp4-modelopt", {**NVFP4, ".weight_scale": ("F8_E4M3", (8, 4))}, {"g": 32}),
        ("nvfp4-compressed-tensors", {".weight_packed": ("U8", (8, 64)), ".weight_scale": ("F8_E4M3", (8, 8)), ".weight_global_scale": ("F32", (1,))}, {"K": 128}),
        ("fp8-fine-grained", {".weight": ("F8_E4M3", (256, 512)), ".weight_scale_inv": ("F32", (2, 4))}, {"R": 128, "C": 128}),
        ("fp8-fine-grained", {".weight": ("F8_E4M3", (160, 256)), ".weight_scale_inv": ("BF16", (2, 2))}, {"R": 128}),
        ("mxfp8", {".weight": ("F8_E4M3", (8, 64)), ".weight_scale": ("U8", (8, 2))}, {"K": 64}),
        ("mxfp4", {".weight": ("U8", (8, 64)), ".weight_scale": ("U8", (8, 4))}, {"K": 128}),
        ("mxfp6", {".weight": ("U8", (8, 96)), ".weight_scale": ("U8", (8, 4))}, {"K": 128}),
        ("nvfp4-modelopt-fused", {"": ("U8", (4, 64, 8)), "_weight_scale": ("F8_E4M3", (4, 8, 8)), "_weight_scale_2": ("F32", ())}, {"E": 4, "K": 128, "N": 8}),
        ("mxfp4-experts", {"_blocks": ("U8", (4, 8, 2, 16)), "_scales": ("U8", (4, 8, 2)), "_bias": ("BF16", (4, 8))}, {"K": 64}),
        ("packed-compressed-tensors", {".weight_packed": ("I32", (8, 16)), ".weight_scale": ("BF16", (8, 1)), ".weight_shape": ("I64", (2,))}, {"b": 4}),
        ("gptq", {".qweight": ("I32", (16, 8)), ".qzeros": ("I32", (1, 1)), ".scales": ("F16", (1, 8)), ".g_idx": ("I32", (128,))}, {"b": 4, "K": 128}),
        ("awq", {".qweight": ("I32", (128, 2)), ".qzeros": ("I32", (1, 2)), ".scales": ("F16", (1, 16))}, {"K": 128, "N": 16}),
        ("mlx-affine", {".weight": ("U32", (8, 16)), ".scales": ("BF16", (8, 2)), ".biases": ("BF16", (8, 2))}, {"b": 4, "g": 64}),
        ("unquantized", {".weight": ("BF16", (8, 8)), ".bias": ("BF16", (8,))}, {}),
    ],
)  # fmt: skip
def test_a_sound_module_is_its_scheme(scheme: str, spec: Spec, env: dict[str, int]) -> None:
    found = recognised({"model.layers.0.mlp.experts.x": spec})
    one = found.modules[0]
    assert (one.scheme.name, one.problems) == (scheme, ())
    assert {k: one.env[k] for k in env} == env
    assert not found.unknown


def without(spec: Spec, suffix: str) -> Spec:
    return {s: t for s, t in spec.items() if s != suffix}


@pytest.mark.parametrize(
    ("damage", "kind", "part"),
    [
        (without(NVFP4, ".weight_scale"), "missing", "block_scale"),
        (without(NVFP4, ".weight_scale_2"), "missing", "tensor_scale"),
        (without(NVFP4, ".weight"), "missing", "weight"),
        ({**NVFP4, ".weight_scale": ("U8", (8, 8))}, "dtype", "block_scale"),
        ({**NVFP4, ".weight_scale": ("F32", (8, 8))}, "dtype", "block_scale"),
        ({**NVFP4, ".weight_scale": ("F8_E4M3", (64,))}, "shape", "block_scale"),
        ({**NVFP4, ".weight_scale_2": ("F32", (8,))}, "shape", "tensor_scale"),
        ({**NVFP4, ".weight_scale_2": ("BF16", ())}, "dtype", "tensor_scale"),
    ],
)
def test_a_damaged_module_is_its_scheme_with_that_defect(damage: Spec, kind: str, part: str) -> None:
    found = recognised({"l.0.up_proj": NVFP4, "l.1.up_proj": damage, "l.2.up_proj": NVFP4})
    odd = module(found, "l.1.up_proj")
    assert odd.scheme.name == "nvfp4-modelopt"
    assert [(p.kind, p.part) for p in odd.problems] == [(kind, part)]


def test_a_transposed_block_scale_contradicts_its_siblings() -> None:
    sound: Spec = {".weight": ("F8_E4M3", (512, 256)), ".weight_scale_inv": ("F32", (4, 2))}
    found = recognised({"l.0.up": sound, "l.1.up": {**sound, ".weight_scale_inv": ("F32", (2, 4))}, "l.2.up": sound})
    assert [p.kind for p in module(found, "l.1.up").problems] == ["shape"]


def test_fp8_without_scales_is_a_plain_cast_only_where_no_sibling_has_scales() -> None:
    bare: Spec = {".weight": ("F8_E4M3", (8, 8))}
    assert {m.scheme.name for m in recognised({"a.0.q": bare, "a.1.q": bare}).modules} == {"fp8-unscaled"}
    found = recognised({"a.0.q": {**bare, ".weight_scale_inv": ("F32", (1, 1))}, "a.1.q": bare})
    assert [p.part for p in module(found, "a.1.q").problems] == ["weight_scale"]


def test_a_module_with_two_defects_and_no_sound_sibling_is_unknown_not_guessed() -> None:
    odd: Spec = {".weight": ("I16", (16, 8)), ".weight_scale": ("BF16", (3, 5))}
    found = recognised({"a.0.q": odd, "a.1.q": odd})
    assert not [m for m in found.modules if m.scheme.quantized]
    assert len(found.unknown) == 2


@pytest.mark.parametrize(
    "spec",
    [
        {".codewords": ("I16", (8, 16)), ".weight_scale": ("BF16", (128,)), ".order_packed": ("I16", (128,))},
        {".weight": ("U8", (2, 128)), ".tables": ("BF16", (256, 2)), ".scales": ("BF16", (8, 2))},
    ],
)  # fmt: skip
def test_a_format_that_keeps_its_weight_under_another_name_is_unknown_not_damaged(spec: Spec) -> None:
    found = recognised({f"model.layers.{i}.x": spec for i in range(3)})
    assert not found.modules
    assert len(found.unknown) == 3


def test_siblings_that_all_depart_alike_from_a_scheme_of_others_are_unknown() -> None:
    sound: Spec = {".weight": ("F8_E4M3", (256, 256)), ".weight_scale_inv": ("F32", (2, 2))}
    other: Spec = {".weight": ("I16", (256, 128)), ".weight_scale_inv": ("BF16", (256, 3))}
    found = recognised(
        {**{f"l.{i}.q": sound for i in range(3)}, **{f"l.{i}.e.{e}": other for i in range(3) for e in "ab"}}
    )
    assert {m.name for m in found.modules} == {f"l.{i}.q" for i in range(3)}
    assert len(found.unknown) == 6


def test_a_scheme_keeps_a_part_that_is_named_like_a_companion() -> None:
    spec: Spec = {
        ".q_weight": ("I32", (16, 32)),
        ".q_scale": ("I32", (4, 4)),
        ".q_scale_max": ("F16", (4,)),
        ".q_groups": ("I16", (8,)),
    }
    assert [m.scheme.name for m in recognised({"l.0.x": spec}).modules] == ["exl2"]


def test_weights_beside_scales_are_left_as_they_are_only_where_that_is_declared() -> None:
    spec: Spec = {".weight": ("BF16", (8, 128)), ".weight_scale": ("BF16", (8, 1))}
    assert module(recognised({"l.0.x": spec}), "l.0.x").scheme.name == "unquantized"


def test_equal_matches_are_both_named() -> None:
    found = recognised({"a.q": {".weight": ("F8_E4M3", (8, 8)), ".weight_scale": ("F32", ())}})
    assert found.modules[0].rivals


def test_key_and_value_scales_stand_beside_any_scheme() -> None:
    found = recognised(
        {"l.0.self_attn.k_proj": {**NVFP4, ".k_scale": ("F32", ())}, "l.0.self_attn": {".v_scale": ("BF16", (1,))}}
    )
    names = {(m.name, m.scheme.name) for m in found.modules}
    assert ("l.0.self_attn.k_proj", "nvfp4-modelopt") in names
    assert {n for n, s in names if s == "kv-cache"} == {"l.0.self_attn.k_proj", "l.0.self_attn"}
