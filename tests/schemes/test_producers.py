"""A finding names the exporter where its version is known for the defect."""

from __future__ import annotations

import json

import pytest

from linted import NAN_SCALE, check, nvfp4, rules_of
from tensorlint.rulebook.library import load_book
from tensorlint.schemes.producers import numbers
from tensorlint.sources.memory import MemorySource


@pytest.mark.parametrize(
    ("version", "known"),
    [
        ("0.44.0", True),
        ("0.46.9", True),
        ("0.47.0", False),
        ("1.0", False),
        ("0.44.0rc1", True),
        ("", False),
        ("main", False),
    ],
)
def test_versions_before_the_fix_are_named(version: str, known: bool) -> None:
    config = {
        "quantization_config": {
            "quant_method": "modelopt",
            "quant_algo": "NVFP4",
            "producer": {"name": "modelopt", "version": version},
        }
    }
    book = load_book()
    files: dict[str, bytes | None] = {"model.safetensors": nvfp4(NAN_SCALE), "config.json": json.dumps(config).encode()}
    finding = next(f for f in check(MemorySource(files), book, rules_of(book)).findings if f.rule == "scales/nan")
    assert (f"ModelOpt {version}" in finding.note and "#1633" in finding.note) is known


@pytest.mark.parametrize(("text", "parts"), [("0.44.0", (0, 44, 0)), ("1.2rc3", (1, 2)), ("x1", ()), ("", ())])
def test_versions_are_compared_as_numbers(text: str, parts: tuple[int, ...]) -> None:
    assert numbers(text) == parts
