"""Scales out of line with those of all other modules."""

from __future__ import annotations

import struct

import pytest

from linted import check, rules_of
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
RULE = "scales/out-of-line"


def found(scales: list[float], leaf: str = "mlp.up_proj") -> list[str]:
    """The modules that the rule names in a model with one scale per tensor in each layer."""
    tensors: dict[str, tuple[str, tuple[int, ...], bytes]] = {}
    for i, scale in enumerate(scales):
        module = f"model.layers.{i}.{leaf}"
        tensors[f"{module}.weight"] = ("F8_E4M3", (16, 16), bytes(range(1, 65)) * 4)
        tensors[f"{module}.weight_scale"] = ("F32", (), struct.pack("<f", scale))
    files = {"model.safetensors": write_shard(tensors, None)}
    report = check(MemorySource(files), BOOK, rules_of(BOOK, (RULE,)))
    return [location.tensor.rpartition(".")[0] for f in report.findings for location in f.locations]


USUAL = [0.0002, 0.0004, 0.0003, 0.0005, 0.0002, 0.0003]


@pytest.mark.parametrize(
    ("scales", "odd"),
    [
        (USUAL, []),
        ([*USUAL, 0.03], []),  # an outlier of a hundred
        ([*USUAL, 1 / 0.0003], [6]),
        ([*USUAL[:2], 1.0, *USUAL[2:]], [2]),
        ([*USUAL, 1e-9], []),  # small weights are a matter of training
        ([0.0002, 0.0003, 5000.0], []),  # too few to tell what is usual
        ([*USUAL, float("nan")], []),  # another rule's
    ],
)
def test_what_is_hundreds_of_times_the_median_is_named(scales: list[float], odd: list[int]) -> None:
    assert found(scales) == [f"model.layers.{i}.mlp.up_proj" for i in odd]


def test_embeddings_and_heads_have_sizes_of_their_own() -> None:
    assert found([*USUAL, 5000.0], leaf="embed_tokens") == []
