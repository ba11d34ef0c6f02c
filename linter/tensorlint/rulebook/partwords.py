"""The parts of a scheme in words: their tensors, how they lie, what they hold, and how values are computed of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..dtypes import ENCODING_NAMES, encoding_of
from ..schemes.model import Part, Scheme
from ..schemes.shapes import show
from ..text.wording import plural

_NEEDED = {
    "always": "always",
    "undeclared": "unless declared",
    "together": "all or none",
    "set": "a set",
    "never": "optional",
}
_SIGNS = {
    "positive": "above zero", "nonnegative": "zero or above", "nonzero": "of any sign but not zero",
    "any": "of any sign",
}  # fmt: skip
_ORDERS = {
    "low-first": "two in a byte, the first in the low half",
    "high-first": "two in a byte, the first in the high half",
    "row pairs": "two rows in a byte, the first in the low half",
}
_COVERS = {
    "tensor": "the whole tensor", "channel": "a row", "group": "columns of a row", "block": "a rectangle",
    "tiles": "columns of a row",
}  # fmt: skip
_BY_GROUP = "group by group, in each the scales of all rows"
_BY = {"K": "column by column"}
_TILES = (
    "in the tiles of cuBLAS (tiles): 128 rows by 4 scales, where for each of 32 rows come its four scales and those of "
    "the rows 32, 64 and 96 below; padded with zeros to whole tiles"
)
_SYMBOLS = {
    "N": "rows (outputs)", "K": "columns (inputs)", "E": "experts", "b": "bits", "g": "values per group",
    "R": "rows per block", "C": "columns per block", "G": "groups", "r": "rank",
}  # fmt: skip


def name_of(part: Part) -> str:
    """Its tensor, with `module` for the name of the module."""
    return f"module{part.suffix}"


def parts(scheme: Scheme) -> Iterator[tuple[str, ...]]:
    """A table of the tensors."""
    yield "part", "tensor", "dtype", "shape", "needed"
    for part in scheme.parts.values():
        yield part.name, name_of(part), ", ".join(part.dtypes), _shapes(part), _NEEDED[part.needed]


def _shapes(part: Part) -> str:
    if not any(part.labels):
        return " or ".join(dict.fromkeys(show(s) for s in part.shapes)) or "any"
    labelled: dict[str, list[str]] = {}
    for shape, label in zip(part.shapes, part.labels, strict=True):
        labelled.setdefault(label, []).append(show(shape))
    return "; ".join(f"{label} {' or '.join(rows)}" for label, rows in labelled.items())


_FEW = 16  # values of a table that are shown


def sizes(scheme: Scheme) -> Iterator[str]:
    """What one scale covers, how scales lie, and what the symbols of shapes mean."""
    covers: dict[str, list[str]] = {}
    for label in dict.fromkeys(label for p in scheme.parts.values() for label in p.labels if label):
        covers.setdefault(_COVERS[label], []).append(label)
    if covers:
        yield "One scale covers " + ", ".join(f"{words} ({', '.join(labels)})" for words, labels in covers.items())
    yield from _layouts(scheme)
    used = {s for p in scheme.parts.values() for shape in p.shapes for one in shape for s in one.symbols}
    for name in sorted(used, key=lambda s: (list(_SYMBOLS).index(s) if s in _SYMBOLS else 99, s)):
        symbol = scheme.symbols.get(name)
        meaning = _SYMBOLS.get(name, "")
        if symbol is None and not meaning:
            continue
        text = f"`{name}`: {meaning or 'a free size'}"
        if symbol is not None and symbol.usual:
            text += f", usually {', '.join(map(str, symbol.usual))}"
        if symbol is not None and symbol.declared:
            text += f"; the configuration says it ({symbol.declared.replace('_', ' ')})"
        if symbol is not None and symbol.uniform:
            text += "; the same in all modules"
        yield text
    if scheme.elements is not None:
        yield f"Weights in a module: `{scheme.elements.text}`"


def _layouts(scheme: Scheme) -> Iterator[str]:
    """In which order the scales of blocks stand."""
    for part in scheme.parts.values():
        if part.kind != "scale" or not (part.name == "block_scale" or {"group", "block", "tiles"} & {*part.labels}):
            continue
        found: dict[str, None] = {}
        for shape, label in zip(part.shapes, part.labels, strict=True):
            first = next((one for one in shape if one.symbols & {"N", "K"}), None)
            if label not in ("tensor", "channel", "tiles") and len(shape) > 1 and first is not None:
                found[_BY.get(first.text, "row by row" if "N" in first.symbols else _BY_GROUP)] = None
        if "tiles" in part.labels:
            found[_TILES] = None
        if found:
            yield f"`{part.name}` lies " + ", or ".join(found)


def formulas(scheme: Scheme) -> Iterator[str]:
    """The formula, or one for each case."""
    width = max((len(d.when) for d in scheme.decode), default=0)
    for d in scheme.decode:
        yield f"{d.when + ':':<{width + 2}}{d.formula}" if d.when else d.formula


def notes(scheme: Scheme) -> Iterator[str]:
    """What the formulas cannot say."""
    said = {d.note for d in scheme.decode}
    if len(said) == 1:  # what holds in all cases
        yield from (note[0].upper() + note[1:] for note in said if note)
    else:
        yield from (f"{d.when}: {d.note}" for d in scheme.decode if d.note)
    absent = [
        p.name for p in scheme.parts.values() if p.needed not in ("always", "undeclared") and _in_all(p.name, scheme)
    ]
    if absent:
        *first, last = (f"`{name}`" for name in absent)
        yield "Without " + (f"{', '.join(first)} or {last}" if first else last) + " its term falls away"


def _in_all(name: str, scheme: Scheme) -> bool:
    """Whether every way to decode uses a part, so that none is for modules without it."""
    return bool(scheme.decode) and all(re.search(rf"(?<![\w.]){name}\b", d.formula) for d in scheme.decode)


def values(scheme: Scheme) -> Iterator[tuple[str, ...]]:
    """A table of what the parts hold and must be."""
    yield "part", "holds", "must be"
    for part in scheme.parts.values():
        held = dict.fromkeys(_held(part, dtype) for dtype in part.dtypes)
        rules = []
        if part.kind == "scale":
            rules = ["finite" if part.finite else "finite or not", _SIGNS[part.sign]]
        if part.convention:
            rules.append(f"a {part.convention}")
        if part.formula:
            rules.append(f"made as {part.formula}")
        if part.opposes:
            rules.append(f"of the other sign than {part.opposes}")
        if part.packs:
            rules.append(
                f"the shape before packing, of which a row makes {' or '.join(s.text for s in part.packs)} words"
            )
        if part.integers is not None:
            sign = "signed" if part.integers.signed else "unsigned"
            rules.append(f"{sign} integers of {part.integers.bits.text} bits, packed")
        if part.constant:
            few = ", ".join(f"{value:.4g}" for value in part.constant[:_FEW])
            rules.append(f"the same in every file ({few}{', ...' if len(part.constant) > _FEW else ''})")
        if not part.telling:
            rules.append("no sign of the format alone: other tensors have such names, too")
        if part.scales:
            rules.append(f"scales {part.scales}")
        rules += [*_of_json(part), *_of_codes(part)]
        if part.texts:
            rules.append("one of " + ", ".join(part.texts))
        yield part.name, "; ".join(held), ", ".join(rules)


def _of_json(part: Part) -> Iterator[str]:
    """What JSON text in a tensor says."""
    if part.json is None:
        return
    if not part.json.shape:
        yield "JSON"
        return
    yield f"JSON with the shape of the weight ({part.json.shape}) and the values per scale ({part.json.block})"
    if part.json.nested_block:
        yield f"where scales are quantized, how many share one ({part.json.nested_block})"
    yield from (f"{key} is {value}" for key, value in part.json.constants.items())
    yield from (f"{key} is one of {', '.join(values)}" for key, values in part.json.known.items() if len(values) > 1)


def _of_codes(part: Part) -> Iterator[str]:
    """How packed zero points stand for their values."""
    if part.codes is None:
        return
    bits = part.codes.bits.text
    yield f"packed codes of {bits} bits" if not bits.isdigit() else f"packed codes of {plural(int(bits), 'bit')}"
    yield "a symmetric zero is " + ("half of the range" if part.codes.middle == "half" else "0")
    less = [name or "no declaration" for name, step in part.codes.less.items() if step]
    if less:
        yield f"stored less one ({', '.join(less)})"
    if part.codes.planes:
        yield f"in planes of bits where they do not fill bytes ({', '.join(part.codes.planes)})"


def _held(part: Part, dtype: str) -> str:
    e = part.encoding(dtype)
    text = ENCODING_NAMES.get(e.name, e.name.upper())
    if e is not encoding_of(dtype) and len(part.dtypes) > 1:
        text = f"{dtype}: {text}"
    return f"{text}, {_ORDERS[part.order]}" if part.order else text
