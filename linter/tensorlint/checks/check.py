"""What a check is: the facts it may state, what it reads, and the code that states them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..measures.plan import Depth, Need
from ..schemes.view import View

Measured = Mapping[tuple[str, str], Measures]  # by shard and tensor


@dataclass(frozen=True)
class Check:
    """One check.

    `states` are the kinds of facts it may state. At depth `headers` it needs nothing but the view and says what it has
    to say even where reading bytes fails later. At `scales` and `full` it runs when everything else has been measured;
    `needs` is what it wants measured for itself, and without it the check reads the few bytes it needs on its own.
    """

    states: Mapping[str, FactKind]
    run: Callable[[View, Measured], Iterator[Fact]]
    depth: Depth = "headers"
    needs: Callable[[View], Iterable[Need]] | None = None

    @property
    def on_headers(self) -> bool:
        """Whether it can run before any tensor is read."""
        return self.depth == "headers"
