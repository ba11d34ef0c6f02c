"""What `tensorlint stats` found, before it is written in one format or another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ..container.checkpoint import find_checkpoints
from ..errors import NoCheckpointError, UsageError
from ..measures.cached import CachedScanner, key_of
from ..measures.plan import DEPTHS, Depth, make_plan
from ..measures.scan import CpuScanner, Progress
from ..rulebook.library import Book
from ..schemes.view import View
from ..sources.interface import RemoteSource, Source, about
from ..text.place import nearest
from .exponents import Exponents
from .survey import Row, rows
from .values import Values, need_of, values_of

if TYPE_CHECKING:
    from ..measures.cache import MeasureCache


@dataclass(frozen=True)
class Contents:
    """Everything in a source: rows of all its tensors, those that were asked for, and their values as far as read.

    `depth` is what values were read of: `headers` (none), `scales`, or `full`; `bytes_known` are those that
    earlier runs have measured.
    """

    target: str
    origin: str
    checkpoints: tuple[str, ...]
    shards: int
    bytes: int
    rows: tuple[Row, ...]
    chosen: tuple[Row, ...]
    depth: Depth = "headers"
    values: dict[tuple[str, str], Values] = field(default_factory=dict)
    bytes_read: int = 0
    bytes_known: int = 0
    gaps: tuple[str, ...] = ()

    def value(self, row: Row) -> Values | None:
        """The values of a row, or None where they were not read."""
        return self.values.get((row.tensor.shard, row.tensor.name))


def survey(source: Source, book: Book, pattern: str) -> Contents:
    """What the headers tell; `pattern` chooses tensors (empty: all). Raises NoCheckpointError, UsageError."""
    views = [View(checkpoint, book) for checkpoint in find_checkpoints(source, book.configs)]
    table = tuple(row for view in views for row in rows(view, view.checkpoint.name))
    gaps = tuple(gap for view in views for gap in view.gaps)
    if not views or not (table or gaps):
        raise NoCheckpointError(
            f"there is no tensor at {source.target}", "name a folder, a .safetensors file or a model on the Hub"
        )
    headers = [shard.header for view in views for shard in view.checkpoint.shards.values()]
    return Contents(
        target=source.target,
        origin=about(source).origin,
        checkpoints=tuple(view.checkpoint.name for view in views),
        shards=len(headers),
        bytes=sum(header.size for header in headers),
        rows=table,
        chosen=_chosen(table, pattern),
        bytes_read=sum(header.data_start for header in headers),
        gaps=gaps,
    )


def _chosen(table: tuple[Row, ...], pattern: str) -> tuple[Row, ...]:
    """Rows whose tensor or module a glob matches, or a name without wildcards; raises UsageError where none does."""
    if not pattern:
        return table
    found = tuple(r for r in table if fnmatchcase(r.tensor.name, pattern) or fnmatchcase(r.module, pattern))
    if not found:
        near = nearest(pattern, {name for row in table for name in (row.tensor.name, row.module) if name})
        raise UsageError(
            f"no tensor matches `{pattern}`",
            f"did you mean `{near}`?" if near else "a glob over names, such as '*.o_proj.*'; quote it for the shell",
        )
    return found


def to_read(contents: Contents, depth: Depth) -> tuple[Row, ...]:
    """Of the chosen rows those whose values a depth covers."""
    if DEPTHS.index(depth) == 0:
        return ()
    return tuple(r for r in contents.chosen if depth == "full" or r.unit.scale_like)


def with_values(
    source: Source,
    contents: Contents,
    depth: Depth,
    progress: Progress | None = None,
    jobs: int = 0,
    cache: Callable[[], MeasureCache | None] | None = None,
) -> Contents:
    """The contents with values of the chosen rows, read in `jobs` threads (0: one per processor).

    `cache` opens the cache of measures; without it everything is read. Raises UnfinishedError when a file changes
    meanwhile.
    """
    plan = make_plan(map(need_of, to_read(contents, depth)))
    read = 0

    def advance(amount: int) -> None:
        nonlocal read
        read += amount
        if progress is not None:
            progress(amount)

    exponents = Exponents()
    host = CpuScanner(jobs, exponents.add)
    scanner = host if cache is None else CachedScanner(host, cache)
    measured = scanner(source, plan, advance)
    values = {
        key: values_of(need, measured[key], exponents.found.get(key))
        for need in plan.needs()
        for key in (key_of(need),)
    }
    return replace(
        contents,
        depth=depth,
        values=values,
        bytes_read=source.fetched if isinstance(source, RemoteSource) else contents.bytes_read + read,
        bytes_known=plan.bytes - read,
    )
