"""`tensorlint stats` of a model on the Hub: the same numbers as of a local copy, and only the ranges that they need."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hubserver import Hub
from remote_models import Opener
from tensorlint.rulebook.library import Book
from tensorlint.sources.interface import Source
from tensorlint.sources.memory import MemorySource
from tensorlint.stats.report import Contents, survey, with_values


def contents(source: Source, book: Book, depth: str) -> Contents:
    return with_values(source, survey(source, book, ""), depth)


@pytest.mark.parametrize("depth", ["headers", "scales", "full"])
def test_remote_and_local_contents_are_the_same(
    hub: Hub, remote: Opener, book: Book, model: Mapping[str, bytes], depth: str
) -> None:
    hub.create("org/model", model)
    local, far = contents(MemorySource(model), book, depth), contents(remote(), book, depth)
    assert far.values == local.values
    assert [(r.tensor, r.scheme, r.role, r.parameters) for r in far.rows] == [
        (r.tensor, r.scheme, r.role, r.parameters) for r in local.rows
    ]


def test_sizes_need_no_values(hub: Hub, remote: Opener, book: Book, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    found = contents(remote(), book, "headers")
    assert found.bytes_read < found.bytes / 5  # opening a shard reads its first 64 KiB
