"""Entries of the header's metadata that are as long as a reader takes them, and one character longer."""

from __future__ import annotations

import pytest

from linted import check, rules_of
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
ENTRY = '{"_type": "Int8Tensor", "_data": {}}'


def said(metadata: dict[str, str]) -> str:
    tensors = {
        "a._weight_qdata": ("I8", (8, 64), bytes(range(1, 65)) * 8),
        "a._weight_scale": ("F32", (8, 1), b"\0\0\0\x3c" * 8),
    }
    files = {"model.safetensors": write_shard(tensors, metadata)}
    report = check(MemorySource(files), BOOK, rules_of(BOOK, ("contract/undescribed-module",)))
    return "; ".join(f.message for f in report.findings)


@pytest.mark.parametrize(("length", "problem"), [(1 << 16, ""), ((1 << 16) + 1, "that is too long to be one")])
def test_an_entry_has_at_most_65536_characters(length: int, problem: str) -> None:
    text = said({"a.weight": ENTRY.ljust(length), "tensor_names": '["a.weight"]'})
    assert problem in text and bool(text) == bool(problem)


@pytest.mark.parametrize(("length", "problem"), [(1 << 24, "no `a.weight` in the list"), ((1 << 24) + 1, "")])
def test_a_list_of_more_than_sixteen_million_characters_is_not_judged(length: int, problem: str) -> None:
    text = said({"a.weight": ENTRY, "tensor_names": '["b.weight"]'.ljust(length)})
    assert problem in text and bool(text) == bool(problem)
