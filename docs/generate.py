"""Write the reference pages from the rules, schemes and vocabulary; `--check` fails when a page is not current.

python docs/generate.py           write docs/rules, commands, schemes, engines and schema, and the single pages
python docs/generate.py --check   exit 1 and name the pages that differ
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from action_page import action_pages
from architecture_page import architecture_page
from command_pages import command_pages
from engine_pages import engine_pages
from marks import NOTE, cell
from report_page import report_page
from rule_pages import rule_pages
from scheme_pages import scheme_pages

from tensorlint.cli import cli
from tensorlint.cli.schema import KINDS, dumped
from tensorlint.rulebook.facts import catalogue
from tensorlint.rulebook.library import Book, load_book
from tensorlint.rulebook.vocabulary import words
from tensorlint.settings.keys import EXTEND, KEYS

DOCS = Path(__file__).resolve().parent
GENERATED = ("rules", "commands", "schemes", "engines")  # folders that hold nothing else


def pages(book: Book) -> Iterator[tuple[str, str]]:
    """Relative path and text of every page."""
    yield from rule_pages(book)
    yield from ((path, NOTE + text) for path, text in scheme_pages(book))
    yield from engine_pages(book)
    yield "language.md", NOTE + _language()
    yield from command_pages()
    yield from action_pages()
    yield "architectures.md", NOTE + architecture_page()
    yield "configuration.md", NOTE + _configuration()
    yield "report.md", report_page()
    for kind in KINDS:
        yield f"schema/{kind}.json", dumped(kind)


def _language() -> str:
    rows = ["# The rule language", "", "| word | stands in | means |", "|---|---|---|"]
    rows += [f"| `{w.name}` | {w.where} | {cell(w.meaning)} |" for w in words()]
    rows += ["", "## Facts", "", "| fact | fields | means |", "|---|---|---|"]
    rows += [
        f"| `{k}` | {', '.join(f'`{f}`' for f in kind.fields)} | {cell(kind.summary)} |"
        for k, kind in catalogue().items()
    ]
    return "\n".join(rows) + "\n"


def _configuration() -> str:
    """The keys as they are read, in the text of configuration.in.md."""
    rows = ["| key | option | meaning | default |", "|---|---|---|---|"]
    check = cli.get_command(click.Context(cli), "check")
    options = {o for p in check.params for o in p.opts} if check else set()
    for name, key in {**KEYS, "extend": EXTEND}.items():
        option = "--set" if name == "params" else f"--{name}"
        default = "" if key.default in (None, ()) else f"`{str(key.default).lower()}`"
        rows.append(f"| `{name}` | {f'`{option}`' if option in options else ''} | {cell(key.meaning)} | {default} |")
    return (DOCS / "configuration.in.md").read_text().replace("{keys}\n", "\n".join(rows) + "\n")


def main() -> int:
    """Write the pages, or compare them."""
    check = "--check" in sys.argv[1:]
    book = load_book()
    wanted = {DOCS / path: text for path, text in pages(book)}
    stale = [p for p, text in wanted.items() if not p.is_file() or p.read_text() != text]
    stale += [p for folder in GENERATED for p in (DOCS / folder).rglob("*.md") if p not in wanted]
    if check:
        for path in stale:
            print(f"not current: {path.relative_to(DOCS.parent)}; run `python docs/generate.py`")
        return 1 if stale else 0
    for path in stale:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
        else:
            path.unlink()
        print(f"wrote {path.relative_to(DOCS.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
