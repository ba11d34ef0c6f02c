"""Tensor names: their parts, the pattern siblings share, and short patterns for many names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_NUMBER = re.compile(r"(?<![^._/])\d+(?![^._/])")


@lru_cache(maxsize=1 << 16)
def pattern_of(name: str) -> str:
    """The name with every whole-number component replaced by `*`: equal for the same role in other layers and experts.

    >>> pattern_of("model.layers.4.mlp.experts.17.w1")
    'model.layers.*.mlp.experts.*.w1'
    """
    return _NUMBER.sub("*", name)


def canonical(module: str) -> str:
    """A module name without the wrappers that differ between library versions (`model.`, `language_model.`)."""
    parts = module.split(".")
    while parts and parts[0] in ("model", "language_model", "base_model", "module", "_orig_mod"):
        parts.pop(0)
    return ".".join(parts)


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


def _merge(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Join rows of equal length that differ in one component only."""
    merged: list[tuple[str, ...]] = []
    used: set[int] = set()
    for i, row in enumerate(rows):
        if i in used:
            continue
        column: int | None = None
        options = [i]
        for j in range(i + 1, len(rows)):
            if j in used or len(rows[j]) != len(row):
                continue
            different = [c for c, (a, b) in enumerate(zip(row, rows[j], strict=True)) if a != b]
            if len(different) == 1 and column in (None, different[0]) and not any("{" in rows[j][c] for c in different):
                column = different[0]
                options.append(j)
        used.update(options)
        if column is None or "{" in row[column]:
            merged.append(row)
            merged.extend(rows[j] for j in options[1:])
        else:
            choice = "{" + ",".join(rows[j][column] for j in options) + "}"
            merged.append((*row[:column], choice, *row[column + 1 :]))
    return merged
