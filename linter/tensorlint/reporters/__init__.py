"""Renderings of a report, one module per format."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..findings import Report
from . import concise, json, text
from .interface import Options

# format -> function from reports to text
REPORTERS: Mapping[str, Callable[[Report, Options], str]] = {
    "text": text.render,
    "concise": concise.render,
    "json": json.render,
}
