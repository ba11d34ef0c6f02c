"""Hostile shards through the whole engine, beside what the reference reader says about them."""

from __future__ import annotations

import tracemalloc

import pytest
import safetensors

from attacks import ACCEPTED, REFUSED
from linted import check, rules_of
from tensorlint.container.header import read_header
from tensorlint.errors import NoCheckpointError
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemoryFile, MemorySource


def errors(data: bytes) -> list[str]:
    book = load_book()
    try:
        report = check(MemorySource({"model.safetensors": data}), book, rules_of(book, ["container"]))
    except NoCheckpointError:
        return []
    return [f.rule for f in report.findings if f.severity == "error"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_reference_reader_refuses_is_an_error(name: str) -> None:
    with pytest.raises(safetensors.SafetensorError):
        safetensors.deserialize(REFUSED[name])
    assert errors(REFUSED[name])


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_the_reference_reader_accepts_is_no_error(name: str) -> None:
    safetensors.deserialize(ACCEPTED[name])
    assert errors(ACCEPTED[name]) == []


@pytest.mark.parametrize("name", REFUSED)
def test_memory_stays_in_proportion_to_the_header(name: str) -> None:
    data = REFUSED[name]
    file = MemoryFile("model.safetensors", data)
    tracemalloc.start()
    try:
        read_header(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000 + 64 * len(data)
