"""Tied embeddings: where the configuration ties the head, a stored head is a copy or a contradiction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..facts import Fact
from ..measures.interface import Measures
from ..measures.plan import Need
from ..schemes.recognise import Module
from ..view import View
from .duplicates import same_bytes

STATES = ("tied-head-differs", "tied-head-copy")


def _pair(view: View) -> tuple[Module, Module] | None:
    """(head, embedding) where config.json ties them and both are stored, both quantized or neither."""
    config = view.checkpoint.config("config.json")
    tied = config.get("tie_word_embeddings", view.checkpoint.model_config.get("tie_word_embeddings"))
    if tied is not True:
        return None
    found: dict[str, Module] = {}
    for name, module in view.modules.items():
        roles = view.anatomy.roles(name)
        if "weight" in module.parts and roles & {"head", "embedding"} and "mtp" not in roles:
            found.setdefault("head" if "head" in roles else "embedding", module)
    # A head quantized from a plain embedding is a copy at lower precision: which of the two is used, engines decide.
    alike = len({m.scheme.quantized for m in found.values()}) == 1
    return (found["head"], found["embedding"]) if len(found) == 2 and alike else None


def needs(view: View) -> Iterator[Need]:
    """Nothing is measured; the two tensors are compared byte by byte."""
    yield from ()


def run(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Compare the stored head with the embedding it is tied to."""
    pair = _pair(view)
    if pair is None:
        return
    head, embedding = pair
    first, second = head.parts["weight"], embedding.parts["weight"]
    if head.parts.keys() == embedding.parts.keys() and all(
        t.dtype == embedding.parts[p].dtype
        and t.shape == embedding.parts[p].shape
        and same_bytes(view, t, embedding.parts[p])
        for p, t in head.parts.items()
    ):
        values = {"embedding": second.name, "bytes": sum(t.nbytes for t in head.parts.values())}
        yield Fact("tied-head-copy", first.shard, first.name, values=values)
    else:
        yield Fact("tied-head-differs", first.shard, first.name, values={"embedding": second.name})
