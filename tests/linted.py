"""A run over a source with given rules, and the smallest checkpoint, for tests that need nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tensorlint.measures.scan import Scanner
from tensorlint.report.findings import Report
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import Book
from tensorlint.rulebook.model import Rule
from tensorlint.run.run import Run
from tensorlint.settings.keys import Selector
from tensorlint.settings.ruleset import Ruleset, chosen
from tensorlint.settings.settings import Settings
from tensorlint.sources.interface import Source


def rules_of(book: Book, select: Iterable[str] = (), engines: Iterable[str] = ()) -> tuple[Rule, ...]:
    """What runs of a book when no configuration is followed."""
    return chosen(book, Settings(select=tuple(map(Selector, select)), engine=tuple(map(Selector, engines)))).rules


def check(
    source: Source,
    book: Book,
    rules: Iterable[Rule],
    depth: str = "full",
    scanner: Scanner | None = None,
    settings: Settings | None = None,
) -> Report:
    settings = replace(settings or Settings(), depth=depth)
    return Run.of(source, Ruleset(book, tuple(rules), settings)).report(scanner=scanner)


NAN_SCALE = b"\x38" * 63 + b"\x7f"


def nvfp4(scale: bytes = b"\x38" * 64) -> bytes:
    return write_shard(
        {
            "l.up_proj.weight": ("U8", (8, 64), bytes(range(1, 129)) * 4),
            "l.up_proj.weight_scale": ("F8_E4M3", (8, 8), scale),
            "l.up_proj.weight_scale_2": ("F32", (), b"\x0a\xd7\x23\x3c"),
            "l.norm.weight": ("BF16", (8,), b"\x80\x3f" * 8),
        }
    )
