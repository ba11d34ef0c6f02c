"""The rule, the scheme, the dialect and the engine that CONTRIBUTING shows load, and their examples hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tensorlint.cli import main
from tensorlint.rulebook.library import load_book

TEXT = Path(__file__).parents[1].joinpath("CONTRIBUTING.md").read_text()
FILES = dict(re.findall(r"```yaml\n# (rules/\S+)\n(.*?)```", TEXT, re.DOTALL))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All files that are shown, in one folder."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "rules"


def test_one_of_each_kind_is_shown() -> None:
    assert {Path(name).parent.name for name in FILES} == {"scales", "schemes", "dialects", "engines"}
    assert len(FILES) == 4


@pytest.mark.parametrize("name", [name for name in FILES if "dialects" not in name])
def test_what_is_shown_holds(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--rules", str(folder), str(folder.parent / name)]) == 0, capsys.readouterr().out


def test_the_dialect_reads_what_the_scheme_is_declared_as(folder: Path) -> None:
    book = load_book([folder])
    method = book.dialects["acme"].method
    assert {"method": (method,)} in book.schemes["fp5-acme"].declared
    assert "acme_quant.json" in book.configs
