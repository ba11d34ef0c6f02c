"""Lines of an architecture under one configuration: whether a tensor has to be there, may be there, and of which size.

Conditions and sizes are worked out once for each value of the indices that they speak of: hundreds of thousands of
experts cost little more than their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import islice, product
from typing import Any, NamedTuple

from .architectures import Architecture, Case, Layout, Line
from .keyterms import TermError, term
from .scope import Range, Scope

Find = Callable[[str], Architecture | None]
_DEEP = 4  # parts of parts
_MOST = 1_000_000  # names that a line is asked for at most; a hostile configuration counts billions
_EACH = 100_000  # numbers of one index that are looked at


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
        """The indices for which its index counts ask, whatever its conditions say; None where a count is not known.

        Where they are more than anybody has, the first of them.
        """
        names = [slot for slot in dict.fromkeys(self.line.slots) if isinstance(slot, str)]
        if not names:
            return iter(({},))
        free = [self.scope.range(name, {}) for name in names]
        if all(one is not None for one in free):
            ranges = [_numbers(one) for one in free if one is not None]
            return (dict(zip(names, row, strict=True)) for row in islice(product(*ranges), _MOST))
        found: list[dict[str, int]] = [{}]
        for name in names:
            rows: list[dict[str, int]] = []
            for row in found:
                reach = self.scope.range(name, row)
                if reach is None:
                    return None
                rows.extend({**row, name: n} for n in islice(_numbers(reach), _EACH - len(rows)))
            found = rows
        return iter(found)

    def inside(self, indices: Mapping[str, int]) -> bool:
        """Whether these indices are among those that the configuration counts."""
        for name in self.line.indices:
            reach = self.scope.range(name, indices)
            if reach is not None and not reach.first <= indices[name] < reach.end:
                return False
        return True


def _numbers(reach: Range) -> range:
    return range(reach.first, min(reach.end, reach.first + _EACH))


class Place(NamedTuple):
    """One name of a layout: a line for some indices."""

    bound: Bound
    indices: Mapping[str, int]

    @property
    def name(self) -> str:
        """The name of the tensor."""
        return self.bound.line.named(self.indices)


def bounds_of(
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
            yield from bounds_of(other, base, inner, find, prefix + start, below, deep + 1)


def _assumed(scope: Scope, condition: str) -> bool:
    try:
        return bool(term(condition).holds(scope, {}))
    except TermError:
        return False
