"""A job that is made smaller: fewer shards to read, and no check that reads bytes outside of the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from linted import nvfp4, rules_of
from notation import BOOK
from tensorlint.checks import CHECKS
from tensorlint.measures.plan import Need
from tensorlint.rulebook.examples import write_shard
from tensorlint.run.plan import Job, jobs_for
from tensorlint.schemes.view import View
from tensorlint.sources.memory import MemorySource

FILES: dict[str, bytes | None] = {
    "a.safetensors": nvfp4(),
    "b.safetensors": write_shard({"b.weight": ("F32", (4, 4), bytes(64))}),
}


def job() -> Job:
    jobs, _ = jobs_for(MemorySource(FILES), BOOK, rules_of(BOOK), "full")
    return next(j for j in jobs if "a.safetensors" in j.shards)


def test_only_the_named_shards_are_read_and_the_rest_of_the_job_stays() -> None:
    whole = job()
    every = set(whole.plan.by_shard)
    assert "a.safetensors" in every
    small = whole.reading({"a.safetensors"})
    assert set(small.plan.by_shard) == {"a.safetensors"}
    assert small.plan.by_shard["a.safetensors"] == whole.plan.by_shard["a.safetensors"]
    assert (small.view, small.checks) == (whole.view, whole.checks)
    assert whole.reading(()).plan.by_shard == {}


@pytest.mark.parametrize(
    ("needs", "on_headers", "kept"),
    [
        (None, False, False),  # it reads on its own
        (None, True, True),  # it reads nothing
        ([], False, False),  # what is measured does not help it here
        ([], True, True),
        (["one"], False, True),
    ],
)
def test_checks_that_read_on_their_own_are_left_out(needs: list[str] | None, on_headers: bool, kept: bool) -> None:
    whole = job()
    some = next(iter(whole.plan.needs()))

    def wanted(_view: View) -> Iterable[Need]:
        return [some for _ in needs or ()]

    asks: Callable[[View], Iterable[Need]] | None = None if needs is None else wanted
    one = replace(CHECKS[0], needs=asks, depth="headers" if on_headers else "scales")
    left = replace(whole, checks=(one,)).without_own_reading()
    assert (left.checks == (one,)) is kept
    assert left.plan is whole.plan
