"""The file of the cache: shared, limited, and never in the way."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from tensorlint.measures import cache as module
from tensorlint.measures.cache import MeasureCache, folder

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
