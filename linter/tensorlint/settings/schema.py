"""The JSON Schema of a configuration, made of the same keys that it is read with."""

from __future__ import annotations

from typing import Any

from ..rulebook.library import Book
from ..rulebook.schema import headed
from .keys import EXTEND, KEYS


def schema(book: Book) -> dict[str, Any]:
    """The schema of tensorlint.toml; names of rules and params are those of a book, others are let pass."""
    shared = {name: {**key.kind.schema, "description": key.meaning} for name, key in KEYS.items()}
    params = {
        rule.id: {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {"type": "number", "default": value} for name, value in rule.params.items()},
        }
        for rule in book.rules.values()
    }
    shared["params"] = {**shared["params"], "properties": params}
    path = {"description": "Globs over folders, relative to this file, or over models on the Hub."}
    pattern = {"type": "string", "minLength": 1}
    section = {
        "type": "object",
        "additionalProperties": False,
        "required": ["path"],
        "minProperties": 2,
        "properties": {
            "path": {**path, "anyOf": [pattern, {"type": "array", "items": pattern, "minItems": 1}]},
            **shared,
        },
    }
    known = ["all", *book.folders, *book.rules]
    top = {
        "type": "object",
        "additionalProperties": False,
        "definitions": {
            "rules": {"anyOf": [{"enum": known}, {"type": "string", "pattern": r"^[^^$\\|(){}]+$"}]},
        },
        "properties": {
            **shared,
            "extend": {**EXTEND.kind.schema, "description": EXTEND.meaning},
            "target": {
                "type": "array",
                "items": section,
                "description": "What is different for some folders or models, written [[target]].",
            },
        },
    }
    return {**headed("config", top), "title": "tensorlint.toml, and [tool.tensorlint] in pyproject.toml"}
