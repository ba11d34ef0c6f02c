"""Tables without lines that fit the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from ..text.wording import printable

_LEAST = 12  # columns that a cut name keeps
Cell = str | Text
Columns = Sequence[tuple[str, str]]


def table_of(columns: Columns, rows: Sequence[Sequence[Cell]], width: int, gap: int = 2) -> Table:
    """A table without lines; a column is its title and `<` (cut where it must be), `l` or `r`, which are never cut."""
    sizes = [max([len(title), *(cell_len(str(row[i])) for row in rows)]) for i, (title, _) in enumerate(columns)]
    if sum(sizes) + gap * (len(sizes) - 1) > width:
        gap = 1
    while (over := sum(sizes) + gap * (len(sizes) - 1) - width) > 0:
        widest = max((i for i, (_, kind) in enumerate(columns) if kind == "<"), key=lambda i: sizes[i])
        if sizes[widest] <= _LEAST:
            break
        others = [n for i, n in enumerate(sizes) if i != widest and columns[i][1] == "<" and n < sizes[widest]]
        sizes[widest] = max(_LEAST, sizes[widest] - over, *(n - 1 for n in others))
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="bold underline")
    for (title, kind), size_ in zip(columns, sizes, strict=True):
        justify: Literal["left", "right"] = "right" if kind == "r" else "left"
        table.add_column(title, justify=justify, no_wrap=True, overflow="ellipsis", width=size_)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    return table
