"""`tensorlint test`: the examples in rule and scheme files are their tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ..rulebook.message import printable
from ..rulebook.run_examples import failures, scheme_failures
from .common import book_with, rules_option


@click.command("test", short_help="Run the examples in rule files.")
@click.argument("selectors", nargs=-1, metavar="[RULES]...")
@rules_option
def command(selectors: tuple[str, ...], extra_rules: tuple[Path, ...]) -> int:
    """Run the `bad` and `good` examples of rules and schemes; exit 1 when one does not do what it says.

    RULES are names, globs or folders of rules; without any, schemes are tested too.

    \b
    tensorlint test                             everything that is shipped
    tensorlint test --rules my-rules/           yours too
    tensorlint test my-rule --rules my-rules/   only one of yours
    """
    book = book_with(extra_rules)
    ran = wrong = 0
    for rule in book.select(selectors, (), book.engines):
        ran += len(rule.bad) + len(rule.good)
        wrong += _show(rule.id, failures(rule, book))
    for scheme in () if selectors else book.schemes.values():
        ran += len(scheme.bad) + len(scheme.good)
        wrong += _show(scheme.name, scheme_failures(scheme, book))
    click.echo(f"{ran - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


def _show(name: str, failed: Iterable[str]) -> int:
    """Print failures; the number of them."""
    rows = [printable(f"FAIL {name}: {failure}") for failure in failed]
    for row in rows:
        click.echo(row)
    return len(rows)
