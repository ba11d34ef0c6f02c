"""Sizes in config.json against the tensors: hidden size, vocabulary, and in regular decoders all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from ..facts import Fact, FactKind
from ..schemes.amount import logical
from ..schemes.families import COUNTS
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "config-dimension": FactKind(
        "A dimension in config.json is not that of the tensors.", ("key", "stated", "found", "shape", "wrong")
    ),
}
_PADDING = 5 / 4  # rows for each token from which on they are another vocabulary's, not reserved or padding


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about dimensions that config.json states otherwise than the tensors have them."""
    if not view.layers or view.known is not None:  # the architecture says more
        return
    found = [*_embedding(view), *_inside(view), *_stacked(view)]
    config = view.model_config
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
    hidden = view.anatomy.count(view.model_config, "hidden")
    shape = list(tensor.shape) if module.shape is not None or hidden is None else [found, hidden[1]]
    values = {"key": key, "stated": stated, "found": found, "shape": shape}
    return Fact("config-dimension", view.checkpoint.path("config.json"), tensor.name, values=values)


def _embedding(view: View) -> Iterator[Fact]:
    config, anatomy = view.model_config, view.anatomy
    hidden, vocabulary = anatomy.count(config, "hidden"), anatomy.count(config, "vocabulary")
    own_width = anatomy.count(config, "embedding_width")
    for role in ("embedding", "head"):
        module = view.end(role)
        if module is None or module.problems or module.shape is None or "weight" not in module.parts:
            continue
        if not view.settled(module):
            continue
        rows, columns = module.shape
        if role == "embedding" and hidden and columns != hidden[1] and not (own_width and own_width[1]):
            yield _fact(view, *hidden, columns, module)
        if vocabulary and not anatomy.states(config, "draft_vocabulary") and _misfit(view, rows, vocabulary[1]):
            yield _fact(view, *vocabulary, rows, module)


def _misfit(view: View, rows: int, vocabulary: int) -> bool:
    """Fewer rows than tokens never fit; some more are reserved or padding, in regular decoders there are none."""
    if view.anatomy.count(view.model_config, "heads"):
        return rows != vocabulary
    return rows < vocabulary or rows >= vocabulary * _PADDING


def _inside(view: View) -> Iterator[Fact]:
    """Sizes that every layer of a regular decoder shares: stated wrongly when no module has them."""
    hidden = view.anatomy.count(view.model_config, "hidden")
    said: set[str] = set()
    for glob, (key, stated), wanted in _wanted(view):
        found = [
            (m, rows)
            for pattern, siblings in view.siblings.items()
            if fnmatchcase(pattern, glob) and pattern.startswith(view.layers[0].prefix)
            for m in siblings
            if not m.problems and "weight" in m.parts and view.settled(m)
            and (rows := _rows(m, hidden[1] if hidden is not None else 0))
        ]  # fmt: skip
        odd = [(m, rows) for m, rows in found if rows != wanted]
        if odd and key not in said and len(odd) == len(found):
            said.add(key)
            yield _fact(view, key, stated, odd[0][1], odd[0][0])
        elif glob.rpartition(".")[2] not in view.anatomy.compared:  # no other module of the layer has their size
            yield from (_fact(view, key, stated, rows, m) for m, rows in odd)


def _wanted(view: View) -> Iterator[tuple[str, tuple[str, int], int]]:
    """(glob over modules, the config key that gives their size and its value, the rows it leads to)."""
    counted = {what: found for what in COUNTS if (found := view.anatomy.count(view.model_config, what)) is not None}
    heads, hidden = counted.get("heads"), counted.get("hidden")
    if heads and not heads[1]:
        counted.pop("head_size", None)  # of no heads
    elif heads and hidden and "head_size" not in counted and hidden[1] % heads[1] == 0:
        counted["head_size"] = hidden[0], hidden[1] // heads[1]
    sizes = {what: number for what, (_, number) in counted.items()}
    for glob, size in view.anatomy.rows.items():
        if size.symbols <= sizes.keys() and (rows := size.value(sizes)) is not None:
            yield glob, counted[size.first], rows


def _rows(module: Module, hidden: int) -> int:
    """Rows of a module that reads the hidden state, where its weight is stored flat from their number; 0 if unknown."""
    if module.shape is not None:
        return module.shape[0]
    count = logical(module) if module.scheme.quantized else None
    return count // hidden if count and hidden and count % hidden == 0 else 0


def _stacked(view: View) -> Iterator[Fact]:
    """Experts stored in one tensor, of which the configuration counts another number than the tensor has."""
    counted = view.anatomy.count(view.model_config, "experts")
    if counted is None or not counted[1]:
        return
    for layer in view.layers:
        for name, tensor in layer.tensors.items():
            unit = view.unit_of[tensor.name]
            if unit.module is not None and (unit.module.problems or "E" not in unit.module.env):
                continue
            parent = name.rpartition(".")[0]
            inside = not view.anatomy.stacks.isdisjoint(parent.split("."))
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
