"""Model families as read from `rules/families/*.yaml`: names of modules, and keys of config.json that count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..text.place import suggest
from ..text.yamltext import Item, text_of
from .shapes import Dim, ShapeError, dim

ROLES = (
    "embedding", "head", "final_norm", "norm", "router", "attention", "mlp", "vision", "mtp", "adapter", "position",
    "plain_norm", "calibration", "zero_start", "own_class", "projection", "reads", "writes", "shared_norm",
    "cross", "transposed", "mixer",
)  # fmt: skip
COUNTS = (
    "layers", "experts", "hidden", "vocabulary", "intermediate", "expert_intermediate", "heads", "kv_heads",
    "head_size", "mtp", "embedding_width", "draft_vocabulary",
)  # fmt: skip
SIDES = ("rows", "columns")

# The keys of a family file, none of which has to be there, by what they hold; the JSON Schema is made of them too.
# Lists, by what is in them: globs over whole names, last components of names (`name`), or any text.
LISTS: Mapping[str, str] = {
    "model_types": "glob", "layers": "text", "only_layers": "text", "row_parallel": "name", "optional": "glob",
}  # fmt: skip
# Tables of such lists, with their keys.
TABLES: Mapping[str, Mapping[str, str]] = {
    "roles": dict.fromkeys(ROLES, "glob"),
    "counts": dict.fromkeys(COUNTS, "text"),
    "linear": {"roles": "role", "but": "role"},
    "ends": {"embedding": "text", "final_norm": "text", "head": "text"},
    "experts": {"named": "name", "stacked": "name", "router": "name"},
    "kv_cache": {"keys": "text", "pair": "name"},
    "names": {"outer": "name", "once": "name", "quantized": "text", "left_over": "text"},
    "config": {"inside": "text", "tied": "text", "types": "glob", "generates": "glob"},
}
FUSED = ("fused", "fused_across")
WIRES = ("equal", "in_ratio")  # sides of sibling modules that have one size, or one ratio of sizes in all layers
KEYS = frozenset({"summary", *FUSED, "rows", "wrappers", "see", *LISTS, *TABLES, *WIRES})
MEANING: Mapping[str, str] = {
    "model_types": "The model types that the file is about; without it, it is about all.",
    "layers": "Prefixes of the numbered layers, most usual first.",
    "only_layers": "The only prefixes under which the layers of these model types stand.",
    "roles": "What modules are, by globs over their names.",
    "linear": "Roles of modules that quantizers take for linear layers, and roles that none of these has.",
    "ends": "Names of the embedding before the layers, and of the norm and the head behind them.",
    "experts": "Names below which experts stand, one by one or in one tensor, and of the router right beside them.",
    "kv_cache": "Modules of a layer whose keys a cache holds, and the two that key and value scales may be those of.",
    "fused": "Projections that runtimes merge into one matrix.",
    "fused_across": "The same in modules of the role `cross`, whose queries read another stream.",
    "row_parallel": "Projections of which tensor parallelism divides the columns.",
    "equal": "Sides of sibling modules that have one size.",
    "in_ratio": "Two sides of sibling modules whose sizes have one ratio in all layers.",
    "rows": "Rows of modules in terms of `counts`: heads*head_size.",
    "counts": "Keys of config.json that count something, the first one that is there.",
    "config": "Keys of config.json: around the language model, for a tied head, for types of layers; and classes that "
    "generate text.",
    "names": "Components that libraries put around a model, those that never stand twice in a row; and what names of "
    "tensors hold that hint at quantization, or belong to a quantized weight alone.",
    "optional": "Tensors that some layers legitimately lack.",
    "wrappers": "Parts of names that training or running adds, with what adds them.",
}

_PAIR = 2


@dataclass(frozen=True)
class Family:
    """One family file.

    Its lists by key, and by table and key. `fused` gives groups of last components by key; `rows` gives for globs over
    modules the number of their rows in terms of `counts`; `wires` for sibling modules by last component the sides (rows
    or columns) that go together; `wrappers` the parts of names that training or running adds, with what adds them.
    """

    name: str
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    fused: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    wires: Mapping[str, tuple[Mapping[str, str], ...]] = field(default_factory=dict)
    rows: Mapping[str, Dim] = field(default_factory=dict)
    wrappers: Mapping[str, str] = field(default_factory=dict)

    @property
    def model_types(self) -> tuple[str, ...]:
        """Globs over the model types it is about; none where it is about all."""
        return self.lists.get("model_types", ())


def load_family(top: Item, name: str) -> Family:
    """A family from the top value of its file; raises RuleFileError."""
    keys = top.mapping("the family", KEYS)
    text_of(keys)

    def table(key: str) -> Mapping[str, tuple[str, ...]]:
        rows = keys[key].mapping(f"`{key}`", TABLES[key]).items()
        return {inner: _read(item, inner, TABLES[key][inner]) for inner, item in rows}

    found = Family(
        name,
        {key: _read(keys[key], key, kind) for key, kind in LISTS.items() if key in keys},
        {key: table(key) for key in TABLES if key in keys},
        {key: tuple(_group(row) for row in keys[key].sequence(f"`{key}`")) for key in FUSED if key in keys},
        {key: tuple(_wired(row, key) for row in keys[key].sequence(f"`{key}`")) for key in WIRES if key in keys},
        {glob: _size(item, glob) for glob, item in keys["rows"].mapping("`rows`").items()} if "rows" in keys else {},
        {part: item.string(f"`{part}`") for part, item in keys["wrappers"].mapping("`wrappers`").items()}
        if "wrappers" in keys
        else {},
    )
    pair = found.tables.get("kv_cache", {}).get("pair")
    if pair is not None and len(set(pair)) != _PAIR:
        keys["kv_cache"].mapping("`kv_cache`")["pair"].fail(
            "a pair has two different modules", "such as [k_proj, v_proj]"
        )
    return found


def _read(item: Item, key: str, kind: str) -> tuple[str, ...]:
    if kind == "glob":
        return item.globs(f"`{key}`")
    if kind == "role":
        return tuple(one.word("a role", ROLES) for one in item.one_or_more())
    if kind == "name":
        return tuple(_last(one) for one in item.one_or_more())
    return item.strings(f"`{key}`")


def _last(item: Item) -> str:
    """The last component of a module's name."""
    name = item.string("the name of a module")
    if "." in name or "*" in name:
        item.fail(f"`{name}` is not the last component of a module's name", "such as up_proj")
    return name


def _group(row: Item) -> tuple[str, ...]:
    members = tuple(_last(one) for one in row.one_or_more())
    if len(set(members)) < _PAIR:
        row.fail("a fused group has at least two different modules", "such as [gate_proj, up_proj]")
    return members


def _wired(row: Item, how: str) -> Mapping[str, str]:
    """`{q_proj: rows, o_proj: columns}`."""
    sides = row.mapping("sides that go together")
    if len(sides) < _PAIR or (how == "in_ratio" and len(sides) > _PAIR):
        many = "two" if how == "in_ratio" else "at least two"
        row.fail(f"there are {many} sides that go together", "such as {q_proj: rows, o_proj: columns}")
    for name, item in sides.items():
        if "*" in name or not all(name.split(".")):
            item.fail_key(f"`{name}` is not the end of a module's name", "such as up_proj, or output.dense")
    return {name: item.word("a side", SIDES) for name, item in sides.items()}


def _size(item: Item, glob: str) -> Dim:
    """A size in terms of counts, such as `heads*head_size`."""
    Item(item.key or item.node, item.text).glob(f"`{glob}`")
    text = item.string("a size")
    try:
        size = dim(text)
    except ShapeError as error:
        item.fail(str(error), "such as heads*head_size")
    for symbol in re.findall(r"[A-Za-z_]\w*", text):
        if symbol in size.symbols and symbol not in COUNTS:
            item.fail_at(symbol, f"nothing counts `{symbol}`", suggest(symbol, COUNTS))
    if not size.symbols:
        item.fail(f"`{text}` counts nothing", "such as heads*head_size")
    return size
