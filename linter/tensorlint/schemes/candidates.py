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
from .declared import SIZES, Declaration, allows, without_sizes
from .grouping import Group, Hints
from .model import Part, Scheme, Symbol
from .module import Problem
from .shapes import Env, Solution, solve
from .widths import NO_WIDTHS

# What each departure from a scheme costs. A part that is gone says more than one in another form, and tensors that hint
# at nothing say next to nothing; only how these compare with each other and with votes matters.
_MISSING_WEIGHT, _MISSING, _DTYPE, _SHAPE, _LEFT_OVER, _HARMLESS = 4.0, 3.0, 2.0, 1.5, 1.5, 0.25
_HOPELESS = 6.0  # two parts gone, or the weight gone and a part in another dtype: nothing of the scheme is left
_FEW, _OUTWEIGHS = 4, 0.5  # so many parts tell little; each one beyond that is there in its form makes up for so much
_OF_NO_ACCOUNT = 3  # tensors that hint at nothing, and leave a match perfect
_REMEMBERED = 100_000  # modules that differ; a hostile checkpoint has millions
_BIASES = (".bias", "_bias")
_PLAIN = frozenset({".weight", "", *_BIASES})


@dataclass(frozen=True)
class Match:
    """A scheme that a module may be of; `parts` pairs its parts with the suffixes under which they are there.

    `evident` says that what is there cannot be a plain weight: where a declaration means the scheme, it is that.
    """

    scheme: Scheme
    cost: float
    parts: tuple[tuple[str, str], ...]  # (part, suffix)
    env: Env
    labels: Mapping[str, str]
    problems: tuple[Problem, ...]
    left_over: tuple[str, ...]  # suffixes
    evident: bool = True
    hints: bool = False  # whether what is left over hints at quantization
    meant: bool = True  # False where no declaration means the scheme for such a module

    @property
    def perfect(self) -> bool:
        """Whether nothing speaks against the scheme; a few tensors of no account may be left over."""
        return self.cost <= _OF_NO_ACCOUNT * _HARMLESS and not self.problems


@dataclass(frozen=True)
class _Wanted:
    """What declarations say of modules: values of symbols, the schemes that they mean, and a key for both."""

    values: Mapping[str, Any]
    meant: frozenset[str]
    key: tuple[tuple[str, str], ...]


_NOTHING = _Wanted({}, frozenset(), ())


class Candidates:
    """Finds the candidates among a fixed set of schemes; modules of the same tensors are looked at once."""

    def __init__(self, schemes: Iterable[Scheme], hints: Hints) -> None:
        self._hints = hints
        self._schemes = tuple(schemes)
        self._by_suffix: dict[str, list[Scheme]] = defaultdict(list)
        for scheme in self._schemes:
            for part in scheme.parts.values():
                self._by_suffix[part.suffix].append(scheme)
        self._cache: dict[tuple[Any, ...], tuple[Match, ...]] = {}
        self._meant: dict[tuple[tuple[str, str], ...], frozenset[str]] = {}

    def of(
        self,
        group: Group,
        name: str,
        declared: Declaration | None,
        beside: Iterable[Declaration] = (),
        widths: Env = NO_WIDTHS,
    ) -> tuple[Match, ...]:
        """The candidates of a module, cheapest first.

        `declared` gives the preferred values of symbols and the schemes that are meant, further declarations `beside`
        it the values that it does not state, `widths` the size of the matrix where that is known.
        """
        signature = tuple(sorted((s, t.dtype, t.shape) for s, t in group.items()))
        wanted = self._wanted(name, declared, beside) if declared is not None and _is_more(group) else _NOTHING
        key = (signature, wanted.key, tuple(widths.items()))
        found = self._cache.get(key)
        if found is None:
            schemes = dict.fromkeys(s for suffix in group for s in self._by_suffix.get(suffix, ()))
            matches = (
                match(s, group, self._hints, wanted.values, widths=widths, meant=s.name in wanted.meant)
                for s in schemes
            )
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

    def _wanted(self, name: str, declared: Declaration, beside: Iterable[Declaration]) -> _Wanted:
        expected = declared.expect(name)
        values = expected.values
        for other in beside:
            more = other.expect(name)
            if expected.quantized and more.quantized:
                values = {**{k: v for k, v in more.values.items() if k in SIZES}, **values}
        key = tuple(sorted((k, repr(v)) for k, v in values.items()))
        if not expected.quantized:
            return _Wanted(values, frozenset(), key)
        meant = self._meant.get(key)
        if meant is None:
            if len(self._meant) >= _REMEMBERED:
                self._meant.clear()
            able = [s for s in self._schemes if s.quantized]
            exact = [s for s in able if allows(s, expected.values)]
            alike = exact or [s for s in able if allows(s, without_sizes(s, expected.values))]
            meant = self._meant[key] = frozenset(s.name for s in alike)
        return _Wanted(values, meant, (*key, ("", "meant")))


def match(
    scheme: Scheme,
    group: Group,
    hints: Hints,
    wanted: Mapping[str, Any],
    fixed: Env | None = None,
    widths: Env = NO_WIDTHS,
    meant: bool = False,
) -> Match | None:
    """A group of tensors as a module of a scheme, or None where too little of it fits.

    `wanted` are declared values of symbols, tried first; `fixed` are values that they have; `widths` are columns and
    rows of the matrix. A scheme that is `meant` by a declaration fits with any number of defects.
    """
    parts = {p.suffix: p for p in scheme.parts.values()}
    present = {parts[s].name: t for s, t in group.items() if s in parts}
    # `.weight` and `.bias` alone say nothing about which scheme it is.
    telling = [p for p in present if scheme.parts[p].suffix not in _BIASES]
    if not telling:
        return None
    cost = 0.0
    for part in scheme.parts.values():
        if part.name not in present and _is_needed(part, meant):
            cost += _MISSING_WEIGHT if part.name == "weight" else _MISSING
    wrong = [p for p, t in present.items() if t.dtype not in scheme.parts[p].dtypes]
    if wrong and not scheme.quantized:
        return None
    cost += _DTYPE * len(wrong)
    left = [s for s in group if s not in parts and s not in _BIASES]
    hinting = [s for s in left if hints.at(s, group[s])]
    cost += _LEFT_OVER * len(hinting) + _HARMLESS * (len(left) - len(hinting))
    evident = _evident(scheme, present)
    sure = meant and evident
    if not sure and _is_hopeless(cost, len(present) - len(wrong)):  # whatever its shapes are
        return None
    domains = {s.name: _domain(s, wanted.get(s.declared or ""), meant) for s in scheme.symbols.values() if s.usual}
    solution = _solved(scheme, present, domains, fixed or {}, widths)
    cost += _SHAPE * len(solution.misfits)
    if not sure and _is_hopeless(cost, len(present) - len({*wrong, *solution.misfits})):
        return None
    labels = {p: scheme.parts[p].labels[n] for p, n in solution.chosen.items() if scheme.parts[p].labels[n]}
    problems = problems_of(scheme, present, solution, meant)
    pairs = tuple((parts[s].name, s) for s in group if s in parts)
    return Match(scheme, cost, pairs, solution.env, labels, problems, tuple(left), evident, bool(hinting), meant)


def _is_hopeless(cost: float, sound: int) -> bool:
    """Whether too much is wrong for what is sound."""
    return cost >= _HOPELESS + _OUTWEIGHS * max(sound - _FEW, 0)


def _solved(
    scheme: Scheme,
    present: Mapping[str, TensorInfo],
    domains: Mapping[str, tuple[int, ...]],
    fixed: Env,
    widths: Env,
) -> Solution:
    """The symbols of a scheme; codes of any width are read so that the matrix has the columns that it must have.

    Where they cannot be, a matrix of a part of its columns, or one on its side, is no other matrix but a damaged one;
    one that is wider may be padded.
    """
    shapes = {p: scheme.parts[p].shapes for p in scheme.parts if p in present and scheme.parts[p].shapes}
    sizes = {p: t.shape for p, t in present.items()}
    found = solve(shapes, sizes, domains, fixed)
    columns, rows = widths.get("K", 0), widths.get("N", 0)
    told = any("K" in one.symbols for shape in shapes.get("weight", ()) for one in shape)
    if not columns or not told or fixed or not scheme.quantized or found.env.get("K") == columns:
        return found
    aimed = solve(shapes, sizes, domains, {"K": columns})
    if len(aimed.misfits) <= len(found.misfits):
        return aimed
    mine = found.env.get("K", 0)
    if found.misfits or not mine or not (columns % mine == 0 or mine == rows):
        return found
    both = solve(shapes, sizes, domains, {"K": columns, "N": rows}) if rows else aimed
    return both if len(both.misfits) <= len(aimed.misfits) else aimed


def _evident(scheme: Scheme, present: Mapping[str, TensorInfo]) -> bool:
    """Whether the tensors say that a weight is, or was, quantized: codes, or what a plain weight has no use for."""
    weight = present.get("weight")
    if weight is not None and weight.dtype not in PLAIN_FLOATS:
        return True
    return any(_of_codes(scheme.parts[p]) for p in present)


def _of_codes(part: Part) -> bool:
    return part.scales is not None or (part.kind in ("zero_point", "table", "marker") and part.telling)


def _domain(symbol: Symbol, declared: Any, meant: bool) -> tuple[int, ...]:
    """The values that a symbol may have: the declared one first, and the format's own alone where no other is meant."""
    if not isinstance(declared, int) or isinstance(declared, bool) or declared <= 0:
        return symbol.usual[:1] if symbol.strict and meant else symbol.usual
    if symbol.strict and declared == symbol.usual[0]:
        return (declared,)
    return (declared, *(v for v in symbol.usual if v != declared))


def problems_of(
    scheme: Scheme, present: Mapping[str, TensorInfo], solution: Solution, meant: bool = False
) -> tuple[Problem, ...]:
    """Parts that are missing, of another dtype, or of a shape that the solution does not fit."""
    found: list[Problem] = []
    for part in scheme.parts.values():
        tensor = present.get(part.name)
        if tensor is None:
            if _is_needed(part, meant):
                found.append(Problem("missing", part.name))
        elif tensor.dtype not in part.dtypes:
            found.append(Problem("dtype", part.name, {"found": tensor.dtype, "wanted": part.dtypes}))
    for name in solution.misfits:
        found.append(Problem("shape", name, {"found": present[name].shape, "env": dict(solution.tried)}))
    return tuple(found)


def _is_needed(part: Part, meant: bool) -> bool:
    return part.needed == "always" or (part.needed == "undeclared" and not meant)


def _is_more(group: Group) -> bool:
    """Whether a group is more than a plain weight and its bias."""
    return any(s not in _PLAIN or t.dtype not in PLAIN_FLOATS for s, t in group.items())
