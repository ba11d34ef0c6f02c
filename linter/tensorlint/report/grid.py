"""What is broken where: places of findings by layer (rows) and module (columns)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ..rulebook.model import SEVERITIES
from .findings import Finding
from .markup import code, table
from .spread import OTHER, spread_of
from .words import cut

MARKS = {"error": "❌", "warning": "⚠️", "note": "ℹ️"}
_COLUMNS = 12
_ROWS = 40
_LABEL = 40  # characters of a module's name

_NAMED = {OTHER: "other", "*": "the whole layer"}

_Cells = dict[str, Counter[str]]  # module -> severity -> places


def grid(findings: Iterable[Finding]) -> list[str]:
    """Lines of a Markdown table, none where it would say nothing: one cell, or many names and no layers."""
    layers: dict[int | None, _Cells] = {}
    modules: Counter[str] = Counter()
    for f in findings:
        for layer, module, count in spread_of(f).cells:
            layers.setdefault(layer, {}).setdefault(module, Counter())[f.severity] += count
            modules[module] += count
    columns = _columns(modules)
    rows = [(label, _row(cells, columns)) for label, cells in _ranges(layers, columns)]
    if len(rows) * len(columns) < 2 or (set(layers) == {None} and OTHER in columns):
        return []
    shown = [[label, *row] for label, row in rows[:_ROWS]]
    if len(rows) > _ROWS:
        shown.append([f"{len(rows) - _ROWS:,} more", *("…" for _ in columns)])
    head = ["layer", *(_NAMED.get(c) or code(cut(c, _LABEL)) for c in columns)]
    return table(head, shown, "r")


def _columns(modules: Counter[str]) -> list[str]:
    """Modules in the order in which findings name them; of many, the rare ones share the last column."""
    names = [m for m in modules if m != OTHER]
    kept = names
    if len(names) > _COLUMNS:
        most = sorted(names, key=lambda m: -modules[m])[: _COLUMNS - 1]
        kept = [m for m in names if m in most]
    return [*kept, OTHER] if len(kept) < len(modules) else kept


def _ranges(layers: dict[int | None, _Cells], columns: list[str]) -> Iterator[tuple[str, _Cells]]:
    """Rows with their labels: neighbouring layers where the same is broken as one, what is outside of layers last."""
    numbers = sorted(n for n in layers if n is not None)
    runs: list[tuple[int, int, _Cells]] = []
    for number in numbers:
        cells = _folded([layers[number]], columns)
        if runs and runs[-1][1] == number - 1 and _shape(runs[-1][2]) == _shape(cells):
            runs[-1] = (runs[-1][0], number, _folded([runs[-1][2], cells], columns))
        else:
            runs.append((number, number, cells))
    for first, last, cells in runs:
        yield (f"{first}" if first == last else f"{first}–{last}"), cells
    if None in layers:
        yield "outside of layers", _folded([layers[None]], columns)


def _folded(rows: Iterable[_Cells], columns: list[str]) -> _Cells:
    """The sum of rows, with modules that have no column of their own as `OTHER`."""
    folded: _Cells = {}
    for cells in rows:
        for module, counts in cells.items():
            folded.setdefault(module if module in columns else OTHER, Counter()).update(counts)
    return folded


def _shape(cells: _Cells) -> dict[str, frozenset[str]]:
    """Which severities each module has."""
    return {module: frozenset(counts) for module, counts in cells.items()}


def _row(cells: _Cells, columns: list[str]) -> list[str]:
    return [
        " ".join(f"{MARKS[s]} {cells[c][s]:,}" for s in SEVERITIES if cells[c][s]) if c in cells else ""
        for c in columns
    ]
