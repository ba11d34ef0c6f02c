"""The cache of measures: one SQLite file in the user's cache folder, shared by all runs.

It is only ever a shortcut: a cache that is locked, damaged or not writable is left alone, and the run reads the files.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .cachefolder import folder
from .saved import Saved

VERSION = 1  # part of the file's name: raised when a measure or its saved form changes its meaning
LIMIT = 256 << 20  # bytes; files that were not asked about for longest go first
_WAIT = 2.0  # seconds for another run to finish writing
T = TypeVar("T")
Place = tuple[int, int, str]  # begin and end in the file, name of the encoding

_TABLES = """
create table if not exists files (id integer primary key, identity text not null unique, used real not null);
create table if not exists measures (
    file integer not null,
    begin integer not null, end integer not null, encoding text not null, saved text not null,
    primary key (file, begin, end, encoding)
) without rowid;
"""


@dataclass(frozen=True)
class Info:
    """What is in the cache: `size` is that of its file in bytes."""

    path: Path
    size: int
    files: int
    tensors: int


class MeasureCache:
    """Saved measures by the identity of a file and the place in it.

    Only `clear` raises; whatever else goes wrong is told to `note` once, and the cache is then empty and takes nothing.
    """

    def __init__(self, path: Path, note: Callable[[str], None], limit: int = LIMIT) -> None:
        self.path = path
        self._note = note
        self._limit = limit
        self._database: sqlite3.Connection | None = None
        self._usable = True

    @classmethod
    def of_user(cls, note: Callable[[str], None]) -> MeasureCache | None:
        """The cache of this user; None where there is no place for one."""
        where = folder()
        return None if where is None else cls(where / f"measures-{VERSION}.sqlite", note)

    def load(self, identity: str) -> dict[Place, Saved]:
        """Everything known about a file."""

        def read(database: sqlite3.Connection) -> dict[Place, Saved]:
            found: dict[Place, Saved] = {}
            rows = database.execute(
                "select begin, end, encoding, saved from measures join files on file = id where identity = ?",
                (identity,),
            )
            for begin, end, encoding, text in rows:
                found[begin, end, encoding] = json.loads(text)
            return found

        return self._attempt(read, {})

    def store(self, rows: Mapping[str, Mapping[Place, Saved]]) -> None:
        """Add what was measured of each file; a row replaces an earlier one of the same place."""

        def write(database: sqlite3.Connection) -> None:
            with database:
                for identity, places in rows.items():
                    database.execute("insert or ignore into files (identity, used) values (?, 0)", (identity,))
                    (number,) = database.execute("select id from files where identity = ?", (identity,)).fetchone()
                    database.executemany(
                        "insert or replace into measures values (?, ?, ?, ?, ?)",
                        ((number, *place, json.dumps(saved, separators=(",", ":"))) for place, saved in places.items()),
                    )

        if rows:
            self._attempt(write, None, create=True)

    def touch(self, identities: Iterable[str]) -> None:
        """Note that these files were asked about, and drop others where the cache has outgrown its limit."""

        def write(database: sqlite3.Connection) -> None:
            with database:
                rows = ((time.time(), identity) for identity in identities)
                database.executemany("update files set used = ? where identity = ?", rows)
            while _size(database) > self._limit:
                oldest = database.execute("select id from files order by used limit 1").fetchone()
                if oldest is None:
                    break
                with database:
                    database.execute("delete from measures where file = ?", oldest)
                    database.execute("delete from files where id = ?", oldest)
            database.executescript("pragma incremental_vacuum")  # execute() ends after the first page

        self._attempt(write, None)

    def info(self) -> Info:
        """What is in it."""

        def read(database: sqlite3.Connection) -> tuple[int, int]:
            files, tensors = (
                database.execute(f"select count(*) from {t}").fetchone()[0] for t in ("files", "measures")
            )
            return files, tensors

        files, tensors = self._attempt(read, (0, 0))
        return Info(self.path, sum(p.stat().st_size for p in self._stored()), files, tensors)

    def clear(self) -> int:
        """Remove the cache, also that of other versions; returns the bytes that were freed. Raises OSError."""
        self.close()
        freed = 0
        for path in self._stored():
            freed += path.stat().st_size
            path.unlink()
        return freed

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _stored(self) -> list[Path]:
        return sorted(self.path.parent.glob("measures-*.sqlite*"))

    def _attempt(self, action: Callable[[sqlite3.Connection], T], otherwise: T, create: bool = False) -> T:
        if not self._usable or not (create or self.path.exists()):
            return otherwise
        try:
            if self._database is None:
                self._database = self._connect()
            return action(self._database)
        except (sqlite3.Error, OSError, ValueError) as error:
            self._give_up(error)
            return otherwise

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = sqlite3.connect(self.path, timeout=_WAIT)
        try:
            database.execute("pragma auto_vacuum = incremental")
            database.execute("pragma journal_mode = wal").fetchall()
            database.execute("pragma synchronous = off")  # what a crash loses is measured again
            database.executescript(_TABLES)
        except BaseException:
            database.close()
            raise
        return database

    def _give_up(self, error: Exception) -> None:
        self._usable = False
        self.close()
        if isinstance(error, sqlite3.OperationalError):
            if "locked" not in str(error):  # else another run is writing: this one does without
                self._note(f"the cache of measures cannot be used ({error}): {self.path}")
        elif isinstance(error, OSError):
            self._note(f"the cache of measures cannot be used ({error.strerror or error}): {self.path}")
        else:
            with suppress(OSError):
                self.clear()
            self._note(f"the cache of measures was damaged ({error}) and has been removed: {self.path}")


def _size(database: sqlite3.Connection) -> int:
    """Bytes in use."""
    pages, free, page = (
        database.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * page)
