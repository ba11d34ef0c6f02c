"""What every reporter is given besides the report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How to render: `color` for ANSI styles, `limit` findings shown in full (0: all), `fail_on` for the verdict."""

    color: bool = False
    limit: int = 50
    fail_on: str = "error"
    width: int = 120
    notes: bool = True
