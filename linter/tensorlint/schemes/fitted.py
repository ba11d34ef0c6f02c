"""A checkpoint beside the architecture of its model type: the layout it is written in, what is there, what is not.

Everything is looked up by pattern.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from ..names import pattern_of
from .architectures import Architecture, Layout, numbers_of
from .bound import Bound, Find, Place, bounds_of
from .keyterms import TermError, term
from .stored import Stored

_FITS = 0.5  # of the patterns of names: below, they are not those of the architecture
_TELLING = frozenset({"linear", "norm", "embedding", "conv"})  # roles of what no tool or version does without
_LOOKED = 2_000_000  # names that are looked for in a checkpoint; a hostile configuration counts billions
_ABSENT = 100_000  # of them that are missing
_WHOLE = 0.5  # of what is always there: below, the checkpoint is an extract of the model


@dataclass(frozen=True)
class Fitted:
    """A checkpoint in the layout that fits it best.

    `found` are tensors with the lines that they are; `beyond` those of lines with indices that are not counted;
    `denied` those of lines that say that they are not there; `surplus` those of no line; `missing` the places that have
    to be filled and are not. `share` of the patterns of names are those of the layout. `whole` says whether most of
    what is always there is: an extract of a model is not judged by what it lacks.
    """

    architecture: Architecture
    layout: Layout
    bounds: tuple[Bound, ...]
    found: tuple[tuple[Stored, Place], ...]
    beyond: tuple[tuple[Stored, Place], ...]
    denied: tuple[tuple[Stored, Place], ...]
    surplus: tuple[Stored, ...]
    missing: tuple[Place, ...]
    share: float
    whole: bool

    @property
    def fits(self) -> bool:
        """Whether the names are those of the architecture."""
        return self.share >= _FITS

    @cached_property
    def spelt(self) -> bool:
        """Whether the names are those of the layout but for single ones, or for one that is another in every layer.

        Where several names are too many in every layer it is another spelling (experts apart that are one tensor here,
        names of other versions and tools), against which nothing can be held.
        """
        surplus = Counter(pattern_of(one.name) for one in self.surplus)
        strange = [pattern for pattern, count in surplus.items() if count > 1]
        if not strange and not self.whole:
            return True
        gone: dict[int, list[Place]] = defaultdict(list)
        for place in self.missing:
            gone[id(place.bound)].append(place)
        lacking = [rows for rows in gone.values() if not self._has(rows[0].bound)]
        if not strange:
            return all(rows[0].bound.line.role in _TELLING for rows in lacking)
        patterns = Counter(rows[0].bound.line.pattern for rows in lacking for _ in rows)
        if len(strange) > 1 or len(patterns) != 1:
            return False
        (other,), ((pattern, count),) = strange, patterns.items()
        return surplus[other] == count and _beside(other, pattern)

    def _has(self, bound: Bound) -> bool:
        """Whether any tensor of a numbered line is there; where it writes its numbers out, any with other numbers."""
        if bound.line.indices:
            return id(bound) in self._lines
        return "*" not in bound.line.pattern or bound.line.pattern in self._patterns

    @cached_property
    def _lines(self) -> frozenset[int]:
        return frozenset(id(place.bound) for _, place in self.found)

    @cached_property
    def _patterns(self) -> frozenset[str]:
        return frozenset(place.bound.line.pattern for _, place in self.found)

    @cached_property
    def by_module(self) -> Mapping[str, Place]:
        """Places of weights by the module that they belong to, the names of parameters without one as they are."""
        return {one.name.removesuffix(".weight"): place for one, place in self.found}

    @cached_property
    def by_pattern(self) -> Mapping[str, tuple[Bound, ...]]:
        """Lines by the pattern of their names."""
        return _by_pattern(self.bounds)

    def asks_for(self, name: str) -> bool | None:
        """Whether the layout may have a tensor of this name; None where that is not certain."""
        place = _place(name, self.by_pattern)
        if place is None:
            return False
        judged = place.bound.judged(place.indices)
        if not place.bound.inside(place.indices):
            return False
        return True if judged.must else None if judged.may else False

    def speaks_of(self, name: str) -> bool:
        """Whether a line of the layout is about this name, be it that there is no such tensor."""
        return _place(name, self.by_pattern) is not None

    def tied(self) -> bool | None:
        """Whether the head is the embedding; None where the layout has no head or does not tell."""
        roles = {bound.line.name: bound.line.role for bound in self.bounds}
        heads = [name for name, role in roles.items() if role == "head"]
        if not heads:
            return None
        for names, holds in self.ties:
            if any(roles.get(name) == "head" for name in names):
                return holds
        return False

    @cached_property
    def ties(self) -> tuple[tuple[tuple[str, ...], bool | None], ...]:
        """Names (templates) of one tensor, with whether that holds."""
        return tuple(_ties(self.layout, self.bounds))


def fitted(model_type: str, config: Mapping[str, Any], items: Iterable[Stored], find: Find) -> Fitted | None:
    """The architecture of a model type and the layout of it that these tensors fit best; None where none is known."""
    architecture = find(model_type)
    if architecture is None or not architecture.layouts:
        return None
    patterns: dict[str, list[Stored]] = defaultdict(list)
    for one in items:
        patterns[pattern_of(one.name)].append(one)
    if not patterns:
        return None
    named = config.get("architectures")
    classes = frozenset(str(one) for one in named) if isinstance(named, list) else frozenset()
    best: tuple[tuple[int, bool, int, int], Layout, tuple[Bound, ...]] | None = None
    for order, layout in enumerate(architecture.layouts.values()):
        bounds = tuple(bounds_of(architecture, layout, config, find))
        mine = {bound.line.pattern for bound in bounds}
        lacking = sum(not b.line.indices and b.line.pattern not in patterns and b.judged({}).must for b in bounds)
        rank = (len(mine & patterns.keys()), not classes.isdisjoint(layout.classes), -lacking, -order)
        if best is None or rank > best[0]:
            best = rank, layout, bounds
    assert best is not None
    return _fit(architecture, best[1], best[2], patterns)


def _by_pattern(bounds: Iterable[Bound]) -> Mapping[str, tuple[Bound, ...]]:
    found: dict[str, list[Bound]] = defaultdict(list)
    for bound in bounds:
        found[bound.line.pattern].append(bound)
    return {pattern: tuple(rows) for pattern, rows in found.items()}


def _place(name: str, by_pattern: Mapping[str, tuple[Bound, ...]]) -> Place | None:
    """The place of a name, one whose indices are counted first."""
    outside: Place | None = None
    for bound in by_pattern.get(pattern_of(name), ()):
        indices = bound.line.at(numbers_of(name))
        if indices is not None:
            place = Place(bound, indices)
            if bound.inside(indices):
                return place
            outside = outside or place
    return outside


@dataclass
class _Sorting:
    found: list[tuple[Stored, Place]] = field(default_factory=list)
    beyond: list[tuple[Stored, Place]] = field(default_factory=list)
    denied: list[tuple[Stored, Place]] = field(default_factory=list)
    surplus: list[Stored] = field(default_factory=list)


def _fit(
    architecture: Architecture, layout: Layout, bounds: tuple[Bound, ...], patterns: Mapping[str, list[Stored]]
) -> Fitted:
    by_pattern = _by_pattern(bounds)
    unasked = [_compiled(text) for text in layout.ignored]
    tied = {name for names, holds in _ties(layout, bounds) if holds is not False for name in names}
    done = _Sorting()
    places: dict[int, set[tuple[int, ...]]] = defaultdict(set)  # by line: the indices that are there
    fits = 0
    for items in patterns.values():
        here = len(done.surplus)
        for one in items:
            place = _place(one.name, by_pattern)
            if place is None:
                done.surplus.append(one)
                continue
            bound, indices = place
            if not bound.inside(indices):
                done.beyond.append((one, place))
                continue
            judged = bound.judged(indices)
            if not judged.may and bound.line.name not in tied:
                done.denied.append((one, place))
                continue
            places[id(bound)].add(tuple(indices.values()))
            done.found.append((one, place))
        fits += len(done.surplus) - here < len(items)
    if unasked:
        done.surplus = [one for one in done.surplus if not any(p.search(one.name) for p in unasked)]
        done.beyond = [row for row in done.beyond if not any(p.search(row[0].name) for p in unasked)]
        done.denied = [row for row in done.denied if not any(p.search(row[0].name) for p in unasked)]
    missing, asked, lacking = _missing(layout, bounds, places)
    return Fitted(
        architecture, layout, bounds, tuple(done.found), tuple(done.beyond), tuple(done.denied), tuple(done.surplus),
        tuple(missing), fits / len(patterns), lacking <= asked * _WHOLE,
    )  # fmt: skip


def _beside(one: str, other: str) -> bool:
    """Whether two patterns differ in one component: the name of the parameter, or that of its module."""
    (module, _, last), (theirs, _, end) = one.rpartition("."), other.rpartition(".")
    return module == theirs or (last == end and module.rpartition(".")[0] == theirs.rpartition(".")[0])


def _compiled(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:
        return re.compile("(?!)")


def _missing(
    layout: Layout, bounds: tuple[Bound, ...], places: Mapping[int, set[tuple[int, ...]]]
) -> tuple[list[Place], int, int]:
    """Places that have to be filled and are not; the number of lines that ask for tensors, and of those without any."""
    missing: list[Place] = []
    asked = lacking = looked = 0
    groups: dict[tuple[int, str], list[Bound]] = defaultdict(list)
    asks = [(bound, bound.expected()) for bound in bounds]
    seen = _seen(bounds, places, {(id(bound.scope), bound.line.stack) for bound, rows in asks if rows is None})
    for bound, rows in asks:
        there = places.get(id(bound), set())
        for case in bound.line.cases:
            if case.group:
                groups[id(bound.scope), case.group].append(bound)
        if rows is None:
            rows = (bound.line.indexed(row) for row in sorted(seen[id(bound.scope), bound.line.stack]))
        here: list[Place] = []
        for row in rows:
            looked += 1
            if tuple(row.values()) not in there and bound.judged(row).must:
                here.append(Place(bound, row))
                if len(missing) + len(here) >= _ABSENT:
                    break
        must = bool(here) or bool(there)
        asked += must
        lacking += must and not there
        missing.extend(here)
        if len(missing) >= _ABSENT or looked > _LOOKED:
            break
    for members in groups.values():
        missing.extend(islice(_halves(list(dict.fromkeys(members)), places), max(0, _ABSENT - len(missing))))
    if missing:
        missing = list(_untied(layout, bounds, places, missing))
    return missing, asked, lacking


def _seen(
    bounds: tuple[Bound, ...], places: Mapping[int, set[tuple[int, ...]]], stacks: set[tuple[int, str]]
) -> Mapping[tuple[int, str], set[tuple[int, ...]]]:
    """The indices of these stacks that are there: what is asked of a stack that nobody counts."""
    seen: dict[tuple[int, str], set[tuple[int, ...]]] = {stack: set() for stack in stacks}
    for bound in bounds if stacks else ():
        if (id(bound.scope), bound.line.stack) in stacks:
            seen[id(bound.scope), bound.line.stack] |= places.get(id(bound), set())
    return seen


def _halves(members: list[Bound], places: Mapping[int, set[tuple[int, ...]]]) -> Iterator[Place]:
    """Members of a group that are not there although others with the same indices are."""
    common = frozenset.intersection(*(bound.line.indices for bound in members))

    def shared(bound: Bound, row: tuple[int, ...]) -> tuple[int, ...]:
        order = [slot for slot in dict.fromkeys(bound.line.slots) if isinstance(slot, str)]
        return tuple(number for name, number in zip(order, row, strict=True) if name in common)

    there = {id(bound): {shared(bound, row) for row in places.get(id(bound), ())} for bound in members}
    every = set().union(*there.values())
    for bound in members:
        lacking = every - there[id(bound)]
        for row in bound.expected() or () if lacking else ():
            order = tuple(row.values())
            if shared(bound, order) in lacking and bound.judged(row).may:
                yield Place(bound, row)


def _ties(layout: Layout, bounds: tuple[Bound, ...]) -> Iterator[tuple[tuple[str, ...], bool | None]]:
    if not bounds:
        return
    scope = bounds[0].scope
    for tie in layout.ties:
        names = frozenset(re.findall(r"\{(\w+)\}", tie.names[0]))
        try:
            holds = term(tie.condition, names).holds(scope, {}) if tie.condition else True
        except TermError:
            holds = None
        yield tie.names, holds


def _untied(
    layout: Layout, bounds: tuple[Bound, ...], places: Mapping[int, set[tuple[int, ...]]], missing: list[Place]
) -> Iterator[Place]:
    """What is missing, less what is there under a name that it is tied to; of names that are all missing the first."""
    others: dict[str, tuple[str, ...]] = {}
    for names, holds in _ties(layout, bounds):
        if holds is not False:
            others.update((name, names) for name in names)
    by_name = {bound.line.name: bound for bound in bounds}
    for place in missing:
        names = others.get(place.bound.line.name, ())
        row = tuple(place.indices.values())
        there = any(name in by_name and row in places.get(id(by_name[name]), ()) for name in names)
        if there or (names and names[0] in by_name and place.bound.line.name != names[0]):
            continue
        yield place
