"""What rules speak of: a tensor, a module, a checkpoint or a fact, each with the value of any name that a rule uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from ..checks.check import Measured
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


class Subject(Protocol):
    """What one rule is asked about."""

    def value(self, name: str) -> Any:
        """What a word, field or param of the rule language is here; None where there is none."""


@dataclass(frozen=True)
class Draft:
    """One subject that a rule objects to; drafts of one rule and checkpoint become one finding."""

    rule: Rule
    checkpoint: str
    location: Location
    subject: Subject
    view: View | None = None
    names: tuple[str, ...] = ()  # what it is told from others by, where that is not its place

    @property
    def identities(self) -> tuple[str, ...]:
        """What it is told from others by."""
        return self.names or (self.location.identity,)

    @property
    def tensor(self) -> TensorSubject | None:
        """The subject where it is a tensor that was measured."""
        found = self.subject
        return found if isinstance(found, TensorSubject) and found.measures is not None else None


@dataclass(frozen=True)
class FactSubject:
    """A fact, with the params of the rule that speaks of it."""

    fact: Fact
    params: Mapping[str, float] = field(default_factory=dict)

    def value(self, name: str) -> Any:
        """A field of the fact, its place, or a param."""
        fact = self.fact
        if name in fact.values:
            return fact.values[name]
        own = {"file": fact.file, "tensor": fact.tensor, "offset": fact.offset}
        return own[name] if name in own else self.params.get(name)

    @property
    def location(self) -> Location:
        """Where it was seen; with its length where the fact is about a range of bytes."""
        fact = self.fact
        begin, end = fact.values.get("begin"), fact.values.get("end")
        ranged = isinstance(begin, int) and isinstance(end, int) and begin == fact.offset and end > begin
        length = end - begin if ranged else None  # type: ignore[operator]
        return Location(fact.file, fact.tensor, None, fact.offset, byte_length=length)


@dataclass(frozen=True)
class TensorSubject:
    """A tensor with what was measured of it; `view` adds what is declared of its module."""

    unit: TensorUnit
    measures: Measures | None = None
    params: Mapping[str, float] = field(default_factory=dict)
    view: View | None = None

    def value(self, name: str) -> Any:
        """A measure, a field of the tensor, of its module's declaration, or a param."""
        if self.view is not None and name.startswith("declared."):
            return _declared(self.view, self.unit.module, name[9:])
        measures, params = self.measures, self.params
        if name.endswith("_share") and measures is not None and name[:-6] in COUNTED:
            return getattr(measures, name[:-6]) / measures.count if measures.count else 0.0
        if name in WORDS and name not in params and measures is not None:
            return measures.value(name)
        own = self._own(name)
        if own is not None:
            return own
        if name in params:
            return params[name]
        return measures.value(name) if measures is not None else None

    def _own(self, name: str) -> Any:
        tensor, module, part = self.unit.tensor, self.unit.module, self.unit.part
        own = {
            "tensor": tensor.name,
            "file": tensor.shard,
            "part": part.name if part else "tensor",
            "module": module.name if module else tensor.name.rpartition(".")[0],
            "scheme": module.scheme.name if module else "none",
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "formula": part.formula if part else "",
            "tensors": 1,
        }
        return own.get(name)

    def of_all(self, measures: Measures) -> TensorSubject:
        """The same tensor with the measures of all tensors of a finding."""
        return replace(self, measures=measures)

    def location(self, word: str) -> Location:
        """The first element that a measure counts, else the whole tensor."""
        tensor, measures = self.unit.tensor, self.measures
        at = measures.positions.get(word) if measures is not None else None
        if at is None:
            return Location(tensor.shard, tensor.name, None, tensor.begin, byte_length=tensor.nbytes)
        width = max(1, self.unit.encoding.bits // 8)
        stored = tensor.nbytes // width
        index: tuple[int, ...] | None = None
        if stored == tensor.elements:
            index = tuple(int(i) for i in np.unravel_index(at, tensor.shape)) if tensor.shape else ()
        return Location(tensor.shard, tensor.name, index, tensor.begin + at * width, byte_length=width)


@dataclass(frozen=True)
class ModuleSubject:
    """A module with the measures of its parts."""

    module: Module
    view: View
    measured: Measured
    params: Mapping[str, float] = field(default_factory=dict)

    def value(self, name: str) -> Any:
        """A symbol of its shapes, `PART.WORD`, a key of a configuration, or a param."""
        module = self.module
        if name in _SYMBOLS:
            return module.env.get(_SYMBOLS[name])
        first, _, rest = name.partition(".")
        if not rest:
            own = {"module": module.name, "scheme": module.scheme.name, "modules": 1}
            return own.get(name, self.params.get(name))
        if first == "declared":
            return _declared(self.view, module, rest)
        if first in _FILES:
            return _FILES[first](self.view, rest)
        return self._part(first, rest)

    def _part(self, part: str, word: str) -> Any:
        tensor = self.module.parts.get(part)
        if tensor is None:
            return None
        if word == "granularity":
            return self.module.labels.get(part)
        if word in PART_FIELDS:
            return getattr(tensor, word)
        found = self.measured.get((tensor.shard, tensor.name))
        return TensorSubject(self.view.unit_of[tensor.name], found).value(word)

    @property
    def location(self) -> Location:
        """Its weight, or the first of its parts."""
        first = self.module.parts.get("weight") or next(iter(self.module.parts.values()))
        return Location(first.shard, first.name)


@dataclass(frozen=True)
class CheckpointSubject:
    """A whole checkpoint, by its configuration."""

    view: View
    params: Mapping[str, float] = field(default_factory=dict)

    def value(self, name: str) -> Any:
        """A key of config.json, a declared field, an entry of `__metadata__`, or a param."""
        first, _, rest = name.partition(".")
        if rest and first == "declared":
            return _declared(self.view, None, rest)
        if rest and first in _FILES:
            return _FILES[first](self.view, rest)
        return self.location.file if name == "file" else self.params.get(name)

    @property
    def location(self) -> Location:
        """Its config.json."""
        return Location(self.view.checkpoint.path("config.json"))


def _declared(view: View, module: Module | None, field_name: str) -> Any:
    """A normalized field of what the main declaration says of a module, or of the checkpoint."""
    if module is not None:
        return view.expected(module).get(field_name)
    main = view.declared.main
    if main is None:
        return None
    if field_name in main.base:
        return main.base[field_name]
    value = main.get(field_name)  # what concerns no module stands in the declaration only
    return value if isinstance(value, (str, int, float)) else None


def _metadata(view: View, key: str) -> str | None:
    """What the first shard that has this key in `__metadata__` says under it."""
    found = (shard.header.metadata.get(key) for shard in view.checkpoint.shards.values())
    return next((text for text in found if text is not None), None)


def _config(view: View, path: str) -> Any:
    for config in (view.checkpoint.config("config.json"), view.model_config):
        for name in (path, _RENAMED.get(path, path)):
            value: Any = config
            for step in name.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if value is not None:
                return value
    return None


_FILES = {"config": _config, "metadata": _metadata}  # the first word of a dotted name: where its value is looked up


def _objects(rule: Rule, subject: Subject) -> bool:
    """Whether a rule applies to a subject, and the subject does not meet it."""
    return all(test(subject.value) for test in rule.when) and not all(test(subject.value) for test in rule.require)


def about_facts(rules: Iterable[Rule], facts: Iterable[Fact], view: View | None, checkpoint: str) -> Iterator[Draft]:
    """Facts that a rule turns into findings."""
    by_fact: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.fact:
            by_fact.setdefault(rule.fact, []).append(rule)
    for fact in facts:
        for rule in by_fact.get(fact.kind, ()):
            subject = FactSubject(fact, rule.params)
            if all(test(subject.value) for test in rule.when):
                yield Draft(rule, checkpoint, subject.location, subject, view)


def about_tensors(rules: Iterable[Rule], view: View, measured: Measured, checkpoint: str) -> Iterator[Draft]:
    """Tensors that do not meet a rule."""
    selection = Selection(rules)
    for unit in view.units:
        found = measured.get((unit.tensor.shard, unit.tensor.name))
        for rule in selection.of(unit).rules:
            if rule.words and (found is None or not found.count):
                continue
            subject = TensorSubject(unit, found, rule.params, view)
            if _objects(rule, subject):
                yield Draft(rule, checkpoint, subject.location(rule.points_at), subject, view)


def about_modules(rules: Iterable[Rule], view: View, measured: Measured, checkpoint: str) -> Iterator[Draft]:
    """Modules that do not meet a rule."""
    selection = ModuleSelection(rules)
    for module in view.modules.values() if selection.rules else ():
        for rule in selection.of(module, view.anatomy.roles(module.name)):
            subject = ModuleSubject(module, view, measured, rule.params)
            if _objects(rule, subject):
                yield Draft(rule, checkpoint, subject.location, subject, view)


def about_checkpoint(rules: Iterable[Rule], view: View, checkpoint: str) -> Iterator[Draft]:
    """The checkpoint as a whole, where it does not meet a rule."""
    for rule in rules:
        if rule.each == "checkpoint":
            subject = CheckpointSubject(view, rule.params)
            if _objects(rule, subject):
                yield Draft(rule, checkpoint, subject.location, subject, view)
