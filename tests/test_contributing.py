"""The rule, the scheme and the engine that CONTRIBUTING shows load, and their examples hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tensorlint.cli import main

TEXT = Path(__file__).parents[1].joinpath("CONTRIBUTING.md").read_text()
FILES = dict(re.findall(r"```yaml\n# (rules/\S+)\n(.*?)```", TEXT, re.DOTALL))


def test_one_of_each_kind_is_shown() -> None:
    assert {Path(name).parent.name for name in FILES} >= {"schemes", "engines"}
    assert len(FILES) == 3


@pytest.mark.parametrize("name", FILES)
def test_what_is_shown_holds(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text(FILES[name])
    assert main(["test", "--rules", str(tmp_path / "rules"), str(file)]) == 0, capsys.readouterr().out
