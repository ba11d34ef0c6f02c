"""Contents for people: tables that fit the terminal, and histograms in one line."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..dtypes import encoding_of
from ..names import pattern_of, short
from ..reporters.layout import plural
from ..rulebook.message import printable, size
from .report import Contents
from .survey import Row, Sum, by, summed
from .values import Histogram, Values

BARS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
ASCII_BARS = " .:-=+*#@"
_LARGEST = 5
_LEAST = 12  # columns that a cut name keeps
_MANY = 40  # more tensors than these: siblings share a line


def render(contents: Contents, tensors: bool, limit: int, width: int, color: bool, unicode: bool) -> str:
    """The tables as text of at most `width` columns; with `tensors` those of values, else those of sizes."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=max(60, width),
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
    )
    _head(console, contents)
    if tensors:
        _values(console, contents, limit, BARS if unicode else ASCII_BARS, width)
    else:
        _sizes(console, contents, limit)
    for gap in contents.gaps:
        console.print(Text(f"not read: {printable(gap)}", style="yellow"))
    console.print(Text(_read(contents), style="dim"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _read(contents: Contents) -> str:
    what = {"headers": "headers", "scales": "headers and scales", "full": "headers and values"}[contents.depth]
    text = f"read {size(contents.bytes_read)} of {size(contents.bytes)} ({what})"
    if contents.origin:
        text += f" from {printable(contents.origin)}"
    return text


def _head(console: Console, contents: Contents) -> None:
    total = summed(contents.rows)
    many = f" in {plural(len(contents.checkpoints), 'checkpoint')}" if len(contents.checkpoints) > 1 else ""
    facts = f"{_count(total.parameters)} parameters in {size(total.bytes)}"
    facts += f", {_bits(total)}" if _bits(total) else ""
    console.print(Text(printable(contents.target), style="bold", no_wrap=True, overflow="ellipsis"))
    console.print(f"{facts}; {plural(total.tensors, 'tensor')}, {plural(contents.shards, 'shard')}{many}")
    console.print()


def _bits(total: Sum) -> str:
    return f"{total.bits_per_weight:.2f} bits per weight" if total.bits_per_weight else ""


def _count(n: int | None) -> str:
    """`8.03 B`, `1,024`: as parameters are counted."""
    if n is None:
        return "an unknown number of"
    if n < 100_000:
        return f"{n:,}"
    value, units = n / 1000, iter("kMBT")
    unit = next(units)
    while value >= 999.5 and unit != "T":
        value, unit = value / 1000, next(units)
    return f"{value:.3g} {unit}"


Cell = str | Text
Columns = Sequence[tuple[str, str]]


def _table(columns: Columns, rows: Sequence[Sequence[Cell]], width: int, gap: int = 2) -> Table:
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


_SUMS = (("tensors", "r"), ("bytes", "r"), ("share", "r"), ("params", "r"), ("bits/weight", "r"))


def _sum_cells(total: Sum, whole: int) -> list[str]:
    bits = total.bits_per_weight
    return [
        f"{total.tensors:,}",
        size(total.bytes),
        f"{total.bytes / whole:.1%}" if whole else "",
        "?" if total.parameters is None else _count(total.parameters),
        f"{bits:.2f}" if bits else "",
    ]


def _sizes(console: Console, contents: Contents, limit: int) -> None:
    table = contents.rows
    whole = sum(row.tensor.nbytes for row in table)
    if len(contents.checkpoints) > 1:
        rows = [((name or ".",), total) for name, total in by(table, lambda r: r.checkpoint).items()]
        _print_sums(console, ("checkpoint",), rows, whole, limit)
    schemes = [((name, f"{total.modules:,}"), total) for name, total in by(table, lambda r: r.scheme).items()]
    _print_sums(console, ("scheme", "modules"), schemes, whole, limit)
    roles = [((role, scheme), total) for (role, scheme), total in by(table, lambda r: (r.role, r.scheme)).items()]
    _print_sums(console, ("role", "scheme"), roles, whole, limit)
    _print_sums(console, ("layers", "schemes"), list(_layers(table)), whole, limit)
    dtypes = [((name,), total) for name, total in by(table, lambda r: r.tensor.dtype).items()]
    _print_sums(console, ("dtype",), dtypes, whole, limit, _SUMS[:3])  # scales hold no weights
    largest = sorted(table, key=lambda r: (-r.tensor.nbytes, r.tensor.name))[:_LARGEST]
    cells = [(row.tensor.name, row.tensor.dtype, _shape(row), size(row.tensor.nbytes)) for row in largest]
    titles = (("largest tensors", "<"), ("dtype", "l"), ("shape", "l"), ("bytes", "r"))
    console.print(_table(titles, cells, console.width))
    console.print()


def _layers(table: Iterable[Row]) -> Iterator[tuple[tuple[str, str], Sum]]:
    """Layers by their quantized schemes; those that are alike share a line, with the sum of their sizes."""
    members: dict[tuple[str, str], list[Row]] = {}
    for row in table:
        if row.layer:
            members.setdefault((row.checkpoint, row.layer), []).append(row)
    alike: dict[tuple[str, str, tuple[str, ...], Sum], list[str]] = {}
    for (checkpoint, layer), rows in members.items():
        schemes = tuple(dict.fromkeys(r.scheme for r in sorted(rows, key=lambda r: -r.tensor.nbytes)))
        told = tuple(s for s in schemes if s != "unquantized") or schemes
        alike.setdefault((checkpoint, pattern_of(layer), told, summed(rows)), []).append(layer)
    several = len({checkpoint for checkpoint, *_ in alike}) > 1
    for (checkpoint, _, told, total), layers in alike.items():
        n = len(layers)
        label = (checkpoint.rpartition("/")[0] or checkpoint) + ": " if several else ""
        parameters = None if total.parameters is None else total.parameters * n
        added = Sum(total.modules * n, total.tensors * n, parameters, total.bytes * n)
        yield (label + " ".join(short(layers)), ", ".join(told)), added


def _print_sums(
    console: Console,
    names: Sequence[str],
    rows: Sequence[tuple[tuple[str, ...], Sum]],
    whole: int,
    limit: int,
    sums: Columns = _SUMS,
) -> None:
    if not rows:
        return
    columns = [(name, "r" if name == "modules" else "<") for name in names]
    shown = rows[:limit] if limit else rows
    table = [(*cells, *_sum_cells(total, whole)[: len(sums)]) for cells, total in shown]
    console.print(_table((*columns, *sums), table, console.width))
    if len(shown) < len(rows):
        console.print(f"... and {len(rows) - len(shown):,} more (--limit 0 shows all)")
    console.print()


def _shape(row: Row) -> str:
    return "[" + ", ".join(map(str, row.tensor.shape)) + "]"


# -- values ---------------------------------------------------------------------------------------------------------


def _values(console: Console, contents: Contents, limit: int, bars: str, width: int) -> None:
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
        shapes = {_shape(row) for row in group}
        shape = next(iter(shapes)) if len(shapes) == 1 else "various"
        cells = _value_cells(values, bars, 16 if wide else 8)
        if not infinite:
            del cells[1]
        rows.append(["  " + leaf, dtype, *([shape] if wide else []), *cells])
    return _table(columns, rows, width, gap=2 if wide else 1)


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


def bars_of(histogram: Histogram, bars: str, room: int) -> str:
    """A histogram in one line between its ends: `-9 .:-=#@*-. 3`; powers of two with `2^` before them."""
    occurring = [i for i, n in enumerate(histogram.counts) if n] or [0]
    first, last = occurring[0], occurring[-1]
    counts = list(histogram.counts[first : last + 1])
    room = max(room, 16 if histogram.kind == "value" else 0)  # the codes of four bits
    step = -(-len(counts) // room)
    merged = [sum(counts[i : i + step]) for i in range(0, len(counts), step)]
    top = max(merged) or 1
    # What occurs at all shows at least the lowest bar: a lone outlier is what one looks for.
    drawn = "".join(bars[0] if not n else bars[1 + (n * (len(bars) - 2)) // top] for n in merged)
    low, high = histogram.labels[first], histogram.labels[last]
    return f"2^{low:g} {drawn} 2^{high:g}" if histogram.kind == "log2" else f"{low:g} {drawn} {high:g}"
