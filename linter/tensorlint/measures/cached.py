"""A scanner that asks the cache first, and measures only what the cache does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..sources.interface import Identified, RemoteSource, Source
from .interface import Measures
from .plan import Need, Plan
from .saved import Saved, missing, restore, save
from .scan import Key, Progress, Scanner, StoppedError

if TYPE_CHECKING:
    from .cache import MeasureCache, Place

SMALL = 64 << 20  # bytes; fewer of a local checkpoint are read faster than looked up
BATCH = 8 << 30  # bytes; what was measured is stored at least this often, so that a run that is ended loses no more


@dataclass(frozen=True)
class CachedScanner:
    """Another scanner behind the cache that `cache` opens; None is no cache."""

    scanner: Scanner
    cache: Callable[[], MeasureCache | None]

    def __call__(self, source: Source, plan: Plan, progress: Progress | None = None) -> Mapping[Key, Measures]:
        """See Scanner. Bytes of which the cache knows everything are not read and not told to `progress`."""
        worth = isinstance(source, RemoteSource) or plan.bytes >= SMALL
        cache = self.cache() if worth and isinstance(source, Identified) else None
        if cache is None or not isinstance(source, Identified):
            return self.scanner(source, plan, progress)
        found: dict[Key, Measures] = {}
        try:
            for batch in _batches(plan):
                self._batch(source, batch, progress, cache, found)
        finally:
            cache.close()
        return found

    def _batch(
        self, source: Identified, plan: Plan, progress: Progress | None, cache: MeasureCache, found: dict[Key, Measures]
    ) -> None:
        identities = {shard: i for shard in plan.by_shard if (i := source.identity(shard))}
        known: dict[Key, Saved] = {}
        todo: dict[str, tuple[Need, ...]] = {}
        for shard, needs in plan.by_shard.items():
            rows = cache.load(identities[shard]) if shard in identities else {}
            lacking = []
            for need in needs:
                saved = rows.get(place(need), {})
                measures = _restored(saved)
                words = missing(need.words, saved) if measures else need.words
                if measures:
                    known[key_of(need)] = saved
                if measures and not words:
                    found[key_of(need)] = measures
                else:
                    lacking.append(Need(need.tensor, need.encoding, words))
            if lacking:
                todo[shard] = tuple(lacking)
        stopped: StoppedError | None = None
        measured: Mapping[Key, Measures] = {}
        try:
            if todo:
                measured = self.scanner(source, Plan(todo), progress)
        except StoppedError as error:
            measured, stopped = error.measured, error
        fresh: dict[str, dict[Place, Saved]] = {}
        for need in Plan(todo).needs():
            key = key_of(need)
            if key in measured:
                saved = {**known.get(key, {}), **save(measured[key], need.words)}
                found[key] = restore(saved)
                fresh.setdefault(need.tensor.shard, {})[place(need)] = saved
        if stopped is not None:
            raise StoppedError(stopped, found) from stopped
        # A file that was written to while it was read has another identity now.
        cache.store({i: fresh[s] for s, i in identities.items() if s in fresh and source.identity(s) == i})
        cache.touch(identities.values())


def key_of(need: Need) -> Key:
    """The key of a need in what a scanner returns."""
    return need.tensor.shard, need.tensor.name


def _restored(saved: Saved) -> Measures | None:
    """The measures of a row of the cache; None for what is no such row."""
    try:
        return restore(saved)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None


def place(need: Need) -> Place:
    """Where a need lies in its file, and how it is read."""
    return need.tensor.begin, need.tensor.end, need.encoding.name


def _batches(plan: Plan) -> Iterator[Plan]:
    """The plan in parts of whole shards."""
    part: dict[str, tuple[Need, ...]] = {}
    size = 0
    for shard, needs in plan.by_shard.items():
        part[shard] = needs
        size += sum(need.tensor.nbytes for need in needs)
        if size >= BATCH:
            yield Plan(part)
            part, size = {}, 0
    if part:
        yield Plan(part)
