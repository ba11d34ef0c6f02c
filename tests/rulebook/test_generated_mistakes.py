"""Mistakes made by machine in every key of every kind of rule file: each is an error with place and caret, none silent.

The JSON Schemas are held against the same files: they accept what loads, and refuse most of what does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import jsonschema
import pytest
import yaml
from test_mistakes import BASES, error_of, written

from tensorlint.rulebook.kinds import schemas
from tensorlint.rulebook.library import load_book, shipped_folder

MORE = {  # further keys of each base, so that they are tried too
    "tensor": {
        "when": "when: {count: {at_least: 64}}", "effect": "effect: Bad.", "remedy": "remedy: Good.", "why": "why: So.",
        "see": "see: [a/b#1]", "since": 'since: "0.1"', "each": "each: tensor",
        "about": "about: files", "awaits": "awaits: shards",
    },
    "fact": {"when": "when: {part: block_scale}"},
    "scheme": {
        "symbols": "symbols: {K: {usual: [16], uniform: true}}", "quantized": "quantized: true",
        "decode": "decode: weight * block_scale", "see": "see: [a/b#1]",
    },
    "dialect": {
        "fields": "fields: {bits: [bits], groups: [groups], format: [format]}", "matching": "matching: [glob]",
        "group": "group: {targets: targets, bits: weights.bits}", "targets": "targets: [exact]", "lists": "lists: none",
        "module": "module: {weight: w}", "mixed": "mixed: [several]", "overrides": "overrides: true",
        "activations": "activations: {FP8: static}",
    },
    "family": {
        "fused": "fused: [[a_proj, b_proj]]", "counts": "counts: {layers: [n]}", "optional": 'optional: ["*.bias"]',
        "model_types": "model_types: [mine]", "layers": "layers: [model.layers]", "linear": "linear: {roles: [mlp]}",
        "ends": "ends: {head: lm_head}", "experts": "experts: {named: experts}", "names": "names: {outer: model}",
        "kv_cache": "kv_cache: {pair: [k_proj, v_proj]}", "config": "config: {tied: tie}",
        "equal": "equal: [{a_proj: rows, b_proj: columns}]", "rows": 'rows: {"*.a_proj": 2*hidden}',
    },
}  # fmt: skip
FULL = {name: {**base, **MORE.get(name, {})} for name, base in BASES.items()}
FREE = {
    "params",
    "bad",
    "good",
    "config",
    "activations",
    "when",
    "holds",
    "equal",
    "rows",
}  # tables whose keys are names of the author's
WRONG = {
    "a list of lists": "[[a]]", "a table": "{surely_no_key: 1}", "a date": "2024-01-01", "on": "on", "nothing": "",
    "null": "~", "octal": "017", "sexagesimal": "1:30", "an alias": "*x", "a tag": "!x a",
}  # fmt: skip
RIGHT = {
    ("params", "a table"), ("when", "a table"), ("fused", "a list of lists"),
}  # fmt: skip


def slips(word: str) -> Iterator[str]:
    for i in dict.fromkeys((0, len(word) // 2, len(word) - 1)):
        yield word[:i] + word[i + 1 :]
        yield word[:i] + word[i] + word[i:]
    yield word[:-1] + ("x" if word[-1] != "x" else "y")
    yield word.capitalize()
    yield word + "s"


def inner_keys(text: str) -> Iterator[str]:
    """The keys below a top-level one, as the flow mappings of the bases have them."""
    top = yaml.safe_load(text)
    ((name, value),) = top.items()
    if name in FREE or not isinstance(value, dict | list):
        return
    rows = [value]
    while rows:
        row = rows.pop()
        if isinstance(row, dict):
            rows.extend(v for k, v in row.items() if k not in FREE)
            yield from (k for k in row if isinstance(k, str))
        elif isinstance(row, list):
            rows.extend(row)


def mistakes() -> Iterator[tuple[str, str]]:
    for base, keys in FULL.items():
        for key, text in keys.items():
            for slip in dict.fromkeys(slips(key)):
                if slip and slip not in keys:
                    yield f"{base}: {key} as {slip}", written(keys, key, re.sub(f"^{key}", slip, text))
            for kind, value in WRONG.items():
                if (key, kind) not in RIGHT:
                    yield f"{base}: {key} = {kind}", written(keys, key, f"{key}: {value}")
            for inner in dict.fromkeys(inner_keys(text)):
                for slip in list(dict.fromkeys(slips(inner)))[:4]:
                    changed = re.sub(rf"(?<![\w.]){inner}:", f"{slip}:", text, count=1)
                    if slip and changed != text and slip not in inner_keys(text):
                        yield f"{base}: {key}.{inner} as {slip}", written(keys, key, changed)
        for key in keys:
            yield f"{base}: {key} given twice", written(keys, "", "") + keys[key] + "\n"


GENERATED = list(dict.fromkeys(mistakes()))


@pytest.fixture(scope="module")
def book():
    return load_book()


def test_there_are_enough() -> None:
    assert len(GENERATED) > 600


@pytest.mark.parametrize("text", [t for _, t in GENERATED], ids=[n for n, _ in GENERATED])
def test_a_mistake_is_shown_at_its_place_with_what_to_write(text, book):
    error = error_of(text, book)
    found = re.search(r"--> my\.yaml:(\d+):(\d+)", error)
    assert found, error
    assert "^" in error
    assert " = help: " in error, error


# -- the schemas ------------------------------------------------------------------------------------------------------

CHECKERS = {kind: jsonschema.Draft7Validator(made) for kind, made in schemas().items()}


def kind_of(name: str) -> str:
    return name if name in CHECKERS else "rule"


def test_the_schemas_are_schemas():
    for made in schemas().values():
        jsonschema.Draft7Validator.check_schema(made)


# What is generated of architectures is in a language of its own, for which there is no schema.
SHIPPED = [path for path in sorted(shipped_folder().rglob("*.yaml")) if path.parent.name != "architectures"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_shipped_files_fit(path):
    singular = {
        "schemes": "scheme",
        "dialects": "dialect",
        "families": "family",
        "producers": "producer",
        "engines": "engine",
    }
    kind = singular.get(path.parent.name, "rule")
    CHECKERS[kind].validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("base", FULL)
def test_the_bases_fit(base):
    CHECKERS[kind_of(base)].validate(yaml.safe_load(written(FULL[base], "", "")))


def test_most_mistakes_do_not_fit():
    seen = total = 0
    for name, text in GENERATED:
        try:
            data = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        if "given twice" in name:
            continue  # lost before a schema can see it
        total += 1
        seen += not CHECKERS[kind_of(name.partition(":")[0])].is_valid(data)
    assert total > 500
    assert seen / total > 0.85, (seen, total)
