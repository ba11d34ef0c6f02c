"""Files of weights without a weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..facts import Fact, FactKind
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "no-tensors": FactKind("A file of weights has no tensor.", ()),
    "promised-tensors": FactKind(
        "A file of weights has no tensor, and a configuration says what would be in it.", ("configuration", "what")
    ),
}
_MODEL = ("model_type", "architectures", "_class_name")  # by these a config.json is that of a model


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """A fact about every file that can be read and holds nothing.

    A header may be empty: savers write one when everything was filtered out, or when no weight was on their machine.
    """
    checkpoint = view.checkpoint
    promised = None if checkpoint.tensors or not checkpoint.primary else _promised(view)
    for shard in checkpoint.shards.values():
        header = shard.header
        if header.tensors or header.unusable or not header.readable:
            continue
        if promised is not None:
            yield Fact("promised-tensors", shard.name, values={"configuration": promised[0], "what": promised[1]})
        else:
            yield Fact("no-tensors", shard.name)


def _promised(view: View) -> tuple[str, str] | None:
    """The configuration that says what would be in the files, and what that is."""
    checkpoint = view.checkpoint
    if view.adapter is not None:
        return view.adapter.file, "an adapter"
    if any(key in checkpoint.config("config.json") for key in _MODEL):
        return checkpoint.path("config.json"), "a model"
    return None


CHECKS = (Check(STATES, run),)
