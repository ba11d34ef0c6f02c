"""A gap in the numbers of shards that the index does not know: a defect only where something is missing."""

from __future__ import annotations

import json

import pytest

from linted import check, rules_of
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
A, C = "model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"
CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": 2}
ROW = ("BF16", (4,), b"\x80\x3f" * 4)
MATRIX = ("BF16", (4, 4), bytes(range(1, 33)))


def layer(number: int) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    prefix = f"model.layers.{number}"
    return {f"{prefix}.input_layernorm.weight": ROW, f"{prefix}.mlp.up_proj.weight": MATRIX}


def rules(first: dict, last: dict, total: int | None = None, config: dict | None = None) -> set[str]:
    metadata = {} if total is None else {"total_size": total}
    weight_map = {**dict.fromkeys(first, A), **dict.fromkeys(last, C)}
    files = {
        A: write_shard(first, None),
        C: write_shard(last, None),
        "model.safetensors.index.json": json.dumps({"metadata": metadata, "weight_map": weight_map}).encode(),
        "config.json": json.dumps(config or CONFIG).encode(),
    }
    report = check(MemorySource(files), BOOK, rules_of(BOOK))
    return {f.rule for f in report.findings if f.severity != "note"}


WHOLE = {"model.embed_tokens.weight": MATRIX, "model.norm.weight": ROW, "lm_head.weight": MATRIX}


@pytest.mark.parametrize(
    ("first", "last", "total", "said"),
    [
        ({**WHOLE, **layer(0)}, layer(1), None, set()),  # renumbered by hand, but whole
        ({**WHOLE, **layer(0)}, layer(1), 128 + 40 * 2 - 96, {"index/total-size"}),
        ({**WHOLE, **layer(0)}, {"x.weight": MATRIX}, None, {"index/shard-gap"}),  # layer 1 is not there
        ({**WHOLE, **layer(0)}, layer(1), 10_000, {"index/shard-gap"}),  # the index states more bytes
    ],
)
def test_a_gap_is_said_once_and_only_with_a_sign_of_loss(first: dict, last: dict, total: int | None, said: set) -> None:
    assert rules(first, last, total) == said
