"""`tensorlint test`: the examples in rule and scheme files are their tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ..errors import UsageError
from ..rulebook.library import load_book
from ..rulebook.shipped import shipped_folder
from ..run.examples import failures, scheme_failures
from ..settings.files import discover, written_in
from ..settings.ruleset import named, ruleset
from ..settings.settings import settings_for
from ..text.wording import printable
from .common import book_with, rules_option
from .completing import offer_rules

RULES_FOLDER = "tensorlint-rules"
_RULE_FILES = (".yaml", ".yml")


@click.command("test", short_help="Run the examples in rule files.")
@click.argument("words", nargs=-1, metavar="[RULES | FILE]...", shell_complete=offer_rules)
@rules_option
def command(words: tuple[str, ...], extra_rules: tuple[Path, ...]) -> int:
    """Run the `bad` and `good` examples of rules and schemes; exit 1 when one does not do what it says.

    RULES are names, globs or folders of rules, or names of schemes; without any, everything is tested. A FILE of rules
    is tested with everything else below the folder that a configuration names for it, or that is called
    `tensorlint-rules`; a FILE with a configuration is only read.

    \b
    tensorlint test                             everything that is shipped
    tensorlint test --rules my-rules/           yours too
    tensorlint test my-rule --rules my-rules/   only one of yours
    tensorlint test my-rules/my-rule.yaml       only what is yours, as the hook of pre-commit does
    """
    files = [Path(w) for w in words if w.endswith((*_RULE_FILES, ".toml"))]
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no file {file}")
    for file in files:
        if file.suffix == ".toml" and (configuration := written_in(file)):
            ruleset(settings_for(str(file.absolute().parent), configuration), configuration)
    rule_files = [file for file in files if file.suffix != ".toml"]
    selectors = tuple(w for w in words if not w.endswith((*_RULE_FILES, ".toml")))
    if files and not rule_files and not selectors:
        return 0
    book = book_with((*extra_rules, *dict.fromkeys(map(_root, rule_files))))
    names = tuple(s for s in selectors if s not in book.schemes)
    schemes = tuple(s for s in selectors if s in book.schemes) if selectors else tuple(book.schemes)
    rules = named(book, names) if names or not selectors else ()
    if rule_files:
        shipped = load_book()
        rules = tuple(r for r in rules if r.id not in shipped.rules or r.path != shipped.rules[r.id].path)
        schemes = tuple(name for name in schemes if book.schemes[name] != shipped.schemes.get(name))
    ran = wrong = 0
    for rule in rules:
        ran += len(rule.bad) + len(rule.good)
        wrong += _show(rule.id, failures(rule, book))
    for name in schemes:
        scheme = book.schemes[name]
        ran += len(scheme.bad) + len(scheme.good)
        wrong += _show(scheme.name, scheme_failures(scheme, book))
    ours = shipped_folder().resolve()
    if not ran and any(file.resolve().is_relative_to(ours) for file in rule_files):
        raise UsageError("shipped files are tested by name", "tensorlint test scales/nan, or the name of a scheme")
    click.echo(f"{ran - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


def _root(file: Path) -> Path:
    """The folder that a rule's name starts from, or the file alone where it is in none."""
    configuration = discover(file.parent)
    named = settings_for(str(file.absolute().parent), configuration).rules if configuration else ()
    folders = [p for p in file.absolute().parents if str(p) in named or p.name == RULES_FOLDER]
    return folders[-1] if folders else file


def _show(name: str, failed: Iterable[str]) -> int:
    """Print failures; the number of them."""
    rows = [printable(f"FAIL {name}: {failure}") for failure in failed]
    for row in rows:
        click.echo(row)
    return len(rows)
