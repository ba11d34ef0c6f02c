"""`tensorlint cache`, and what a second check of the same files reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tensorlint.cli import main, measures
from tensorlint.measures import cached


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, which takes files of any size and age."""
    monkeypatch.setenv("TENSORLINT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("TENSORLINT_NO_CACHE", raising=False)
    monkeypatch.setattr(cached, "SMALL", 0)
    monkeypatch.setattr("tensorlint.sources.local._RACY", 0)
    measures.user_cache.cache_clear()
    return tmp_path / "cache"


def checked(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, dict[str, object]]:
    code = main(["check", *map(str, args), "-f", "json"])
    return code, json.loads(capsys.readouterr().out)


def without_what_differs(report: dict[str, object]) -> dict[str, object]:
    return {k: v for k, v in report.items() if k not in ("seconds", "bytes_read", "bytes_known")}


def test_a_second_check_reads_headers_and_says_the_same(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, first = checked(capsys, broken)
    again, second = checked(capsys, broken)
    assert (code, again) == (1, 1)
    assert without_what_differs(first) == without_what_differs(second)
    assert (first["bytes_read"], first["bytes_known"]) == (first["bytes_total"], 0)
    assert second["bytes_known"] == 68
    assert second["bytes_read"] == second["bytes_total"] - 68  # type: ignore[operator]


def test_the_text_says_what_was_not_read(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", str(clean)])
    assert "known from" not in capsys.readouterr().out
    main(["check", str(clean)])
    assert "68 B known from earlier runs" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("how", ["option", "variable"])
def test_without_the_cache_everything_is_read(
    how: str, clean: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if how == "variable":
        monkeypatch.setenv("TENSORLINT_NO_CACHE", "1")
    option = ["--no-cache"] if how == "option" else []
    for _ in range(2):
        _, report = checked(capsys, clean, *option)
        assert report["bytes_read"] == report["bytes_total"]
    assert not place.exists()


@pytest.mark.parametrize("depth", ["scales", "full"])
def test_a_report_does_not_depend_on_the_number_of_threads(
    depth: str, broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = [checked(capsys, broken, "--no-cache", "--depth", depth, "--jobs", jobs)[1] for jobs in (1, 8)]
    assert without_what_differs(reports[0]) == without_what_differs(reports[1])


def test_info_and_clear(clean: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "info"]) == 0
    assert "0 tensors of 0 files" in capsys.readouterr().out
    main(["check", str(clean)])
    capsys.readouterr()
    assert main(["cache", "info"]) == 0
    assert "2 tensors of 1 files" in capsys.readouterr().out
    assert main(["cache", "clear"]) == 0
    assert "removed" in capsys.readouterr().out
    assert list(place.iterdir()) == []


def test_a_damaged_cache_is_said_once_on_stderr(clean: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.mkdir()
    (place / "measures-1.sqlite").write_text("no database")
    assert main(["check", str(clean), str(clean)]) == 0
    assert capsys.readouterr().err.count("note: the cache of measures was damaged") == 1


def test_a_place_that_cannot_be_written_stops_nothing(
    clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TENSORLINT_CACHE_DIR", "/dev/null/nowhere")
    assert main(["check", str(clean)]) == 0
    assert capsys.readouterr().err.count("note: the cache of measures cannot be used") == 1
