"""Mistakes in scheme, dialect, family and producer files that only show when a file is looked at as a whole.

The loaders of those files check every key and value; here are the checks that need several keys, or several files.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase

from ..files import makes
from ..schemes.model import PART_KINDS, STORED, Scheme
from ..schemes.producers import numbers
from ..text.place import nearest, suggest
from ..text.yamltext import Item

LABELS = ("tensor", "channel", "group", "block", "tiles")
ACTIVATIONS = ("static", "dynamic", "none")
_FILE = re.compile(r"\w[\w.+-]*\.json", re.ASCII)


def check_scheme_file(top: Item) -> None:
    """Fail for part names that are nearly known ones; runs before loading."""
    keys = top.mapping("the scheme")
    if "parts" in keys:
        for name, item in keys["parts"].mapping("`parts`").items():
            if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
                item.fail_key(f"`{name}` is not a name for a part", "small letters, digits and _")
            if name not in PART_KINDS and item.is_map and "kind" not in item.mapping("a part"):
                near = nearest(name, PART_KINDS)
                hint = f"did you mean `{near}`? A part of another name needs a `kind`" if near else ""
                item.fail_key(
                    f"`{name}` is not a known part", hint or "give it a `kind`, or use one of: " + ", ".join(PART_KINDS)
                )


def check_scheme(top: Item, scheme: Scheme) -> None:
    """Fail for what contradicts itself within one loaded scheme."""
    keys = top.mapping("the scheme")
    parts = keys["parts"].mapping("`parts`")
    names: dict[str, str] = {}
    for name, item in parts.items():
        part = scheme.parts[name]
        fields = item.mapping("a part")
        if part.suffix in names:
            fields["name"].fail(
                f"`{names[part.suffix]}` and `{name}` have the same tensor name", "one of them is wrong"
            )
        names[part.suffix] = name
        if part.scales == name:
            fields["scales"].fail("a part does not scale itself")
        _check_packs(scheme, name, fields)
        _check_integers(scheme, name, fields)
        _check_holds(part.dtypes, fields)
        _check_labels(fields)
    _check_symbols(keys, scheme)
    if scheme.elements is not None:
        known = _used(scheme) | {STORED}
        for symbol in sorted(scheme.elements.symbols - known):
            keys["elements"].fail_at(symbol, f"no shape uses the symbol `{symbol}`", suggest(symbol, known))
    if "decode" in keys:
        _check_decode(keys["decode"], scheme)


def _check_decode(item: Item, scheme: Scheme) -> None:
    """Fail for names in formulas that are neither a part nor a symbol; `part.key` is a key of the JSON text in it."""
    formulas = item.mapping("`decode`") if item.is_map else {"": item}
    for decoding, value in zip(scheme.decode, formulas.values(), strict=True):
        for word in re.findall(r"(?<![\w.])[A-Za-z_]\w*", decoding.formula):
            if word not in scheme.parts and word not in _used(scheme):
                value.fail_at(word, f"`{word}` is no part of this scheme", suggest(word, scheme.parts))


def _check_packs(scheme: Scheme, name: str, fields: Mapping[str, Item]) -> None:
    known = _used(scheme)
    for size in scheme.parts[name].packs:
        for symbol in sorted(size.symbols - known):
            fields["packs"].fail_at(symbol, f"no shape uses the symbol `{symbol}`", suggest(symbol, known))


def _check_integers(scheme: Scheme, name: str, fields: Mapping[str, Item]) -> None:
    known, integers = _used(scheme), scheme.parts[name].integers
    for symbol in sorted(integers.bits.symbols - known) if integers is not None else ():
        fields["integers"].fail_at(symbol, f"no shape uses the symbol `{symbol}`", suggest(symbol, known))


def _check_holds(dtypes: Collection[str], fields: Mapping[str, Item]) -> None:
    if "holds" in fields and fields["holds"].is_map:
        for dtype, value in fields["holds"].mapping("`holds`").items():
            if dtype not in dtypes:
                value.fail_key(f"`{dtype}` is not among the dtypes of this part", suggest(dtype, dtypes))


def _check_labels(fields: Mapping[str, Item]) -> None:
    if "shape" in fields and fields["shape"].is_map:
        for label, value in fields["shape"].mapping("`shape`").items():
            if label not in LABELS:
                value.fail_key(f"`{label}` does not say what one scale covers", suggest(label, LABELS))


def _check_symbols(keys: Mapping[str, Item], scheme: Scheme) -> None:
    used = _used(scheme)
    for name in scheme.symbols:
        if name not in used:
            keys["symbols"].mapping("`symbols`")[name].fail_key(
                f"no shape uses the symbol `{name}`", suggest(name, used)
            )


def _used(scheme: Scheme) -> set[str]:
    return {s for p in scheme.parts.values() for shape in p.shapes for one in shape for s in one.symbols}


def check_dialect(top: Item) -> None:
    """Fail for places that no checkpoint can have, and for words outside their closed lists."""
    keys = top.mapping("the dialect")
    for item in keys["places"].sequence("`places`"):
        place = item.mapping("a place")
        if "file" in place and (not _FILE.fullmatch(place["file"].raw) or makes(place["file"].raw)):
            place["file"].fail(
                f"`{place['file'].raw}` is not the name of a JSON file beside the shards", "such as config.json"
            )
        if "at" in place and not all(place["at"].raw.split(".")):
            place["at"].fail(f"`{place['at'].raw}` is not a path of keys", "such as quantization_config")
    if not keys["places"].sequence("`places`"):
        keys["places"].fail("a dialect has at least one place", "such as {file: config.json, at: quantization_config}")
    if "activations" in keys:
        for value in keys["activations"].mapping("`activations`").values():
            value.word("an activation scheme", ACTIVATIONS)
    fields = keys["fields"].mapping("`fields`") if "fields" in keys else {}
    _check_spelling(fields)
    if "group" in keys:
        group = keys["group"].mapping("`group`")
        _check_spelling(group)
        if "groups" not in fields:
            keys["group"].fail_key("no field says where the groups are", "such as fields: {groups: [config_groups]}")
        if "targets" not in group or "targets" not in keys:
            keys["group"].fail_key(
                "a group has targets, and they cover modules in some way",
                "such as targets: targets in `group`, and beside it targets: [exact, regex]",
            )
    elif "groups" in fields:
        fields["groups"].fail_key("nothing says what stands in a group", "add `group`, such as {bits: weights.bits}")
    for key, field in _NEEDS.items():
        if key in keys and field not in fields:
            keys[key].fail_key(f"`{key}` are values of a field that is not spelt", f"add `{field}` to `fields`")


# Keys with the field that they are about.
_NEEDS = {"exceptions": "exceptions", "unfinished": "status", "mixed": "format", "powers_of_two": "scale_format"}


def _check_spelling(fields: Mapping[str, Item]) -> None:
    """Fail for what cannot be a path of keys, and for how activations are scaled where they have no settings."""
    for field, item in fields.items():
        for path in item.one_or_more():
            if not all(path.raw.split(".")):
                path.fail(f"`{path.raw}` is not a path of keys", "such as weights.num_bits")
        if field == "activation_dynamic" and "activations" not in fields:
            item.fail_key("it is not said where the settings of activations are", "add `activations`")


def check_family(top: Item) -> None:
    """Fail for a family that says nothing."""
    if not set(top.mapping("the family")) - {"summary", "see", "model_types"}:
        top.fail(
            "the family says nothing about its models", "one of: roles, fused, row_parallel, layers, counts, optional"
        )


def check_producer(top: Item, rules: Collection[str]) -> None:
    """Fail for defects of rules that do not exist, versions without a number, and fields that are not filled in."""
    for item in top.mapping("the producer")["defects"].sequence("`defects`"):
        keys = item.mapping("a defect")
        for rule in keys["rules"].one_or_more():
            if rule.raw not in rules:
                rule.fail(f"there is no rule `{rule.raw}`", suggest(rule.raw, rules))
        if "before" in keys and not numbers(keys["before"].raw):
            keys["before"].fail(f"`{keys['before'].raw}` is not a version", 'such as "0.47"')
        for field in re.findall(r"\{[^{}]*\}", keys["says"].raw):
            if field != "{version}":
                keys["says"].fail_at(field, f"`{field}` is not filled in here", "the only field is {version}")


_NAME = re.compile(r"[\w.+-]+(/[\w.+-]+)*", re.ASCII)


def check_was(top: Item, called: Mapping[str, str]) -> None:
    """Fail for earlier names that are none; `called` are the names that are taken, and by which rule."""
    for name in top.mapping("the rule")["was"].one_or_more():
        if not _NAME.fullmatch(name.raw):
            name.fail(f"`{name.raw}` is not the name of a rule", "such as scales/zero")
        if name.raw in called:
            taken = called[name.raw]
            said = f"there is a rule `{taken}`" if taken == name.raw else f"`{name.raw}` is what `{taken}` was called"
            name.fail(said, "an earlier name stands for one rule only")


def check_unless(top: Item, rules: Collection[str]) -> None:
    """Fail for causes that a rule names under `unless` and that are no rules."""
    keys = top.mapping("the rule")
    for causes in keys["unless"].mapping("`unless`").values() if "unless" in keys else ():
        for cause in causes.one_or_more():
            pattern = cause.glob("a rule")
            if pattern not in rules and not any(fnmatchcase(rule, pattern) for rule in rules):
                cause.fail(f"no rule matches `{pattern}`", suggest(pattern, rules))
