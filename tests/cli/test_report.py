"""`tensorlint report`: an earlier report in another format, as the run itself would have written it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tensorlint.report.formats import REPORTERS


@pytest.mark.parametrize("format_", REPORTERS)
def test_it_renders_what_the_run_rendered(run, broken, clean, tmp_path, format_):
    for targets in ([broken], [broken, "nowhere", clean]):
        run("check", *targets, "-f", "json=r.json", "-f", f"{format_}=first" if format_ != "json" else "text")
        if format_ == "json":
            (tmp_path / "first").write_text((tmp_path / "r.json").read_text())
        done = run("report", "r.json", "-f", f"{format_}=second")
        assert done.returncode == 0
        assert (tmp_path / "second").read_text() == (tmp_path / "first").read_text()


def test_text_on_stdout_is_that_of_the_run_and_fail_on_is_kept(run, broken, tmp_path):
    first = run("check", broken, "-f", "text", "-f", "json=r.json", "--fail-on", "never")
    assert first.returncode == 0
    assert run("report", "r.json").stdout == first.stdout
    again = run("report", "r.json", "-f", "json").stdout
    assert again == (tmp_path / "r.json").read_text()


def test_stdin(broken, run, tmp_path):
    run("check", broken, "-f", "json=r.json")
    command = [sys.executable, "-m", "tensorlint", "report", "-", "-f", "concise"]
    done = subprocess.run(command, input=(tmp_path / "r.json").read_bytes(), capture_output=True, timeout=60)
    assert b"error[scales/nan]" in done.stdout


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.json", None, "there is no file gone.json"),
        ("folder", None, "folder is a folder"),
        ("r.json", b"", "r.json is not JSON"),
        ("r.json", b"\xff\xfe", "r.json is no text: byte 0 is not UTF-8"),
        ("r.json", b'{"findings": []}', "r.json is no report of tensorlint"),
        ("r.json", b'\xef\xbb\xbf{"version": 7, "findings": []}', "r.json has version 7"),
    ],
)
def test_what_is_no_report_is_said_in_a_sentence_with_a_hint(run, tmp_path, name, content, said):
    (tmp_path / "folder").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = run("report", name)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) in (1, 2)
    assert done.stdout == ""
