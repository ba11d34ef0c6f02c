"""Which of its candidates a module is.

An exporter's bug hits every module alike: what it leaves may fit another scheme by accident, and no sibling knows
better. So the declared scheme comes first: a module that has its parts is that scheme, with whatever defects, unless
another scheme explains everything and this one would need several. Where nothing is declared, a perfect match decides
by itself; an imperfect one is decided together with the votes of its siblings (same role in other layers and experts)
and of the rest of the checkpoint. Where two schemes stay equal, both are named.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from math import prod
from typing import Any

from ..names import pattern_of
from .candidates import Match
from .declared import Declaration, allows, nearness
from .grouping import TELLING_DTYPES
from .model import Scheme

_TELLING = 10  # parts of one module that are more than an accident
_MANY = 6  # modules of one scheme that make a single one of another scheme look damaged
# In the measure of what departures cost: siblings make up for a wrong shape, the declaration for less, and the rest of
# the checkpoint decides between near equals. A weak scheme yields nearly a part: any vote decides then.
_SIBLING_VOTE, _CHECKPOINT_VOTE, _DECLARED_VOTE, _WEAK = 1.5, 0.5, 1.0, 2.9
_EQUAL = 1e-9  # sums of costs and votes that differ by less are the same

Chosen = dict[str, tuple[Match, tuple[str, ...]]]  # module -> its scheme, and the names of those as likely


def choose(candidates: Mapping[str, tuple[Match, ...]], declared: Declaration | None) -> Chosen:
    """The scheme of every module that has one; `candidates` are those of each module, cheapest first."""
    chosen: Chosen = {}
    by_pattern: dict[str, Counter[str]] = defaultdict(Counter)
    total: Counter[str] = Counter()
    siblings = Counter(map(pattern_of, candidates))
    undecided: list[str] = []

    def settle(name: str, best: Match, equals: tuple[str, ...]) -> None:
        chosen[name] = (best, equals)
        by_pattern[pattern_of(name)][best.scheme.name] += 1
        if best.scheme.quantized:
            total[best.scheme.name] += 1

    contested: dict[str, tuple[Match, tuple[str, ...], Match]] = {}  # may be damaged modules of the declared scheme
    for name, matches in candidates.items():
        perfect = [m for m in matches if m.perfect and (not m.scheme.weak or _promised(m.scheme, name, declared))]
        best, equals = _prefer(perfect, name, declared)
        meant = _damaged_instead(best, matches, name, declared) if best is not None else None
        if best is not None and meant is not None:
            contested[name] = (best, equals, meant)
        elif best is not None and (best.scheme.quantized or len(matches) == 1 or not best.left_over):
            settle(name, best, equals)
        elif matches:
            undecided.append(name)
    if _other_layout(contested.values()) and not any(_meant(candidates[n], n, declared) for n in undecided):
        for name, (best, equals, _) in contested.items():
            settle(name, best, equals)
    else:
        undecided.extend(contested)
    _reconsider(chosen, candidates, by_pattern, total, declared)
    favourite = total.most_common(1)[0][0] if total else ""
    for name in undecided:
        votes = by_pattern.get(pattern_of(name), Counter())
        sibling = next((s for s, _ in votes.most_common() if s in {m.scheme.name for m in candidates[name]}), "")
        means = _meant(candidates[name], name, declared)
        if means and not (favourite and _foreign(favourite, candidates[name], name, declared)):
            stated = declared.expect(name).values if declared is not None else {}
            chosen[name] = _most_likely(means, sibling, favourite, stated)
            continue
        scored = []
        for match in candidates[name]:
            score = match.cost + _WEAK * match.scheme.weak
            score -= _SIBLING_VOTE * (match.scheme.name == sibling and match.scheme.quantized)
            score -= _CHECKPOINT_VOTE * (match.scheme.name == favourite)
            score -= _DECLARED_VOTE * _promised(match.scheme, name, declared)
            scored.append((score, match))
        scored.sort(key=lambda pair: pair[0])
        best_score, best = scored[0]
        known = total[best.scheme.name] if siblings[pattern_of(name)] == 1 else votes[best.scheme.name]
        if not _believable(best, total, known > 0, _promised(best.scheme, name, declared)):
            continue
        rivals = tuple(m.scheme.name for s, m in scored[1:] if s <= best_score + _EQUAL and m.scheme.quantized)
        chosen[name] = (best, rivals)
    return chosen


def _meant(matches: Iterable[Match], name: str, declared: Declaration | None) -> list[Match]:
    """The candidates that the declaration means, where the tensors of the module say that it is quantized at all."""
    able = (m for m in matches if m.meant and m.evident and m.scheme.quantized)
    return [m for m in able if _promised(m.scheme, name, declared)]


def _damaged_instead(best: Match, matches: Collection[Match], name: str, declared: Declaration | None) -> Match | None:
    """A module of the declared scheme which one kind of damage made fit `best`, that is not declared; or None.

    One part in another form is damage, and so are several of another dtype beside a sound weight; a part that has
    nothing of its own form left, or tensors that only the other scheme explains, are not, and neither is a dtype of the
    weight that says what it holds.
    """
    if declared is None or not best.scheme.quantized or not any(m.meant for m in matches if m is not best):
        return None
    if _promised(best.scheme, name, declared):
        return None
    meant = min(_meant(matches, name, declared), key=lambda m: m.cost, default=None)
    if meant is None or not meant.problems or len(meant.left_over) > len(best.left_over):
        return None
    strategy = declared.expect(name).values.get("strategy")
    if strategy and any(label != strategy for part, label in meant.labels.items() if _scales_weight(meant, part)):
        return None
    wrong = {p.part for p in meant.problems}
    if len(wrong) < len(meant.problems) or (len(wrong) > 1 and any(p.kind != "dtype" for p in meant.problems)):
        return None
    weight = next((p for p in meant.problems if p.part == "weight"), None)
    if weight is None:
        return meant
    telling = weight.kind == "dtype" and str(weight.detail.get("found")).startswith(TELLING_DTYPES)
    return meant if len(wrong) == 1 and not telling else None


def _scales_weight(match: Match, part: str) -> bool:
    return match.scheme.parts[part].scales == "weight"


def _other_layout(contested: Collection[tuple[Match, tuple[str, ...], Match]]) -> bool:
    """Whether all these modules have one other scheme of the same tensors, whose weights are only laid out otherwise.

    Damage fits other schemes by accident, where a matrix is square or a size is even: not everywhere.
    """
    return len({best.scheme.name for best, _, _ in contested}) == 1 and all(_laid_out(m) for _, _, m in contested)


def _laid_out(meant: Match) -> bool:
    """Whether nothing is wrong but the shape of the weight, and that not for want of a part of its codes."""
    if [(p.kind, p.part) for p in meant.problems] != [("shape", "weight")]:
        return False
    (problem,) = meant.problems
    weight, env = meant.scheme.weight, problem.detail.get("env", {})
    shapes = weight.shapes if weight is not None else ()
    wanted = [[one.value(env) for one in shape] for shape in shapes if all(d.symbols <= env.keys() for d in shape)]
    whole = [prod(s for s in sizes if s is not None) for sizes in wanted if None not in sizes]
    return not whole or prod(problem.detail["found"]) in whole


def _foreign(favourite: str, matches: Iterable[Match], name: str, declared: Declaration | None) -> bool:
    """Whether sound modules of a scheme that is not declared say that the declaration is wrong about this one too."""
    found = next((m for m in matches if m.scheme.name == favourite), None)
    return found is not None and not _promised(found.scheme, name, declared)


def _most_likely(
    meant: list[Match], sibling: str, favourite: str, stated: Mapping[str, Any]
) -> tuple[Match, tuple[str, ...]]:
    """Of the schemes that a declaration means that of the siblings, or of most modules, or the nearest to its words."""

    def rank(match: Match) -> tuple[object, ...]:
        name, (said, open_) = match.scheme.name, nearness(match.scheme, stated)
        return name != sibling, name != favourite, match.hints, -said, match.cost, -open_

    best = min(meant, key=rank)
    return best, tuple(m.scheme.name for m in meant if m is not best and rank(m) == rank(best))


def _reconsider(
    chosen: Chosen,
    candidates: Mapping[str, tuple[Match, ...]],
    by_pattern: Mapping[str, Counter[str]],
    total: Counter[str],
    declared: Declaration | None,
) -> None:
    """A part that damage reshaped, retyped or took away can leave another scheme: siblings know what it was.

    Where they are too few to know, the declaration decides, if it rules the found scheme out and promises the one that
    most of the checkpoint has; or the rest of the checkpoint, of which no other module has the found scheme.
    """
    favourite = total.most_common(1)[0][0] if total else ""
    for name, (match, _) in list(chosen.items()):
        votes = by_pattern[pattern_of(name)]
        usual, count = votes.most_common(1)[0]
        if usual != match.scheme.name and count > votes[match.scheme.name]:
            other = next((m for m in candidates[name] if m.scheme.name == usual and _damaged_scale(m, match)), None)
        elif match.scheme.quantized and match.scheme.name != favourite and not _promised(match.scheme, name, declared):
            other = next((m for m in candidates[name] if m.scheme.name == favourite and _damaged(m)), None)
            alone = total[match.scheme.name] == 1 and total[favourite] >= _MANY
            if other and not (alone and _damaged_scale(other, match)) and not _promised(other.scheme, name, declared):
                other = None
        else:
            continue
        if other is not None:
            chosen[name] = (other, ())


def _damaged(match: Match) -> bool:
    """Whether one damaged part is all that keeps a module from a scheme."""
    return not match.left_over and len(match.problems) == 1


def _damaged_scale(match: Match, instead: Match) -> bool:
    """Whether one damaged part, likely a scale, is what made a module of a scheme fit `instead`."""
    if not _damaged(match):
        return False
    (problem,) = match.problems
    if problem.kind == "missing":
        return instead.scheme.quantized and problem.part != "weight"
    return problem.kind == "shape" or match.scheme.parts[problem.part].kind == "scale"


def _believable(match: Match, perfect: Counter[str], known: bool, promised: bool) -> bool:
    """Whether a module with defects may be called one of this scheme.

    Where sound siblings (or, for a module that has none, sound modules of the checkpoint) are `known`, it may have
    several defects. Where none are, one defect at most, and not in the weight's own dtype unless the checkpoint has
    sound modules of the scheme: more than that is a format nobody here knows, and so are a weight and, where nothing is
    declared, scales under another name.
    A tensor that stands alone and tells nothing counts only where the configuration promised the scheme.
    """
    if known or not match.scheme.quantized:
        return True
    if perfect[match.scheme.name]:
        return len(match.problems) <= 1
    if match.problems and _says_nothing(match) and not promised:
        return False
    missing = {p.part for p in match.problems if p.kind == "missing"}
    few = len(match.parts) < _TELLING
    if match.left_over and ("weight" in missing or (missing and match.hints and few and not promised)):
        return False
    able = 1 if few else 2
    return len(match.problems) <= able and not any(p.kind == "dtype" and p.part == "weight" for p in match.problems)


def _says_nothing(match: Match) -> bool:
    """Whether all that is there is one tensor under a name of its own, or one that other things have too."""
    if len(match.parts) != 1:
        return False
    ((part, suffix),) = match.parts
    return not suffix or not match.scheme.parts[part].telling


def _promised(scheme: Scheme, name: str, declared: Declaration | None) -> bool:
    """Whether the configuration says that this module is quantized, and nothing against the scheme."""
    expected = declared.expect(name) if declared is not None else None
    return expected is not None and bool(expected.quantized) and allows(scheme, expected.values)


def _prefer(perfect: list[Match], name: str, declared: Declaration | None) -> tuple[Match | None, tuple[str, ...]]:
    """The one perfect match, or of several the one that explains most; a declaration decides between equals.

    Comes with the names of those that stay equal.
    """
    if len(perfect) <= 1:
        return (perfect[0] if perfect else None), ()
    expected = declared.expect(name) if declared is not None else None

    def rank(match: Match) -> tuple[int, int, int, float]:
        fits = expected is not None and expected.quantized is not False and allows(match.scheme, expected.values)
        own = declared is not None and any(declared.method in way["method"] for way in match.scheme.declared)
        return (len(match.left_over), -int(fits), -int(own), match.cost)

    best = min(perfect, key=rank)
    return best, tuple(m.scheme.name for m in perfect if m is not best and rank(m) == rank(best))
