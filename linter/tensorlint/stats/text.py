"""Contents for people: what is in a checkpoint, in tables of sizes or of values."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from ..names import pattern_of, short
from ..text.wording import plural, printable, size
from .bars import ASCII_BARS, BARS
from .report import Contents
from .survey import Row, Sum, by, summed
from .table import Columns, table_of
from .valuetext import print_values

_LARGEST = 5


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
        print_values(console, contents, limit, BARS if unicode else ASCII_BARS, width)
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
    return text + (f"; {size(contents.bytes_known)} known from earlier runs" if contents.bytes_known else "")


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
    cells = [(row.tensor.name, row.tensor.dtype, row.shape, size(row.tensor.nbytes)) for row in largest]
    titles = (("largest tensors", "<"), ("dtype", "l"), ("shape", "l"), ("bytes", "r"))
    console.print(table_of(titles, cells, console.width))
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
    console.print(table_of((*columns, *sums), table, console.width))
    if len(shown) < len(rows):
        console.print(f"... and {len(rows) - len(shown):,} more (--limit 0 shows all)")
    console.print()
