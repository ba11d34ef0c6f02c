"""Schemes and their parts: the contract of one way of storing a weight, as read from `rules/schemes/*.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..dtypes import Encoding, encoding_of
from .shapes import Dim, Shape

# Part name -> kind. The kind decides at which depth a part is read and which rules look at it.
_PARTS_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "weight": (
        "weight",
        "master_weight",
    ),
    "scale": (
        "weight_scale",
        "block_scale",
        "tensor_scale",
        "input_scale",
        "input_tensor_scale",
        "output_scale",
        "pre_scale",
        "nested_scale",
        "k_scale",
        "v_scale",
        "q_scale",
        "prob_scale",
        "kv_scale",
    ),
    "zero_point": (
        "zero_point",
        "input_zero_point",
        "output_zero_point",
        "offset",
        "nested_offset",
    ),
    "index": ("group_index",),
    "bias": ("bias",),
    "table": (
        "lookup",
        "nested_lookup",
    ),
    "marker": (
        "state",
        "marker",
        "logical_shape",
    ),
    "low_rank": (
        "low_rank_a",
        "low_rank_b",
        "rotation",
        "magnitude",
    ),
    "other": ("other",),
}
PART_KINDS: Mapping[str, str] = {part: kind for kind, parts in _PARTS_OF_KIND.items() for part in parts}
KINDS = ("weight", "scale", "zero_point", "index", "bias", "table", "marker", "low_rank", "other")
SCALE_LIKE = frozenset({"scale", "zero_point", "index", "table", "marker"})

NEEDED = ("always", "undeclared", "together", "set", "never")
SIGNS = ("positive", "nonnegative", "nonzero", "any")
STORED = "stored"  # the symbol that stands for the bytes of the weight as stored, in `elements`
CONVENTIONS = ("multiplier", "divisor")
ORDERS = ("low-first", "high-first", "row pairs")
MIDDLES = ("half", "zero")


@dataclass(frozen=True)
class JsonText:
    """JSON text in a tensor: the keys that state the shape, values per scale, and scales per nested scale.

    `bits` is the width of one value in the weight; `constants` are keys with the only value they may have; `known` are
    keys with all that readers know for them, if they are there. Without a `shape` nothing else is compared.
    """

    shape: str = ""
    block: str = ""
    nested_block: str = ""
    bits: int = 0
    constants: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Codes:
    """Zero points that are packed like the weight: `bits` of each, and what is stored for the middle.

    `middle` is the code of a symmetric zero, `half` of the range or 0; `less` gives for each declared format ("" where
    none is declared) by how much what is stored is less than that. Formats that it does not name are not judged; those
    in `planes` keep the bits of codes that do not fill bytes apart, which is not read.
    """

    bits: Dim
    middle: str
    less: Mapping[str, int]
    planes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Integers:
    """What bytes that are not looked at one by one hold: whole numbers of so many bits, packed in any order."""

    bits: Dim
    signed: bool = False


@dataclass(frozen=True)
class Part:
    """One tensor of a scheme.

    `suffix` follows the module's name; `shapes` are alternatives with a label each (`tensor`, `channel`, `block` ...,
    or ""), empty when any shape will do; `holds` maps a dtype (or `*`) to what its bytes mean; `needed` is always,
    undeclared (always, unless a declaration means the scheme), together (all modules of a kind or none), set (all such
    parts of a module or none) or never; `order` says how codes of less than a byte are packed; `codes` what packed zero
    points hold; `integers` what raw bytes of a weight hold; `constant` the values that are the same in every file;
    `texts` the only texts that a marker may be; `opposes` names the part whose values have the other sign; `formula`
    says of which numbers exporters make its values.
    """

    name: str
    kind: str
    suffix: str
    dtypes: tuple[str, ...]
    shapes: tuple[Shape, ...] = ()
    labels: tuple[str, ...] = ()
    holds: Mapping[str, str] = field(default_factory=dict)
    sign: str = "positive"
    convention: str | None = None
    needed: str = "always"
    scales: str | None = None
    finite: bool = True
    json: JsonText | None = None
    order: str = ""
    codes: Codes | None = None
    texts: tuple[str, ...] = ()
    opposes: str | None = None
    formula: str = ""
    telling: bool = True
    packs: Shape = ()
    integers: Integers | None = None
    constant: tuple[float, ...] = ()

    def encoding(self, dtype: str) -> Encoding:
        """How its elements are read when it is stored under `dtype`; what it holds is said of its own dtypes only."""
        return encoding_of(dtype, self.holds.get(dtype) or (self.holds.get("*") if dtype in self.dtypes else None))

    def __hash__(self) -> int:
        return hash((self.name, self.suffix))


@dataclass(frozen=True)
class Symbol:
    """A free parameter of a scheme's shapes.

    `usual` are the values tried, in order; `declared` names the declared field that states it; `uniform` says that
    all modules of a checkpoint share it; `strict` that no other than the first one is meant where that is declared.
    """

    name: str
    usual: tuple[int, ...]
    declared: str | None = None
    uniform: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Description:
    """What the metadata must hold for a module: JSON under its name and `suffix`, with `field` one of `values`.

    `listed` is the key of a JSON list that must have the name too, `parts` that of a list, in the JSON itself, of the
    module's tensors by the ends of their names; each is empty where there is none.
    """

    suffix: str
    field: str
    values: tuple[str, ...]
    listed: str = ""
    parts: str = ""


@dataclass(frozen=True)
class Decoding:
    """How values are computed: a `formula` over parts and symbols of shapes, for modules that are as `when` says.

    `when` is empty where there is one way for all; `note` is what a formula cannot say.
    """

    when: str
    formula: str
    note: str = ""


@dataclass(frozen=True)
class Form:
    """One spelling of a scheme: who writes it, and its parts with the names and shapes that they have there."""

    label: str
    parts: Mapping[str, Part]


@dataclass(frozen=True)
class Scheme:
    """One way of storing a weight.

    `declared` are alternatives, each a map from declared field to the values that mean this scheme. `weak` schemes
    (too little to tell them by) yield to any other unless the configuration promises them; `companion` parts sit
    beside those of another scheme. `fused` says whether runtimes merge modules of this scheme; `everywhere` that
    embeddings, heads and routers may use it too; `self_declared` that the tensors need no configuration; `elements`
    counts the weights where they are not N times K; `described` is what the header's metadata must hold; `written_by`
    names exporters; `untold` says what nobody can tell from the bytes; `beside` names a companion scheme without which
    readers do not know this one. `forms` are spellings, each with the parts that it has; without any there is the one
    of `parts`. `effect` and `mend` are what a part that is missing or misfits leads to and what to do, where that is
    other than for a quantized weight. `bad` and `good` are examples as they stand in the file; `rulebook.variants`
    reads them.
    """

    name: str
    summary: str
    parts: Mapping[str, Part]
    symbols: Mapping[str, Symbol]
    declared: tuple[Mapping[str, tuple[Any, ...]], ...] = ()
    quantized: bool = True
    weak: bool = False
    companion: bool = False
    fused: bool = True
    everywhere: bool = False
    self_declared: bool = False
    decode: tuple[Decoding, ...] = ()
    elements: Dim | None = None
    described: Description | None = None
    written_by: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    beside: str = ""
    forms: tuple[Form, ...] = ()
    effect: str = ""
    mend: str = ""
    bad: tuple[Any, ...] = field(default=(), compare=False)
    good: tuple[Any, ...] = field(default=(), compare=False)

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def weight(self) -> Part | None:
        """The part that holds the weight itself, if any."""
        return self.parts.get("weight")

    @property
    def variants(self) -> tuple[Scheme, ...]:
        """The scheme once for each of its forms, all of one name; itself where it has none."""
        return tuple(replace(self, parts=form.parts, forms=()) for form in self.forms) or (self,)
