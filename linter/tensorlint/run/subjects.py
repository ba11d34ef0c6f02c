"""Rules applied to units: what a unit's words mean, and a draft of a finding for every unit that a rule objects to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..facts import Fact
from ..measures.interface import COUNTED, WORDS, Measures
from ..report.findings import Location
from ..rulebook.model import Rule
from ..rulebook.vocabulary import PART_FIELDS
from ..schemes.module import Module
from ..schemes.view import TensorUnit, View
from .select import ModuleSelection, Selection

_SYMBOLS = {"N": "N", "K": "K", "E": "E", "bits": "b", "group": "g"}  # what rules call the symbols of shapes
_RENAMED = {"dtype": "torch_dtype"}  # transformers 4.56 renamed the key
Measured = Mapping[tuple[str, str], Measures]


@dataclass(frozen=True)
class Draft:
    """One unit that a rule objects to; drafts of one rule and checkpoint become one finding."""

    rule: Rule
    checkpoint: str
    location: Location
    lookup: Callable[[str], Any]
    measures: Measures | None = None
    unit: TensorUnit | None = None
    view: View | None = None


def apply_facts(rules: Iterable[Rule], facts: Iterable[Fact], view: View | None, checkpoint: str) -> Iterator[Draft]:
    """Facts that a rule turns into findings."""
    by_fact: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.fact:
            by_fact.setdefault(rule.fact, []).append(rule)
    for fact in facts:
        for rule in by_fact.get(fact.kind, ()):
            lookup = _fact_lookup(fact, rule)
            if all(test(lookup) for test in rule.when):
                location = Location(fact.file, fact.tensor, None, fact.offset, byte_length=_extent(fact))
                yield Draft(rule, checkpoint, location, lookup, view=view)


def _extent(fact: Fact) -> int | None:
    """How many bytes a fact is about, where it is about a range."""
    begin, end = fact.values.get("begin"), fact.values.get("end")
    ranged = isinstance(begin, int) and isinstance(end, int) and begin == fact.offset and end > begin
    return end - begin if ranged else None  # type: ignore[operator]


def _fact_lookup(fact: Fact, rule: Rule) -> Callable[[str], Any]:
    def lookup(name: str) -> Any:
        if name in fact.values:
            return fact.values[name]
        own = {"file": fact.file, "tensor": fact.tensor, "offset": fact.offset}
        return own[name] if name in own else rule.params.get(name)

    return lookup


def tensor_lookup(unit: TensorUnit, measures: Measures | None, params: Mapping[str, float]) -> Callable[[str], Any]:
    """Words and fields of one tensor."""
    tensor = unit.tensor

    def lookup(name: str) -> Any:
        if name.endswith("_share") and measures is not None and name[:-6] in COUNTED:
            return getattr(measures, name[:-6]) / measures.count if measures.count else 0.0
        if name in WORDS and name not in params and measures is not None:
            return measures.value(name)
        own = {
            "tensor": tensor.name,
            "file": tensor.shard,
            "part": unit.part.name if unit.part else "tensor",
            "module": unit.module.name if unit.module else tensor.name.rpartition(".")[0],
            "scheme": unit.module.scheme.name if unit.module else "none",
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "tensors": 1,
        }
        if name in own:
            return own[name]
        if name in params:
            return params[name]
        return measures.value(name) if measures is not None else None

    return lookup


def apply_tensors(rules: Iterable[Rule], view: View, measured: Measured, checkpoint: str) -> Iterator[Draft]:
    """Tensors that do not meet a rule."""
    selection = Selection(rules)
    for unit in view.units:
        found = measured.get((unit.tensor.shard, unit.tensor.name))
        for rule in selection.of(unit).rules:
            if rule.words and (found is None or not found.count):
                continue
            lookup = with_declared(tensor_lookup(unit, found, rule.params), unit, view)
            if all(t(lookup) for t in rule.when) and not all(t(lookup) for t in rule.require):
                location = _place(unit, found, rule.points_at)
                yield Draft(rule, checkpoint, location, lookup, found, unit, view)


def with_declared(lookup: Callable[[str], Any], unit: TensorUnit, view: View) -> Callable[[str], Any]:
    """The same with `declared.FIELD` of the tensor's module."""
    return lambda name: _declared(view, unit.module, name[9:]) if name.startswith("declared.") else lookup(name)


def _place(unit: TensorUnit, found: Measures | None, word: str) -> Location:
    tensor = unit.tensor
    at = found.positions.get(word) if found is not None else None
    if at is None:
        return Location(tensor.shard, tensor.name, None, tensor.begin, byte_length=tensor.nbytes)
    width = max(1, unit.encoding.bits // 8)
    stored = tensor.nbytes // width
    index: tuple[int, ...] | None = None
    if stored == tensor.elements:
        index = tuple(int(i) for i in np.unravel_index(at, tensor.shape)) if tensor.shape else ()
    return Location(tensor.shard, tensor.name, index, tensor.begin + at * width, byte_length=width)


def _module_lookup(module: Module, view: View, measured: Measured, params: Mapping[str, float]) -> Callable[[str], Any]:
    def lookup(name: str) -> Any:
        if name in _SYMBOLS:
            return module.env.get(_SYMBOLS[name])
        first, _, rest = name.partition(".")
        if rest and first == "config":
            return _config(view, rest)
        if rest and first == "declared":
            return _declared(view, module, rest)
        if rest and first == "metadata":
            return _metadata(view, rest)
        if rest:
            tensor = module.parts.get(first)
            if tensor is None:
                return None
            if rest == "granularity":
                return module.labels.get(first)
            if rest in PART_FIELDS:
                return getattr(tensor, rest)
            unit = view.unit_of[tensor.name]
            return tensor_lookup(unit, measured.get((tensor.shard, tensor.name)), {})(rest)
        own = {"module": module.name, "scheme": module.scheme.name, "modules": 1}
        return own.get(name, params.get(name))

    return lookup


def _declared(view: View, module: Module | None, field: str) -> Any:
    """A normalized field of what the main declaration says of a module, or of the checkpoint."""
    if module is not None:
        return view.expected(module).get(field)
    return view.declared.main.base.get(field) if view.declared.main is not None else None


def _metadata(view: View, key: str) -> str | None:
    """What the first shard that has this key in `__metadata__` says under it."""
    found = (shard.header.metadata.get(key) for shard in view.checkpoint.shards.values())
    return next((text for text in found if text is not None), None)


def _config(view: View, path: str) -> Any:
    for config in (view.checkpoint.config("config.json"), view.checkpoint.model_config):
        for name in (path, _RENAMED.get(path, path)):
            value: Any = config
            for step in name.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if value is not None:
                return value
    return None


def apply_modules(rules: Iterable[Rule], view: View, measured: Measured, checkpoint: str) -> Iterator[Draft]:
    """Modules, and whole checkpoints, that do not meet a rule."""
    rules = tuple(rules)
    for rule in rules:
        if rule.each == "checkpoint":
            file = view.checkpoint.path("config.json")

            def lookup(name: str, rule: Rule = rule, file: str = file) -> Any:
                if name.startswith("config."):
                    return _config(view, name[7:])
                if name.startswith("declared."):
                    return _declared(view, None, name[9:])
                if name.startswith("metadata."):
                    return _metadata(view, name[9:])
                return file if name == "file" else rule.params.get(name)

            if all(t(lookup) for t in rule.when) and not all(t(lookup) for t in rule.require):
                yield Draft(rule, checkpoint, Location(file), lookup, view=view)
    selection = ModuleSelection(rules)
    for module in view.modules.values() if selection.rules else ():
        first = module.parts.get("weight") or next(iter(module.parts.values()))
        for rule in selection.of(module, view.anatomy.roles(module.name)):
            found = _module_lookup(module, view, measured, rule.params)
            if all(t(found) for t in rule.when) and not all(t(found) for t in rule.require):
                yield Draft(rule, checkpoint, Location(first.shard, first.name), found, view=view)
