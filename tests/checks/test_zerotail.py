"""Zeros that reach from the middle of a tensor to the end of the file, wherever pages and chunks begin."""

from __future__ import annotations

import pytest

from linted import check, rules_of
from tensorlint.checks import zerotail
from tensorlint.facts import Fact
from tensorlint.measures.interface import PAGE
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.run.plan import jobs_for
from tensorlint.sources.memory import MemorySource

ONES, ZEROS = b"\1", b"\0"
BOOK = load_book()


def source(*tensors: bytes) -> MemorySource:
    """A shard with these tensors of bytes, in this order."""
    shard = write_shard({f"t{i}": ("U8", (len(data),), data) for i, data in enumerate(tensors)}, None)
    return MemorySource({"model.safetensors": shard})


def said(*tensors: bytes) -> list[str]:
    """The tensors that the rule says are lost."""
    report = check(source(*tensors), BOOK, rules_of(BOOK, ("container/zero-tail",)))
    return [place.tensor for finding in report.findings for place in finding.locations]


def facts(*tensors: bytes) -> list[Fact]:
    jobs, _ = jobs_for(source(*tensors), BOOK, (), "headers")
    return list(zerotail.run(jobs[0].view, {}))


# name: (tensors, the tensors that are lost)
TAILS: dict[str, tuple[tuple[bytes, ...], list[str]]] = {
    "half of the one before last and the last": ((ONES * 9000 + ZEROS * 5000, ZEROS * 700), ["t0", "t1"]),
    "over three tensors": ((ONES * 9000, ONES * 10 + ZEROS * 990, ZEROS * 5000, ZEROS * 5), ["t1", "t2", "t3"]),
    "more than a chunk": ((ONES + ZEROS * (3 << 20), ZEROS * 9), ["t0", "t1"]),
    "nothing": ((ONES * 9000, ONES * 700), []),
    "only within the last tensor": ((ONES * 9000, ONES * 10 + ZEROS * 9000), []),
    "from the beginning of a tensor on": ((ONES * 9000, ZEROS * 9000, ZEROS * 700), []),
    "the last values of a tensor, and zero tensors": ((ONES * 9000 + ZEROS * 8, ZEROS * 9000), []),
    "less than a page": ((ONES * 900 + ZEROS * 500, ZEROS * (PAGE - 501)), []),
    "everything": ((ZEROS * 9000, ZEROS * 9000), []),
    "an empty tensor at the end": ((ONES * 900 + ZEROS * 5000, ZEROS * 9, b""), ["t0", "t1"]),
}


@pytest.mark.parametrize("name", TAILS)
def test_the_tensors_under_a_zero_tail_are_named(name: str) -> None:
    tensors, lost = TAILS[name]
    assert said(*tensors) == lost


def test_the_numbers_are_exact() -> None:
    first = facts(ONES * 9000 + ZEROS * 5000, ZEROS * 700)[0]
    assert first.values["bytes"] == 5700
    assert first.values["end"] - first.values["begin"] == 5700
    assert first.offset == first.values["begin"]
    assert (first.values["tensors"], first.values["of"], first.values["first"]) == (2, 2, 5000)
