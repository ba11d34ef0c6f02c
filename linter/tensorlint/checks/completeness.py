"""Is the model all there: layers, experts, embedding, norm and head, against config.json and against each other."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from ..facts import Fact, FactKind
from ..schemes.view import Layer, View
from .check import Check
from .refuted import refuted
from .templates import counted_layers

STATES: Mapping[str, FactKind] = {
    "missing-layer": FactKind(
        "A layer that the configuration counts is not there.", ("layers", "present", "count", "key")
    ),
    "extra-layer": FactKind(
        "There are more layers than the configuration counts.", ("layers", "present", "count", "key")
    ),
    "missing-module": FactKind("A tensor that the other layers have is missing from one.", ("layer", "have", "of")),
    "missing-experts": FactKind(
        "Experts that the configuration counts are not there.", ("module", "experts", "present", "count", "key")
    ),
    "extra-experts": FactKind(
        "There are more experts than the configuration counts.", ("module", "present", "count", "key")
    ),
    "missing-embedding": FactKind("There is no input embedding.", ("vocabulary",)),
    "missing-norm": FactKind("There is no final norm.", ("layers",)),
    "missing-head": FactKind("There is no output head, and the embedding is not tied.", ("key",)),
    "mtp-missing": FactKind(
        "The configuration counts layers for multi-token prediction, but there are none.", ("key", "count")
    ),
}
_MOST = 100_000  # layers or experts that are looked for; a hostile configuration counts billions
_NAMED = 16  # of those that are missing or too many
_TALL = 2  # matrices with a row for each token: the embedding, and a head by whatever name


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about what is missing; only for whole checkpoints of decoder models."""
    checkpoint = view.checkpoint
    config = view.model_config
    if not checkpoint.whole or not view.layers or any(m.scheme.weight is None for m in view.modules.values()):
        return
    if not view.anatomy.states(config, "layers"):
        return
    counted = view.anatomy.count(config, "layers")
    if counted is not None:
        yield from _mtp(view, config, counted[1])
    if view.known is None or not view.known.whole:  # else the architecture says more
        guessed = (*_layers(view, config), *_experts(view, config), *_ends(view, config))
        yield from (fact for fact in guessed if not refuted(view, fact))


def _layers(view: View, config: Mapping[str, Any]) -> Iterator[Fact]:
    counted = view.anatomy.count(config, "layers")
    if counted is None:
        return
    key, count = counted
    present = {layer.number for layer in view.layers}
    missing = [n for n in range(min(count, _MOST)) if n not in present]
    if missing:
        prefix = view.layers[0].prefix
        values = {"layers": missing[:_NAMED], "present": len(present), "count": count, "key": key}
        yield Fact("missing-layer", view.checkpoint.path("config.json"), f"{prefix}.{missing[0]}.*", values=values)
    yield from _extra(view, key, count)


def _extra(view: View, key: str, count: int) -> Iterator[Fact]:
    """Layers beyond the counted ones that look like ordinary layers, not like those of multi-token prediction."""
    ordinary = [frozenset(layer.tensors) for layer in view.layers if layer.number < count]
    extra = [layer for layer in view.layers if layer.number >= count and _is_ordinary(view, layer, ordinary)]
    if extra and count:
        first = extra[0]
        numbers = [layer.number for layer in extra[:_NAMED]]
        values = {"layers": numbers, "present": len(view.layers), "count": count, "key": key}
        name = f"{first.prefix}.{first.number}.*"
        yield Fact("extra-layer", view.checkpoint.path("config.json"), name, values=values)


def _is_ordinary(view: View, layer: Layer, ordinary: list[frozenset[str]]) -> bool:
    """Whether a layer is made of what the counted ones have: all of it, or most in models with several kinds."""
    mine = frozenset(layer.tensors)
    if any("mtp" in view.anatomy.roles(t.name.rpartition(".")[0]) for t in layer.tensors.values()):
        return False
    return any(len(mine & other) * 2 > len(mine) for other in ordinary)


def _mtp(view: View, config: Mapping[str, Any], count: int) -> Iterator[Fact]:
    """Layers for multi-token prediction that are counted, but neither behind the others nor under own names."""
    stated = next((found for found in view.anatomy.counts(config, "mtp") if found[1]), None)
    if stated is None or any(layer.number >= count for layer in view.layers):
        return
    if not any("mtp" in view.anatomy.roles(name.rpartition(".")[0]) for name in view.checkpoint.tensors):
        values = {"key": stated[0], "count": stated[1]}
        yield Fact("mtp-missing", view.checkpoint.path("config.json"), values=values)


def _experts(view: View, config: Mapping[str, Any]) -> Iterator[Fact]:
    """Experts stored one by one: numbers without gaps, as many as the configuration says or the other layers have."""
    rows: dict[str, set[int]] = {}
    for layer in view.layers:
        for name in layer.tensors:
            expert = view.anatomy.expert(name)
            if expert:
                rows.setdefault(f"{layer.prefix}.{layer.number}.{expert.owner}", set()).add(expert.number)
    if not rows:
        return
    counted = view.anatomy.count(config, "experts")
    usual = Counter(max(numbers) + 1 for numbers in rows.values()).most_common(1)[0][0]
    key, count = counted if counted and counted[1] > 0 else ("the other layers", usual)
    rows.update((module, set()) for module in _without_experts(view, rows))
    most = max(max(numbers, default=0) + 1 for numbers in rows.values())
    if most > count and all(len(numbers) in (0, most) for numbers in rows.values()):
        module = next(iter(rows))
        said = {"module": module, "present": most, "count": count, "key": key}
        yield Fact("extra-experts", view.checkpoint.path("config.json"), f"{module}.{count}.*", values=said)
    for module, numbers in rows.items():
        missing = [n for n in range(min(count, _MOST)) if n not in numbers]
        if missing:
            values = {
                "module": module,
                "experts": missing[:_NAMED],
                "present": len(numbers),
                "count": count,
                "key": key,
            }
            yield Fact(
                "missing-experts",
                view.checkpoint.path("config.json"),
                f"{module}.{missing[0]}.*",
                values=values,
            )
    yield from _expert_parts(view, rows)


def _without_experts(view: View, rows: Mapping[str, set[int]]) -> Iterator[str]:
    """Counted layers that have a router where the other layers have one beside their experts, but no experts."""
    ends = {re.sub(r"^.*?\.\d+\.", "", module) for module in rows}
    for layer in counted_layers(view):
        for end in ends:
            module = f"{layer.prefix}.{layer.number}.{end}"
            parent = end.rpartition(".")[0]
            stacked = any(name.startswith(end + ".") for name in layer.tensors)
            routed = any(f"{parent}.{router}.weight" in layer.tensors for router in view.anatomy.routers)
            if module not in rows and not stacked and parent and routed:
                yield module


def _expert_parts(view: View, rows: Mapping[str, set[int]]) -> Iterator[Fact]:
    """Experts that lack a whole module which the other experts of their layer have."""
    children: dict[tuple[str, str], set[int]] = defaultdict(set)
    for name in view.modules:
        expert = view.anatomy.expert(name)
        if expert:
            children[expert.owner, expert.rest].add(expert.number)
    for (parent, child), numbers in children.items():
        everyone = rows.get(parent, set())
        lacking = sorted(everyone - numbers)
        if lacking and len(lacking) * 2 < len(everyone):
            for number in lacking:
                values = {"layer": number, "have": len(numbers), "of": len(everyone)}
                name = f"{parent}.{number}.{child}.weight"
                if name not in view.checkpoint.unreadable_names:
                    yield Fact("missing-module", view.checkpoint.path("config.json"), name, values=values)


def _ends(view: View, config: Mapping[str, Any]) -> Iterator[Fact]:
    """Embedding, final norm and head of a causal language model."""
    if not view.anatomy.generates(view.checkpoint.config("config.json")):
        return
    where = view.checkpoint.path("config.json")
    vocabulary = view.anatomy.count(config, "vocabulary")
    language = [m for m in view.modules if "vision" not in view.anatomy.roles(m)]
    roles = {role for m in language for role in view.anatomy.roles(m)}
    outer = [m for m in language if not m.startswith(view.layers[0].prefix + ".")]
    rows = vocabulary[1] if vocabulary else 0
    tall = [
        m for m in outer if (w := view.modules[m].parts.get("weight")) is not None and rows and w.shape[:1] == (rows,)
    ]
    if vocabulary and "embedding" not in roles and len([m for m in tall if "head" not in view.anatomy.roles(m)]) == 0:
        yield Fact("missing-embedding", where, f"{view.end_name('embedding')}.weight", values={"vocabulary": rows})
    normed = any("norm" in view.anatomy.roles(m) for m in view.modules if m.startswith(view.layers[0].prefix + "."))
    last = f"{view.end_name('final_norm')}.weight"
    ended = any({"norm", "final_norm"} & view.anatomy.roles(m) for m in outer) or view.anatomy.optional(last)
    if normed and not ended:
        yield Fact("missing-norm", where, last, values={"layers": len(view.layers)})
    key, tied = view.tied()
    # A model of other outputs than text has a head of its own beside the layers (`audio_lm_head`).
    heads = [m for m in (*outer, *(m for m in view.modules if "." not in m)) if "head" in view.anatomy.roles(m)]
    if tied is False and vocabulary and not heads and len(tall) < _TALL:
        usual = next(iter(view.anatomy.ends("head")), "head")
        yield Fact("missing-head", where, f"{usual}.weight", values={"key": key})


CHECKS = (Check(STATES, run),)
