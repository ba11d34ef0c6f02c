"""Read a scheme from YAML, with every mistake shown at its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..dtypes import DTYPE_BITS, ENCODINGS
from ..text.yamltext import Item
from .model import (
    CONVENTIONS,
    KINDS,
    MIDDLES,
    NEEDED,
    ORDERS,
    PART_KINDS,
    SIGNS,
    Codes,
    Decoding,
    Description,
    Form,
    Integers,
    JsonText,
    Part,
    Scheme,
    Symbol,
)
from .shapes import Dim, Shape, ShapeError, dim
from .spelling import VALUES

DECLARED_FIELDS = ("method", *VALUES, "block_rows", "block_cols")
# The keys of a scheme file, of a part and of `described`; the JSON Schema is made of them too.
KEYS = {
    "summary", "parts", "symbols", "declared", "decode", "see", "bad", "good", "quantized", "weak", "companion",
    "fused", "everywhere", "self_declared", "written_by", "elements", "described",
    "untold", "beside", "forms", "effect", "mend",
}  # fmt: skip
REQUIRED = ("summary", "parts", "bad", "good")
FLAGS = ("quantized", "weak", "companion", "fused", "everywhere", "self_declared")
PART_KEYS = {
    "name",
    "dtype",
    "shape",
    "holds",
    "sign",
    "convention",
    "needed",
    "scales",
    "kind",
    "finite",
    "order",
    "json",
    "codes",
    "texts",
    "opposes",
    "formula",
    "telling",
    "packs",
    "integers",
    "constant",
}
PART_REQUIRED = ("name", "dtype")
SYMBOL_KEYS = ("usual", "declared", "uniform", "strict")
DESCRIBED_KEYS = ("key", "field", "values")
_MODULE = "{module}"


def load_scheme(top: Item, name: str) -> Scheme:
    """A scheme from the top value of its file; raises RuleFileError."""
    keys = top.mapping("the scheme", KEYS, REQUIRED)
    symbols = {}
    if "symbols" in keys:
        symbols = {k: _symbol(k, v) for k, v in keys["symbols"].mapping("`symbols`").items()}
    parts = {k: _part(k, v) for k, v in keys["parts"].mapping("`parts`").items()}
    for part in parts.values():
        for word, other in (("scales", part.scales), ("opposes", part.opposes)):
            if other and other not in parts:
                keys["parts"].fail(f"`{part.name}` {word} `{other}`, which is no part of this scheme")
    declared = tuple(_alternative(item) for item in keys["declared"].one_or_more()) if "declared" in keys else ()
    flags = {flag: keys[flag].boolean(f"`{flag}`") for flag in FLAGS if flag in keys}
    return Scheme(
        name,
        keys["summary"].string("`summary`"),
        parts,
        symbols,
        declared,
        decode=tuple(_decode(keys["decode"])) if "decode" in keys else (),
        elements=_dim(keys["elements"]) if "elements" in keys else None,
        described=_description(keys["described"]) if "described" in keys else None,
        written_by=keys["written_by"].strings("`written_by`") if "written_by" in keys else (),
        see=keys["see"].strings("`see`") if "see" in keys else (),
        untold=keys["untold"].strings("`untold`") if "untold" in keys else (),
        beside=keys["beside"].string("`beside`") if "beside" in keys else "",
        forms=tuple(_forms(keys["forms"], parts)) if "forms" in keys else (),
        effect=keys["effect"].string("`effect`") if "effect" in keys else "",
        mend=keys["mend"].string("`mend`") if "mend" in keys else "",
        bad=_examples(keys["bad"], "`bad`"),
        good=_examples(keys["good"], "`good`"),
        **flags,
    )


def _description(item: Item) -> Description:
    hint = "key: a name, field: of the JSON under it, values: what it may be"
    keys = item.mapping("`described`", (*DESCRIBED_KEYS, "list", "parts"), DESCRIBED_KEYS, hint=hint)
    template = keys["key"].string("`key`")
    if not template.startswith(_MODULE) or "{" in template[len(_MODULE) :]:
        keys["key"].fail("a key begins with `{module}`, and that only once", 'such as "{module}.weight"')
    listed = keys["list"].string("`list`") if "list" in keys else ""
    return Description(
        template[len(_MODULE) :],
        keys["field"].string("`field`"),
        keys["values"].strings("`values`"),
        listed,
        keys["parts"].string("`parts`") if "parts" in keys else "",
    )


def _forms(item: Item, parts: Mapping[str, Part]) -> Iterator[Form]:
    """`LABEL: [PART, PART]` for parts under their own names, or `LABEL: {PART: NAME, PART: {name: NAME, shape: S}}`."""
    for label, value in item.mapping("`forms`").items():
        if value.is_list:
            names = [one.word("a part of this scheme", parts) for one in value.sequence("parts")]
            yield Form(label, {name: parts[name] for name in names})
            continue
        found = {}
        for name, own in value.mapping("a form", parts).items():
            keys = own.mapping("a part of a form", ("name", "shape")) if own.is_map else {"name": own}
            suffix = _suffix(keys["name"]) if "name" in keys else parts[name].suffix
            shapes, labels = _shapes(keys["shape"]) if "shape" in keys else (parts[name].shapes, parts[name].labels)
            found[name] = replace(parts[name], suffix=suffix, shapes=shapes, labels=labels)
        yield Form(label, found)


def _suffix(item: Item) -> str:
    """What follows the module's name in the name of a part."""
    template = item.string("`name`")
    if not template.startswith(_MODULE) or "{" in template[len(_MODULE) :]:
        item.fail("a name begins with `{module}`, and that only once", 'such as "{module}.weight_scale"')
    return template[len(_MODULE) :]


def _examples(item: Item, what: str) -> tuple[Item, ...]:
    """Examples as they stand in the file, at least one."""
    rows = item.sequence(what)
    if not rows:
        item.fail(f"{what} has no example", "a scheme carries at least one bad and one good example")
    return tuple(rows)


def _part(name: str, item: Item) -> Part:
    keys = item.mapping(f"part `{name}`", PART_KEYS, PART_REQUIRED)
    kind = PART_KINDS.get(name)
    if "kind" in keys:
        kind = keys["kind"].word("a kind of part", KINDS)
    elif kind is None:
        item.fail(f"part `{name}` is not a known name, so it needs a `kind`", "one of: " + ", ".join(KINDS))
    suffix = _suffix(keys["name"])
    dtypes = tuple(d.word("a dtype", DTYPE_BITS) for d in keys["dtype"].one_or_more())
    shapes, labels = _shapes(keys["shape"]) if "shape" in keys else ((), ())
    return Part(
        name,
        kind,
        suffix,
        dtypes,
        shapes,
        labels,
        holds=_holds(keys["holds"]) if "holds" in keys else {},
        sign=keys["sign"].word("a sign", SIGNS) if "sign" in keys else "positive",
        convention=keys["convention"].word("a convention", CONVENTIONS) if "convention" in keys else None,
        needed=keys["needed"].word("a word for `needed`", NEEDED) if "needed" in keys else "always",
        scales=keys["scales"].string("`scales`") if "scales" in keys else None,
        finite=keys["finite"].boolean("`finite`") if "finite" in keys else True,
        json=_json(keys["json"]) if "json" in keys else None,
        order=keys["order"].word("an order", ORDERS) if "order" in keys else "",
        codes=_codes(keys["codes"]) if "codes" in keys else None,
        texts=keys["texts"].strings("`texts`") if "texts" in keys else (),
        opposes=keys["opposes"].string("`opposes`") if "opposes" in keys else None,
        formula=keys["formula"].string("`formula`") if "formula" in keys else "",
        telling=keys["telling"].boolean("`telling`") if "telling" in keys else True,
        packs=_shape(keys["packs"]) if "packs" in keys else (),
        integers=_integers(keys["integers"]) if "integers" in keys else None,
        constant=_numbers(keys["constant"]) if "constant" in keys else (),
    )


def _decode(item: Item) -> Iterator[Decoding]:
    """`FORMULA`, `FORMULA; NOTE`, or a mapping of cases to them."""
    for when, value in item.mapping("`decode`").items() if item.is_map else (("", item),):
        formula, _, note = value.string("a formula").partition("; ")
        yield Decoding(when, formula, note)


def _codes(item: Item) -> Codes:
    """`{bits: b, middle: half, less: {first: 1, second: 0}, planes: [second]}`."""
    keys = item.mapping("`codes`", ("bits", "middle", "less", "planes"))
    for key in ("bits", "middle"):
        if key not in keys:
            item.fail(f"`codes` has no `{key}`", "such as {bits: 4, middle: half}")
    less = keys["less"].mapping("`less`") if "less" in keys else {}
    return Codes(
        _dim(keys["bits"]),
        keys["middle"].word("a middle", MIDDLES),
        {name: value.whole("a number", 0, 1) for name, value in less.items()},
        keys["planes"].strings("`planes`") if "planes" in keys else (),
    )


def _numbers(item: Item) -> tuple[float, ...]:
    return tuple(float(one.number("a value")) for one in item.sequence("`constant`"))


def _integers(item: Item) -> Integers:
    """`{bits: b, signed: true}`."""
    keys = item.mapping("`integers`", ("bits", "signed"), ("bits",), hint="such as {bits: 4}")
    return Integers(_dim(keys["bits"]), keys["signed"].boolean("`signed`") if "signed" in keys else False)


def _json(item: Item) -> JsonText:
    """`{shape: KEY, block: KEY, nested_block: KEY, bits: 4, constants: {KEY: VALUE}, known: {KEY: [VALUE, VALUE]}}`.

    `object` is any JSON object.
    """
    if not item.is_map:
        item.word("a kind of JSON", ("object",))
        return JsonText()
    keys = item.mapping("`json`", ("shape", "block", "nested_block", "bits", "constants", "known"))
    for key in ("shape", "block", "bits"):
        if key not in keys:
            item.fail(
                f"`json` has no `{key}`", "it names the keys of the text: {shape: shape, block: blocksize, bits: 4}"
            )
    constants = keys["constants"].mapping("`constants`") if "constants" in keys else {}
    known = keys["known"].mapping("`known`") if "known" in keys else {}
    return JsonText(
        keys["shape"].string("`shape`"),
        keys["block"].string("`block`"),
        keys["nested_block"].string("`nested_block`") if "nested_block" in keys else "",
        keys["bits"].whole("`bits`", 1, 32),
        {name: value.string("a constant") for name, value in constants.items()},
        {name: value.strings("values") for name, value in known.items()},
    )


def _holds(item: Item) -> dict[str, str]:
    """What the bytes mean: one encoding, or one per dtype."""
    if not item.is_map:
        return {"*": item.word("an encoding", ENCODINGS)}
    return {d: v.word("an encoding", ENCODINGS) for d, v in item.mapping("`holds`", DTYPE_BITS).items()}


def _shapes(item: Item) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
    """Alternatives of shapes with their labels: `[N, K]`, `[[], [1]]`, or `{tensor: [[], [1]], channel: [N]}`."""
    if item.is_map:
        shapes: list[Shape] = []
        labels: list[str] = []
        for label, value in item.mapping("`shape`").items():
            found, _ = _shapes(value)
            shapes.extend(found)
            labels.extend([label] * len(found))
        return tuple(shapes), tuple(labels)
    rows = item.sequence("a shape")
    if rows and all(row.is_list for row in rows):
        made = tuple(_shape(row) for row in rows)
    else:
        made = (_shape(item),)
    return made, ("",) * len(made)


def _shape(item: Item) -> Shape:
    dims = []
    for one in item.sequence("a shape"):
        dims.append(_dim(one))
    return tuple(dims)


def _dim(item: Item) -> Dim:
    text = str(item.number("a dimension")) if item.raw.isdigit() else item.string("a dimension")
    try:
        return dim(text)
    except ShapeError as error:
        item.fail(str(error), "a number, a symbol such as N, or arithmetic such as K/16 or ceil(N/128)")


def _symbol(name: str, item: Item) -> Symbol:
    keys = item.mapping(f"symbol `{name}`", SYMBOL_KEYS)
    usual: list[int] = []
    for one in keys["usual"].sequence("`usual`") if "usual" in keys else []:
        value = one.number("a value")
        if not isinstance(value, int) or value < 1:
            one.fail("a symbol takes whole numbers from 1")
        usual.append(value)
    return Symbol(
        name,
        tuple(usual),
        keys["declared"].word("a declared field", DECLARED_FIELDS) if "declared" in keys else None,
        keys["uniform"].boolean("`uniform`") if "uniform" in keys else False,
        keys["strict"].boolean("`strict`") if "strict" in keys else False,
    )


def _alternative(item: Item) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for field, value in item.mapping("`declared`", DECLARED_FIELDS).items():
        found[field] = tuple(one.plain() for one in value.one_or_more())
    if "method" not in found:
        item.fail("an alternative of `declared` names a `method`")
    return found
