"""The page of the JSON report: the text of report.in.md, with a table of every object from the schema's own source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from marks import NOTE, cell

from tensorlint.report.findings import MAX_LOCATIONS
from tensorlint.report.schema import OBJECTS, Schema


def report_page() -> str:
    """The page's text."""
    text = (Path(__file__).resolve().parent / "report.in.md").read_text()
    return NOTE + text.replace("{objects}\n", "\n".join(_objects())).replace("{most}", f"{MAX_LOCATIONS:,}")


def _objects() -> Iterator[str]:
    for name, (meaning, fields) in OBJECTS.items():
        yield from (f"## {name.capitalize()}", "", meaning, "", "| field | type | meaning |", "|---|---|---|")
        yield from (_row(field, *about) for field, about in fields.items())
        yield ""


def _row(name: str, schema: Schema, meaning: str) -> str:
    return f"| `{name}` | {cell(_type(schema))} | {cell(meaning)} |"


def _type(schema: Schema) -> str:
    """A schema's type in a word or two."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{str(word).lower()}`" for word in schema.get("enum", [schema.get("const")]))
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_kind(kind, schema) for kind in kinds)


def _kind(kind: str, schema: Schema) -> str:
    if kind == "array" and isinstance(schema.get("items"), dict):
        return f"list of {_several(schema['items'])}"
    if kind == "object" and "additionalProperties" in schema:
        return f"{_several(schema['additionalProperties'])} by name"
    words = ", ".join(f"`{word}`" for word in schema.get("examples", ())) if kind == "string" else ""
    return words or {"array": "list", "string": "text", "boolean": "true or false", "integer": "count"}.get(kind, kind)


def _several(schema: Schema) -> str:
    kind = _type(schema)
    return f"{kind}s" if kind in ("text", "count", "list") else kind
