"""The formats that a report can be written in, by the name that `-f` takes."""

from __future__ import annotations

from collections.abc import Mapping

from . import concise, github, gitlab, json, junit, markdown, sarif, text
from .interface import Format

REPORTERS: Mapping[str, Format] = {
    "text": Format(text.render, streams=True, between="\n"),
    "concise": Format(concise.render, streams=True),
    "json": Format(json.render),
    "github": Format(github.render),
    "gitlab": Format(gitlab.render),
    "sarif": Format(sarif.render),
    "junit": Format(junit.render),
    "markdown": Format(markdown.render),
    "comment": Format(markdown.comment),
}
