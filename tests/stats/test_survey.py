"""Logical weights, sizes and bits per weight, scheme by scheme."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tensorlint.errors import NoCheckpointError, UsageError
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.variants import scheme_examples
from tensorlint.sources.memory import MemorySource
from tensorlint.stats.report import Contents, survey
from tensorlint.stats.survey import by, summed

BOOK = load_book()
# What adapters add to a matrix of 32 rows and 128 columns.
FACTORS = {
    "lora": 8 * 128 + 32 * 8,
    "lora-embedding": 8 * 128 + 32 * 8,
    "loha": 2 * (8 * 128 + 32 * 8),
    "lokr": 8 * 8 + 32 * 4 + 4 * 16,
}
# Schemes whose shapes do not tell how many weights there are, or that are no weights.
UNTOLD = {"kv-cache", "comfy-fp8-marker", "vptq"}


def contents(files: Mapping[str, bytes | None], pattern: str = "") -> Contents:
    return survey(MemorySource(files), BOOK, pattern)


@pytest.mark.parametrize("scheme", BOOK.schemes.values(), ids=lambda s: s.name)
def test_the_weights_of_every_scheme_are_counted(scheme) -> None:
    table = [r for r in contents(scheme_examples(scheme)[1][0].files).rows if r.scheme == scheme.name]
    counted = summed(table).parameters
    if scheme.name in UNTOLD:
        assert not counted
        return
    three = 3 * FACTORS.get(scheme.name, 32 * 128)
    experts = 2 if any("E" in d.symbols for p in scheme.parts.values() for s in p.shapes[:1] for d in s) else 1
    sparse = scheme.name == "sparse-compressed-tensors"
    assert counted == three * experts or sparse


def two() -> dict[str, bytes | None]:
    shard = write_shard(
        {
            "model.layers.0.self_attn.q_proj.weight": ("U8", (32, 64), bytes(2048)),
            "model.layers.0.self_attn.q_proj.weight_scale": ("F8_E4M3", (32, 8), b"\x38" * 256),
            "model.layers.0.self_attn.q_proj.weight_scale_2": ("F32", (), b"\0\0\0\x3c"),
            "model.embed_tokens.weight": ("BF16", (10, 4), bytes(80)),
            "model.layers.0.mlp.experts.1.up_proj.weight": ("BF16", (4, 4), bytes(32)),
            "position_ids": ("I64", (4,), bytes(32)),
        }
    )
    return {"model.safetensors": shard}


def test_scales_count_into_the_bits_per_weight_and_not_into_the_weights() -> None:
    sums = by(contents(two()).rows, lambda r: r.scheme)
    assert sums["nvfp4-modelopt"].parameters == 32 * 128
    assert sums["nvfp4-modelopt"].bits_per_weight == (2048 + 256 + 4) * 8 / (32 * 128)
    assert sums["nvfp4-modelopt"].modules == 1
    assert sums["unquantized"].parameters == 40 + 16  # integers outside of any module are no weights


def test_roles_and_layers() -> None:
    rows = {r.tensor.name: (r.role, r.layer) for r in contents(two()).rows}
    assert rows["model.embed_tokens.weight"] == ("embedding", "")
    assert rows["model.layers.0.self_attn.q_proj.weight_scale"] == ("attention", "model.layers.0")
    assert rows["model.layers.0.mlp.experts.1.up_proj.weight"] == ("experts", "model.layers.0")


def test_tensors_are_chosen_by_tensor_and_by_module() -> None:
    names = [r.tensor.name for r in contents(two(), "*q_proj").chosen]
    assert [n.rpartition(".")[2] for n in names] == ["weight", "weight_scale", "weight_scale_2"]
    assert len(contents(two(), "*.weight_scale*").chosen) == 2
    with pytest.raises(UsageError, match="no tensor matches") as caught:
        contents(two(), "model.embed_token.weight")
    assert "model.embed_tokens.weight" in caught.value.hint


def test_nothing_to_show() -> None:
    with pytest.raises(NoCheckpointError):
        contents({"config.json": b"{}"})
