"""Names that a library refactored or a wrapper left behind: repeated segments, layers in another place, inner names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..facts import Fact, FactKind
from ..schemes.adapter import Adapter
from ..schemes.view import View
from .check import Check
from .templates import counted_layers

STATES: Mapping[str, FactKind] = {
    "repeated-segment": FactKind(
        "A part of tensor names stands there twice.", ("segment", "tensors", "effect", "mend")
    ),
    "foreign-prefix": FactKind(
        "The layers stand under another prefix than their model type has.", ("prefix", "wanted", "model_type")
    ),
    "renamed-module": FactKind(
        "A module of one layer has a longer name than in the other layers.", ("module", "meant")
    ),
    "wrapper-left": FactKind(
        "Tensors have the names that a wrapper gives them in training.",
        ("wrapper", "segments", "tensors", "meant", "effect", "mend"),
    ),
}
_SAYS = {"effect": "", "mend": ""}  # what the rule says


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about names that no loader of the model asks for."""
    checkpoint = view.checkpoint
    config = checkpoint.config("config.json")
    if not checkpoint.primary:
        return
    if view.adapter is not None:
        yield from _adapter(view, view.adapter)
        return
    adapter = "adapter_config.json" in checkpoint.configs
    generates = view.anatomy.generates(config)
    yield from _wrapped(view, all_of_them=generates and not adapter)
    if not generates:
        return
    seen: dict[str, list[str]] = {}
    for name in checkpoint.tensors:
        found = view.anatomy.repeated.search(name)
        if found:
            seen.setdefault(found[1], []).append(name)
    for segment, tensors in seen.items():
        first = checkpoint.tensors[tensors[0]]
        yield Fact(
            "repeated-segment", first.shard, first.name, values={"segment": segment, "tensors": len(tensors), **_SAYS}
        )
    if not seen:
        yield from _prefix(view, str(config.get("model_type") or ""))
    if checkpoint.whole:  # else the plain name may be in a shard that is not there
        yield from _renamed(view)


def _prefix(view: View, model_type: str) -> Iterator[Fact]:
    """Layers under another prefix than every library gives them in this family."""
    wanted = view.anatomy.only_layers(model_type)
    if not wanted:
        return
    lasts = "|".join(re.escape(prefix.rpartition(".")[2]) for prefix in wanted)
    layers = re.compile(rf"(.*?\b(?:{lasts}))\.\d+\.")
    found: dict[str, str] = {}
    for name in view.checkpoint.tensors:
        hit = layers.match(name)
        if hit:
            found.setdefault(hit[1], name)
    if found and not any(prefix in found for prefix in wanted):
        prefix, name = next(iter(found.items()))
        values = {"prefix": prefix, "wanted": wanted[0], "model_type": model_type}
        yield Fact("foreign-prefix", view.checkpoint.tensors[name].shard, name, values=values)


def _renamed(view: View) -> Iterator[Fact]:
    """Modules one name deeper than in the other layers (`q_proj.linear`), where the plain name is missing."""
    layers = list(counted_layers(view))
    rows: dict[str, dict[str, str]] = {f"{layer.prefix}.{layer.number}": {} for layer in layers}
    for prefix in {layer.prefix for layer in layers}:
        for module in view.modules:
            number, dot, name = module[len(prefix) + 1 :].partition(".")
            if dot and module.startswith(prefix + ".") and (row := rows.get(f"{prefix}.{number}")) is not None:
                row[name] = module
    having = Counter(name for row in rows.values() for name in row)
    for row in rows.values():
        for name, module in row.items():
            outer = name.rpartition(".")[0]
            if outer and outer not in row and having[name] == 1 and having[outer]:
                first = next(iter(view.modules[module].parts.values()))
                meant = view.anatomy.canonical(module).rpartition(".")[0]
                yield Fact("renamed-module", first.shard, first.name, values={"module": module, "meant": meant})


def _adapter(view: View, adapter: Adapter) -> Iterator[Fact]:
    """The same of an adapter: a doubled prefix, and what a wrapper put before names, or behind the prefix."""
    prefix, wrappers, says = adapter.form.prefix, adapter.form.wrappers, adapter.form.says
    unwrapped = {"effect": says.get("unfound", ""), "mend": says.get("unwrap", "")}
    for fact in _wrapped(view, all_of_them=False):
        yield replace(fact, values={**fact.values, **unwrapped})
    twice = [name for name in adapter.names if name.startswith(f"{prefix}.{prefix.partition('.')[0]}.")]
    for name in twice:
        values = {
            "segment": prefix,
            "tensors": len(twice),
            "effect": says.get("unfound", ""),
            "mend": says.get("once", ""),
        }
        yield Fact("repeated-segment", view.checkpoint.tensors[name].shard, name, values=values)
    found: dict[str, list[str]] = {}  # by part of a name
    for name in adapter.names:
        steps = name.split(".")
        mark = adapter.mark(steps)
        around = steps[: min(mark, prefix.count(".") + 2)] if mark > 0 else []
        left = next((step for step in around if step in wrappers), "")
        if left:
            found.setdefault(left, []).append(name)
    for segment, names in found.items():
        for name in names:
            meant = ".".join(s for s in name.split(".") if s != segment)
            values = {"wrapper": wrappers[segment], "segments": [segment], "tensors": len(names), "meant": meant}
            values |= unwrapped
            yield Fact("wrapper-left", view.checkpoint.tensors[name].shard, name, values=values)


def _wrapped(view: View, all_of_them: bool) -> Iterator[Fact]:
    """Tensors saved under the names that a wrapper of training gave them, by the wrapper.

    Not `all_of_them`: only private names, that no published model of whatever kind, and no adapter, has.
    """
    wrappers = {part: who for part, who in view.anatomy.wrappers.items() if all_of_them or part.startswith("_")}
    found: dict[str, list[tuple[str, str]]] = {}  # by wrapper: (tensor, part of its name)
    for name in view.checkpoint.tensors:
        segment = next((s for s in name.split(".") if s in wrappers), "")
        if segment:
            found.setdefault(wrappers[segment], []).append((name, segment))
    for wrapper, names in found.items():
        segments = list(dict.fromkeys(segment for _, segment in names))
        for name, segment in names:
            meant = ".".join(s for s in name.split(".") if s != segment)
            values = {"wrapper": wrapper, "segments": segments, "tensors": len(names), "meant": meant, **_SAYS}
            yield Fact("wrapper-left", view.checkpoint.tensors[name].shard, name, values=values)


CHECKS = (Check(STATES, run),)
