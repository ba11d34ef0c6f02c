"""Which rules look at a tensor or module, decided once for all that differ in nothing but their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..rulebook.model import Rule, Scope
from ..schemes.module import Module
from ..schemes.view import TensorUnit


@dataclass(frozen=True, eq=False)
class Selected:
    """Rules that look at a tensor, and the words they need measured."""

    rules: tuple[Rule, ...]
    words: frozenset[str]


class Selection:
    """Sorts the rules about tensors by the units they look at."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(r for r in rules if r.each == "tensor")
        self._known: dict[tuple[object, ...], tuple[Selected, bool]] = {}

    def of(self, unit: TensorUnit) -> Selected:
        """The rules whose scope covers a unit, in their order."""
        alike = unit.alike
        known = self._known.get(alike)
        if known is None:
            scope = unit.scope
            rules = [r for r in self._rules if _nameless(r.scope).covers(**scope)]  # type: ignore[arg-type]
            known = self._known[alike] = _selected(rules), any(_named(r.scope) for r in rules)
        selected, by_name = known
        if not by_name:
            return selected
        scope = unit.scope
        return _selected(r for r in selected.rules if not _named(r.scope) or r.scope.covers(**scope))  # type: ignore[arg-type]


class ModuleSelection:
    """Sorts the rules about modules by the modules they look at."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(r for r in rules if r.each == "module")
        self._known: dict[tuple[str, frozenset[str]], tuple[Rule, ...]] = {}

    def of(self, module: Module, roles: frozenset[str]) -> Iterator[Rule]:
        """The rules whose scope covers a module that plays these roles, in their order."""
        scheme = module.scheme
        known = self._known.get((scheme.name, roles))
        if known is None:
            known = self._known[scheme.name, roles] = tuple(
                r
                for r in self.rules
                if _nameless(r.scope).covers(scheme=scheme.name, roles=roles, quantized=scheme.quantized)
            )
        for rule in known:
            if not _named(rule.scope) or rule.scope.covers(
                scheme=scheme.name, roles=roles, quantized=scheme.quantized, module=module.name
            ):
                yield rule


def _named(scope: Scope) -> bool:
    return bool(scope.tensors or scope.modules or scope.not_modules)


def _nameless(scope: Scope) -> Scope:
    return replace(scope, tensors=(), modules=(), not_modules=())


def _selected(rules: Iterable[Rule]) -> Selected:
    rules = tuple(rules)
    return Selected(rules, frozenset().union(*(r.words.get("", ()) for r in rules)))
