"""Names by how they end at a dot, and tables of patterns for that: what configurations of adapters say of modules.

Both come from strangers: a name is looked at to a depth, an expression has a time limit and is not tried again after
it, and of many expressions none is tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .joined import TIMEOUT, compiled

DEPTH = 32  # steps of a name, from its end
MOST = 1024  # entries of a list; real ones have up to a few hundred
_EXPRESSIONS = 256  # in a table, literal names not counted
_LONGEST = 2000  # characters of an expression
_TRIED = 200_000  # matches of the expressions of a table, after which nothing is told
_LITERAL = re.compile(r"[\w.]+")


def endings(name: str) -> Iterator[str]:
    """A name, and what is behind each of its dots: `a.b.c`, `b.c`, `c`; the last DEPTH of them where it has more."""
    steps = name.split(".")
    for at in range(max(0, len(steps) - DEPTH), len(steps)):
        yield ".".join(steps[at:])


def all_endings(names: Iterable[str]) -> frozenset[str]:
    """The endings of all of these names."""
    return frozenset(ending for name in names for ending in endings(name))


def texts(value: Any) -> tuple[str, ...]:
    """The texts in a list of a configuration, each once; none where it is no list, and no more than MOST."""
    entries = value if isinstance(value, list) else ()
    return tuple(dict.fromkeys(e for e in entries[:MOST] if isinstance(e, str) and e))


@dataclass
class Expression:
    """One expression; `too_slow` once it took too long."""

    pattern: str
    too_slow: bool = False

    def covers(self, name: str) -> bool | None:
        """Whether it matches all of a name; None where it cannot be tried."""
        if self.too_slow or len(self.pattern) > _LONGEST:
            return None
        expression, _ = compiled(self.pattern)
        if expression is None:
            return None
        try:
            return expression.fullmatch(name, timeout=TIMEOUT) is not None
        except TimeoutError:
            self.too_slow = True
            return None


@dataclass(frozen=True)
class Patterns:
    """A table of patterns, each an expression for the end of a name at a dot, of which the first that matches counts.

    (peft/utils/other.py, `get_pattern_key`.) Most are plain names; these are looked up.
    """

    rows: Mapping[str, Any] = field(default_factory=dict)
    _left: list[int] = field(default_factory=lambda: [_TRIED], compare=False, repr=False)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {pattern: number for number, pattern in enumerate(self.rows)}

    @cached_property
    def _expressions(self) -> tuple[tuple[str, Expression], ...]:
        odd = [p for p in self.rows if not _LITERAL.fullmatch(p)]
        return tuple((p, Expression(rf"(.*\.)?({p})")) for p in odd) if len(odd) <= _EXPRESSIONS else ()

    @cached_property
    def _too_many(self) -> bool:
        return not self._expressions and any(not _LITERAL.fullmatch(p) for p in self.rows)

    def find(self, name: str) -> tuple[str, Any] | None:
        """The pattern for a name and its value, None where none is; the value is None where that cannot be told."""
        self._left[0] -= len(self._expressions)
        if self._too_many or self._left[0] < 0:
            return "", None
        found = min((self._places[e] for e in endings(name) if e in self._places), default=None)
        for pattern, expression in self._expressions:
            if found is not None and self._places[pattern] > found:
                break
            hit = expression.covers(name)
            if hit is not False:
                return pattern, self.rows[pattern] if hit else None
        if found is None:
            return None
        pattern = next(p for p, number in self._places.items() if number == found)
        return pattern, self.rows[pattern]

    def unused(self, names: Iterable[str]) -> Iterator[str]:
        """The patterns that are for none of some names, as far as that can be told."""
        names = tuple(names)
        known, left = all_endings(names), _TRIED
        expressions = dict(self._expressions)
        for pattern in list(self.rows)[:MOST]:
            expression = expressions.get(pattern)
            if expression is None:
                if not self._too_many and _LITERAL.fullmatch(pattern) and pattern not in known:
                    yield pattern
                continue
            left -= len(names)
            if left < 0:
                return
            if not any(expression.covers(name) is not False for name in names):
                yield pattern


def patterns(value: Any) -> Patterns:
    """The table of a configuration; an empty one where there is none."""
    return Patterns({k: v for k, v in value.items() if k} if isinstance(value, dict) else {})
