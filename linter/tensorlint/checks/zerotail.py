"""A file whose end is zero: a download or copy that reserved the space and never wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..container.checkpoint import Shard
from ..facts import Fact, FactKind
from ..measures.interface import PAGE, Measures
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "zero-tail": FactKind(
        "A file is zero from the middle of a tensor to its end.", ("bytes", "begin", "end", "tensors", "of", "first")
    ),
}
_CHUNK = 1 << 20


def run(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """The tensors under zeros that reach from the middle of one tensor over all that follow, to the end of the file."""
    for shard in view.checkpoint.shards.values():
        tensors = [t for t in shard.header.tensors if t.nbytes]
        end = max((t.end for t in tensors), default=0)
        begin = _zeros_before(view, shard, end)
        under = sorted((t for t in tensors if t.end > begin), key=lambda t: t.begin)
        if not under or under[0].begin == begin:
            continue  # tensors may be zero by design, but not half a tensor and all that follow
        values = {
            "bytes": end - begin, "begin": begin, "end": end, "tensors": len(under), "of": len(tensors),
            "first": under[0].end - begin,
        }  # fmt: skip
        for tensor in under:
            yield Fact("zero-tail", shard.name, tensor.name, max(begin, tensor.begin), values)


def _zeros_before(view: View, shard: Shard, end: int) -> int:
    """Where the zeros begin that reach to `end`; `end` when its last byte is none."""
    start, file = shard.header.data_start, view.checkpoint.source.open(shard.name)
    try:
        while end > start:
            length = min(_CHUNK if end % PAGE == 0 else end % PAGE, end - start)
            piece = file.read(end - length, length)
            live = len(piece.rstrip(b"\0"))
            end -= length - live
            if live:
                break
    finally:
        file.close()
    return end


CHECKS = (Check(STATES, run, "full"),)
