"""The values of tensors for people: one table, with histograms in one line."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..dtypes import encoding_of
from ..names import pattern_of, short
from ..text.wording import plural, printable
from .bars import bars_of
from .report import Contents
from .survey import Row
from .table import Cell, table_of
from .values import Values

_MANY = 40  # more tensors than these: siblings share a line


def print_values(console: Console, contents: Contents, limit: int, bars: str, width: int) -> None:
    """One table, with the name and scheme of each module in a line of its own above its tensors."""
    read = [row for row in contents.chosen if contents.value(row) or contents.depth == "headers"]
    groups = _grouped(read, together=len(read) > _MANY)
    shown = groups[:limit] if limit else groups
    if not shown:
        console.print(Text(f"nothing to read at depth {contents.depth}", style="dim"))
        return
    lines = _lines(_tensor_table(shown, contents, bars, width), console)
    for line in lines[: len(lines) - len(shown)]:
        console.print(line)
    before = None
    for group, line in zip(shown, lines[-len(shown) :], strict=True):
        module = (_module(group), group[0].scheme)
        if module != before:
            title = Text(printable(module[0] or "(top)"), style="bold", overflow="ellipsis", no_wrap=True)
            console.print(title.append(f"  {module[1]}", style="not bold cyan"))
            before = module
        console.print(line)
    if len(shown) < len(groups):
        console.print(f"... and {len(groups) - len(shown):,} more (--limit 0 shows all, -f csv writes every tensor)")
    console.print()
    if left := len(contents.chosen) - len(read):
        console.print(Text(f"{plural(left, 'tensor')} not read at depth {contents.depth}", style="dim"))


def _lines(table: Table, console: Console) -> list[Text]:
    """The lines of a table, its styles kept."""
    inner = Console(
        file=io.StringIO(), width=console.width, force_terminal=True, color_system="standard", highlight=False
    )
    with inner.capture() as captured:
        inner.print(table)
    return [Text.from_ansi(line.rstrip()) for line in captured.get().splitlines()]


def _grouped(rows: Iterable[Row], together: bool) -> list[list[Row]]:
    """Rows that share a line, module by module; `together`: those whose names differ in their numbers only."""
    modules: dict[tuple[str, str], dict[tuple[object, ...], list[Row]]] = {}
    for row in rows:
        module = pattern_of(row.module) if together else row.module
        name = pattern_of(row.tensor.name) if together else row.tensor.name
        groups = modules.setdefault((module, row.scheme), {})
        groups.setdefault((name, row.tensor.dtype, row.unit.encoding), []).append(row)
    return [group for groups in modules.values() for group in sorted(groups.values(), key=_place)]


def _place(group: list[Row]) -> int:
    """Where a part stands in its scheme: the weight first."""
    unit = group[0].unit
    return list(unit.module.scheme.parts).index(unit.part.name) if unit.module and unit.part else 99


def _module(group: list[Row]) -> str:
    return " ".join(short(dict.fromkeys(row.module for row in group))) if len(group) > 1 else group[0].module


def _tensor_table(groups: Sequence[list[Row]], contents: Contents, bars: str, width: int) -> Table:
    """A line per group; the narrow form leaves out shapes, and infinities where there are none."""
    wide = width >= 110
    added = [_sum_values(contents.value(row) for row in group) for group in groups]
    infinite = wide or any(values is not None and values.measures.inf for values in added)
    columns = [("tensor", "<"), ("dtype", "l"), *([("shape", "l")] if wide else []), ("NaN", "r")]
    columns += [*([("Inf", "r")] if infinite else []), ("zero", "r"), ("at max" if wide else "max", "r")]
    columns += [("smallest" if wide else "least", "r"), ("largest", "r")]
    columns += [("entropy" if wide else "bits", "r"), ("histogram", "<")]
    rows = []
    for group, values in zip(groups, added, strict=True):
        first = group[0]
        leaf = first.tensor.name.removeprefix(first.module).lstrip(".") or first.tensor.name
        held = (values.encoding if values else first.unit.encoding).name
        dtype = first.tensor.dtype + (f":{held}" if encoding_of(first.tensor.dtype).name != held != "raw" else "")
        shapes = {row.shape for row in group}
        shape = next(iter(shapes)) if len(shapes) == 1 else "various"
        cells = _value_cells(values, bars, 16 if wide else 8)
        if not infinite:
            del cells[1]
        rows.append(["  " + leaf, dtype, *([shape] if wide else []), *cells])
    return table_of(columns, rows, width, gap=2 if wide else 1)


def _sum_values(found: Iterable[Values | None]) -> Values | None:
    total: Values | None = None
    for values in found:
        if values is None:
            return None
        total = values if total is None else total + values
    return total


def _value_cells(values: Values | None, bars: str, room: int) -> list[Cell]:
    """NaN, Inf, zero, at the largest magnitude, smallest, largest, entropy, histogram."""
    if values is None or not values.measures.count or values.encoding.kind == "raw":
        said = "not read" if values is None else "empty" if not values.measures.count else "bytes"
        return [*[""] * 7, Text(said, style="dim")]
    m, e = values.measures, values.encoding
    return [
        _bad(m.nan) if e.kind == "float" else "",
        _bad(m.inf) if e.kind == "float" else "",
        _share(m.zero, m.count),
        _share(m.ceiling, m.count) if e.bits <= 8 else "",
        _number(m.value("smallest")) if m.count > 1 and m.largest else "",
        _number(m.largest) if m.largest or m.zero else "",
        f"{values.entropy:.2f}" if values.entropy is not None else "",
        bars_of(values.histogram, bars, room) if values.histogram and m.count > 1 else "",
    ]


def _number(value: float) -> str:
    """`0.0156`, `448`, `3.9e-4`."""
    if value == 0 or 1e-3 <= value < 1e5:
        return f"{value:.3g}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits}e{int(exponent)}"


def _bad(n: int) -> Text:
    return Text(f"{n:,}", style="bold red" if n else "")


def _share(n: int, of: int) -> str:
    return "0" if not n else f"{n / of:.1%}" if n / of >= 0.0005 else "<0.1%"
