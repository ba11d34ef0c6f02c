"""Clean exports of real tools: their layouts and configurations yield neither error nor warning."""

from __future__ import annotations

import json
import lzma
import math
from pathlib import Path
from typing import Any

import pytest

from linted import check, rules_of
from tensorlint.dtypes import DTYPE_BITS
from tensorlint.report.findings import Report
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

FIXTURES = Path(__file__).parent / "fixtures"
LAYOUTS: list[dict[str, Any]] = [
    layout
    for file in ("layouts.json.xz", "families.json.xz", "recipes.json.xz")
    for layout in json.loads(lzma.decompress((FIXTURES / file).read_bytes()))
]


def rebuilt(layout: dict[str, Any]) -> MemorySource:
    """The export with zero bytes for values: only headers are read."""
    files: dict[str, bytes | None] = {}
    for name, content in layout["files"].items():
        if name.endswith(".safetensors"):
            tensors = {
                t: (dtype, tuple(shape), bytes(math.prod(shape) * DTYPE_BITS[dtype] // 8))
                for t, dtype, shape in content["tensors"]
            }
            files[name] = write_shard(tensors, content["metadata"])
        else:
            files[name] = json.dumps(content).encode()
    return MemorySource(files)


def checked(layout: dict[str, Any]) -> Report:
    book = load_book()
    return check(rebuilt(layout), book, rules_of(book), "headers")


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout["name"])
def test_nothing_loud_is_said_about_a_clean_export(layout: dict[str, Any]) -> None:
    loud = [(f.rule, f.message) for f in checked(layout).findings if f.severity != "note"]
    assert not loud


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout["name"])
def test_every_quantized_module_of_a_clean_export_is_recognised(layout: dict[str, Any]) -> None:
    report = checked(layout)
    assert not [g for g in report.gaps if "no known scheme" in g]


def test_the_fixture_covers_the_exporters_it_says() -> None:
    producers = {layout["producer"].split()[0] for layout in LAYOUTS}
    assert len(LAYOUTS) >= 230
    assert {"nvidia-modelopt", "auto-round", "bitsandbytes", "GPTQModel", "hqq", "peft", "torchao"} <= producers
