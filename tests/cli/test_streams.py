"""What a terminal, a pipe and an interrupted run see."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from .conftest import checkpoint


def test_one_target_is_the_object(process, broken):
    done = process("check", broken, "-f", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["exit_code"] == 1


def test_several_targets_are_one_object(process, clean, broken):
    done = process("check", clean, broken, clean / "gone", "-f", "json")
    found = json.loads(done.stdout)
    assert done.returncode == found["exit_code"] == 3
    assert [t["exit_code"] for t in found["targets"]] == [0, 1, 3]
    assert "nothing at" in done.stderr


def test_the_other_targets_are_checked_when_one_is_not_there(process, clean, broken):
    done = process("check", clean / "gone", broken)
    assert done.returncode == 3
    assert "error[scales/nan]" in done.stdout


@pytest.mark.parametrize(
    ("args", "env", "styled"),
    [
        ([], {}, False), (["--color", "always"], {}, True), (["--color", "never"], {}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
    ],
)  # fmt: skip
def test_color_in_a_pipe(args, env, styled, process, broken):
    done = process("check", broken, *args, env=env)
    assert ("\x1b[" in done.stdout) is styled
    assert "\x1b[" not in done.stderr


@pytest.mark.parametrize(("env", "styled"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_color_on_a_terminal(env, styled, broken):
    parent, child = pty.openpty()
    full = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"} | env
    command = [sys.executable, "-m", "tensorlint", "check", str(broken)]
    process = subprocess.Popen(command, stdout=child, stderr=subprocess.DEVNULL, env=full)
    os.close(child)
    seen = b""
    while True:
        try:
            piece = os.read(parent, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    assert process.wait(30) == 1
    os.close(parent)
    assert (b"\x1b[" in seen) is styled


def test_names_never_reach_the_terminal_raw(process, tmp_path):
    folder = checkpoint(tmp_path / "a\x1b[31mb", float("nan"), name="t\x1b]0;x\x07")
    for args in ([], ["-f", "concise"], ["-f", "json"], ["--plan"]):
        done = process("check", folder, *args)
        assert not set(done.stdout + done.stderr) & {"\x1b", "\x07"}, args
    done = process("check", tmp_path / "gone\x1b[31m")
    assert "\x1b" not in done.stderr
    done = process("explain", "gone\x1b[31m")
    assert "\x1b" not in done.stderr


def test_a_terminal_that_lacks_the_letters(process, tmp_path):
    folder = checkpoint(tmp_path / "m", float("nan"), name="schicht.größe.層")
    done = process("check", folder, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away():
    command = f"{sys.executable} -m tensorlint rules | head -1; echo ${{PIPESTATUS[0]}}"
    many = f"{sys.executable} -m tensorlint rules -f json | head -c 10 >/dev/null; echo ${{PIPESTATUS[0]}}"
    for line in (command, many):
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        assert done.stdout.splitlines()[-1] in ("0", "141")


def test_a_pipe_that_is_closed_before_anything_is_written():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "tensorlint", "rules"], stdout=write, stderr=subprocess.PIPE, timeout=60
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_ctrl_c_is_one_line(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    # A FIFO that nobody writes to stands for a disk that does not answer.
    script = (
        "import signal, sys, tensorlint.run.run as c\n"
        # Background jobs of a shell start with SIGINT ignored, and Python then has no handler of its own.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def slow(*a, **k):\n    print('ready', flush=True)\n    import time; time.sleep(30)\n"
        "c.jobs_for = slow\nfrom tensorlint.cli import main\nsys.argv = ['tensorlint', 'check', sys.argv[1]]\nmain()\n"
    )
    checkpoint(folder)
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "interrupted\n")


def test_a_mistake_of_ours_is_no_traceback(monkeypatch, capsys, clean):
    import tensorlint.run.run as module
    from tensorlint.cli import main

    def fail(*args, **kwargs):
        raise ZeroDivisionError("x")

    monkeypatch.setattr(module, "jobs_for", fail)
    assert main(["check", str(clean)]) == 4
    assert "please report it" in capsys.readouterr().err
    monkeypatch.setenv("TENSORLINT_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(["check", str(clean)])


HEAVY = ("torch", "huggingface_hub", "safetensors")


@pytest.mark.parametrize(
    ("args", "never"),
    [
        (["--help"], (*HEAVY, "numpy", "yaml", "rich")), (["--version"], (*HEAVY, "numpy", "yaml", "rich")), (["rules"], HEAVY),
        (["explain", "scales/nan"], HEAVY), (["check", "--depth", "headers", "{clean}"], (*HEAVY, "rich", "regex")),
        (["check", "{clean}"], HEAVY),
    ],
)  # fmt: skip
def test_what_is_imported(args, never, clean):
    script = (
        "import sys\nfrom tensorlint.cli import main\ncode = main(sys.argv[2:])\n"
        "print('LOADED', [m for m in sys.argv[1].split(',') if m in sys.modules])\nsys.exit(code)"
    )
    words = [a.replace("{clean}", str(clean)) for a in args]
    done = subprocess.run(
        [sys.executable, "-c", script, ",".join(never), *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED []"
