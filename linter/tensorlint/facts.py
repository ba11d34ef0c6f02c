"""Facts: what a reader or a check saw, with a place and numbers, before any rule says what it means.

Readers and checks state facts; rules (YAML) turn a fact into a finding by giving it severity, words and remedy. The
catalogue below is closed: a rule that names a fact or a field which is not here does not load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fact:
    """One observation.

    `kind` is a key of the catalogue; `file` is relative to the checkpoint; `tensor` may be empty; `offset` is a byte
    offset in `file`, or None; `values` are the fields a message may use.
    """

    kind: str
    file: str = ""
    tensor: str = ""
    offset: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FactKind:
    """What a kind of fact means and which fields it carries."""

    summary: str
    fields: tuple[str, ...] = ()


_KINDS: dict[str, FactKind] = {}


def declare(kind: str, summary: str, *fields: str) -> None:
    """Add a kind to the catalogue; called once per kind, below and by the checks that state it."""
    _KINDS[kind] = FactKind(summary, fields)


def catalogue() -> Mapping[str, FactKind]:
    """Every kind of fact, by name."""
    return _KINDS
