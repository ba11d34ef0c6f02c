"""The pages of schemes: an index, and one page for each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import product

from marks import cell as escaped

from tensorlint.rulebook.describe import Section, sections
from tensorlint.rulebook.library import Book
from tensorlint.schemes.model import Scheme

_LIMIT = re.compile(r" ?engine/([a-z0-9]+)/([a-z0-9-]+):")
# Fields of a declaration that hold the name of a format.
_NAMING = ("algorithm", "format", "mode")


def scheme_pages(book: Book) -> Iterator[tuple[str, str]]:
    """Relative path and text of every page about schemes."""
    yield "schemes/README.md", _index(book)
    for scheme in book.schemes.values():
        yield f"schemes/{scheme.name}.md", _page(scheme, book)


def _index(book: Book) -> str:
    rows = [
        "# Schemes",
        "",
        "A scheme is one way of storing a weight, as one YAML file in `rules/schemes` states it. It is recognised from",
        "names, dtypes and shapes alone; the configuration is compared with it afterwards. `tensorlint explain NAME`",
        "shows the same in the terminal.",
        "",
        "| scheme | what | written by |",
        "|---|---|---|",
    ]
    rows += [
        f"| [{s.name}]({s.name}.md) | {escaped(s.summary)} | {', '.join(s.written_by)} |" for s in book.schemes.values()
    ]
    rows += [
        "",
        "## By what the configuration says",
        "",
        "The method (`quant_method`, or the file that stands for it) and the name that the exporter gives to the",
        "format there, with the schemes that its tensors may have. Schemes that are not in the table need no",
        "configuration, or are told by their tensors only.",
        "",
        "| method | format | schemes |",
        "|---|---|---|",
    ]
    for (method, name), schemes in sorted(_declared(book).items()):
        links = ", ".join(f"[{s}]({s}.md)" for s in sorted(schemes))
        rows.append(f"| {escaped(method)} | {escaped(name)} | {links} |")
    return "\n".join(rows) + "\n"


def _declared(book: Book) -> dict[tuple[str, str], set[str]]:
    """(method, name of the format) -> schemes; the name is empty where the method has one format for all."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for scheme in book.schemes.values():
        for alternative in scheme.declared:
            named = [str(v) for field in _NAMING for v in alternative.get(field, ())] or [""]
            for method, name in product(map(str, alternative["method"]), named):
                found[method, name].add(scheme.name)
    return found


def _page(scheme: Scheme, book: Book) -> str:
    rows = [f"# {scheme.name}", "", scheme.summary, ""]
    for section in sections(scheme, book):
        rows += [f"## {section.title}", "", *_section(section), ""]
    return "\n".join(rows)


def _section(section: Section) -> Iterator[str]:
    yield from (f"- {line}" for line in section.lines)
    if section.table:
        head, *rows = section.table
        rule = head.index("rule") if "rule" in head else -1
        yield "| " + " | ".join(head) + " |"
        yield "|---" * len(head) + "|"
        for row in rows:
            cells = [_link(cell) if i == rule else _limits(escaped(cell)) for i, cell in enumerate(row)]
            yield "| " + " | ".join(cells) + " |"
    if section.literal:
        yield from [""] if section.lines or section.table else []
        yield "```"
        yield from section.literal.splitlines()
        yield "```"


def _limits(cell: str) -> str:
    """The limits of engines in a cell, each as a link to the engine's page on a line of its own."""
    linked = _LIMIT.sub(r"<br>[\2](../engines/\1.md#\2):", cell)
    return linked.removeprefix("<br>")


def _link(rule: str) -> str:
    return f"[{rule}](../rules/{rule}.md)"
