"""`-f FORMAT=FILE`: several formats in one run, whole files or none, and errors before anything is read."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tensorlint.cli.outputs import Output, parse
from tensorlint.cli.writing import write
from tensorlint.errors import UsageError


def test_several_formats_one_to_stdout(run, broken, tmp_path):
    done = run("check", broken, "-f", "text", "-f", "json=r.json", "-f", "sarif=r.sarif", "-f", "junit=r.xml")
    assert done.returncode == 1
    assert "error[scales/nan]" in done.stdout
    assert done.stderr == ""
    assert json.loads((tmp_path / "r.json").read_text())["exit_code"] == 1
    assert json.loads((tmp_path / "r.sarif").read_text())["version"] == "2.1.0"
    assert (tmp_path / "r.xml").read_text().startswith("<?xml")


def test_files_alone_leave_stdout_empty_and_say_on_stderr_what_they_are(run, broken):
    done = run("check", broken, "-f", "json=r.json")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"{broken}: 1 error, 1 note\nwritten: r.json\n"


def test_text_in_a_file_has_no_colour(run, broken, tmp_path):
    done = run("check", broken, "-f", "concise", "-f", "text=r.txt", "--color", "always")
    assert "\x1b" not in (tmp_path / "r.txt").read_text()
    assert done.stdout


def test_documents_hold_all_targets_and_text_comes_one_by_one(run, broken, clean, tmp_path):
    done = run("check", broken, "nowhere", clean, "-f", "sarif=r.sarif", "-f", "markdown=r.md", "-f", "junit=r.xml")
    assert done.returncode == 3
    assert "there is nothing at nowhere" in done.stderr
    assert len(json.loads((tmp_path / "r.sarif").read_text())["runs"]) == 3
    assert (tmp_path / "r.md").read_text().count("### ") == 3
    assert (tmp_path / "r.xml").read_text().count("<testsuite ") == 3
    text = run("check", broken, clean).stdout
    assert f"\n\n{clean}: " in text


@pytest.mark.parametrize("format_", ["gitlab", "github", "sarif", "junit", "markdown", "comment"])
def test_every_format_goes_to_stdout(run, broken, format_):
    done = run("check", broken, "-f", format_)
    assert done.returncode == 1
    assert "scales/nan" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("formats", "said"),
    [
        (["txt"], "--format cannot be `txt`\n  did you mean text?"),
        (["xml"], "--format cannot be `xml`\n  one of: text, concise, json"),
        (["json="], "--format json= names no file"),
        (["json=no/where.json"], "--format json=no/where.json: there is no folder no\n  mkdir -p no"),
        (["json=broken"], "--format json=broken: that is a folder"),
        (["text", "json"], "--format: text and json would both go to stdout"),
        (["text", "text=-"], "--format: text and text would both go to stdout"),
        (["json=a", "sarif=./a"], "--format: json and sarif would both go to"),
        (["json=model.safetensors"], "--format json=model.safetensors: that is the name of a part of a checkpoint"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_checked(run, broken, formats, said, tmp_path):
    done = run("check", broken, *(word for f in formats for word in ("-f", f)))
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken"]


def test_no_file_is_written_when_there_is_nothing_to_check(run, tmp_path):
    done = run("check", "nowhere", "-f", "json=r.json")
    assert done.returncode == 3
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_as_a_whole_keeps_its_mode_and_leaves_nothing_behind(tmp_path):
    file = tmp_path / "r.json"
    file.write_text("old")
    file.chmod(0o604)
    link = tmp_path / "link"
    link.symlink_to(file)
    write(link, "new \udcff")
    assert file.read_text() == "new \\udcff"
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o604
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "r.json"]


def test_a_new_file_has_the_mode_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "r", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o640


def test_a_device_is_written_into():
    write(Path("/dev/null"), "x")
    assert not Path("/dev/null").is_file()


def test_a_file_that_cannot_be_written_is_an_error_and_the_others_are_written(run, broken, tmp_path):
    done = run("check", broken, "-f", "json=/proc/r.json", "-f", "sarif=r.sarif")
    assert done.returncode == 4
    assert "cannot write /proc/r.json" in done.stderr
    assert (tmp_path / "r.sarif").exists()


def test_names_in_the_log_of_a_workflow_are_no_commands(run, tmp_path):
    from .conftest import checkpoint

    folder = checkpoint(tmp_path / "m", float("nan"), "::add-mask::x")
    command = run("check", folder, env={"GITHUB_ACTIONS": "true"}).stdout
    assert not any(line.lstrip().startswith("::") for line in command.splitlines())
    assert "\\x3a:add-mask::x.weight_scale" in command
    assert "::add-mask::x.weight_scale" in run("check", folder).stdout


@pytest.mark.parametrize(
    ("value", "output"),
    [("json", Output("json")), ("json=-", Output("json")), ("sarif=a=b.sarif", Output("sarif", Path("a=b.sarif")))],
)
def test_a_value(value, output, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse(value) == output


def test_an_error_in_a_value_is_of_usage():
    with pytest.raises(UsageError):
        parse("jsno=x")
