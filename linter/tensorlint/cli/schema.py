"""`tensorlint schema`."""

from __future__ import annotations

import json

import click

from ..report import schema as report
from ..rulebook.kinds import schemas
from ..rulebook.library import load_book
from ..rulebook.schema import Schema
from ..settings import schema as config

KINDS = ("config", "rule", "scheme", "dialect", "family", "producer", "engine", "report")


@click.command("schema", short_help="Print the JSON Schema of a configuration, a rule file or a report.")
@click.argument("kind", type=click.Choice(KINDS), default="config")
def command(kind: str) -> int:
    """Print a JSON Schema, with which editors complete and check configurations and rule files.

    That of a report says what programs may rely on in what `tensorlint check -f json` writes: within version 1 fields
    are added, never removed or changed, so a reader lets pass what it does not know.

    \b
    tensorlint schema config > .tensorlint.schema.json
    tensorlint schema rule                          also: scheme, dialect, family, producer, engine
    tensorlint schema report                        of one target, of several, and of one that could not be checked
    The first line of a tensorlint.toml, for Taplo (Even Better TOML):
      #:schema .tensorlint.schema.json
    The first line of a rule file, for yaml-language-server:
      # yaml-language-server: $schema=rule.schema.json
    """
    click.echo(dumped(kind), nl=False)
    return 0


def dumped(kind: str) -> str:
    """The schema of a kind of file as JSON text."""
    return json.dumps(_made(kind), indent=1, ensure_ascii=False) + "\n"


def _made(kind: str) -> Schema:
    if kind == "config":
        return config.schema(load_book())
    return report.schema() if kind == "report" else schemas()[kind]
