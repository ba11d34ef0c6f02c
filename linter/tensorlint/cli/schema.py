"""`tensorlint schema`."""

from __future__ import annotations

import json

import click

from ..rulebook.kinds import schemas
from ..rulebook.library import load_book
from ..settings.schema import schema

KINDS = ("config", "rule", "scheme", "dialect", "family", "producer", "engine")


@click.command("schema", short_help="Print the JSON Schema of a configuration or rule file.")
@click.argument("kind", type=click.Choice(KINDS), default="config")
def command(kind: str) -> int:
    """Print a JSON Schema, with which editors complete and check configurations and rule files.

    \b
    tensorlint schema config > .tensorlint.schema.json
    tensorlint schema rule                          also: scheme, dialect, family, producer, engine
    The first line of a tensorlint.toml, for Taplo (Even Better TOML):
      #:schema .tensorlint.schema.json
    The first line of a rule file, for yaml-language-server:
      # yaml-language-server: $schema=rule.schema.json
    """
    click.echo(dumped(kind), nl=False)
    return 0


def dumped(kind: str) -> str:
    """The schema of a kind of file as JSON text."""
    made = schema(load_book()) if kind == "config" else schemas()[kind]
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"
