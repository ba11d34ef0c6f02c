"""Stored bytes with carets under those that are wrong."""

from __future__ import annotations

from collections.abc import Iterator

from ..text.wording import printable
from .findings import Evidence
from .layout import wrapped


def rows(e: Evidence, named: bool, width: int) -> Iterator[str]:
    """Lines of at most `width` columns: tensor where `named`, dtype and shape, elements, carets with the note."""
    if named:
        yield printable(e.tensor)
    yield f"{e.dtype} [{', '.join(map(str, e.shape))}]"
    low, high = _window(e, width)
    elements = e.elements[low:high]
    where = _where(e, low, high)
    yield where + " ".join(elements)
    carets = " ".join(("^" if low + i in e.marked else " ") * len(x) for i, x in enumerate(elements))
    line = " " * len(where) + carets.rstrip()
    note = printable(e.note)
    if len(line) + 2 + len(note) <= width:
        yield f"{line}  {note}".rstrip()
        return
    yield line
    yield from wrapped(note, width, 0, 0)


def _window(e: Evidence, width: int) -> tuple[int, int]:
    """Which of the elements fit into the width: from a little before the first marked one."""
    each = max((len(x) for x in e.elements), default=1) + 1
    fit = max(1, (width - len(_where(e, 0, len(e.elements)))) // each)
    if fit >= len(e.elements):
        return 0, len(e.elements)
    low = max(0, min(min(e.marked, default=0) - 1, len(e.elements) - fit))
    return low, low + fit


def _where(e: Evidence, low: int, high: int) -> str:
    if not e.start:
        return ""
    first, last = e.start[-1] + low, e.start[-1] + high - 1
    many = last > first
    if len(e.start) == 1:
        return (f"elements {first}..{last}" if many else f"element {first}") + "   "
    row = str(e.start[0]) if len(e.start) == 2 else str(list(e.start[:-1]))
    return f"row {row}, " + (f"columns {first}..{last}" if many else f"column {first}") + "   "
