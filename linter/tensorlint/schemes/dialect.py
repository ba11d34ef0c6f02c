"""Dialects: how each family of exporters writes its configuration, as read from `rules/dialects/*.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..rulebook.yamltext import Item

FIELDS = (
    "algorithm", "kv_cache", "group_size", "bits", "format", "status", "block", "activations", "ignore", "layers",
    "groups", "symmetric", "mode", "producer", "act_order", "scale_format",
)  # fmt: skip
STYLES = ("exact", "prefix", "suffix", "substring", "glob", "regex", "bare_regex", "class", "component_glob")
LISTS = ("complete", "partial", "none")


@dataclass(frozen=True)
class Place:
    """Where a declaration may stand: a file, a path of keys in it, and values that must be there."""

    file: str
    at: tuple[str, ...]
    when: Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Dialect:
    """One way of writing a declaration.

    `fields` gives for each normalized field the keys to try; `matching` the ways in which an ignore entry covers a
    module; `lists` is complete when every linear module is either quantized or listed, partial when only siblings of
    quantized modules must be, none when modules may stay plain without a word; `overrides` says that the declaration
    holds settings under module names (or false for a module that is not quantized); `activations` gives the activation
    scheme of an algorithm where no group states it; `trust_activations` is False where exporters write activation
    settings that do not hold.
    """

    name: str
    method: str
    summary: str
    places: tuple[Place, ...]
    fields: Mapping[str, tuple[str, ...]]
    matching: tuple[str, ...]
    lists: str
    overrides: bool
    trust_activations: bool
    activations: Mapping[str, str]
    see: tuple[str, ...]


_TOP = {
    "summary", "method", "places", "fields", "matching", "lists", "overrides", "trust_activations", "activations",
    "see",
}  # fmt: skip


def load_dialect(top: Item, name: str) -> Dialect:
    """A dialect from the top value of its file; raises RuleFileError."""
    keys = top.mapping("the dialect", _TOP)
    for key in ("summary", "method", "places"):
        if key not in keys:
            top.fail(f"the dialect has no `{key}`")
    fields = {}
    if "fields" in keys:
        fields = {k: v.strings(f"`{k}`") for k, v in keys["fields"].mapping("`fields`", FIELDS).items()}
    matching: tuple[str, ...] = ()
    if "matching" in keys:
        matching = tuple(i.word("a way of matching", STYLES) for i in keys["matching"].one_or_more())
    activations = {}
    if "activations" in keys:
        activations = {
            k: v.string("an activation scheme") for k, v in keys["activations"].mapping("`activations`").items()
        }
    return Dialect(
        name,
        keys["method"].string("`method`"),
        keys["summary"].string("`summary`"),
        tuple(_place(item) for item in keys["places"].sequence("`places`")),
        fields,
        matching,
        keys["lists"].word("a word for `lists`", LISTS) if "lists" in keys else "partial",
        keys["overrides"].boolean("`overrides`") if "overrides" in keys else False,
        keys["trust_activations"].boolean("`trust_activations`") if "trust_activations" in keys else True,
        activations,
        keys["see"].strings("`see`") if "see" in keys else (),
    )


def _place(item: Item) -> Place:
    keys = item.mapping("a place", {"file", "at", "when"})
    if "file" not in keys:
        item.fail("a place names a `file`")
    at = tuple(keys["at"].string("`at`").split(".")) if "at" in keys else ()
    when = {}
    if "when" in keys:
        when = {k: tuple(o.plain() for o in v.one_or_more()) for k, v in keys["when"].mapping("`when`").items()}
    return Place(keys["file"].string("`file`"), at, when)
