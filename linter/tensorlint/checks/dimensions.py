"""Sizes in config.json against the tensors: hidden size, vocabulary, and in regular decoders all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..facts import Fact, FactKind
from ..schemes.amount import logical
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "config-dimension": FactKind(
        "A dimension in config.json is not that of the tensors.", ("key", "stated", "found", "shape", "wrong")
    ),
}
_MERGED = frozenset({".mlp.gate_up_proj", ".self_attn.qkv_proj"})  # no other module of the layer has their size
_STACKS = frozenset({"experts", "switch_mlp"})
_PADDING = 5 / 4  # rows for each token from which on they are another vocabulary's, not reserved or padding


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about dimensions that config.json states otherwise than the tensors have them."""
    if not view.layers:
        return
    found = [*_embedding(view), *_inside(view), *_stacked(view)]
    config = view.checkpoint.model_config
    hidden, heads = view.anatomy.count(config, "hidden"), view.anatomy.count(config, "head_size")
    if hidden and not heads and any(fact.values["key"] == hidden[0] for fact in found):
        # Without a size of their own, heads are a fraction of the hidden size, which is wrong.
        counts = {c[0] for what in ("heads", "kv_heads") if (c := view.anatomy.count(config, what))}
        found = [fact for fact in found if fact.values["key"] not in counts]
    wrong = len({fact.values["key"] for fact in found})
    for fact in found:
        yield replace(fact, values={**fact.values, "wrong": wrong})


def _fact(view: View, key: str, stated: int, found: int, module: Module) -> Fact:
    tensor = module.parts["weight"]
    hidden = view.anatomy.count(view.checkpoint.model_config, "hidden")
    shape = list(tensor.shape) if module.shape is not None or hidden is None else [found, hidden[1]]
    values = {"key": key, "stated": stated, "found": found, "shape": shape}
    return Fact("config-dimension", view.checkpoint.path("config.json"), tensor.name, values=values)


def _embedding(view: View) -> Iterator[Fact]:
    config = view.checkpoint.model_config
    base = view.layers[0].prefix.rpartition(".")[0]
    hidden = view.anatomy.count(config, "hidden")
    vocabulary = view.anatomy.count(config, "vocabulary")
    for name in ("embed_tokens", "lm_head"):
        module = view.modules.get(f"{base}.{name}".lstrip(".")) or view.modules.get(name)
        if module is None or module.problems or module.shape is None or "weight" not in module.parts:
            continue
        if not view.settled(module):
            continue
        rows, columns = module.shape
        if (
            name == "embed_tokens"
            and hidden
            and columns != hidden[1]
            and not config.get("embedding_size")
            and not config.get("word_embed_proj_dim")
        ):
            yield _fact(view, *hidden, columns, module)
        if vocabulary and "draft_vocab_size" not in config and _misfit(view, rows, vocabulary[1]):
            yield _fact(view, *vocabulary, rows, module)


def _misfit(view: View, rows: int, vocabulary: int) -> bool:
    """Fewer rows than tokens never fit; some more are reserved or padding, in regular decoders there are none."""
    if view.anatomy.count(view.checkpoint.model_config, "heads"):
        return rows != vocabulary
    return rows < vocabulary or rows >= vocabulary * _PADDING


def _inside(view: View) -> Iterator[Fact]:
    """Sizes that every layer of a regular decoder shares: stated wrongly when no module has them."""
    config = view.checkpoint.model_config
    wanted: list[tuple[str, int, int, str]] = []
    for what, leaves in (
        ("intermediate", (".mlp.gate_proj", ".mlp.up_proj")),
        ("expert_intermediate", (".experts.*.gate_proj", ".experts.*.up_proj", ".experts.*.w1", ".switch_mlp.up_proj")),
    ):
        size = view.anatomy.count(config, what)
        if size is not None:
            wanted.extend((size[0], size[1], size[1], leaf) for leaf in leaves)
            if what == "intermediate":
                wanted.append((size[0], size[1], 2 * size[1], ".mlp.gate_up_proj"))
    wanted.extend(_heads(view, config))
    hidden = view.anatomy.count(config, "hidden")
    said: set[str] = set()
    for key, stated, size_, leaf in wanted:
        found = [
            (m, rows)
            for pattern, siblings in view.siblings.items()
            if pattern.endswith(leaf) and pattern.startswith(view.layers[0].prefix)
            for m in siblings
            if not m.problems and "weight" in m.parts and view.settled(m)
            and (rows := _rows(m, hidden[1] if hidden is not None else 0))
        ]  # fmt: skip
        odd = [(m, rows) for m, rows in found if rows != size_]
        if odd and key not in said and len(odd) == len(found):
            said.add(key)
            yield _fact(view, key, stated, odd[0][1], odd[0][0])
        elif leaf in _MERGED:
            yield from (_fact(view, key, stated, rows, m) for m, rows in odd)


def _rows(module: Module, hidden: int) -> int:
    """Rows of a module that reads the hidden state, where its weight is stored flat from their number; 0 if unknown."""
    if module.shape is not None:
        return module.shape[0]
    count = logical(module) if module.scheme.quantized else None
    return count // hidden if count and hidden and count % hidden == 0 else 0


def _heads(view: View, config: Mapping[str, Any]) -> Iterator[tuple[str, int, int, str]]:
    """(config key, its value, rows it leads to, which modules) of the query and key projections."""
    heads, shared = view.anatomy.count(config, "heads"), view.anatomy.count(config, "kv_heads")
    hidden, stated = view.anatomy.count(config, "hidden"), view.anatomy.count(config, "head_size")
    if heads is None or shared is None or not heads[1]:
        return
    if stated is None and (hidden is None or hidden[1] % heads[1]):
        return
    size = stated[1] if stated is not None else hidden[1] // heads[1] if hidden is not None else 0
    yield (*heads, (heads[1] + 2 * shared[1]) * size, ".self_attn.qkv_proj")
    yield (*heads, heads[1] * size, ".self_attn.q_proj")
    yield (*shared, shared[1] * size, ".self_attn.k_proj")


def _stacked(view: View) -> Iterator[Fact]:
    """Experts stored in one tensor, of which the configuration counts another number than the tensor has."""
    counted = view.anatomy.count(view.checkpoint.model_config, "experts")
    if counted is None or not counted[1]:
        return
    for layer in view.layers:
        for name, tensor in layer.tensors.items():
            unit = view.unit_of[tensor.name]
            if unit.module is not None and (unit.module.problems or "E" not in unit.module.env):
                continue
            parent = name.rpartition(".")[0]
            inside = any(step in _STACKS for step in parent.split("."))
            if inside and len(tensor.shape) > 2 and unit.kind in ("weight", "other") and tensor.shape[0] != counted[1]:
                values = {
                    "key": counted[0],
                    "stated": counted[1],
                    "found": tensor.shape[0],
                    "shape": list(tensor.shape),
                }
                yield Fact("config-dimension", view.checkpoint.path("config.json"), tensor.name, values=values)
                return


CHECKS = (Check(STATES, run),)
