"""`tensorlint explain`."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import click

from ..errors import UsageError
from ..report.terminal import columns
from ..rulebook.describe import sections
from ..rulebook.engines import Engine
from ..rulebook.facts import catalogue
from ..rulebook.library import Book
from ..rulebook.model import Rule
from ..rulebook.vocabulary import ABOUT, words
from ..schemes.model import Scheme
from ..text.place import nearest
from ..text.wording import printable
from .common import book_with, rules_option
from .completing import offer_names


@click.command("explain", short_help="Explain one rule, scheme, engine, fact or word.")
@click.argument("name", shell_complete=offer_names)
@rules_option
def command(name: str, extra_rules: tuple[Path, ...]) -> int:
    """Explain a rule, a scheme, an engine, a fact, or a word of the rule language.

    \b
    tensorlint explain scales/nan
    tensorlint explain nvfp4-modelopt
    tensorlint explain vllm
    tensorlint explain ceiling_share
    """
    book = book_with(extra_rules)
    click.echo("\n".join(printable(line) for line in explain(name, book).split("\n")))
    return 0


def explain(name: str, book: Book) -> str:
    """The explanation as text; raises UsageError for a name that nothing has."""
    name = book.current(name)
    if name in book.rules:
        return _rule(book.rules[name])
    if name in book.schemes:
        return _scheme(book.schemes[name], book)
    if name in book.engines:
        return _engine(book.engines[name], book)
    known = {w.name: w for w in words()}
    ends = [r for r in book.rules if r.rpartition("/")[2] == name]
    if name in known:
        also = f"\n\nRules of this name: {', '.join(ends)}" if ends else ""
        return f"{name}  ({known[name].where})\n\n{known[name].meaning}{also}"
    if name in catalogue():
        fact = catalogue()[name]
        users = [r.id for r in book.rules.values() if r.fact == name]
        fields = ", ".join(fact.fields) or "none"
        return f"{name}  (fact)\n\n{fact.summary}\nFields: {fields}\nRules: {', '.join(users) or 'none'}"
    if len(ends) == 1:
        return _rule(book.rules[ends[0]])
    if ends:
        raise UsageError(f"there are several rules `{name}`", "one of: " + ", ".join(ends))
    raise UsageError(
        f"there is no rule, scheme, engine, fact or word `{name}`",
        _hint(name, book, known),
    )


def _hint(name: str, book: Book, known: Iterable[str]) -> str:
    """The nearest name; also when only the last part of a rule's name is meant."""
    last = {rule.rpartition("/")[2]: rule for rule in book.rules}
    near = nearest(name, [*book.rules, *book.schemes, *book.engines, *known, *catalogue()]) or last.get(
        nearest(name, last), ""
    )
    return f"did you mean `{near}`?" if near else "`tensorlint rules` lists the rules"


def _rule(rule: Rule) -> str:
    reads = "reads headers" if rule.depth == "headers" else "reads tensor bytes"
    rows = [
        f"{rule.id}  {rule.severity}" + (f", since {rule.since}" if rule.since else "") + f", {reads}",
        "",
        rule.summary,
    ]
    for title, text in (("Effect", str(rule.effect)), ("Why", rule.why), ("What to do", str(rule.remedy))):
        if text:
            rows += ["", title, *(f"  {line}" for line in text.splitlines())]
    if rule.unless:
        rows += ["", "Said only where none of these says why"]
        rows += [f"  {', '.join(rules)} (about {ABOUT[near]})" for near, rules in rule.unless.items()]
    if rule.was:
        rows += ["", "Called earlier", f"  {', '.join(rule.was)}"]
    if rule.params:
        rows += [
            "",
            "Parameters",
            *(f"  {k} = {int(v) if float(v).is_integer() else v}" for k, v in rule.params.items()),
        ]
    rows += ["", "Says, for example"]
    rows += [f"  {example.says}" for example in rule.bad[:3]]
    if rule.see:
        rows += ["", "Seen in", "  " + ", ".join(rule.see)]
    return "\n".join([*rows, "", f"Rule file  {rule.path}"])


def _engine(engine: Engine, book: Book) -> str:
    rows = [f"{engine.name}  engine", "", engine.summary, "", f"Read from  {engine.repository} {engine.version}"]
    rows += [
        f"Asked for by  tensorlint check MODEL --engine {engine.name}",
        "",
        "Serves",
        f"  {', '.join(engine.serves)}",
    ]
    if engine.refuses:
        rows += ["", "Does not serve", f"  {', '.join(engine.refuses)}"]
    for rule_id in engine.limits:
        rule = book.rules[rule_id]
        rows += ["", f"{rule_id}  {rule.severity}", f"  {rule.summary}", f"  {', '.join(rule.see)}"]
    return "\n".join(rows)


def _scheme(scheme: Scheme, book: Book) -> str:
    """The sections of a scheme; imports what only they need."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    out = io.StringIO()
    console = Console(file=out, width=min(columns(100), 120), highlight=False)
    console.print(Text(f"{scheme.name}  scheme\n\n{scheme.summary}"))
    for section in sections(scheme, book):
        console.print(Text("\n" + section.title))
        for line in section.lines:
            console.print(Padding(Text(line.replace("`", "")), (0, 0, 0, 2)))
        if section.table:
            table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
            for title, *cells in zip(*section.table, strict=True):
                names = not any(" " in cell or len(cell) > 40 for cell in cells)  # one word each: they stay whole
                table.add_column(title, overflow="fold", no_wrap=names)
            for row in section.table[1:]:
                table.add_row(*map(Text, row))
            console.print(Padding(table, (0, 0, 0, 2)))
        for line in section.literal.splitlines():
            console.print(Padding(Text(line, overflow="fold"), (0, 0, 0, 2)))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
