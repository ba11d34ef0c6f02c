"""`--help`: every command has examples, and what they say exists."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterator
from itertools import pairwise

import click
import pytest

from tensorlint.cli import COMMANDS, cli

_PASSED_ON = {"upload"}  # its options are those of another program


def commands() -> Iterator[tuple[str, click.Command]]:
    with click.Context(cli, info_name="tensorlint") as ctx:
        yield "", cli
        for name in COMMANDS:
            command = cli.get_command(ctx, name)
            assert command is not None
            yield name, command


def examples(command: click.Command) -> list[str]:
    """The lines of a help text that show how a command is called."""
    text = inspect.cleandoc(command.help or "")
    blocks = [p.splitlines()[1:] for p in text.split("\n\n") if p.lstrip().startswith("\b")]
    return [line.strip() for block in blocks for line in block if "tensorlint" in line]


def words(line: str) -> list[str]:
    """The words of an example behind `tensorlint`, without what is explained on the right."""
    call = line.split("tensorlint ", 1)[1].split("   ")[0]
    return shlex.split(call.replace(')"', "").split(" > ")[0], comments=False)


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda v: v if isinstance(v, str) else "")
def test_examples_are_there_and_their_options_exist(name, command):
    shown = [line for line in examples(command) if "tensorlint " in line]
    assert len(shown) >= 2
    assert not name or any(words(line)[0] == name for line in shown)
    ctx = click.Context(cli, info_name="tensorlint")
    for line in shown:
        called = words(line)
        about = cli.get_command(ctx, called[0]) or cli.get_command(ctx, "check")
        assert about is not None
        if called[0] in _PASSED_ON or "--" in called:
            continue
        if isinstance(about, click.Group):
            assert called[1] in about.commands, line
            continue
        known = {o for p in about.params for o in (*p.opts, *p.secondary_opts)} | {"--help", "--version"}
        given = [w.partition("=")[0] for w in called if w.startswith("-")]
        assert set(given) <= known, line
        for option, value in pairwise(called):
            kind = next((p.type for p in about.params if option in p.opts), None)
            if isinstance(kind, click.Choice):
                assert value in kind.choices, line


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda v: v if isinstance(v, str) else "")
def test_every_option_is_explained(name, command):
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    assert all(len(p.help or "") > 10 for p in options)
