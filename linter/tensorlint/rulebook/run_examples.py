"""Run the examples of a rule through the same engine that checks real checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

from ..engine import check
from ..errors import NoCheckpointError
from ..sources.memory import MemorySource
from .library import Book
from .model import Example, Rule


def failures(rule: Rule, book: Book) -> Iterator[str]:
    """One sentence for every example that does not do what it is there for."""
    for example in rule.bad:
        said = messages(rule, book, example)
        if not said:
            yield f"{example.place}: a bad example, but nothing is said"
        elif not any(example.says in text for text in said):
            yield f"{example.place}: wanted {example.says!r}, said {said[0]!r}"
    for example in rule.good:
        said = messages(rule, book, example)
        if said:
            yield f"{example.place}: a good example, but it is said: {said[0]!r}"


def messages(rule: Rule, book: Book, example: Example) -> list[str]:
    """What one rule says about an example."""
    try:
        report = check(MemorySource(example.files), book, [rule])
    except NoCheckpointError:
        return []
    return [finding.message for finding in report.findings]
