"""Rules applied to units: what a unit's words mean, drafts of findings, and their grouping into findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .distribution import distribution
from .evidence import evidence
from .facts import Fact
from .findings import MAX_LOCATIONS, Distribution, Finding, Location, Suppression, fingerprint
from .lines import Lines
from .measures.interface import COUNTED, WORDS, Measures, total
from .producers import known_defect
from .rulebook import message
from .rulebook.model import Rule
from .rulebook.vocabulary import PART_FIELDS
from .schemes.module import Module
from .selection import ModuleSelection, Selection
from .sources.interface import Source
from .spread import spread
from .view import TensorUnit, View

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
            lookup = _with_declared(tensor_lookup(unit, found, rule.params), unit, view)
            if all(t(lookup) for t in rule.when) and not all(t(lookup) for t in rule.require):
                location = _place(unit, found, rule.points_at)
                yield Draft(rule, checkpoint, location, lookup, found, unit, view)


def _with_declared(lookup: Callable[[str], Any], unit: TensorUnit, view: View) -> Callable[[str], Any]:
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


# -- from drafts to findings ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """Drafts of one rule and checkpoint that become one finding, with what holds for all of them."""

    drafts: list[Draft]
    suppression: Suppression | None = None
    state: str = ""


Split = Callable[[list[Draft]], Iterable[Group]]


def finish(
    drafts: Iterable[Draft], source: Source, split: Split = lambda drafts: (Group(drafts),)
) -> Iterator[Finding]:
    """Group drafts by rule and checkpoint, and further by `split`; show the bytes of the first."""
    groups: dict[tuple[str, str], list[Draft]] = {}
    for draft in drafts:
        groups.setdefault((draft.checkpoint, draft.rule.id), []).append(draft)
    lines: dict[str, Lines] = {}
    for (checkpoint, _), group in groups.items():
        view = group[0].view
        if view is not None and checkpoint not in lines:
            lines[checkpoint] = Lines(view.checkpoint)
        for part in split(group):
            finding = _finding(part.drafts, checkpoint, source, lines.get(checkpoint))
            yield replace(finding, suppression=part.suppression, state=part.state)


def _finding(group: list[Draft], checkpoint: str, source: Source, lines: Lines | None) -> Finding:
    rule, first = group[0].rule, group[0]
    lookup = first.lookup
    values: dict[str, Any] = {}
    measured = [d.measures for d in group if d.measures is not None]
    if measured and first.unit is not None:
        whole = total(measured)
        lookup = tensor_lookup(first.unit, whole, rule.params)
        if first.view is not None:
            lookup = _with_declared(lookup, first.unit, first.view)
        words = sorted({w for words in rule.words.values() for w in words} | {"count"})
        values = {w: _plain(whole.value(w)) for w in words}
    else:
        values = {n: _plain(lookup(n)) for n in dict.fromkeys(message.fields(rule.message)) if not n.startswith("{")}

    def fill(name: str) -> Any:
        return len(group) if name in ("tensors", "modules") and measured else lookup(name)

    text = message.fill(rule.message, fill)
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        message=text,
        effect=message.fill(rule.effect, lookup) if rule.effect else "",
        remedy=message.fill(rule.remedy, lookup) if rule.remedy else "",
        see=rule.see,
        count=len(group),
        values=values,
        locations=tuple(_placed(d, lines) for d in group[:MAX_LOCATIONS]),
        evidence=evidence(first.unit, first.location, rule.points_at, source) if measured and first.unit else None,
        note=known_defect(first.view.declared, first.view.book.producers.values(), rule.id) if first.view else "",
        checkpoint=checkpoint,
        fingerprint=fingerprint(rule.id, checkpoint, (d.location.identity for d in group)),
        distribution=_distribution(first, source),
        spread=spread(d.location for d in group) if len(group) > MAX_LOCATIONS else None,
    )


def _placed(draft: Draft, lines: Lines | None) -> Location:
    """The location with the line of text that stands for it."""
    location = draft.location
    line = lines.of(location, draft.lookup) if lines and location.line is None else None
    return replace(location, line=line) if line else location


_CHARTED = ("ceiling", "floor", "largest", "smallest")  # words of rules that point at no element
_LEAST = 8  # elements that are worth a chart


def _distribution(draft: Draft, source: Source) -> Distribution | None:
    """The spread of the scale that a draft is about, read again; None for other tensors."""
    unit, measures = draft.unit, draft.measures
    if unit is None or measures is None or not unit.scale_like or measures.count < _LEAST:
        return None
    words = draft.rule.words.get("", frozenset())
    word = draft.rule.points_at or next((w for w in _CHARTED if w in words), "")
    found = distribution(unit.tensor, unit.encoding, word, source)
    return found if found is not None and len(found.bins) > 1 else None


def _plain(value: Any) -> Any:
    """A value that JSON can carry."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
