"""`tensorlint schema` prints what docs/schema holds, and the examples in the documentation fit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from tensorlint.cli import main
from tensorlint.cli.schema import KINDS
from tensorlint.settings.files import configuration_from
from tensorlint.settings.ruleset import ruleset
from tensorlint.settings.settings import settings_for
from tensorlint.text.toml import parse_toml

ROOT = Path(__file__).parents[2]


def printed(capsys, *args: str) -> dict:
    assert main(["schema", *args]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("kind", KINDS)
def test_the_printed_schema_is_that_of_the_documentation(kind, capsys):
    made = printed(capsys, kind)
    jsonschema.Draft7Validator.check_schema(made)
    assert made == json.loads((ROOT / "docs" / "schema" / f"{kind}.json").read_text())
    assert made["$id"].endswith(f"/docs/schema/{kind}.json")


def test_config_is_what_one_gets_without_a_name(capsys):
    assert printed(capsys)["title"].startswith("tensorlint.toml")


def test_an_unknown_kind(capsys):
    assert main(["schema", "rul"]) == 2
    assert "did you mean rule" in capsys.readouterr().err


def examples() -> list[str]:
    texts = [(ROOT / name).read_text() for name in ("README.md", "docs/configuration.in.md")]
    return [block for text in texts for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]


@pytest.mark.parametrize("text", examples())
def test_examples_of_configurations_are_right(text, capsys):
    top = parse_toml(text.encode(), "README.md")
    jsonschema.validate(top.data, printed(capsys, "config"))
    configuration = configuration_from(top, "/")
    ruleset(settings_for("/", configuration), configuration)


def test_there_are_examples():
    assert len(examples()) >= 3
