"""The schemes that a module may be of, each at a cost: missing parts, wrong dtypes and shapes, tensors left over.

Symbols are solved from the shapes of the parts that are there; a module that departs from a scheme in too much is none
of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..container.header import TensorInfo
from ..dtypes import PLAIN_FLOATS
from .declared import Declaration
from .grouping import Group, Hints
from .model import Scheme
from .module import Problem
from .shapes import Env, Solution, solve

# What each departure from a scheme costs. A part that is gone says more than one in another form, and tensors that hint
# at nothing say next to nothing; only how these compare with each other and with votes matters.
_MISSING_WEIGHT, _MISSING, _DTYPE, _SHAPE, _LEFT_OVER, _HARMLESS = 4.0, 3.0, 2.0, 1.5, 1.5, 0.25
_HOPELESS = 6.0  # two parts gone, or the weight gone and a part in another dtype: nothing of the scheme is left
_OF_NO_ACCOUNT = 3  # tensors that hint at nothing, and leave a match perfect
_REMEMBERED = 100_000  # modules that differ; a hostile checkpoint has millions


@dataclass(frozen=True)
class Match:
    """A scheme that a module may be of; `parts` pairs its parts with the suffixes under which they are there."""

    scheme: Scheme
    cost: float
    parts: tuple[tuple[str, str], ...]  # (part, suffix)
    env: Env
    labels: Mapping[str, str]
    problems: tuple[Problem, ...]
    left_over: tuple[str, ...]  # suffixes

    @property
    def perfect(self) -> bool:
        """Whether nothing speaks against the scheme; a few tensors of no account may be left over."""
        return self.cost <= _OF_NO_ACCOUNT * _HARMLESS and not self.problems


class Candidates:
    """Finds the candidates among a fixed set of schemes; modules of the same tensors are looked at once."""

    def __init__(self, schemes: Iterable[Scheme], hints: Hints) -> None:
        self._hints = hints
        self._by_suffix: dict[str, list[Scheme]] = defaultdict(list)
        for scheme in schemes:
            for part in scheme.parts.values():
                self._by_suffix[part.suffix].append(scheme)
        self._cache: dict[tuple[Any, ...], tuple[Match, ...]] = {}

    def of(self, group: Group, name: str, declared: Declaration | None) -> tuple[Match, ...]:
        """The candidates of a module, cheapest first; `declared` gives the preferred values of symbols."""
        signature = tuple(sorted((s, t.dtype, t.shape) for s, t in group.items()))
        wanted = declared.expect(name).values if declared is not None and _needs_expectation(group) else {}
        key = (signature, tuple(sorted((k, repr(v)) for k, v in wanted.items())))
        found = self._cache.get(key)
        if found is None:
            schemes = dict.fromkeys(s for suffix in group for s in self._by_suffix.get(suffix, ()))
            matches = (match(s, group, self._hints, wanted) for s in schemes)
            found = tuple(sorted((m for m in matches if m is not None), key=lambda m: m.cost))
            if len(self._cache) >= _REMEMBERED:
                self._cache.clear()
            self._cache[key] = found
        return found

    def own(self, suffixes: Iterable[str], group: Group) -> bool:
        """Whether these tensors of a group are parts of a scheme whose weight the group has."""
        schemes = dict.fromkeys(s for suffix in suffixes for s in self._by_suffix.get(suffix, ()))
        matches = (match(s, group, self._hints, {}) for s in schemes)
        return any(m is not None and "weight" in dict(m.parts) for m in matches)


def match(
    scheme: Scheme, group: Group, hints: Hints, wanted: Mapping[str, Any], fixed: Env | None = None
) -> Match | None:
    """A group of tensors as a module of a scheme, or None where too little of it fits.

    `wanted` are declared values of symbols, tried first; `fixed` are values that they have.
    """
    parts = {p.suffix: p for p in scheme.parts.values()}
    present = {parts[s].name: t for s, t in group.items() if s in parts}
    # `.weight` and `.bias` alone say nothing about which scheme it is.
    telling = [p for p in present if scheme.parts[p].suffix not in (".bias", "_bias")]
    if not telling:
        return None
    cost = 0.0
    for part in scheme.parts.values():
        if part.name not in present and part.needed == "always":
            cost += _MISSING_WEIGHT if part.name == "weight" else _MISSING
    wrong = [p for p, t in present.items() if t.dtype not in scheme.parts[p].dtypes]
    if wrong and not scheme.quantized:
        return None
    cost += _DTYPE * len(wrong)
    shapes = {p: scheme.parts[p].shapes for p in scheme.parts if p in present and scheme.parts[p].shapes}
    domains = {s.name: _domain(s.usual, wanted.get(s.declared or "")) for s in scheme.symbols.values() if s.usual}
    solution = solve(shapes, {p: t.shape for p, t in present.items()}, domains, fixed or {})
    cost += _SHAPE * len(solution.misfits)
    left = [s for s in group if s not in parts and s not in (".bias", "_bias")]
    cost += sum(_LEFT_OVER if hints.at(s, group[s]) else _HARMLESS for s in left)
    if cost >= _HOPELESS:
        return None
    labels = {p: scheme.parts[p].labels[n] for p, n in solution.chosen.items() if scheme.parts[p].labels[n]}
    problems = problems_of(scheme, present, solution)
    pairs = tuple((parts[s].name, s) for s in group if s in parts)
    return Match(scheme, cost, pairs, solution.env, labels, problems, tuple(left))


def _domain(usual: tuple[int, ...], declared: Any) -> tuple[int, ...]:
    if isinstance(declared, int) and not isinstance(declared, bool) and declared > 0:
        return (declared, *(v for v in usual if v != declared))
    return usual


def problems_of(scheme: Scheme, present: Mapping[str, TensorInfo], solution: Solution) -> tuple[Problem, ...]:
    """Parts that are missing, of another dtype, or of a shape that the solution does not fit."""
    found: list[Problem] = []
    for part in scheme.parts.values():
        tensor = present.get(part.name)
        if tensor is None:
            if part.needed == "always":
                found.append(Problem("missing", part.name))
        elif tensor.dtype not in part.dtypes:
            found.append(Problem("dtype", part.name, {"found": tensor.dtype, "wanted": part.dtypes}))
    for name in solution.misfits:
        found.append(Problem("shape", name, {"found": present[name].shape, "env": dict(solution.tried)}))
    return tuple(found)


def _needs_expectation(group: Group) -> bool:
    return not (len(group) <= 2 and all(t.dtype in PLAIN_FLOATS for t in group.values()))
