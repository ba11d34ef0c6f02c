"""What `tensorlint stats` found, before it is written in one format or another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ..checkpoint import find_checkpoints
from ..engine import _gaps, _name
from ..errors import NoCheckpointError, UsageError
from ..measures.plan import DEPTHS
from ..rulebook.library import Book
from ..rulebook.place import nearest
from ..schemes.recognise import Recogniser
from ..sources.interface import RemoteSource, Source
from ..view import View
from .survey import Row, rows
from .values import Values, measured


@dataclass(frozen=True)
class Contents:
    """Everything in a source: rows of all its tensors, those that were asked for, and their values as far as read.

    `depth` is what values were read of: `headers` (none), `scales`, or `full`.
    """

    target: str
    origin: str
    checkpoints: tuple[str, ...]
    shards: int
    bytes: int
    rows: tuple[Row, ...]
    chosen: tuple[Row, ...]
    depth: str = "headers"
    values: dict[tuple[str, str], Values] = field(default_factory=dict)
    bytes_read: int = 0
    gaps: tuple[str, ...] = ()

    def value(self, row: Row) -> Values | None:
        """The values of a row, or None where they were not read."""
        return self.values.get((row.tensor.shard, row.tensor.name))


def survey(source: Source, book: Book, pattern: str) -> Contents:
    """What the headers tell; `pattern` chooses tensors (empty: all). Raises NoCheckpointError, UsageError."""
    recogniser = Recogniser(book.schemes.values())
    views = [View(checkpoint, book, recogniser) for checkpoint in find_checkpoints(source)]
    table = tuple(row for view in views for row in rows(view, _name(view.checkpoint)))
    gaps = tuple(gap for view in views for gap in _gaps(view))
    if not views or not (table or gaps):
        raise NoCheckpointError(
            f"there is no tensor at {source.target}", "name a folder, a .safetensors file or a model on the Hub"
        )
    headers = [shard.header for view in views for shard in view.checkpoint.shards.values()]
    return Contents(
        target=source.target,
        origin=getattr(source, "origin", ""),
        checkpoints=tuple(_name(view.checkpoint) for view in views),
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


def to_read(contents: Contents, depth: str) -> tuple[Row, ...]:
    """Of the chosen rows those whose values a depth covers."""
    if DEPTHS.index(depth) == 0:
        return ()
    return tuple(r for r in contents.chosen if depth == "full" or r.unit.scale_like)


def with_values(
    source: Source, contents: Contents, depth: str, progress: Callable[[int], None] | None = None
) -> Contents:
    """The contents with values of the chosen rows; raises UnfinishedError when a file changes meanwhile."""
    wanted: Iterable[Row] = to_read(contents, depth)
    values = {(r.tensor.shard, r.tensor.name): v for r, v in measured(source, wanted, progress)}
    read = source.fetched if isinstance(source, RemoteSource) else contents.bytes_read
    if not isinstance(source, RemoteSource):
        read += sum(r.tensor.nbytes for r in contents.chosen if (r.tensor.shard, r.tensor.name) in values)
    fields = {**contents.__dict__, "depth": depth, "values": values, "bytes_read": read}
    return Contents(**fields)
