"""The same tensor in several shards: the same bytes to the last one, or different content."""

from __future__ import annotations

import pytest

from linted import check, rules_of
from tensorlint.checks import duplicates
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
ONE = bytes(range(24))


def said(*copies: bytes, dtype: str = "U8") -> set[str]:
    """The rules about copies of a tensor, one in each shard."""
    files = {
        f"model-{n + 1:05}-of-{len(copies):05}.safetensors": write_shard({"a": (dtype, (len(data),), data)})
        for n, data in enumerate(copies)
    }
    return {f.rule for f in check(MemorySource(files), BOOK, rules_of(BOOK, ("index/duplicate-tensor*",))).findings}


def changed(at: int) -> bytes:
    return ONE[:at] + b"\xff" + ONE[at + 1 :]


@pytest.mark.parametrize(
    ("copies", "rule"),
    [
        ((ONE, ONE), "index/duplicate-tensor"),
        ((ONE, ONE, ONE), "index/duplicate-tensor"),
        ((ONE, changed(0)), "index/duplicate-tensor-differs"),
        ((ONE, changed(7)), "index/duplicate-tensor-differs"),
        ((ONE, changed(8)), "index/duplicate-tensor-differs"),
        ((ONE, changed(23)), "index/duplicate-tensor-differs"),
        ((ONE, ONE[:23]), "index/duplicate-tensor-differs"),
        ((ONE, ONE, changed(12)), "index/duplicate-tensor-differs"),
        ((ONE, changed(12), ONE), "index/duplicate-tensor-differs"),
    ],
)
def test_copies_are_compared_to_the_last_byte_whatever_is_read_at_once(
    copies: tuple[bytes, ...], rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for chunk in (8, 7, 24, duplicates._CHUNK):
        monkeypatch.setattr(duplicates, "_CHUNK", chunk)
        assert said(*copies) == {rule}
