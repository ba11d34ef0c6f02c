"""Sizes in config.json against the tensors: hidden size and vocabulary, where both ends are certain."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Fact
from ..view import View

STATES = ("config-dimension",)


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about dimensions that config.json states otherwise than the embedding and the final norm have them."""
    config = view.checkpoint.model_config
    where = view.checkpoint.path("config.json")
    if not view.layers:
        return
    base = view.layers[0].prefix.rpartition(".")[0]
    hidden = view.anatomy.count(config, "hidden")
    vocabulary = view.anatomy.count(config, "vocabulary")
    embeddings = [m for m in view.modules.values() if m.name == f"{base}.embed_tokens".lstrip(".")]
    for module in embeddings:
        weight = module.parts.get("weight")
        if weight is None or module.scheme.quantized or len(weight.shape) != 2:
            continue
        rows, columns = weight.shape
        if (
            hidden
            and columns != hidden[1]
            and not config.get("embedding_size")
            and not config.get("word_embed_proj_dim")
        ):
            values = {"key": hidden[0], "stated": hidden[1], "found": columns, "shape": list(weight.shape)}
            yield Fact("config-dimension", where, weight.name, values=values)
        # Rows beyond the vocabulary are padding; fewer rows than tokens cannot be looked up.
        if vocabulary and rows < vocabulary[1]:
            values = {
                "key": vocabulary[0],
                "stated": vocabulary[1],
                "found": rows,
                "shape": list(weight.shape),
            }
            yield Fact("config-dimension", where, weight.name, values=values)
