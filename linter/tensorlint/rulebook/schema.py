"""JSON Schemas of rule, scheme, dialect, family, producer and engine files, made of the words that their loaders take.

A schema lets editors complete and underline; the loaders refuse more (https://json-schema.org/draft-07).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..dtypes import DTYPE_BITS, ENCODINGS
from ..schemes import adapterform, families, load, producers
from ..schemes.dialect import LISTS, SPELLINGS, STYLES
from ..schemes.model import CONVENTIONS, KINDS, MIDDLES, NEEDED, ORDERS, PART_KINDS, SIGNS
from . import vocabulary as v
from .bounds import DOMAINS
from .conditions import WORDS_OF
from .crosscheck import ACTIVATIONS, LABELS
from .engines import DOES
from .facts import catalogue
from .model import AWAITED, EACH, SEVERITIES, SUBJECTS
from .scope import CLOSED, KEYS_OF

Schema = dict[str, Any]
BASE = "https://raw.githubusercontent.com/tensorlint/tensorlint/main/docs/schema"

_TEXT: Schema = {"type": "string", "minLength": 1}
_FLAG: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_GLOB: Schema = {"type": "string", "pattern": r"^[^^$\\|(){}]+$"}
_PARAM: Schema = {"type": "string", "pattern": r"^\$[a-z_][a-z0-9_]*$"}


def one_of(words: Iterable[str]) -> Schema:
    """One word of a closed list."""
    return {"enum": list(words)}


def some(item: Schema) -> Schema:
    """One value, or a list of at least one."""
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}


def table(properties: Mapping[str, Schema], required: Collection[str] = ()) -> Schema:
    """A mapping with these keys and no others."""
    return {
        "type": "object", "additionalProperties": False, "minProperties": 1, "properties": dict(properties),
        **({"required": list(required)} if required else {}),
    }  # fmt: skip


def mapping(values: Schema) -> Schema:
    """A mapping of any keys."""
    return {"type": "object", "minProperties": 1, "additionalProperties": values}


def headed(kind: str, schema: Schema) -> Schema:
    """A schema with its address."""
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "$id": f"{BASE}/{kind}.json"}
    return {**head, "title": f"A {kind} file of tensorlint", **schema}


def _described(schema: Schema, meaning: str) -> Schema:
    return {**schema, "description": meaning}


def _of(keys: Collection[str], types: Mapping[str, Schema], required: Collection[str]) -> Schema:
    """A file with the keys that its loader takes; the type of a key that is new here is left open."""
    shared = {"summary": _TEXT, "see": some(_TEXT), "bad": _examples(True), "good": _examples(False)}
    return table({key: types.get(key, shared.get(key, {})) for key in sorted(keys)}, required)


# -- rules ------------------------------------------------------------------------------------------------------------


def rule(keys: Collection[str], required: Collection[str]) -> Schema:
    """Of a rule file."""
    types = {
        "severity": one_of(SEVERITIES),
        "since": _TEXT,
        "fact": one_of(catalogue()),
        "each": one_of(e for e in EACH if e != "fact"),
        "for": table({key: _described(_scope(key), meaning) for key, meaning in v.SCOPE.items()}),
        "params": {
            "type": "object", "propertyNames": {"pattern": "^[a-z_][a-z0-9_]*$"},
            "additionalProperties": {"type": "number"},
        },
        "when": {"type": "object", "minProperties": 1},
        "require": table({word: _described(_condition(word), meaning) for word, meaning in v.REQUIRE.items()}),
        "why": _TEXT,
        "was": some(_TEXT),
        "about": one_of(SUBJECTS),
        "awaits": one_of(AWAITED),
        "unless": table({key: _described(some(_TEXT), meaning) for key, meaning in v.NEAR.items()}),
        **dict.fromkeys(("message", "effect", "remedy"), _TEXT),
    }  # fmt: skip
    schema = _of(keys, types, required)
    schema["properties"] = {key: _described(schema["properties"][key], meaning) for key, meaning in v.TOP.items()}
    about_fact: Schema = {"properties": {"each": False, "for": False, "require": False}}
    about_units: list[Schema] = [
        {
            "if": {"properties": {"each": {"const": each}}, "required": ["each"] if each != "tensor" else []},
            "then": {
                "properties": {
                    **{k: {"propertyNames": one_of(WORDS_OF[each])} for k in ("when", "require")},
                    "for": {"propertyNames": one_of(KEYS_OF[each])} if KEYS_OF[each] else False,
                }
            },
        }
        for each in WORDS_OF
    ]
    fields = [
        {
            "if": {"properties": {"fact": {"const": name}}, "required": ["fact"]},
            "then": {"properties": {"when": {"propertyNames": one_of(fact.fields)} if fact.fields else False}},
        }
        for name, fact in catalogue().items()
    ]
    schema["if"] = {"required": ["fact"]}
    schema["then"] = {**about_fact, "allOf": fields}
    schema["else"] = {"required": ["require"], "allOf": about_units}
    return schema


def _scope(key: str) -> Schema:
    if key in CLOSED:
        return some(one_of(CLOSED[key]))
    if key == "quantized":
        return _FLAG
    if key == "granularity":
        return some(one_of(LABELS))
    return some({**_COUNT, "maximum": 16} if key == "dims" else _GLOB if key in ("tensor", "module") else _TEXT)


def _condition(word: str) -> Schema:
    if word in v.TENSOR_WORDS:
        domain = DOMAINS.get(word)
        number: Schema = {"type": "integer" if domain and domain.whole else "number"}
        if domain and domain.low >= 0:
            number["minimum"] = domain.low
        if domain and domain.high < float("inf"):
            number["maximum"] = domain.high
        return {"anyOf": [number, _PARAM, _bounds({"type": "number"}, number)]}
    plain = {"type": ["number", "boolean", "string"]}
    values = {"anyOf": [plain, some({"type": "string"}), _bounds(plain, plain)]}
    return {
        "present": some(_TEXT), "absent": some(_TEXT), "dtype": some(one_of(DTYPE_BITS)), "that": _TEXT,
        "dtypes": mapping(some(one_of(DTYPE_BITS))),
        "shapes": mapping({"type": "array", "items": {"type": ["string", "integer"]}}),
        "config": mapping(values), "metadata": some(_TEXT),
        "declared": {**mapping(values), "propertyNames": one_of(load.DECLARED_FIELDS)},
    }[word]  # fmt: skip


def _bounds(number: Schema, exact: Schema) -> Schema:
    value: Schema = {"anyOf": [number, _PARAM]}
    exactly: Schema = {"anyOf": [exact, _PARAM]}
    kinds = {"equals": exactly, "not": exactly, "one_of": {"type": "array", "items": exactly, "minItems": 1}}
    return table({bound: _described(kinds.get(bound, value), meaning) for bound, meaning in v.BOUNDS.items()})


def _examples(bad: bool) -> Schema:
    """A list of small checkpoints; bad ones say what must be said about them."""
    file = r"\.(safetensors|json|txt)$|^tensorlint\.toml$"
    row: Schema = {"type": "object", "minProperties": 1 + bad, "propertyNames": {"pattern": file}}
    if bad:
        row["propertyNames"] = {"pattern": file + "|^says$"}
        row |= {"required": ["says"], "properties": {"says": _TEXT}}
    return {"type": "array", "minItems": 1, "items": row}


# -- the others -------------------------------------------------------------------------------------------------------


def scheme(keys: Collection[str], required: Collection[str]) -> Schema:
    """Of a scheme file."""
    dims: Schema = {"type": "array", "items": {"type": ["string", "integer"]}}
    shape: Schema = {"type": "array", "items": {"type": ["string", "integer", "array"]}}
    part = {
        "name": {"type": "string", "pattern": r"^\{module\}[^{]*$"}, "dtype": some(one_of(DTYPE_BITS)),
        "shape": {"anyOf": [dims, shape, {"type": "object", "propertyNames": one_of(LABELS)}]},
        "holds": {
            "anyOf": [
                one_of(ENCODINGS),
                {"type": "object", "propertyNames": one_of(DTYPE_BITS), "additionalProperties": one_of(ENCODINGS)},
            ]
        },
        "sign": one_of(SIGNS), "convention": one_of(CONVENTIONS), "needed": one_of(NEEDED), "scales": _TEXT,
        "kind": one_of(KINDS), "finite": _FLAG, "order": one_of(ORDERS),
        "texts": some(_TEXT), "opposes": _TEXT, "formula": _TEXT, "telling": _FLAG,
        "packs": dims, "integers": table({"bits": {"type": ["string", "integer"]}, "signed": _FLAG}, ("bits",)),
        "constant": {"type": "array", "items": {"type": "number"}},
        "codes": table(
            {
                "bits": {"type": ["string", "integer"]}, "middle": one_of(MIDDLES), "less": {"type": "object"},
                "planes": some(_TEXT),
            },
            ("bits", "middle"),
        ),
    }  # fmt: skip
    symbol = table(
        {"usual": {"type": "array", "items": {"type": "integer", "minimum": 1}},
         "declared": one_of(load.DECLARED_FIELDS), "uniform": _FLAG, "strict": _FLAG}
    )  # fmt: skip
    of_form = {key: part[key] for key in ("name", "shape")}
    stated = table({f: some({"type": ["string", "number", "boolean"]}) for f in load.DECLARED_FIELDS}, ("method",))
    types = {
        "parts": mapping(table({key: part.get(key, {}) for key in sorted(load.PART_KEYS)}, load.PART_REQUIRED)),
        "symbols": mapping(symbol),
        "declared": some(stated),
        "decode": {"anyOf": [_TEXT, mapping(_TEXT)]},
        "elements": _TEXT,
        "written_by": some(_TEXT),
        "untold": some(_TEXT),
        "beside": _TEXT,
        "effect": _TEXT,
        "mend": _TEXT,
        "forms": mapping({"anyOf": [some(_TEXT), mapping({"anyOf": [part["name"], table(of_form)]})]}),
        "described": table(
            {"key": _TEXT, "field": _TEXT, "values": some(_TEXT), "list": _TEXT, "parts": _TEXT}, load.DESCRIBED_KEYS
        ),
        "bad": _damages(),
        **dict.fromkeys(load.FLAGS, _FLAG),
    }
    return _of(keys, types, required)


def _damages() -> Schema:
    """Bad examples of a scheme: how they differ from the good one and the rule that finds it; or those of rules."""
    change = table({"but": {"type": "object", "additionalProperties": _TEXT}, "rule": _TEXT}, ("but", "rule"))
    examples = _examples(True)
    return {**examples, "items": {"anyOf": [change, examples["items"]]}}


def dialect(keys: Collection[str], required: Collection[str]) -> Schema:
    """Of a dialect file."""
    place = table(
        {
            "file": {"type": "string", "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*\.json$"},
            "at": _TEXT,
            "when": {"type": "object"},
            "unless": {"type": "object"},
            "copy_since": _TEXT,
            "metadata": _TEXT,
            "marker": _TEXT,
        }
    )
    types = {
        "method": _TEXT,
        "places": {
            "type": "array",
            "minItems": 1,
            "items": {**place, "oneOf": [{"required": [k]} for k in ("file", "metadata", "marker")]},
        },
        **{k: table({f: some(_TEXT) for f in words}) for k, words in SPELLINGS.items()},
        **dict.fromkeys(("matching", "loose", "exceptions", "targets"), some(one_of(STYLES))),
        **dict.fromkeys(("marks", "unfinished", "mixed", "beside"), some(_TEXT)),
        "lists": one_of(LISTS),
        "overrides": _FLAG,
        "trust_activations": _FLAG,
        "activations": mapping(one_of(ACTIVATIONS)),
        "powers_of_two": mapping(some(one_of(PART_KINDS))),
        "adapter": _adapter(),
    }
    return _of(keys, types, required)


def _adapter() -> Schema:
    """Of the `adapter` of a dialect."""
    words = {word: _described(_TEXT, meaning) for word, meaning in adapterform.WORDS.items()}
    types = {
        **dict.fromkeys(adapterform.TEXTS, _TEXT),
        "keys": table(words, ("kind",)),
        **{key: some(_TEXT) for key in adapterform.LISTS},
        **dict.fromkeys(("usual_start", "nonzero_start"), some({"type": ["string", "boolean"]})),
        **{key: mapping(some(_TEXT)) for key in adapterform.TABLES},
        "wrappers": mapping(_TEXT),
        "says": table({word: _described(_TEXT, meaning) for word, meaning in adapterform.SAYS.items()}),
    }
    return table(types, adapterform.REQUIRED)


def family(keys: Collection[str], required: Collection[str]) -> Schema:
    """Of a family file."""
    leaf: Schema = {"type": "string", "pattern": r"^[^.*]+(\.[^.*]+)*$"}
    kinds = {"glob": some(_GLOB), "role": some(one_of(families.ROLES)), "name": some(leaf), "text": some(_TEXT)}
    sides = {**mapping(one_of(families.SIDES)), "minProperties": 2, "propertyNames": leaf}
    types: dict[str, Schema] = {
        **{key: kinds[kind] for key, kind in families.LISTS.items()},
        **{key: table({k: kinds[kind] for k, kind in rows.items()}) for key, rows in families.TABLES.items()},
        **{key: {"type": "array", "items": sides} for key in families.WIRES},
        "rows": {**mapping(_TEXT), "propertyNames": _GLOB},
        "wrappers": mapping(_TEXT),
        **{key: {"type": "array", "items": {"type": "array", "items": leaf, "minItems": 2}} for key in families.FUSED},
    }
    meant = {key: _described(schema, families.MEANING[key]) for key, schema in types.items()}
    return _of(keys, meant, required)


def producer(keys: Collection[str], required: Collection[str]) -> Schema:
    """Of a producer file."""
    defect = table({"rules": some(_TEXT), "before": _TEXT, "says": _TEXT}, producers.DEFECT_REQUIRED)
    types = {"producer": _TEXT, "defects": {"type": "array", "items": defect, "minItems": 1}}
    return _of(keys, types, required)


def engine(keys: Collection[str], required: Collection[str]) -> Schema:
    """Of an engine file, whose limits are rules with other keys."""
    limit = rule(v.TOP, ())
    limit["properties"] = {
        **{key: value for key, value in limit["properties"].items() if key != "params"},
        "does": one_of(DOES), "severity": one_of(("warning", "note")),
    }  # fmt: skip
    limit["required"] = ["summary", "does", "message", "see", "bad", "good"]
    del limit["else"]["required"]
    types = {
        **dict.fromkeys(("engine", "version", "since"), _TEXT), "serves": some(_GLOB),
        "repository": {"type": "string", "pattern": "^[^/]+/[^/]+$"},
        "limits": {"type": "object", "minProperties": 1, "additionalProperties": limit},
    }  # fmt: skip
    return _of(keys, types, required)
