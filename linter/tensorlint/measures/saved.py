"""Measures taken apart by words, so that they can be kept as JSON and put together from several runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .interface import CODES, COUNTED, SAMPLE, Measures
from .zeropages import Span, ZeroRun

Saved = dict[str, Any]  # word -> what JSON can hold; `count` is always there


def missing(words: Iterable[str], saved: Mapping[str, Any]) -> frozenset[str]:
    """The words that are not told by what was saved."""
    return frozenset(w for w in words if _key(w) not in saved and not (w == "all_zero" and "zero" in saved))


def save(measures: Measures, words: Iterable[str]) -> Saved:
    """What measures say about the words that were asked of them."""
    row: Saved = {"count": measures.count}
    for word in words:
        if word in COUNTED:
            row[word] = [getattr(measures, word), measures.positions.get(word)]
        elif word == "all_zero":
            row[word] = measures.zero
        elif word in ("uniform", "byte"):
            row["uniform"] = [measures.lowest_byte, measures.highest_byte]
        elif word == "zero_pages":
            row[word] = None if measures.zero_run is None else [list(span) for span in measures.zero_run.spans]
        elif word in ("first", CODES, SAMPLE, "smallest", "largest"):
            row[word] = getattr(measures, word)
    return row


def restore(saved: Mapping[str, Any]) -> Measures:
    """The measures that were saved; raises KeyError, TypeError or ValueError for what `save` does not write."""
    fields: dict[str, Any] = {"count": int(saved["count"]), "zero": int(saved.get("all_zero", 0))}
    positions = {}
    for word, value in saved.items():
        if word in COUNTED:
            fields[word] = int(value[0])
            if value[1] is not None:
                positions[word] = int(value[1])
        elif word == "uniform":
            fields["lowest_byte"], fields["highest_byte"] = map(int, value)
        elif word == "zero_pages" and value is not None:
            spans = (Span(int(a), int(b), int(c), int(d), (int(e[0]), int(e[1]))) for a, b, c, d, e in value)
            fields["zero_run"] = ZeroRun(tuple(spans))
        elif word in ("smallest", "largest"):
            fields[word] = float(value)
        elif word == "first":
            fields[word] = int(value[0]), float(value[1])
        elif word in (CODES, SAMPLE) and value is not None:
            fields[word] = tuple(map(int, value))
    return Measures(**fields, positions=positions)


def _key(word: str) -> str:
    return "uniform" if word == "byte" else word
