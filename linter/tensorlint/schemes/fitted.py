"""A checkpoint beside the architecture of its model type: the layout it is written in, what is there, what is not.

Everything is looked up by pattern, and conditions and sizes are worked out once for each value of the indices that they
speak of: hundreds of thousands of experts cost little more than their names.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

from ..names import pattern_of
from .architectures import Architecture, Case, Layout, Line, numbers_of
from .keyterms import TermError, term
from .scope import Scope
from .stored import Stored

Find = Callable[[str], Architecture | None]
_DEEP = 4  # parts of parts
_MOST = 4_000_000  # names that a layout may ask for; a hostile configuration counts billions
_FITS = 0.5  # of the patterns of names: below, they are not those of the architecture
_WHOLE = 0.5  # of what is always there: below, the checkpoint is an extract of the model


class Judged(NamedTuple):
    """What a line is for some indices: whether it has to be there and may be there, and the cases it may be of."""

    must: bool
    may: bool
    cases: tuple[Case, ...]


class Bound:
    """A line of a layout under one configuration."""

    def __init__(self, line: Line, scope: Scope, certain: bool) -> None:
        self.line, self.scope, self.certain = line, scope, certain
        self._judged: dict[tuple[int, ...], Judged] = {}

    @cached_property
    def _speaks(self) -> tuple[str, ...]:
        conditions = (case.condition for case in self.line.cases if case.condition is not None)
        return tuple(dict.fromkeys(index for condition in conditions for index in condition.indices))

    def judged(self, indices: Mapping[str, int]) -> Judged:
        """Whether it is there for these indices."""
        key = tuple(indices[one] for one in self._speaks)
        found = self._judged.get(key)
        if found is None:
            found = self._judged[key] = self._judge(indices)
        return found

    def _judge(self, indices: Mapping[str, int]) -> Judged:
        possible: list[Case] = []
        for case in self.line.cases:
            holds = True if case.condition is None else case.condition.holds(self.scope, indices)
            if holds is False:
                continue
            possible.append(case)
            if holds:
                sure = self.certain and len(possible) == 1
                return Judged(sure and not case.maybe, True, tuple(possible))
        return Judged(False, bool(possible) or not self.certain, tuple(possible) or self.line.cases)

    def expected(self) -> Iterator[dict[str, int]] | None:
        """The indices for which its index counts ask, whatever its conditions say; None where a count is not known."""
        names = [slot for slot in dict.fromkeys(self.line.slots) if isinstance(slot, str)]
        if not names:
            return iter(({},))
        free = [self.scope.range(name, {}) for name in names]
        if all(one is not None for one in free):
            ranges = [range(one.first, one.end) for one in free if one is not None]
            size = 1
            for one in ranges:
                size *= len(one)
            return (dict(zip(names, row, strict=True)) for row in product(*ranges)) if size <= _MOST else None
        found: list[dict[str, int]] = [{}]
        for name in names:
            rows: list[dict[str, int]] = []
            for row in found:
                reach = self.scope.range(name, row)
                if reach is None or len(rows) + reach.end - reach.first > _MOST // 4:
                    return None
                rows.extend({**row, name: n} for n in range(reach.first, reach.end))
            found = rows
        return iter(found)

    def inside(self, indices: Mapping[str, int]) -> bool:
        """Whether these indices are among those that the configuration counts."""
        for name in self.line.indices:
            reach = self.scope.range(name, indices)
            if reach is not None and not reach.first <= indices[name] < reach.end:
                return False
        return True


class Place(NamedTuple):
    """One name of a layout: a line for some indices."""

    bound: Bound
    indices: Mapping[str, int]

    @property
    def name(self) -> str:
        """The name of the tensor."""
        return self.bound.line.named(self.indices)


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
        """Whether the names are those of the layout but for single ones.

        What is missing or too many in every layer is another spelling (experts apart that are one tensor here, names of
        other versions and tools), against which nothing can be held.
        """
        surplus = Counter(pattern_of(one.name) for one in self.surplus)
        if any(count > 1 for count in surplus.values()):
            return False
        if not self.whole:
            return True
        lines = {id(place.bound): place.bound.line for place in self.missing}
        there = {id(place.bound) for _, place in self.found} if lines else set()
        return all(not line.indices or line.role == "linear" for key, line in lines.items() if key not in there)

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
        bounds = tuple(_bounds(architecture, layout, config, find))
        mine = {bound.line.pattern for bound in bounds}
        lacking = sum(not b.line.indices and b.line.pattern not in patterns and b.judged({}).must for b in bounds)
        rank = (len(mine & patterns.keys()), not classes.isdisjoint(layout.classes), -lacking, -order)
        if best is None or rank > best[0]:
            best = rank, layout, bounds
    assert best is not None
    return _fit(architecture, best[1], best[2], patterns)


def _bounds(
    file: Architecture,
    layout: Layout,
    config: Mapping[str, Any],
    find: Find,
    prefix: str = "",
    path: str = "",
    deep: int = 0,
) -> Iterator[Bound]:
    """The lines of a layout under a configuration, with those of the parts that are other model types."""
    scope = Scope(file, config, path)
    doubted = tuple(prefix + start for start, condition in layout.assumes if not _assumed(scope, condition))
    for line in layout.lines.values():
        bound = Line(prefix + line.name, line.text, line.file) if prefix else line
        yield Bound(bound, scope, not (doubted and bound.name.startswith(doubted)))
    for start, key in layout.parts.items() if deep < _DEEP else ():
        inner = config.get(key)
        inner = inner if isinstance(inner, dict) else {}
        model_type = inner.get("model_type") or scope.key(f"{key}.model_type")
        other = find(model_type) if isinstance(model_type, str) else None
        base = next((one for one in other.layouts.values() if one.base), None) if other is not None else None
        if other is not None and base is not None:
            below = f"{path}.{key}" if path else key
            yield from _bounds(other, base, inner, find, prefix + start, below, deep + 1)


def _assumed(scope: Scope, condition: str) -> bool:
    try:
        return bool(term(condition).holds(scope, {}))
    except TermError:
        return False


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
    asked = lacking = 0
    groups: dict[tuple[int, str], list[Bound]] = defaultdict(list)
    for bound in bounds:
        there = places.get(id(bound), set())
        for case in bound.line.cases:
            if case.group:
                groups[id(bound.scope), case.group].append(bound)
        rows = bound.expected()
        if rows is None:
            continue
        here = [Place(bound, row) for row in rows if tuple(row.values()) not in there and bound.judged(row).must]
        must = bool(here) or bool(there)
        asked += must
        lacking += must and not there
        missing.extend(here)
    for members in groups.values():
        missing.extend(_halves(list(dict.fromkeys(members)), places))
    if missing:
        missing = list(_untied(layout, bounds, places, missing))
    return missing, asked, lacking


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
