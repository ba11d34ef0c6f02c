"""Many regular expressions tried at once: lists have hundreds of them, and most modules are covered by none.

Expressions are joined by `|`, which finds out in one call what would take hundreds. An expression that could mean
something else beside others is not joined: one with a reference to a group, a flag or a verb.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

TIMEOUT = 0.05  # seconds per match
_AT_ONCE = 256  # expressions
_APART = re.compile(r"\\[0-9gL]|\(\?(?!:)|\(\*")


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> tuple[Any, str]:
    """The compiled expression, or None and what is wrong with it."""
    import regex  # imported late: header-only runs without patterns do not need it

    try:
        return regex.compile(pattern), ""
    except regex.error as error:
        return None, f"it is not a regular expression: {error}"


def can_join(pattern: str) -> bool:
    """Whether an expression means the same beside others; what is none cannot."""
    return not _APART.search(pattern) and compiled(pattern)[0] is not None


class Joined:
    """Expressions that `can_join`, each found from the start of a name, or `anywhere` in it."""

    def __init__(self, patterns: Iterable[str], anywhere: bool) -> None:
        import regex

        wrapped = [f"(?:{pattern})" for pattern in patterns]
        batches = (wrapped[at : at + _AT_ONCE] for at in range(0, len(wrapped), _AT_ONCE))
        self._unions = [regex.compile("|".join(batch)) for batch in batches]
        self._anywhere = anywhere
        self._too_slow = False

    def hit(self, name: str) -> bool:
        """Whether one of them may match; after a match that takes too long that is always so."""
        if self._too_slow:
            return True
        try:
            if self._anywhere:
                return any(union.search(name, timeout=TIMEOUT) for union in self._unions)
            return any(union.match(name, timeout=TIMEOUT) for union in self._unions)
        except TimeoutError:
            self._too_slow = True
            return True
