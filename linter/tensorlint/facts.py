"""Facts: what a reader or a check saw, with a place and numbers, before any rule says what it means.

Readers and checks state facts, each beside the kinds that it may state; rules (YAML) turn a fact into a finding by
giving it severity, words and remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fact:
    """One observation.

    `kind` names its FactKind; `file` is relative to the checkpoint; `tensor` may be empty; `offset` is a byte
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
