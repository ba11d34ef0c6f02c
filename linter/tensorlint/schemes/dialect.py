"""Dialects: how each family of exporters writes its configuration, as read from `rules/dialects/*.yaml`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..text.yamltext import Item
from .adapterform import AdapterForm, load_form
from .model import PART_KINDS
from .spelling import FIELDS, GROUP, MODULE, OF_MODULES, VALUES, Spelling

STYLES = (
    "exact",
    "prefix",
    "suffix",
    "substring",
    "glob",
    "regex",
    "bare_regex",
    "class",
    "component_glob",
    "search",
    "signed",
)
LISTS = ("complete", "towers", "partial", "none")


@dataclass(frozen=True)
class Place:
    """Where a declaration may stand: a file, a path of keys in it, and values that must, or must not, be there.

    Without a file it stands in the shards: under the key `metadata` of their headers, or in tensors named like `marker`
    beside each weight. `copy_since` is the version of the exporter from which on it writes the same at the dialect's
    first place too.
    """

    file: str
    at: tuple[str, ...]
    when: Mapping[str, tuple[Any, ...]]
    copy_since: str = ""
    unless: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    metadata: str = ""
    marker: str = ""

    @property
    def where(self) -> str:
        """Where that is, in words."""
        if self.file:
            return f"{self.file}, {'.'.join(self.at)}" if self.at else self.file
        return f"metadata of the header, {self.metadata}" if self.metadata else f"tensors module{self.marker}"


@dataclass(frozen=True)
class Dialect:
    """One way of writing a declaration.

    `fields` gives for each normalized field the keys to try, `group` those in one of its `groups`, and `module` those
    in the settings of a single module. `matching` are the ways in which an ignore entry covers a module, `loose`
    further ways that only some loaders know, `exceptions` those in which a key of the table `exceptions` does, and
    `targets` those in which a target of a group does. `lists` is complete when every linear module is either quantized
    or listed, partial when only siblings of quantized modules must be, towers when beside these all of a tower must be,
    none when modules may stay plain without a word;
    `names_head` that an output head which is not quantized is always listed; `overrides` says that the declaration
    holds settings under module names (or false for a module that is not quantized). `activations` gives the activation
    scheme of an algorithm where no group states it; `trust_activations` is False where exporters write activation
    settings that do not hold. `marks` are keys that only some methods' declarations have; `stores` names the parts that
    every module has whose declared fields have these values (a field that is not stated does not count), and
    `somewhere` those that at least one of them has; `beside` are methods of declarations of the same weights in other
    files, in other words. `unfinished`
    are the values of `status` before the weights are stored as declared; `mixed` is the `format` of a declaration whose
    groups have formats of their own; `powers_of_two` names the parts whose values are that under a word of
    `scale_format`. `adapter` is there where the configuration is that of an adapter, which quantizes nothing.
    """

    name: str
    method: str
    summary: str
    places: tuple[Place, ...]
    fields: Spelling
    group: Spelling
    module: Spelling
    targets: tuple[str, ...]
    matching: tuple[str, ...]
    loose: tuple[str, ...]
    exceptions: tuple[str, ...]
    lists: str
    overrides: bool
    names_head: bool
    trust_activations: bool
    activations: Mapping[str, str]
    marks: tuple[str, ...]
    stores: Mapping[str, Mapping[str, tuple[Any, ...]]]
    somewhere: Mapping[str, Mapping[str, tuple[Any, ...]]]
    beside: tuple[str, ...]
    unfinished: tuple[str, ...]
    mixed: tuple[str, ...]
    powers_of_two: Mapping[str, tuple[str, ...]]
    see: tuple[str, ...]
    adapter: AdapterForm | None = None


# The keys of a dialect file; the JSON Schema is made of them too.
KEYS = {
    "summary", "method", "places", "fields", "group", "module", "targets", "matching", "loose", "lists", "overrides",
    "trust_activations", "activations", "exceptions", "names_head", "marks", "stores", "unfinished", "mixed",
    "powers_of_two", "somewhere", "beside", "adapter", "see",
}  # fmt: skip
REQUIRED = ("summary", "method", "places")
SPELLINGS: Mapping[str, Collection[str]] = {"fields": FIELDS, "group": GROUP, "module": MODULE}


def load_dialect(top: Item, name: str) -> Dialect:
    """A dialect from the top value of its file; raises RuleFileError."""
    keys = top.mapping("the dialect", KEYS, REQUIRED)

    def spelling(key: str) -> Spelling:
        rows = keys[key].mapping(f"`{key}`", SPELLINGS[key]).items() if key in keys else ()
        return {field: paths.strings(f"`{field}`") for field, paths in rows}

    fields = spelling("fields")

    def styles(key: str) -> tuple[str, ...]:
        return tuple(i.word("a way of matching", STYLES) for i in keys[key].one_or_more()) if key in keys else ()

    activations = {}
    if "activations" in keys:
        activations = {
            k: v.string("an activation scheme") for k, v in keys["activations"].mapping("`activations`").items()
        }

    def flag(key: str, default: bool) -> bool:
        return keys[key].boolean(f"`{key}`") if key in keys else default

    def texts(key: str) -> tuple[str, ...]:
        return keys[key].strings(f"`{key}`") if key in keys else ()

    return Dialect(
        name=name,
        method=keys["method"].string("`method`"),
        summary=keys["summary"].string("`summary`"),
        places=tuple(_place(item) for item in keys["places"].sequence("`places`")),
        fields=fields,
        group=spelling("group"),
        module=spelling("module") or {field: (*fields.get(field, ()), field) for field in OF_MODULES},
        targets=styles("targets"),
        matching=styles("matching"),
        loose=styles("loose"),
        exceptions=styles("exceptions"),
        lists=keys["lists"].word("a word for `lists`", LISTS) if "lists" in keys else "partial",
        overrides=flag("overrides", False),
        names_head=flag("names_head", False),
        trust_activations=flag("trust_activations", True),
        activations=activations,
        marks=texts("marks"),
        stores=_stores(keys["stores"], "stores") if "stores" in keys else {},
        somewhere=_stores(keys["somewhere"], "somewhere") if "somewhere" in keys else {},
        beside=texts("beside"),
        unfinished=texts("unfinished"),
        mixed=texts("mixed"),
        powers_of_two=_powers(keys["powers_of_two"]) if "powers_of_two" in keys else {},
        see=texts("see"),
        adapter=load_form(keys["adapter"]) if "adapter" in keys else None,
    )


def _powers(item: Item) -> dict[str, tuple[str, ...]]:
    rows = item.mapping("`powers_of_two`").items()
    return {word: tuple(part.word("a part", PART_KINDS) for part in parts.one_or_more()) for word, parts in rows}


def _stores(item: Item, key: str) -> dict[str, dict[str, tuple[Any, ...]]]:
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    for part, row in item.mapping(f"`{key}`").items():
        if not row.is_map:
            row.word("`always` or conditions", ("always",))
            found[part] = {}
            continue
        conditions = row.mapping("conditions", VALUES).items()
        found[part] = {field: tuple(o.plain() for o in value.one_or_more()) for field, value in conditions}
    return found


def _place(item: Item) -> Place:
    keys = item.mapping("a place", {"file", "at", "when", "unless", "copy_since", "metadata", "marker"})
    if len(keys.keys() & {"file", "metadata", "marker"}) != 1:
        item.fail("a place names a `file`, or a key of `metadata`, or a `marker`")
    at = tuple(keys["at"].string("`at`").split(".")) if "at" in keys else ()

    def values(key: str) -> dict[str, tuple[Any, ...]]:
        rows = keys[key].mapping(f"`{key}`").items() if key in keys else ()
        return {k: tuple(o.plain() for o in v.one_or_more()) for k, v in rows}

    def text(key: str) -> str:
        return keys[key].string(f"`{key}`") if key in keys else ""

    since = text("copy_since")
    return Place(text("file"), at, values("when"), since, values("unless"), text("metadata"), text("marker"))
