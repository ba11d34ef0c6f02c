"""Completion: what click's API gives, and the scripts in real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from tensorlint.cli import COMMANDS, cli
from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.shipped import rule_names, scheme_names


def offered(line: str) -> list[str]:
    """What is offered for the last word of a line."""
    *words, last = line.split(" ")
    complete = BashComplete(cli, {}, "tensorlint", "_TENSORLINT_COMPLETE")
    return [item.type if item.type != "plain" else item.value for item in complete.get_completions(words, last)]


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("", list(COMMANDS)), ("expl", ["explain"]), ("./mod", ["file"]), ("check ./mod", ["file"]), ("--ver", ["--version"]),
        ("check --dep", ["--depth"]), ("check --depth ", ["headers", "scales", "full"]), ("--depth sc", ["scales"]),
        ("check --select scales/na", ["scales/nan"]), ("check --ignore scal", ["scales", "scales/nan"]),
        ("check ./m -f js", ["json"]), ("rules cont", ["container", "contract"]), ("explain nvfp4-mod", ["nvfp4-modelopt"]),
        ("explain scales/na", ["scales/nan"]), ("test scales/na", ["scales/nan"]), ("git-hook in", ["install"]),
        ("completion z", ["zsh"]), ("pre-commit --req", ["--require-content"]), ("no-such --de", ["--depth"]),
    ],
)  # fmt: skip
def test_what_is_offered(line, some):
    found = offered(line)
    assert set(some) <= set(found)
    begun = line.split(" ")[-1]
    assert all(word == "file" or word.startswith(begun) for word in found)


def test_the_names_are_those_of_what_is_loaded():
    book = load_book()
    assert rule_names() == sorted(book.rules)
    assert scheme_names() == sorted(book.schemes)


@pytest.mark.parametrize(
    ("words", "never"), [("", "numpy,yaml,regex,rich"), ("explain sca", "rich,torch,huggingface_hub")]
)
def test_what_completing_imports(words, never):
    script = (
        "import sys\nfrom tensorlint.cli import cli\nfrom click.shell_completion import BashComplete\n"
        "*args, last = sys.argv[1].split(' ')\n"
        "assert BashComplete(cli, {}, 'tensorlint', 'X').get_completions(args, last)\n"
        "print([m for m in sys.argv[2].split(',') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script, words, never], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A `tensorlint` on the path that is this one."""
    program = tmp_path / "tensorlint"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tensorlint "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}


BASH = """\
eval "$(tensorlint completion bash)"
complete -p tensorlint
COMP_WORDS=(tensorlint check --select scales/na) COMP_CWORD=3 COMP_LINE="x" COMP_POINT=1
_tensorlint_completion tensorlint
echo "${COMPREPLY[@]}"
"""
ZSH = """\
autoload -U compinit; compinit -u
eval "$(tensorlint completion zsh)"
echo $_comps[tensorlint]
"""
FISH = """\
tensorlint completion fish | source
complete -C 'tensorlint check --select scales/na'
"""


@pytest.mark.parametrize(
    ("shell", "script", "says"),
    [("bash", BASH, "scales/nan"), ("zsh", ZSH, "_tensorlint_completion"), ("fish", FISH, "scales/nan")],
)
def test_the_script_in_a_real_shell(shell, script, says, env, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, env=env, cwd=tmp_path, timeout=60)
    assert says in done.stdout, done.stdout + done.stderr
