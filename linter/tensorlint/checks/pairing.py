"""Tensors that are too much beside those that are missing: renamed ones, and what an exporter joined or took apart."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from ..names import pattern_of
from ..schemes.bound import Place
from ..schemes.stored import Stored
from .expected import fits_shape, shapes_of

_MOST = 64  # tensors of one block that are compared with each other
_BLOCK = re.compile(r"(?:.*(?<![^.])\d+\.)?", re.DOTALL)  # all up to the last number


def _sorted(odd: Iterable[Stored], missing: Iterable[Place]) -> dict[str, tuple[list[Stored], list[Place]]]:
    """Both by the layer or expert that they stand in."""
    blocks: dict[str, tuple[list[Stored], list[Place]]] = defaultdict(lambda: ([], []))
    for place in missing:
        blocks[_block(place.name)][1].append(place)
    for one in odd:
        start = _block(one.name)
        if start in blocks:
            blocks[start][0].append(one)
    return {start: rows for start, rows in blocks.items() if rows[0] and len(rows[0]) <= _MOST >= len(rows[1])}


def _block(name: str) -> str:
    found = _BLOCK.match(name)
    return found[0] if found else ""


def pairs(odd: Iterable[Stored], missing: Iterable[Place]) -> list[tuple[Stored, Place]]:
    """Tensors that are there under another name: of the same layer, the same kind and shape, the most alike first."""
    found: list[tuple[Stored, Place]] = []
    for ones, places in _sorted(odd, missing).values():
        rows = [
            (_likeness(one.name, place.name), -i, -j)
            for i, one in enumerate(ones)
            for j, place in enumerate(places)
            if _kind(one.name) == _kind(place.name) and fits_shape(one, place)
        ]
        used: set[tuple[str, int]] = set()
        for _, i, j in sorted(rows, reverse=True):
            if ("one", i) not in used and ("place", j) not in used:
                used |= {("one", i), ("place", j)}
                found.append((ones[-i], places[-j]))
    return found


def _kind(name: str) -> str:
    """What a tensor is to its module: `weight`, `bias`; of a parameter that stands for itself nothing."""
    last = name.rpartition(".")[2]
    return last if last in ("weight", "bias") else ""


def _likeness(one: str, other: str) -> float:
    return _compared(pattern_of(one), pattern_of(other))


@lru_cache(maxsize=4096)
def _compared(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def parted(
    odd: Iterable[Stored], missing: Iterable[Place], fused: Sequence[tuple[str, ...]]
) -> tuple[set[str], set[str]]:
    """Names of missing tensors that an exporter joined to one, or took apart, and of the tensors that hold them."""
    gone: set[str] = set()
    there: set[str] = set()
    for ones, places in _sorted(odd, missing).values():
        for one in ones:
            rows = _joined(one, places, fused)
            if rows:
                gone.update(place.name for place in rows)
                there.add(one.name)
        for place in places:
            pieces = [o for o in ones if o.name not in there and _kind(o.name) == _kind(place.name)]
            if len(pieces) > 1 and _adds_up([o.shape for o in pieces], shapes_of(place)):
                gone.add(place.name)
                there.update(o.name for o in pieces)
    return gone, there


def _joined(one: Stored, places: Sequence[Place], fused: Sequence[tuple[str, ...]]) -> list[Place]:
    """The places that a tensor holds one behind the other."""
    mine = [place for place in places if _kind(place.name) == _kind(one.name)]
    candidates: list[list[Place]] = []
    parents: dict[str, list[Place]] = defaultdict(list)
    for place in mine:
        parents[place.name.rpartition(".")[0].rpartition(".")[0]].append(place)
    for children in parents.values():
        leaves = {place.name.rpartition(".")[0].rpartition(".")[2]: place for place in children}
        candidates.append(children)
        candidates.extend([leaves[leaf] for leaf in group if leaf in leaves] for group in fused)
    for rows in candidates:
        shapes = [shape for place in rows for shape in shapes_of(place)[:1]]
        if len(rows) > 1 and (one.shape is None or _adds_up(shapes, (one.shape,))):
            return rows
    return []


def _adds_up(pieces: Sequence[tuple[int | None, ...] | None], wholes: Sequence[tuple[int | None, ...]]) -> bool:
    """Whether pieces have the rows of the whole together, and its other sizes each."""
    known = [piece for piece in pieces if piece]
    if len(known) < len(pieces) or not known:
        return False
    rest = {piece[1:] for piece in known}
    rows = [piece[0] for piece in known]
    if len(rest) != 1 or any(row is None for row in rows):
        return False
    total = sum(row for row in rows if row is not None)
    return any(whole and whole[0] in (total, None) and (whole[1:] in rest) for whole in wholes)
