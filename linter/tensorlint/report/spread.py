"""Where the tensors of a finding are: name patterns, and how many there are by layer and module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..names import place_of, short
from .findings import Finding, Location, Spread

_PATTERNS = 100  # kept of a finding whose locations are cut
_CELLS = 2_000  # kept of it; the rest are counted as `OTHER`
OTHER = ""  # the module of cells that are counted together


def spread(places: Iterable[Location]) -> Spread:
    """The spread of all places of a finding."""
    names, files, cells = [], set(), Counter[tuple[int | None, str]]()
    for place in places:
        names.append(place.name)
        files.add(place.file)
        if place.tensor:
            cells[place_of(place.tensor)] += 1
    patterns = short(dict.fromkeys(names))
    kept = cells.most_common(_CELLS)
    rest = cells.total() - sum(count for _, count in kept)
    rows = [(layer, module, count) for (layer, module), count in kept]
    if rest:
        rows.append((None, OTHER, rest))
    return Spread(tuple(patterns[:_PATTERNS]), len(patterns), len(files), tuple(rows))


def spread_of(finding: Finding) -> Spread:
    """The spread of a finding: the one it carries, else that of its locations."""
    return finding.spread or spread(finding.locations)
