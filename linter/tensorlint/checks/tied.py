"""Tied embeddings: where the configuration ties the head, a stored head is a copy or a contradiction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..schemes.view import View
from .check import Check
from .duplicates import same_bytes

STATES: Mapping[str, FactKind] = {
    "tied-head-differs": FactKind("The embedding is tied, but a different output head is stored.", ("embedding",)),
    "tied-head-copy": FactKind(
        "The embedding is tied, and a copy of it is stored as output head.", ("embedding", "bytes")
    ),
}


def _pair(view: View) -> tuple[TensorInfo, TensorInfo] | None:
    """(head, embedding) where config.json ties them and both are stored, in the same way."""
    if view.tied()[1] is not True:
        return None
    found: dict[str, TensorInfo] = {}
    ways: dict[str, str] = {}
    for name, module in view.modules.items():
        weight = module.parts.get("weight")
        roles = view.anatomy.roles(name)
        if weight is None or not roles & {"head", "embedding"} or "mtp" in roles:
            continue
        role = "head" if "head" in roles else "embedding"
        if found.setdefault(role, weight) is weight:
            ways[role] = module.scheme.name
    return (found["head"], found["embedding"]) if len(found) == 2 and len(set(ways.values())) == 1 else None


def run(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Compare the stored head with the embedding it is tied to."""
    pair = _pair(view)
    if pair is None:
        return
    head, embedding = pair
    equal = head.dtype == embedding.dtype and head.shape == embedding.shape and same_bytes(view, head, embedding)
    if equal:
        values = {"embedding": embedding.name, "bytes": head.nbytes}
        yield Fact("tied-head-copy", head.shard, head.name, values=values)
    else:
        yield Fact("tied-head-differs", head.shard, head.name, values={"embedding": embedding.name})


CHECKS = (Check(STATES, run, "full"),)
