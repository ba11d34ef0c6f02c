"""Shards whose numbers have a gap that the index knows nothing of: a defect where tensors are missing as well."""

from __future__ import annotations

from collections.abc import Iterator

from ..container.checkpoint import STATES
from ..facts import Fact
from ..schemes.view import View
from . import architecture, completeness, templates
from .check import Check


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """The gaps in the numbers of the shards, if anything in the checkpoint says that it is not whole."""
    if view.checkpoint.gaps and any(_signs(view)):
        yield from view.checkpoint.gaps


def _signs(view: View) -> Iterator[bool]:
    """What tells that tensors are missing: the size that the index states, modules cut in two, and layers."""
    checkpoint = view.checkpoint
    stated = checkpoint.index.metadata.get("total_size") if checkpoint.index else None
    yield isinstance(stated, int) and stated > sum(t.nbytes for t in checkpoint.tensors.values())
    yield any(p.kind == "missing" for m in view.recognised.modules for p in m.problems)
    yield any(
        fact.kind.startswith("missing-")
        for check in (architecture, completeness, templates)
        for fact in check.run(view)
    )


CHECKS = (Check({"shard-gap": STATES["shard-gap"]}, run),)
