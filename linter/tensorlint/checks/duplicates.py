"""The same tensor in two shards: harmless when the bytes are equal, a gamble when they are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..facts import Fact
from ..header import TensorInfo
from ..measures.interface import Measures
from ..measures.plan import Need
from ..view import View

STATES = ("duplicate-tensor", "duplicate-tensor-differs")
_CHUNK = 4 << 20


def needs(view: View) -> Iterator[Need]:
    """Nothing is measured; copies are compared byte by byte."""
    yield from ()


def run(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Compare all copies of a name with the first."""
    listed = view.checkpoint.index.files if view.checkpoint.index else None
    folder = len(view.checkpoint.folder)
    for name, copies in view.checkpoint.copies.items():
        if listed is not None and any(c.shard[folder:] not in listed for c in copies):
            continue  # a shard outside the index is reported as a whole
        first, *rest = copies
        same = all(c.dtype == first.dtype and c.shape == first.shape and same_bytes(view, first, c) for c in rest)
        shards = [c.shard for c in copies]
        if same:
            yield Fact("duplicate-tensor", rest[-1].shard, name, values={"shards": shards, "bytes": first.nbytes})
        else:
            shapes = [f"{c.dtype}{list(c.shape)}" for c in copies]
            yield Fact("duplicate-tensor-differs", rest[-1].shard, name, values={"shards": shards, "shapes": shapes})


def same_bytes(view: View, a: TensorInfo, b: TensorInfo) -> bool:
    """Whether two tensors hold the same bytes; stops at the first difference."""
    if a.nbytes != b.nbytes:
        return False
    one, two = view.checkpoint.source.open(a.shard), view.checkpoint.source.open(b.shard)
    try:
        return all(
            one.read(a.begin + at, min(_CHUNK, a.nbytes - at)) == two.read(b.begin + at, min(_CHUNK, a.nbytes - at))
            for at in range(0, a.nbytes, _CHUNK)
        )
    finally:
        one.close()
        two.close()
