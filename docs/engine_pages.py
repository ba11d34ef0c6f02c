"""A page for every engine: what it serves, and its limits."""

from __future__ import annotations

from collections.abc import Iterator

from marks import NOTE, cell, source

from tensorlint.rulebook.engines import Engine
from tensorlint.rulebook.library import Book
from tensorlint.rulebook.model import Rule


def engine_pages(book: Book) -> Iterator[tuple[str, str]]:
    """Relative path and text: what each engine does with each scheme, and a page for every engine."""
    yield "engines/README.md", NOTE + _index(book)
    for engine in book.engines.values():
        limits = [book.rules[limit] for limit in engine.limits]
        yield f"engines/{engine.name}.md", NOTE + _page(engine) + "\n" + "\n".join(map(_limit, limits))


def _index(book: Book) -> str:
    """What each engine does with each scheme, as far as it is known."""
    engines = list(book.engines.values())
    rows = [
        "# Engines",
        "",
        "`tensorlint check MODEL --engine NAME` also says what an engine refuses, ignores or reads otherwise, although",
        "the checkpoint is legal. Each page was read from the sources of one version; a note says what is not known.",
        "A file of your own (`--rules`) adds an engine, or replaces one of these.",
        "",
        "| engine | version | limits |",
        "|---|---|---|",
        *(f"| [{e.title}]({e.name}.md) | {e.version} | {len(e.limits)} |" for e in engines),
        "",
        "| scheme | " + " | ".join(e.title for e in engines) + " |",
        "|---" * (len(engines) + 1) + "|",
    ]
    for scheme in book.schemes:
        rows.append(f"| [{scheme}](../schemes/{scheme}.md) | " + " | ".join(e.says(scheme) for e in engines) + " |")
    rows += [
        "",
        "yes: there is a loader, with the limits on the engine's page. no: it cannot be used. Empty: not known.",
    ]
    return "\n".join(rows) + "\n"


def _page(engine: Engine) -> str:
    rows = [f"# {engine.title}", "", engine.summary, "", f"Read from {engine.repository} {engine.version}."]
    rows += ["", "Serves: " + ", ".join(engine.serves) + "."]
    if engine.refuses:
        rows += ["", "Does not serve: " + ", ".join(engine.refuses) + "."]
    return "\n".join(rows) + "\n"


def _limit(rule: Rule) -> str:
    rows = [f"## {rule.id.rpartition('/')[2]}", "", f"**{rule.severity}** · reads {rule.depth}", "", cell(rule.summary)]
    for title, text in (("Effect", str(rule.effect)), ("What to do", str(rule.remedy)), ("Why", rule.why)):
        if text:
            rows += ["", f"**{title}.** {text.strip()}"]
    if rule.bad:
        rows += ["", "Says, for example:", "", *(f"> {e.says}" for e in rule.bad[:3])]
    if rule.see:
        rows += ["", "Sources: " + ", ".join(source(s) for s in rule.see)]
    return "\n".join(rows) + "\n"
