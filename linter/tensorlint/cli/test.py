"""`tensorlint test`: the examples in rule and scheme files are their tests."""

from __future__ import annotations

from pathlib import Path

import click

from ..rulebook.run_examples import failures
from .common import book_with, rules_option


@click.command("test", short_help="Run the examples in rule files.")
@click.argument("selectors", nargs=-1, metavar="[RULES]...")
@rules_option
def command(selectors: tuple[str, ...], extra_rules: tuple[Path, ...]) -> int:
    """Run the `bad` and `good` examples of rules; exit 1 when one does not do what it says.

    \b
    tensorlint test                     all shipped rules
    tensorlint test --rules my-rules/   yours too
    """
    book = book_with(extra_rules)
    rules = book.select(selectors, ())
    wrong = 0
    ran = 0
    for rule in rules:
        ran += len(rule.bad) + len(rule.good)
        for failure in failures(rule, book):
            wrong += 1
            click.echo(f"FAIL {rule.id}: {failure}")
    click.echo(f"{ran - wrong} passed, {wrong} failed")
    return 1 if wrong else 0
