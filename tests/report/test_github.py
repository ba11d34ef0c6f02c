"""Workflow commands: few enough, escaped, at paths of the workspace, and none that a stranger wrote."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import sample_reports
from tensorlint.report import github
from tensorlint.report.findings import Finding, Line, Location, Report
from tensorlint.report.interface import Failure, Options


def commands(*outcomes: object) -> list[str]:
    return [r for r in github.render(outcomes, Options()).splitlines() if r.startswith("::")]  # type: ignore[arg-type]


def report(*findings: Finding, target: str = "model", address: str = "") -> Report:
    return Report(target, "full", ("",), findings, {}, 1, 1, 1, 1, 0.1, (), {}, address=address)


ONE = Finding("scales/nan", "error", "50 % are NaN", "e", "r", locations=(Location("a.safetensors", "t", (1,), 3),))


@pytest.mark.parametrize(("severity", "command"), [("error", "error"), ("warning", "warning"), ("note", "notice")])
@pytest.mark.parametrize(("count", "last"), [(10, "scales/nan"), (11, "2 more"), (5_000, "4,991 more")])
def test_ten_of_a_level_the_last_of_which_counts_the_rest(severity, command, count, last):
    rows = commands(report(*[replace(ONE, severity=severity)] * count))
    assert len(rows) == 10
    assert all(r.startswith(f"::{command} ") for r in rows)
    assert last in rows[-1]


def test_one_command_with_its_place():
    assert commands(report(ONE)) == [
        "::error file=model/a.safetensors,line=1,title=scales/nan::50 %25 are NaN%0At%0AEffect: e%0AFix: r"
    ]
    placed = replace(ONE, locations=(replace(ONE.locations[0], line=Line("i,n:d%.json", 17)),))
    assert commands(report(placed))[0].startswith("::error file=model/i%2Cn%3Ad%25.json,line=17,title=scales/nan::")


def test_paths_are_relative_to_the_workspace(monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert "file=repo/model/a.safetensors," in commands(report(ONE))[0]


@pytest.mark.parametrize(
    ("target", "address", "path"),
    [
        ("/elsewhere/model", "", "/elsewhere/model/a.safetensors"),
        ("../other", "", None),
        (
            "org/model@refs/pr/3",
            "hf://org/model@refs/pr/3",
            "hf://org/model@refs/pr/3/a.safetensors",
        ),
    ],
)
def test_what_is_not_in_the_repository_is_named_in_the_text(target, address, path, tmp_path):
    (row,) = commands(report(ONE, target=target, address=address))
    path = path or f"{tmp_path.as_posix()}/other/a.safetensors"
    assert row.startswith(f"::error title=scales/nan::{path}: 50 %25")


def test_a_single_file_as_target_is_not_a_folder():
    Path("a.safetensors").write_bytes(b"")
    assert "file=a.safetensors," in commands(report(ONE, target="a.safetensors"))[0]


def test_what_does_not_count_is_left_out():
    assert {m[1] for r in commands(sample_reports.stated()) if (m := re.search("title=([^:]*)::", r))} == {
        "scales/nan",
        "my/rule",
        "config/dead-entry",
    }


def test_a_target_that_could_not_be_checked_and_a_run_that_stopped_are_errors():
    (row,) = commands(Failure("gone", "nothing\nthere", 3))
    assert row == "::error title=tensorlint could not check::gone: nothing\\x0athere"
    assert "it shrank" in commands(replace(report(), stopped="it shrank"))[0]


def test_no_line_of_the_log_is_a_command_of_a_stranger():
    text = github.render([sample_reports.hostile()], Options())
    for row in text.splitlines():
        if not re.match(r"::(error|warning|notice) (file=|title=)", row):
            assert not row.lstrip().startswith("::")
            assert "##[" not in row


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("  ::add-mask::x", "  \\x3a:add-mask::x"),
        ("a ##[add-mask]x", "a \\x23#[add-mask]x"),
        ("a::b", "a::b"),
        ("plain", "plain"),
    ],
)
def test_text_in_a_log_is_no_command(line, written):
    assert github.guarded(f"x\n{line}\n") == f"x\n{written}\n"
