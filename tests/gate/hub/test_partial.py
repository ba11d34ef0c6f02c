"""Clean exports of real tools, uploaded file by file in any order: no step of it is blocked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tensorlint.container.header import read_header
from tensorlint.files import belongs
from tensorlint.gate.hub import judge as judging
from tensorlint.gate.hub.base import Base
from tensorlint.gate.hub.change import Addition, Change
from tensorlint.rulebook.examples import write_shard
from tensorlint.sources.memory import MemoryFile, MemorySource
from test_real_layouts import LAYOUTS, rebuilt

from .material import index

SINGLE = "model.safetensors"
# All values are zero here, which the few checks that read bytes on their own object to.
ZEROS = frozenset(
    f"contract/{r}"
    for r in ("constant-table", "group-index", "logical-shape", "marker-text", "state-text", "zero-point-convention")
)


def halves(data: bytes) -> dict[str, bytes]:
    """A shard as two with an index: every other tensor in the second, so that modules are torn apart."""
    header = read_header(MemoryFile(SINGLE, data))
    tensors = header.tensors
    made: dict[str, bytes] = {}
    names: dict[str, tuple[str, ...]] = {}
    for i in (0, 1):
        mine = tensors[i::2]
        stem = f"model-0000{i + 1}-of-00002"
        names[stem.replace("-", "__")] = tuple(t.name for t in mine)
        parts = {t.name: (t.dtype, t.shape, data[t.begin : t.end]) for t in mine}
        made[f"{stem}.safetensors"] = write_shard(parts, header.metadata)
    return {**made, "model.safetensors.index.json": index(**names)}


def errors_of(change: Change) -> set[tuple[str, str]]:
    verdict = judging.judge(change)
    assert not verdict.stopped
    return {(f.rule, f.message) for f in verdict.findings if f.severity == "error"}


def steps(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], order: list[str]) -> set[tuple[str, str]]:
    """(rule, message) of every error on the way."""
    there: dict[str, bytes | None] = {}

    @contextmanager
    def base(change: Change) -> Iterator[Base]:
        source: Any = MemorySource(dict(there)) if there else None
        yield Base(source, source)

    monkeypatch.setattr(judging, "base_of", base)
    errors: set[tuple[str, str]] = set()
    for name in order:
        errors |= errors_of(Change("org/m", "main", "", additions=(Addition(name, files[name], approved=True),)))
        there[name] = files[name]
    return errors


@pytest.mark.parametrize("torn", [False, True], ids=["as exported", "in two shards"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout["name"])
def test_no_step_is_blocked(layout: dict[str, Any], torn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {n: d for n, d in rebuilt(layout).contents.items() if d is not None and belongs(n)}
    if torn:
        if SINGLE not in files or len(read_header(MemoryFile(SINGLE, files[SINGLE])).tensors) < 2:
            pytest.skip("not one shard")
        files.update(halves(files.pop(SINGLE)))
    names = sorted(files)
    for order in (names, names[::-1]):
        assert {(rule, said) for rule, said in steps(monkeypatch, files, order) if rule not in ZEROS} == set()
