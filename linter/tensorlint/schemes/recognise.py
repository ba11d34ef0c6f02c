"""Tensors -> modules -> schemes: what each module is, from names, dtypes and shapes.

A damaged module is still a module of its scheme: every scheme whose parts appear is matched at a cost (missing part,
wrong dtype, wrong shape, tensors left over). A perfect match decides by itself; an imperfect one is decided together
with the votes of its siblings (same role in other layers and experts), of the rest of the checkpoint, and of the
configuration. Where two schemes stay equal, both are named.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..dtypes import PLAIN_FLOATS
from ..header import TensorInfo
from ..names import pattern_of
from .declared import Declaration, allows
from .grouping import Group, Grouping, describe, is_telling, looks_quantized
from .model import Scheme
from .shapes import Env, solve

_MISSING_WEIGHT, _MISSING, _DTYPE, _SHAPE, _LEFT_OVER, _HARMLESS = 4.0, 3.0, 2.0, 1.5, 1.5, 0.25
_HOPELESS = 6.0
_SIBLING_VOTE, _CHECKPOINT_VOTE, _DECLARED_VOTE, _WEAK = 1.5, 0.5, 1.0, 2.9
# Parts that say nothing alone: a tensor under a name of its own, and a `scale`, which plain norms and clips have too.
_ALONE = ((("weight", ""),), (("weight_scale", ".scale"),))


@dataclass(frozen=True)
class Problem:
    """One way in which a module departs from its scheme: kind is missing, dtype or shape."""

    kind: str
    part: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Module:
    """The tensors that make one layer.

    `parts` maps part names to tensors; `env` holds the solved symbols; `labels` the alternative a part's shape took
    (`tensor`, `channel`, `block` ...); `left_over` are tensors of the module that its scheme does not have.
    """

    name: str
    scheme: Scheme
    parts: Mapping[str, TensorInfo]
    env: Env
    labels: Mapping[str, str]
    problems: tuple[Problem, ...] = ()
    left_over: tuple[TensorInfo, ...] = ()
    rivals: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """The name with numbers replaced by `*`: equal for siblings."""
        return pattern_of(self.name)

    @property
    def shape(self) -> tuple[int, int] | None:
        """Logical (rows, columns) of the weight, where both are known."""
        if "N" in self.env and "K" in self.env:
            return self.env["N"], self.env["K"]
        weight = self.parts.get("weight")
        if not self.scheme.quantized and weight is not None and len(weight.shape) == 2:
            return weight.shape[0], weight.shape[1]
        return None


@dataclass(frozen=True)
class Unknown:
    """A module that looks quantized but fits no scheme; `signature` describes its tensors."""

    name: str
    tensors: tuple[TensorInfo, ...]
    signature: str


@dataclass(frozen=True)
class Recognised:
    """Everything the tensors say: modules of known schemes, unknown ones, and plain tensors outside any module."""

    modules: tuple[Module, ...]
    unknown: tuple[Unknown, ...]
    loose: tuple[TensorInfo, ...]


@dataclass(frozen=True)
class _Match:
    scheme: Scheme
    cost: float
    parts: tuple[tuple[str, str], ...]  # (part, suffix)
    env: Env
    labels: Mapping[str, str]
    problems: tuple[Problem, ...]
    left_over: tuple[str, ...]  # suffixes


_Signature = tuple[tuple[str, str, tuple[int, ...]], ...]


class Recogniser:
    """Recognises modules for a fixed set of schemes."""

    def __init__(self, schemes: Iterable[Scheme]) -> None:
        self.schemes = tuple(s for s in schemes if not s.companion)
        self.companions = tuple(s for s in schemes if s.companion)
        self._grouping = Grouping({p.suffix for s in (*self.schemes, *self.companions) for p in s.parts.values()})
        self._by_suffix: dict[str, list[Scheme]] = defaultdict(list)
        for scheme in self.schemes:
            for part in scheme.parts.values():
                self._by_suffix[part.suffix].append(scheme)
        self._cache: dict[tuple[Any, ...], tuple[_Match, ...]] = {}

    def recognise(self, tensors: Mapping[str, TensorInfo], declared: Declaration | None) -> Recognised:
        """Sort every tensor into modules; `declared` settles ties and preferred values of symbols."""
        groups = self._grouping.groups(tensors)
        modules: list[Module] = []
        for scheme in self.companions:
            modules.extend(self._take_companions(scheme, groups))
        candidates = {name: self._candidates(group, name, declared) for name, group in groups.items()}
        chosen = self._choose(candidates, declared)
        unknown: list[Unknown] = []
        loose: list[TensorInfo] = []
        for name, group in groups.items():
            picked = chosen.get(name)
            if picked is None:
                if looks_quantized(group):
                    unknown.append(Unknown(name, tuple(group.values()), describe(group)))
                else:
                    loose.extend(group.values())
                continue
            match, rivals = picked
            found = {part: group[suffix] for part, suffix in match.parts}
            left = tuple(group[s] for s in match.left_over)
            modules.append(Module(name, match.scheme, found, match.env, match.labels, match.problems, left, rivals))
        return Recognised(tuple(self._agree_on_uniform(modules)), tuple(unknown), tuple(loose))

    def _take_companions(self, scheme: Scheme, groups: dict[str, Group]) -> Iterable[Module]:
        by_suffix = {p.suffix: p for p in scheme.parts.values()}
        for name in list(groups):
            group = groups[name]
            found = {by_suffix[s].name: group.pop(s) for s in list(group) if s in by_suffix}
            if not found:
                continue
            if not group:
                del groups[name]
            shapes = {p: scheme.parts[p].shapes for p in found if scheme.parts[p].shapes}
            solution = solve(shapes, {p: t.shape for p, t in found.items()}, {}, {})
            problems = _problems(scheme, found, solution.tried, solution.misfits)
            yield Module(name, scheme, found, solution.env, {}, problems)

    # -- matching ---------------------------------------------------------------------------------------------------

    def _candidates(self, group: Group, name: str, declared: Declaration | None) -> tuple[_Match, ...]:
        signature: _Signature = tuple(sorted((s, t.dtype, t.shape) for s, t in group.items()))
        wanted = declared.expect(name).values if declared is not None and _needs_expectation(group) else {}
        key = (signature, tuple(sorted((k, str(v)) for k, v in wanted.items())))
        found = self._cache.get(key)
        if found is None:
            schemes = dict.fromkeys(s for suffix in group for s in self._by_suffix.get(suffix, ()))
            matches = (self._match(s, group, wanted) for s in schemes)
            found = tuple(sorted((m for m in matches if m is not None), key=lambda m: m.cost))
            self._cache[key] = found
        return found

    def _match(
        self, scheme: Scheme, group: Group, wanted: Mapping[str, Any], fixed: Env | None = None
    ) -> _Match | None:
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
        cost += sum(_LEFT_OVER if is_telling(s, group[s]) else _HARMLESS for s in left)
        if cost >= _HOPELESS:
            return None
        labels = {p: scheme.parts[p].labels[n] for p, n in solution.chosen.items() if scheme.parts[p].labels[n]}
        problems = _problems(scheme, present, solution.tried, solution.misfits)
        pairs = tuple((parts[s].name, s) for s in group if s in parts)
        return _Match(scheme, cost, pairs, solution.env, labels, problems, tuple(left))

    def _choose(
        self, candidates: Mapping[str, tuple[_Match, ...]], declared: Declaration | None
    ) -> dict[str, tuple[_Match, tuple[str, ...]]]:
        chosen: dict[str, tuple[_Match, tuple[str, ...]]] = {}
        by_pattern: dict[str, Counter[str]] = defaultdict(Counter)
        total: Counter[str] = Counter()
        undecided: list[str] = []
        for name, matches in candidates.items():
            whole = (m for m in matches if m.cost <= _HARMLESS * 3 and not m.problems)
            perfect = [m for m in whole if not m.scheme.weak or _promised(m.scheme, name, declared)]
            best, equals = _prefer(perfect, name, declared)
            if best is not None and (best.scheme.quantized or len(matches) == 1 or not best.left_over):
                chosen[name] = (best, equals)
                by_pattern[pattern_of(name)][best.scheme.name] += 1
                if best.scheme.quantized:
                    total[best.scheme.name] += 1
            elif matches:
                undecided.append(name)
        self._reconsider(chosen, candidates, by_pattern)
        favourite = total.most_common(1)[0][0] if total else ""
        for name in undecided:
            votes = by_pattern.get(pattern_of(name), Counter())
            sibling = next((s for s, _ in votes.most_common() if s in {m.scheme.name for m in candidates[name]}), "")
            scored = []
            for match in candidates[name]:
                score = match.cost + _WEAK * match.scheme.weak
                score -= _SIBLING_VOTE * (match.scheme.name == sibling and match.scheme.quantized)
                score -= _CHECKPOINT_VOTE * (match.scheme.name == favourite)
                score -= _DECLARED_VOTE * _promised(match.scheme, name, declared)
                scored.append((score, match))
            scored.sort(key=lambda pair: pair[0])
            best_score, best = scored[0]
            if not _believable(best, total, _promised(best.scheme, name, declared)):
                continue
            rivals = tuple(m.scheme.name for s, m in scored[1:] if s <= best_score + 1e-9 and m.scheme.quantized)
            chosen[name] = (best, rivals)
        return chosen

    @staticmethod
    def _reconsider(
        chosen: dict[str, tuple[_Match, tuple[str, ...]]],
        candidates: Mapping[str, tuple[_Match, ...]],
        by_pattern: Mapping[str, Counter[str]],
    ) -> None:
        """A scale that damage reshaped, retyped or took away can leave another scheme: siblings know what it was."""
        for name, (match, _) in list(chosen.items()):
            votes = by_pattern[pattern_of(name)]
            usual, count = votes.most_common(1)[0]
            if usual == match.scheme.name or count < 2 or count <= votes[match.scheme.name]:
                continue
            for other in candidates[name]:
                if other.scheme.name == usual and _damaged_scale(other, match):
                    chosen[name] = (other, ())
                    break

    def _agree_on_uniform(self, modules: list[Module]) -> Iterable[Module]:
        """Give modules the value of a uniform symbol that most of them share; those it does not fit get a problem."""
        values: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        for module in modules:
            for symbol in module.scheme.symbols.values():
                if symbol.uniform and symbol.name in module.env and not module.problems:
                    values[module.scheme.name, symbol.name][module.env[symbol.name]] += 1
        for module in modules:
            majority = {
                symbol: counts.most_common(1)[0][0]
                for (scheme, symbol), counts in values.items()
                if scheme == module.scheme.name
            }
            odd = {s: v for s, v in majority.items() if s in module.env and module.env[s] != v}
            if not odd:
                yield module
                continue
            group = {module.scheme.parts[p].suffix: t for p, t in module.parts.items()}
            again = self._match(module.scheme, group, {}, {**odd, **{s: majority[s] for s in majority}})
            if again is None:
                yield module
            else:
                yield replace(module, env=again.env, labels=again.labels, problems=again.problems)


def _damaged_scale(match: _Match, instead: _Match) -> bool:
    """Whether one damaged part is all that keeps a module from a scheme, `instead` being the one that it fits now."""
    if match.left_over or len(match.problems) != 1:
        return False
    (problem,) = match.problems
    if problem.kind == "missing":
        return instead.scheme.quantized and problem.part != "weight"
    return problem.kind == "shape" or match.scheme.parts[problem.part].kind == "scale"


def _believable(match: _Match, perfect: Counter[str], promised: bool) -> bool:
    """Whether a module with defects may be called one of this scheme.

    Where sound modules of the scheme stand in the same checkpoint, it may have several defects. Where none does, one
    defect at most, and not in the weight's own dtype: more than that is a format nobody here knows. A tensor that
    stands alone under a name of its own says nothing unless the configuration promised the scheme.
    """
    if perfect[match.scheme.name] or not match.scheme.quantized:
        return True
    if match.problems and match.parts in _ALONE and not promised:
        return False
    return len(match.problems) <= 1 and not any(p.kind == "dtype" and p.part == "weight" for p in match.problems)


def _promised(scheme: Scheme, name: str, declared: Declaration | None) -> bool:
    """Whether the configuration says that this module is quantized, and nothing against the scheme."""
    expected = declared.expect(name) if declared is not None else None
    return expected is not None and bool(expected.quantized) and allows(scheme, expected.values)


def _domain(usual: tuple[int, ...], declared: Any) -> tuple[int, ...]:
    if isinstance(declared, int) and not isinstance(declared, bool) and declared > 0:
        return (declared, *(v for v in usual if v != declared))
    return usual


def _prefer(perfect: list[_Match], name: str, declared: Declaration | None) -> tuple[_Match | None, tuple[str, ...]]:
    """The one perfect match, or of several the one that explains most; a declaration decides between equals.

    Comes with the names of those that stay equal.
    """
    if len(perfect) <= 1:
        return (perfect[0] if perfect else None), ()
    expected = declared.expect(name) if declared is not None else None

    def rank(match: _Match) -> tuple[int, int, float]:
        fits = expected is not None and expected.quantized is not False and allows(match.scheme, expected.values)
        return (len(match.left_over), -int(fits), match.cost)

    best = min(perfect, key=rank)
    return best, tuple(m.scheme.name for m in perfect if m is not best and rank(m) == rank(best))


def _problems(
    scheme: Scheme, present: Mapping[str, TensorInfo], env: Env, misfits: tuple[str, ...]
) -> tuple[Problem, ...]:
    found: list[Problem] = []
    for part in scheme.parts.values():
        tensor = present.get(part.name)
        if tensor is None:
            if part.needed == "always":
                found.append(Problem("missing", part.name))
        elif tensor.dtype not in part.dtypes:
            found.append(Problem("dtype", part.name, {"found": tensor.dtype, "wanted": part.dtypes}))
    for name in misfits:
        found.append(Problem("shape", name, {"found": present[name].shape, "env": dict(env)}))
    return tuple(found)


def _needs_expectation(group: Group) -> bool:
    return not (len(group) <= 2 and all(t.dtype in PLAIN_FLOATS for t in group.values()))
