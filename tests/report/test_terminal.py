"""One place knows the terminal: its width and whether it takes colours."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

import pytest

from tensorlint.report.terminal import colored, columns

PACKAGE = Path(sys.modules["tensorlint"].__path__[0])


@pytest.mark.parametrize(
    ("said", "terminal", "usual", "wide"),
    [
        ("", None, 120, 120), ("", None, 100, 100), ("80", None, 120, 80), ("80", 60, 120, 80), ("", 60, 120, 60),
        ("", 0, 120, 120), ("0", None, 120, 120), ("x", 60, 120, 60),
    ],
)  # fmt: skip
def test_columns(said: str, terminal: int | None, usual: int, wide: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What COLUMNS says, else what the terminal says (some say 0), else what is usual."""

    def size(_: int) -> os.terminal_size:
        if terminal is None:
            raise OSError("a pipe")
        return os.terminal_size((terminal, 24))

    monkeypatch.setenv("COLUMNS", said)
    monkeypatch.setattr(os, "get_terminal_size", size)
    assert columns(usual) == wide


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("wanted", "stream", "env", "styled"),
    [
        ("auto", io.StringIO(), {}, False), ("auto", Terminal(), {}, True), ("never", Terminal(), {}, False),
        ("always", io.StringIO(), {}, True), ("auto", Terminal(), {"NO_COLOR": "1"}, False),
        ("auto", Terminal(), {"NO_COLOR": ""}, True), ("auto", Terminal(), {"TERM": "dumb"}, False),
        ("always", io.StringIO(), {"NO_COLOR": "1"}, True),
    ],
)  # fmt: skip
def test_colours(
    wanted: str, stream: io.StringIO, env: dict[str, str], styled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"NO_COLOR": "", "TERM": "xterm", **env}.items():
        monkeypatch.setenv(name, value)
    assert colored(wanted, stream) is styled


def test_nothing_else_asks_for_width_or_colour() -> None:
    asking = re.compile(r"get_terminal_size|std(?:out|err)\.isatty|NO_COLOR")
    found = {p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py") if asking.search(p.read_text())}
    assert found == {"report/terminal.py"}
