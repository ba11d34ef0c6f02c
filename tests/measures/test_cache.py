"""The file of the cache: shared, limited, and never in the way."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from tensorlint.measures import cache as module
from tensorlint.measures.cache import Info, MeasureCache, folder

ROW = {(0, 10, "e4m3"): {"count": 10, "nan": [0, None]}}


def made(path: Path, limit: int = 1 << 30) -> tuple[MeasureCache, list[str]]:
    notes: list[str] = []
    return MeasureCache(path / "measures-1.sqlite", notes.append, limit), notes


def test_what_was_stored_is_loaded_by_another_run(tmp_path: Path) -> None:
    first, _ = made(tmp_path)
    first.store({"a": ROW})
    second, notes = made(tmp_path)
    assert second.load("a") == ROW
    assert second.load("b") == {}
    assert notes == []


def test_nothing_is_created_by_asking(tmp_path: Path) -> None:
    cache, _ = made(tmp_path / "no")
    assert cache.load("a") == {}
    cache.touch(["a"])
    cache.store({})
    assert cache.info().tensors == 0
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("damage", [b"no database at all, but text", b"", b"SQLite format 3\0" + bytes(4000)])
def test_a_damaged_file_is_removed_with_one_note(tmp_path: Path, damage: bytes) -> None:
    cache, notes = made(tmp_path)
    cache.path.write_bytes(damage)
    assert cache.load("a") == {}
    cache.store({"a": ROW})
    cache.load("a")
    assert len(notes) == (1 if damage else 0)  # an empty file is an empty database
    again, _ = made(tmp_path)
    again.store({"a": ROW})
    assert again.load("a") == ROW


def test_pages_that_are_damaged_later_do_not_stop_a_run(tmp_path: Path) -> None:
    cache, _ = made(tmp_path)
    cache.store({str(i): {(0, n, "e4m3"): {"count": n} for n in range(200)} for i in range(20)})
    cache.close()
    whole = bytearray(cache.path.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    cache.path.write_bytes(whole)
    again, notes = made(tmp_path)
    for i in range(20):
        assert again.load(str(i)) == {}
    again.store({"a": ROW})
    assert len(notes) == 1


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache, notes = made(tmp_path / "file")
    cache.store({"a": ROW})
    cache.store({"a": ROW})
    assert cache.load("a") == {}
    assert len(notes) == 1
    assert "cannot be used" in notes[0]


def test_a_run_does_without_a_cache_that_another_one_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAIT", 0.01)
    made(tmp_path)[0].store({"a": ROW})
    other = sqlite3.connect(tmp_path / "measures-1.sqlite")
    other.execute("begin exclusive")
    cache, notes = made(tmp_path)
    cache.store({"b": ROW})
    other.rollback()
    other.close()
    assert notes == []
    again, _ = made(tmp_path)
    assert (again.load("a"), again.load("b")) == (ROW, {})


def test_runs_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    def work(name: str) -> None:
        cache, _ = made(tmp_path)
        for number in range(20):
            cache.store({f"{name}{number}": ROW})
            cache.touch([f"{name}{number}"])
        cache.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache, notes = made(tmp_path)
    assert cache.info().files == 80
    assert notes == []


def test_files_that_were_not_asked_about_go_first(tmp_path: Path) -> None:
    cache, _ = made(tmp_path, limit=200_000)
    rows = {(0, n, "e4m3"): {"count": n, "nan": [0, None]} for n in range(1000)}
    for name in ("a", "b", "c"):
        cache.store({name: rows})
        cache.touch([name])
    cache.touch(["a"])
    for name in ("d", "e"):
        cache.store({name: rows})
        cache.touch([name, "a"])
    kept = [name for name in "abcde" if cache.load(name)]
    assert "a" in kept
    assert "e" in kept
    assert "b" not in kept
    cache.close()
    assert cache.path.stat().st_size < 260_000


def test_clear_removes_other_versions_and_nothing_else(tmp_path: Path) -> None:
    cache, _ = made(tmp_path)
    cache.store({"a": ROW})
    (tmp_path / "measures-0.sqlite").write_text("old")
    (tmp_path / "mine.txt").write_text("kept")
    assert cache.clear() > 3
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    assert cache.load("a") == {}


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({"TENSORLINT_CACHE_DIR": "/own"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/tensorlint"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.cache/tensorlint"),
        ({"HOME": "/home/me"}, "/home/me/.cache/tensorlint"),
    ],
)
def test_where_it_is(variables: dict[str, str], where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("TENSORLINT_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert folder() == Path(where)


@pytest.mark.parametrize(
    ("platform", "variables", "where"),
    [
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/tensorlint/Cache"),
        ("win32", {"HOME": "/home/me"}, "/home/me/AppData/Local/tensorlint/Cache"),
        ("darwin", {"HOME": "/home/me", "XDG_CACHE_HOME": "/xdg"}, "/home/me/Library/Caches/tensorlint"),
        ("darwin", {"TENSORLINT_CACHE_DIR": "/own"}, "/own"),
        ("linux", {"LOCALAPPDATA": "/local", "HOME": "/home/me"}, "/home/me/.cache/tensorlint"),
    ],
)
def test_where_it_is_on_other_systems(
    platform: str, variables: dict[str, str], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    for name in ("TENSORLINT_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert folder() == Path(where)


@pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
def test_there_is_none_without_a_home(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("sys.platform", platform)
    for name in ("TENSORLINT_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert folder() is None
    assert MeasureCache.of_user(print) is None


def test_that_of_a_user_names_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORLINT_CACHE_DIR", str(tmp_path))
    notes: list[str] = []
    cache = MeasureCache.of_user(notes.append)
    assert cache is not None
    assert cache.path == tmp_path / f"measures-{module.VERSION}.sqlite"
    cache.path.write_bytes(b"no database at all, but text")
    assert (cache.load("a"), len(notes)) == ({}, 1)


def test_what_is_in_it(tmp_path: Path) -> None:
    cache, _ = made(tmp_path)
    assert cache.info() == Info(cache.path, 0, 0, 0)
    cache.store({"a": ROW, "b": {**ROW, (10, 20, "e4m3"): {"count": 10}}, "c": {}})
    cache.close()
    (tmp_path / "measures-0.sqlite").write_text("old")
    (tmp_path / "measures-1.sqlite-wal").write_text("journal")
    (tmp_path / "mine.sqlite").write_text("mine")
    info = cache.info()
    assert (info.path, info.files, info.tensors) == (cache.path, 3, 3)
    assert info.size >= cache.path.stat().st_size + 3


def test_clear_tells_the_bytes_that_were_freed(tmp_path: Path) -> None:
    cache, _ = made(tmp_path)
    assert cache.clear() == 0
    (tmp_path / "measures-0.sqlite").write_bytes(bytes(1000))
    (tmp_path / "measures-1.sqlite").write_bytes(bytes(234))
    assert cache.clear() == 1234
    cache.store({"a": ROW})
    assert cache.load("a") == ROW


def test_a_row_replaces_an_earlier_one_of_the_same_place_only(tmp_path: Path) -> None:
    cache, _ = made(tmp_path)
    here, there, other = (0, 10, "e4m3"), (0, 11, "e4m3"), (0, 10, "int8")
    cache.store({"a": {here: {"count": 1}, there: {"count": 2}}, "b": {here: {"count": 3}}})
    cache.store({"a": {here: {"count": 4}, other: {"count": 5}}})
    assert cache.load("a") == {here: {"count": 4}, there: {"count": 2}, other: {"count": 5}}
    assert cache.load("b") == {here: {"count": 3}}


def test_files_are_dropped_from_the_one_that_was_used_first_down_to_the_limit(tmp_path: Path) -> None:
    rows = {(0, n, "e4m3"): {"count": n, "nan": [0, None]} for n in range(1000)}
    first, _ = made(tmp_path)
    for name in "abcdef":
        first.store({name: rows})
        first.touch([name])
    first.touch(["b"])
    assert first.info().files == 6  # below its limit
    first.close()
    before = first.path.stat().st_size
    cache, notes = made(tmp_path, limit=before // 2)
    cache.touch(["no such file"])
    kept = [name for name in "abcdef" if cache.load(name)]
    assert (kept[0], kept[-1], "a" in kept, notes) == ("b", "f", False, [])
    assert kept == ["b", *"cdef"[-len(kept) + 1 :]]
    assert cache.info().tensors == 1000 * len(kept)
    cache.close()
    assert before // 4 < cache.path.stat().st_size <= before * 2 // 3
    tight, _ = made(tmp_path, limit=1)
    tight.touch([])
    assert (tight.info().files, tight.info().tensors) == (0, 0)


def test_the_folder_is_made_for_the_user_alone(tmp_path: Path) -> None:
    cache, _ = made(tmp_path / "some" / "where")
    cache.store({"a": ROW})
    assert cache.load("a") == ROW
    assert (tmp_path / "some" / "where").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (sqlite3.OperationalError("database is locked"), None),
        (sqlite3.OperationalError("disk I/O error"), "the cache of measures cannot be used (disk I/O error): {path}"),
        (
            OSError(28, "No space left on device"),
            "the cache of measures cannot be used (No space left on device): {path}",
        ),
        (OSError("strange"), "the cache of measures cannot be used (strange): {path}"),
        (
            sqlite3.DatabaseError("malformed"),
            "the cache of measures was damaged (malformed) and has been removed: {path}",
        ),
        (ValueError("no JSON"), "the cache of measures was damaged (no JSON) and has been removed: {path}"),
    ],
)
def test_what_is_said_of_an_error(tmp_path: Path, error: Exception, note: str | None) -> None:
    cache, notes = made(tmp_path)
    cache.store({"a": ROW})

    def fail(database: sqlite3.Connection) -> str:
        raise error

    assert cache._attempt(fail, "otherwise") == "otherwise"
    assert notes == ([note.format(path=cache.path)] if note else [])
    assert cache.path.exists() == ("removed" not in (note or ""))
    assert (cache._database, cache.load("a")) == (None, {})
    assert len(notes) == bool(note)


def test_a_database_that_cannot_be_set_up_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []

    class Broken(sqlite3.Connection):
        def executescript(self, script: str) -> sqlite3.Cursor:
            raise sqlite3.OperationalError("disk I/O error")

        def close(self) -> None:
            closed.append(True)
            super().close()

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: real(path, timeout=timeout, factory=Broken))
    cache, notes = made(tmp_path)
    cache.store({"a": ROW})
    assert (len(notes), closed) == (1, [True])
