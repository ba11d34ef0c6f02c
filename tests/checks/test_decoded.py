"""Which models have weights of an impossible size, and which only unusual ones."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from linted import check, rules_of
from tensorlint.dtypes import ENCODINGS, code_table
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
RULES = ("weights/decoded-huge", "weights/decoded-out-of-line", "weights/decoded-tiny", "scales/too-large")
FP8 = code_table(ENCODINGS["e4m3"]).value[:127]
Floats = npt.NDArray[np.float64]
Scale = Callable[[Floats], Floats]
CONFIG = json.dumps({"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8"}}).encode()


def amax(weight: Floats) -> Floats:
    """The scale that decodes, one for each row."""
    return np.maximum(np.abs(weight).max(axis=1, keepdims=True), 1e-12) / 448


def found(
    weights: list[Floats],
    scale: Callable[[int], Scale] = lambda _: amax,
    plain: Floats | None = None,
    depth: str = "full",
) -> list[str]:
    """The rules that speak of a model with these weights; `scale` says what is stored for each."""
    tensors: dict[str, tuple[str, tuple[int, ...], bytes]] = {}
    for i, weight in enumerate(weights):
        module = f"model.layers.{i}.mlp.up_proj"
        true = amax(weight)
        codes = np.searchsorted((FP8[1:] + FP8[:-1]) / 2, np.abs(weight / true)) | np.signbit(weight) << 7
        stored = np.asarray(scale(i)(weight), "<f4")
        tensors[f"{module}.weight"] = ("F8_E4M3", weight.shape, codes.astype(np.uint8).tobytes())
        tensors[f"{module}.weight_scale"] = ("F32", stored.shape, stored.tobytes())
    if plain is not None:
        tensors["model.embed_tokens.weight"] = ("F32", plain.shape, plain.astype("<f4").tobytes())
    source = MemorySource({"model.safetensors": write_shard(tensors, None), "config.json": CONFIG})
    return sorted({f.rule for f in check(source, BOOK, rules_of(BOOK, RULES), depth).findings})


def normal(size: float, count: int = 6, columns: int = 256) -> list[Floats]:
    draw = np.random.default_rng(0)
    return [draw.normal(0, size, (64, columns)) for _ in range(count)]


EMBEDDING = np.random.default_rng(1).normal(0, 0.02, (128, 64))
SOUND = {
    "a usual model": (normal(0.02), EMBEDDING),
    "a random one": (normal(1), np.random.default_rng(1).normal(0, 1, (128, 64))),
    "a random one, wide": (normal(1, 2, 4096), None),
    "a small one that was trained hard": (normal(1.7, columns=128), EMBEDDING * 10),
    "embeddings fifty times as small": (normal(1), EMBEDDING),
    "embeddings five hundred times as large": (normal(0.02), EMBEDDING * 500),
    "narrow rows": (normal(3, columns=16), None),
    "experts that nothing was routed to": ([*normal(1e-9, 8), *normal(0.05, 4)], EMBEDDING),
    "one layer that is nearly zero": ([*normal(0.02), *normal(1e-8, 1)], EMBEDDING),
    "all layers are zero": ([np.zeros((64, 128))] * 6, EMBEDDING),
    "large models": (normal(0.004, 6, 4096), EMBEDDING),
    "an outlier of a hundred times the others": ([np.where(w == w.max(), 100 * w, w) for w in normal(0.02)], EMBEDDING),
}


@pytest.mark.parametrize("depth", ["scales", "full"])
@pytest.mark.parametrize("case", SOUND)
def test_unusual_models_are_sound(case: str, depth: str) -> None:
    weights, plain = SOUND[case]
    assert found(weights, plain=plain, depth=depth) == []


WRONG: dict[str, Scale] = {
    "the reciprocal": lambda w: 1 / amax(w),
    "amax without the division": lambda w: amax(w) * 448,
    "one": lambda w: np.ones_like(amax(w)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_scales_show_in_all_modules_alike(wrong: str) -> None:
    assert found(normal(0.02), lambda _: WRONG[wrong], EMBEDDING)
    assert found(normal(0.02, columns=2048), lambda _: WRONG[wrong])


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_scales_show_in_one_of_many(wrong: str) -> None:
    assert found(normal(0.02), lambda i: WRONG[wrong] if i == 3 else amax)


def test_scales_divided_twice_show() -> None:
    assert found(normal(0.02), lambda _: lambda w: amax(w) / 448) == ["weights/decoded-tiny"]
    assert found(normal(0.02), lambda i: (lambda w: amax(w) / 448) if i == 3 else amax) == []


def test_from_scales_alone_reciprocals_show() -> None:
    assert found(normal(0.02), lambda _: WRONG["the reciprocal"], depth="scales") == ["scales/too-large"]


def test_four_others_are_too_few_to_tell_what_is_usual() -> None:
    large: Callable[[int], Scale] = lambda i: (lambda w: amax(w) * 150) if i == 0 else amax  # noqa: E731
    assert found(normal(0.02, 4), large) == []
    assert found(normal(0.02, 5), large) == ["weights/decoded-out-of-line"]
