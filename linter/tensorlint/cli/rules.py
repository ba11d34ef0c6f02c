"""`tensorlint rules`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..settings.ruleset import named
from .common import book_with, rules_option
from .completing import offer_rules


@click.command("rules", short_help="List the rules.")
@click.argument("selectors", nargs=-1, metavar="[RULES]...", shell_complete=offer_rules)
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the list is written.",
)
@rules_option
def command(selectors: tuple[str, ...], format_: str, extra_rules: tuple[Path, ...]) -> int:
    """List rules with severity, what they read, and one sentence each.

    \b
    tensorlint rules                       all of them
    tensorlint rules scales 'config/dec*'  some of them: folders, names or globs
    tensorlint rules --rules my-rules/     with yours; the name of a rule is its path below the folder
    tensorlint rules -f json               for other tools
    """
    book = book_with(extra_rules)
    rules = named(book, selectors)
    if format_ == "json":
        rows = [
            {
                "rule": r.id,
                "severity": r.severity,
                "reads": r.depth,
                "summary": r.summary,
                "params": dict(r.params),
                "see": list(r.see),
            }
            for r in rules
        ]
        click.echo(json.dumps(rows, indent=1))
        return 0
    width = max((len(r.id) for r in rules), default=0)
    for rule in rules:
        click.echo(f"{rule.id:<{width}}  {rule.severity:<7}  {rule.depth:<7}  {rule.summary}")
    if book.replaced:
        click.echo(f"yours in place of the shipped: {', '.join(book.replaced)}")
    click.echo(
        f"{len(rules)} of {len(book.rules)} rules, {len(book.schemes)} schemes. `tensorlint explain RULE` for one.\n"
        f"Rules of engine/NAME run with `check --engine NAME`: {', '.join(book.engines)}."
    )
    return 0
