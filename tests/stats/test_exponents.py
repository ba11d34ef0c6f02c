"""Values are the same however many threads read, and whatever the cache of measures knows already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tensorlint.measures import cached, scan
from tensorlint.measures.cache import MeasureCache
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources import local
from tensorlint.sources.opening import opened
from tensorlint.stats.report import Contents, survey, with_values

BOOK = load_book()
NUMBERS = np.random.default_rng(7).normal(0, 1, 5000).astype("<f4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    narrow = NUMBERS.astype("<f2")[:1024]
    for number, shard in enumerate(("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")):
        tensors = {
            f"layers.{number}.weight": ("F32", (5000,), NUMBERS.tobytes()),
            f"layers.{number}.scales": ("F16", (1024,), narrow.tobytes()),
            f"layers.{number}.codes": ("U8", (1000,), bytes(range(250)) * 4),
            f"layers.{number}.empty": ("F32", (0,), b""),
        }
        (tmp_path / shard).write_bytes(write_shard(tensors))
    return tmp_path


def read(folder: Path, jobs: int = 1, cache: MeasureCache | None = None) -> Contents:
    with opened(str(folder)) as source:
        found = survey(source, BOOK, "")
        return with_values(source, found, "full", None, jobs, None if cache is None else lambda: cache)


@pytest.mark.parametrize("jobs", [2, 3, 8])
def test_any_number_of_threads_gives_the_same(folder: Path, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(folder)
    monkeypatch.setattr(scan, "PIECE", 256)
    assert read(folder, jobs).values == whole.values
    assert len(whole.values) == 8


def test_what_the_cache_knows_is_not_read_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "SMALL", 0)
    monkeypatch.setattr(local, "_RACY", 0)  # nobody writes to these files once they are there
    cache = MeasureCache(tmp_path / "cache" / "measures.sqlite", pytest.fail)
    first, second = read(folder, cache=cache), read(folder, cache=cache)
    assert second.values == first.values == read(folder).values
    assert first.bytes_known == 0
    assert second.bytes_known == 2 * 1000, "the bytes of which the histogram is one of bit patterns"
    assert second.bytes_read == first.bytes_read - second.bytes_known
