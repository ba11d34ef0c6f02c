"""Tensor names: their parts, the pattern siblings share, and short patterns for many names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from sys import intern
from typing import NamedTuple

_NUMBER = re.compile(r"(?<![^._/])\d+(?![^._/])")


@lru_cache(maxsize=1 << 19)
def pattern_of(name: str) -> str:
    """The name with every whole-number component replaced by `*`: equal for the same role in other layers and experts.

    >>> pattern_of("model.layers.4.mlp.experts.17.w1")
    'model.layers.*.mlp.experts.*.w1'
    """
    return intern(_NUMBER.sub("*", name))


def lineage(name: str) -> Iterator[str]:
    """A name and what it stands in: `a.b.c`, `a.b`, `a`."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _numbers(values: set[int]) -> str:
    """`4`, `{0..7}` or `{0,3,9}`, at most eight listed."""
    ordered = sorted(values)
    if len(ordered) == 1:
        return str(ordered[0])
    runs: list[tuple[int, int]] = []
    for v in ordered:
        if runs and v == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], v)
        else:
            runs.append((v, v))
    if len(runs) > 8:
        return f"{{{ordered[0]}..{ordered[-1]}}}"
    return "{" + ",".join(str(a) if a == b else f"{a},{b}" if b == a + 1 else f"{a}..{b}" for a, b in runs) + "}"


def short(names: Iterable[str]) -> list[str]:
    """Patterns that cover the names: numbers and alternatives in braces, in first-seen order.

    >>> short(["l.0.q.w", "l.1.q.w", "l.0.k.w", "l.1.k.w"])
    ['l.{0,1}.{q,k}.w']
    """
    groups: dict[tuple[str, ...], list[set[int]]] = {}
    for name in names:
        values = [int(n) for n in _NUMBER.findall(name)]
        # What stands between the numbers tells names apart, whatever else (even a `*`) stands in them.
        slots = groups.setdefault(tuple(_NUMBER.split(name)), [set() for _ in values])
        for slot, value in zip(slots, values, strict=True):
            slot.add(value)
    rendered: dict[tuple[str, ...], None] = {}
    for parts, slots in groups.items():
        text = parts[0] + "".join(_numbers(slot) + part for slot, part in zip(slots, parts[1:], strict=True))
        rendered[tuple(text.split("."))] = None
    return [".".join(row) for row in _merge(list(rendered))]


_MERGED = 2_000  # patterns; more than that are irregular names, which joining does not make readable


def _merge(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Join rows of equal length that differ in one component only."""
    if len(rows) > _MERGED:
        return rows
    alike: dict[tuple[int, tuple[str, ...]], list[int]] = {}
    for i, row in enumerate(rows):
        for column, component in enumerate(row):
            if "{" not in component:
                alike.setdefault((column, row[:column] + row[column + 1 :]), []).append(i)
    merged: list[tuple[str, ...]] = []
    used: set[int] = set()
    for i, row in enumerate(rows):
        if i in used:
            continue
        best: tuple[int, list[int]] | None = None
        for column, component in enumerate(row):
            others = [] if "{" in component else alike[column, row[:column] + row[column + 1 :]]
            left = [j for j in others if j > i and j not in used]
            if left and (best is None or left[0] < best[1][0]):
                best = column, left
        if best is None:
            merged.append(row)
            continue
        column, left = best
        used.update(left)
        choice = "{" + ",".join([row[column], *(rows[j][column] for j in left)]) + "}"
        merged.append((*row[:column], choice, *row[column + 1 :]))
    return merged


class Place(NamedTuple):
    """Where in a model a tensor is: its layer, None outside of layers, and what of the layer it belongs to."""

    layer: int | None
    module: str


_STEP = re.compile(r"[./]")
_LAYER = re.compile(r"(?:^|[./])(\d{1,6})(?=[./])")


def place_of(name: str) -> Place:
    """The layer and the module of a tensor name; all experts of a layer are one module.

    The first number in a name is the layer, a second one the expert; a file name has no place.

    >>> place_of("model.layers.4.self_attn.q_proj.weight_scale")
    Place(layer=4, module='q_proj')
    >>> place_of("model.layers.4.mlp.experts.17.w1.weight")
    Place(layer=4, module='experts')
    >>> place_of("lm_head.weight")
    Place(layer=None, module='lm_head')
    """
    module = _STEP.split(name)[:-1]
    found = _LAYER.search(name)
    if found is None:
        return Place(None, module[-1] if module else name)
    rest = _STEP.split(name[found.end(1) + 1 :])
    inner = rest[:-1] or rest
    numbered = [i for i, component in enumerate(inner) if component.isdecimal() and i]
    return Place(int(found[1]), inner[numbered[0] - 1] if numbered else inner[-1])
