"""A scheme file read whole: every key ends up where it belongs, what is left out has its default, mistakes have a place."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tensorlint.container.header import TensorInfo
from tensorlint.dtypes import encoding_of
from tensorlint.errors import RuleFileError
from tensorlint.schemes.amount import logical
from tensorlint.schemes.load import FLAGS, KEYS, PART_KEYS, load_scheme
from tensorlint.schemes.model import (
    KINDS,
    PART_KINDS,
    SCALE_LIKE,
    Codes,
    Decoding,
    Description,
    Integers,
    JsonText,
    Part,
    Scheme,
    Symbol,
)
from tensorlint.schemes.shapes import dim
from tensorlint.text.yamlread import read

EXAMPLES = 'good: [{model.safetensors: {a: "F32[4]"}}]\nbad: [{but: {a: dropped}, rule: x/y}]\n'
FULL = (
    """
summary: All there is.
quantized: false
weak: true
companion: true
fused: false
everywhere: true
self_declared: true
elements: 2*stored
described: {key: "{module}.weight", field: format, values: [a, b], list: names}
written_by: [Somebody, Another]
see: [somebody/repository file.py]
untold: [What nobody can tell.]
beside: kv-scales
effect: What it leads to.
mend: What to do.
forms:
  the first: [weight, own]
  the second: {weight: "{module}.w", own: {shape: [N]}, marker: {name: "{module}.m", shape: [1]}}
decode:
  first way: weight * weight_scale
  second way: weight; with a note
symbols:
  g: {usual: [128, 64], declared: group_size, uniform: true, strict: true}
  b: {usual: [4]}
declared:
  - {method: [one, two], bits: 4}
  - {method: three}
parts:
  weight:
    name: "{module}.qweight"
    dtype: [I32, U8]
    shape: ["ceil(K*b/32)", N]
    holds: {I32: raw, U8: int8}
    packs: [K, N]
    integers: {bits: b, signed: true}
    order: high-first
    formula: amax / 127
    telling: false
  weight_scale:
    name: "{module}.scales"
    dtype: F16
    shape: {group: ["K/g", N], channel: [[N], [1, N]]}
    sign: nonzero
    convention: divisor
    scales: weight
    needed: set
    finite: false
    opposes: zero_point
  zero_point:
    name: "{module}.qzeros"
    dtype: I32
    shape: [[], [1]]
    holds: raw
    codes: {bits: b, middle: half, less: {"": 1, v2: 0}, planes: [p]}
  own:
    name: "{module}.own"
    dtype: F32
    kind: table
    constant: [-1, 0.5]
  state:
    name: "{module}.state"
    dtype: U8
    json: {shape: shape, block: blocksize, nested_block: nested, bits: 32, constants: {type: nf4}, known: {dtype: [bf16, f16]}}
  marker:
    name: "{module}.marker"
    dtype: U8
    texts: [first, second]
    json: object
"""
    + EXAMPLES
)
LEAST = 'summary: S.\nparts: {weight: {name: "{module}.weight", dtype: F16}}\n' + EXAMPLES


def loaded(text: str) -> Scheme:
    return load_scheme(read(text, "own.yaml"), "own")


def test_every_key_of_a_scheme_ends_up_where_it_belongs() -> None:
    scheme = loaded(FULL)
    assert {line.partition(":")[0] for line in FULL.splitlines() if line[:1].isalpha()} == KEYS
    assert (scheme.name, scheme.summary) == ("own", "All there is.")
    assert {flag: getattr(scheme, flag) for flag in FLAGS} == {
        "quantized": False, "weak": True, "companion": True, "fused": False, "everywhere": True, "self_declared": True,
    }  # fmt: skip
    assert scheme.elements == dim("2*stored")
    assert scheme.described == Description(".weight", "format", ("a", "b"), "names")
    assert scheme.written_by == ("Somebody", "Another")
    assert scheme.see == ("somebody/repository file.py",)
    assert scheme.untold == ("What nobody can tell.",)
    assert scheme.beside == "kv-scales"
    assert (scheme.effect, scheme.mend) == ("What it leads to.", "What to do.")
    assert scheme.decode == (
        Decoding("first way", "weight * weight_scale"),
        Decoding("second way", "weight", "with a note"),
    )
    assert scheme.symbols == {
        "g": Symbol("g", (128, 64), "group_size", True, True),
        "b": Symbol("b", (4,), None, False),
    }
    assert scheme.declared == ({"method": ("one", "two"), "bits": (4,)}, {"method": ("three",)})
    assert (len(scheme.good), len(scheme.bad)) == (1, 1)
    assert scheme.weight is scheme.parts["weight"]


def test_forms_are_spellings_with_their_own_parts() -> None:
    scheme = loaded(FULL)
    first, second = scheme.variants
    assert [form.label for form in scheme.forms] == ["the first", "the second"]
    assert first.parts == {name: scheme.parts[name] for name in ("weight", "own")}
    assert {name: (p.suffix, p.shapes) for name, p in second.parts.items()} == {
        "weight": (".w", scheme.parts["weight"].shapes), "own": (".own", ((dim("N"),),)), "marker": (".m", ((dim("1"),),)),
    }  # fmt: skip
    assert (first.name, second.name, first.forms) == ("own", "own", ())
    assert loaded(LEAST).variants == (loaded(LEAST),)


def test_every_key_of_a_part_ends_up_where_it_belongs() -> None:
    parts = loaded(FULL).parts
    assert set(parts) == {"weight", "weight_scale", "zero_point", "own", "state", "marker"}
    weight, scale = parts["weight"], parts["weight_scale"]
    assert (weight.name, weight.kind, weight.suffix, weight.dtypes) == ("weight", "weight", ".qweight", ("I32", "U8"))
    assert (weight.shapes, weight.labels) == (((dim("ceil(K*b/32)"), dim("N")),), ("",))
    assert weight.holds == {"I32": "raw", "U8": "int8"}
    assert (weight.encoding("U8").name, weight.encoding("F16")) == ("int8", encoding_of("F16"))
    assert weight.integers == Integers(dim("b"), True)
    assert (weight.packs, weight.order) == ((dim("K"), dim("N")), "high-first")
    assert (weight.formula, weight.telling) == ("amax / 127", False)
    assert (weight.sign, weight.convention, weight.needed, weight.scales) == ("positive", None, "always", None)
    assert (weight.finite, weight.json, weight.codes, weight.texts, weight.opposes) == (True, None, None, (), None)

    assert (scale.kind, scale.suffix, scale.dtypes) == ("scale", ".scales", ("F16",))
    assert scale.shapes == ((dim("K/g"), dim("N")), (dim("N"),), (dim("1"), dim("N")))
    assert scale.labels == ("group", "channel", "channel")
    assert (scale.sign, scale.convention, scale.scales, scale.needed) == ("nonzero", "divisor", "weight", "set")
    assert (scale.finite, scale.opposes, scale.telling, scale.packs) == (False, "zero_point", True, ())
    assert (scale.holds, scale.order, scale.formula) == ({}, "", "")

    zero_point = parts["zero_point"]
    assert (zero_point.kind, zero_point.shapes, zero_point.labels) == ("zero_point", ((), (dim("1"),)), ("", ""))
    assert (zero_point.holds, zero_point.encoding("I32").name) == ({"*": "raw"}, "raw")
    assert zero_point.codes == Codes(dim("b"), "half", {"": 1, "v2": 0}, ("p",))
    assert (parts["own"].kind, parts["own"].shapes, parts["own"].labels) == ("table", (), ())
    assert (parts["own"].constant, weight.constant, scale.integers) == ((-1.0, 0.5), (), None)
    state, marker = parts["state"], parts["marker"]
    known = {"dtype": ("bf16", "f16")}
    assert state.json == JsonText("shape", "blocksize", "nested", 32, {"type": "nf4"}, known)
    assert (marker.json, marker.texts, marker.kind) == (JsonText(), ("first", "second"), "marker")


def test_the_full_file_has_every_key_of_a_part() -> None:
    named = {key for part in PARTS for key in part}
    assert named == PART_KEYS


PARTS = [
    set(part.mapping("a part")) for part in read(FULL, "own.yaml").mapping("it")["parts"].mapping("parts").values()
]


def test_what_is_left_out_has_its_default() -> None:
    scheme = loaded(LEAST)
    plain = Scheme("own", "S.", {"weight": Part("weight", "weight", ".weight", ("F16",))}, {})
    for field in fields(Scheme):
        if field.compare:
            assert getattr(scheme, field.name) == getattr(plain, field.name), field.name
    assert (plain.quantized, plain.fused, plain.elements, plain.described) == (True, True, None, None)
    assert not (plain.weak or plain.companion or plain.everywhere or plain.self_declared)


def test_names_of_parts_have_one_kind_each() -> None:
    assert set(PART_KINDS.values()) == set(KINDS)
    kinds = {"weight": "weight", "nested_offset": "zero_point", "group_index": "index", "magnitude": "low_rank"}
    assert kinds.items() <= PART_KINDS.items()
    assert {
        PART_KINDS[part] in SCALE_LIKE for part in ("weight_scale", "zero_point", "group_index", "lookup", "state")
    } == {True}
    assert {PART_KINDS[part] in SCALE_LIKE for part in ("weight", "bias", "low_rank_a", "other")} == {False}


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("scales: weight\n", "scales: wait\n", "`weight_scale` scales `wait`, which is no part"),
        ("opposes: zero_point", "opposes: zero", "`weight_scale` opposes `zero`, which is no part"),
        ("kind: table", "kind: tables", "is no a kind of part|a kind of part"),
        ("    kind: table\n", "", "part `own` is not a known name, so it needs a `kind`"),
        ('"{module}.own"', '"own"', "a name begins with `{module}`"),
        ('"{module}.own"', '"{module}.{module}"', "a name begins with `{module}`"),
        ("usual: [128, 64]", "usual: [128, 0]", "a symbol takes whole numbers from 1"),
        ("usual: [128, 64]", "usual: [1.5]", "a symbol takes whole numbers from 1"),
        ("bits: 32", "bits: 33", "`bits`"),
        ("bits: 32", "bits: 0", "`bits`"),
        ("json: {shape: shape, ", "json: {", "`json` has no `shape`"),
        ("json: object", "json: array", "a kind of JSON"),
        ("middle: half, ", "", "`codes` has no `middle`"),
        ("middle: half", "middle: quarter", "a middle"),
        ('{"": 1, v2: 0}', '{"": 2}', "a number"),
        ("  - {method: three}", "  - {bits: 3}", "names a `method`"),
        ('key: "{module}.weight"', "key: weight", "a key begins with `{module}`"),
        ("field: format, ", "", "`field`"),
        ("order: high-first", "order: any", "an order"),
        ("sign: nonzero", "sign: plus", "a sign"),
        ("needed: set", "needed: sometimes", "a word for `needed`"),
        ("convention: divisor", "convention: dividend", "a convention"),
        ("declared: group_size", "declared: groups", "a declared field"),
        ("[{but: {a: dropped}, rule: x/y}]", "[]", "`bad` has no example"),
        ("dtype: F16\n", "dtype: FP16\n", "a dtype"),
        ("holds: raw\n", "holds: rare\n", "an encoding"),
        ("elements: 2*stored", "elements: 2**", "elements: 2"),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error_at_its_place(was: str, becomes: str, said: str) -> None:
    assert FULL.count(was) == 1
    with pytest.raises(RuleFileError) as caught:
        loaded(FULL.replace(was, becomes))
    text = str(caught.value)
    assert any(part in text for part in said.split("|")), text
    assert "own.yaml:" in text


class Sized:
    """As much of a module as has a size."""

    def __init__(self, scheme: Scheme, dtype: str, nbytes: int, env: dict[str, int]) -> None:
        self.scheme, self.env = scheme, env
        self.parts = {"weight": TensorInfo("t", dtype, (), "s", 0, nbytes)}


@pytest.mark.parametrize(
    ("text", "dtype", "env", "count"),
    [
        (LEAST, "F16", {"N": 4, "K": 6}, 24),
        (LEAST, "F16", {"N": 4, "K": 6, "E": 3}, 72),
        (LEAST, "F16", {"N": 4}, 24),
        (LEAST, "F16", {"K": 6}, 24),
        (LEAST, "F64", {}, 6),
        (LEAST, "F4", {}, 96),
        (LEAST.replace("dtype: F16", "dtype: I32, holds: raw"), "I32", {}, None),
        (LEAST + "elements: 2*stored\n", "U8", {}, 96),
        (LEAST + "elements: stored*b\n", "U8", {"b": 3}, 144),
        (LEAST + "elements: stored*b\n", "U8", {}, None),
    ],
)
def test_weights_are_counted_by_rows_columns_and_experts_or_by_bytes(
    text: str, dtype: str, env: dict[str, int], count: int | None
) -> None:
    assert logical(Sized(loaded(text), dtype, 48, env)) == count  # type: ignore[arg-type]
