"""Over how many devices a module can be divided, by hand for the layouts that scales have."""

from __future__ import annotations

import json

import pytest

from linted import rules_of
from tensorlint.checks import parallel
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.run.plan import jobs_for
from tensorlint.sources.memory import MemorySource

BOOK = load_book()


def shard(**tensors: tuple[str, tuple[int, ...]]) -> bytes:
    from math import prod

    from tensorlint.dtypes import DTYPE_BITS

    return write_shard(
        {n.replace("__", "."): (d, s, bytes(prod(s) * DTYPE_BITS[d] // 8)) for n, (d, s) in tensors.items()}
    )


def fp8(leaf: str, rows: int, columns: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    grid = (-(-rows // 128), -(-columns // 128))
    return {f"l.mlp.{leaf}.weight": ("F8_E4M3", (rows, columns)), f"l.mlp.{leaf}.weight_scale_inv": ("F32", grid)}


def gptq(leaf: str, rows: int, columns: int, group: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {
        f"l.mlp.{leaf}.qweight": ("I32", (columns // 8, rows)),
        f"l.mlp.{leaf}.qzeros": ("I32", (-(-columns // group), rows // 8)),
        f"l.mlp.{leaf}.scales": ("F16", (-(-columns // group), rows)),
    }


FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}
GPTQ = {"quant_method": "gptq", "bits": 4, "sym": True, "desc_act": False}


@pytest.mark.parametrize(
    ("tensors", "config", "size"),
    [
        (fp8("down_proj", 128, 1024), FP8, None),
        (fp8("down_proj", 128, 512), FP8, 4),
        (fp8("down_proj", 128, 384), FP8, 1),
        (fp8("down_proj", 128, 1536), FP8, 4),
        (fp8("up_proj", 768, 128), FP8, 2),
        (fp8("up_proj", 1024, 128), FP8, None),
        # 29568 columns in groups of 128 are 231 groups: the known case, not even two devices
        (gptq("down_proj", 64, 29568, 128), {**GPTQ, "group_size": 128}, 1),
        (gptq("down_proj", 64, 29696, 128), {**GPTQ, "group_size": 128}, None),
        (gptq("down_proj", 64, 256, 32), {**GPTQ, "group_size": 32}, None),
        (gptq("up_proj", 64, 256, 32), {**GPTQ, "group_size": 32}, None),
        (gptq("up_proj", 32, 256, 32), {**GPTQ, "group_size": 32}, 4),
        # one scale per output: nothing to cut but whole words
        (gptq("down_proj", 64, 1024, 1024), {**GPTQ, "group_size": -1}, None),
        # 100 columns are no multiple of 8 devices with or without quantization
        ({"l.mlp.down_proj.weight": ("F8_E4M3", (8, 100)), "l.mlp.down_proj.weight_scale": ("F32", ())}, {}, None),
    ],
)  # fmt: skip
def test_the_largest_number_of_devices(tensors, config, size):
    files = {"model.safetensors": shard(**tensors), "config.json": json.dumps({"quantization_config": config}).encode()}
    jobs, _ = jobs_for(MemorySource(files), BOOK, rules_of(BOOK), "headers")
    found = list(parallel.run(jobs[0].view))
    assert [fact.values["size"] for fact in found] == ([] if size is None else [size])
