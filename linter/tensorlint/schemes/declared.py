"""What the configuration files say of each module, read by dialect and put into one normalized form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..container.checkpoint import Checkpoint
from ..names import pattern_of
from .dialect import Dialect, Place
from .inside import of_markers, of_metadata
from .matching import Matcher, matcher
from .model import Scheme
from .spelling import is_null, stated, values

SIZES = frozenset({"group_size", "bits", "block_rows", "block_cols"})  # what shapes tell too
_PLAIN_BITS = 16  # from so many bits on a module is not quantized


@dataclass(frozen=True)
class Expectation:
    """What a declaration says of one module.

    `quantized` is None where the declaration does not say; `values` are normalized fields (algorithm, format, bits,
    type, strategy, group_size, block_rows, block_cols, activations, activation_bits ...); `entry` is the list entry it
    stems from.
    """

    quantized: bool | None
    values: Mapping[str, Any] = field(default_factory=dict)
    entry: str = ""


@dataclass(frozen=True)
class Group:
    """One group of a grouped declaration: which modules, and how they are stored."""

    name: str
    targets: Matcher
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Declaration:
    """One declaration: the file and key path it stands at, its dialect, and its content."""

    file: str
    at: tuple[str, ...]
    dialect: Dialect
    content: Mapping[str, Any]
    place: Place
    _known: tuple[dict[str, Expectation], dict[str, Expectation]] = field(
        default_factory=lambda: ({}, {}), compare=False, repr=False
    )

    def get(self, name: str) -> Any:
        """A normalized field's raw value, or None."""
        return stated(self.content, self.dialect.fields, name)

    def key(self, name: str) -> str:
        """How the dialect spells a field, for messages."""
        return next(iter(self.dialect.fields.get(name, ())), name)

    @property
    def method(self) -> str:
        """The normalized method."""
        return self.dialect.method

    @property
    def where(self) -> str:
        """The key path, for messages."""
        return ".".join(self.at) or "top"

    @cached_property
    def ignore(self) -> Matcher:
        """The list of modules that are not quantized."""
        value = self.get("ignore")
        return matcher(value if isinstance(value, list) else [], self.dialect.matching)

    @cached_property
    def excuses(self) -> Matcher:
        """The same list as the most lenient loader reads it: what it covers may be plain."""
        return matcher(self.ignore.entries, (*self.dialect.matching, *self.dialect.loose))

    @cached_property
    def only(self) -> Matcher:
        """What names of quantized modules in numbered layers hold: a list, or one of lists; empty where all are."""
        value = self.get("only")
        rows = value if isinstance(value, list) else []
        return matcher([one for row in rows for one in (row if isinstance(row, list) else [row])], ("substring",))

    def left_out(self, module: str) -> bool:
        """Whether `only` says that a module is not quantized.

        It is asked about what stands right in a layer: engines quantize experts whether they are listed or not, as they
        are in published models (vLLM vllm/model_executor/layers/quantization/gptq_marlin.py, get_quant_method).
        """
        in_layer = pattern_of(module).split(".").count("*") == 1
        return in_layer and bool(self.only.entries) and self.only.covering(module) is None

    @cached_property
    def layers(self) -> Mapping[str, Mapping[str, Any]] | None:
        """Per-module table, if there is one."""
        value = self.get("layers")
        if not isinstance(value, dict) or not value:
            return None
        return {k: v for k, v in value.items() if isinstance(v, dict)}

    @cached_property
    def exceptions(self) -> tuple[Matcher, Mapping[str, Mapping[str, Any]]]:
        """Settings of single modules: what their keys cover, and the settings by key."""
        value = self.get("exceptions")
        rows = {k: v for k, v in value.items() if isinstance(v, dict)} if isinstance(value, dict) else {}
        return matcher(rows, self.dialect.exceptions), rows

    @cached_property
    def groups(self) -> tuple[Group, ...] | None:
        """Groups, if there are any."""
        value = self.get("groups")
        if not isinstance(value, dict):
            return None
        return tuple(_group(name, g, self.dialect) for name, g in value.items() if isinstance(g, dict))

    @cached_property
    def base(self) -> Mapping[str, Any]:
        """Normalized fields that hold for every module unless a group or table says otherwise."""
        found = values(self.content, self.dialect.fields)
        return {"method": self.method, **_scheme_of(found, self.dialect), **found}

    @cached_property
    def quantizes(self) -> bool:
        """Whether the declaration says that any weight is quantized."""
        if self.layers:
            return True
        if self.groups is not None and "algorithm" not in self.dialect.fields:
            return any(g.values.get("bits") for g in self.groups)
        if "algorithm" in self.dialect.fields:
            return bool(self.get("algorithm"))
        bits = self.get("bits")
        return type(bits) is not int or bits < _PLAIN_BITS

    def expect(self, module: str, linear: bool = True) -> Expectation:
        """What this declaration says of a module."""
        known = self._known[linear]
        found = known.get(module)
        if found is None:
            found = known[module] = self._expect(module, linear)
        return found

    @cached_property
    def _usual(self) -> tuple[Expectation, Expectation]:
        """What holds for modules that nothing is said about, by whether they are linear."""
        return Expectation(None, self.base), Expectation(True, self.base)

    def _expect(self, module: str, linear: bool) -> Expectation:
        entry = self.ignore.covering(module, linear=False)
        if entry is not None:
            return Expectation(False, {"method": self.method}, entry)
        matching, rows = self.exceptions
        key = matching.covering(module) if rows else None
        if key is not None:
            own = _row(rows[key], self.dialect)
            if key.startswith("-:") or _is_plain(own) or is_null(rows[key], self.dialect.module, "weight"):
                return Expectation(False, {"method": self.method}, key)
            return Expectation(True, {**self.base, **own}, key)
        if self.dialect.overrides and module in self.content:
            own = self.content[module]
            if not isinstance(own, dict):
                return Expectation(False if own is False else None, {"method": self.method}, module)
            return Expectation(True, {**self.base, **_row(own, self.dialect)}, module)
        if self.left_out(module):
            return Expectation(False, {"method": self.method}, "")
        if self.layers is not None:
            row = self.layers.get(module)
            if row is None:
                return Expectation(False, {"method": self.method}, "")
            values = {**self.base, **_row(row, self.dialect)}
            return Expectation(True, values, module)
        if self.groups:
            # Names come before classes, whatever the order of the groups is (compressed_tensors/utils/match.py).
            for classes in (False, linear):
                for group in self.groups:
                    target = group.targets.covering(module, classes)
                    if target is not None:
                        quantized = bool(group.values.get("bits")) or None
                        return Expectation(quantized, {**self.base, **group.values}, target)
            return Expectation(None, {"method": self.method})
        if not self.quantizes:
            return Expectation(False if self.groups is None else None, {"method": self.method})
        return self._usual[linear]


def _row(row: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """The settings of a single module."""
    found = values(row, dialect.module)
    return {**found, **_scheme_of(found, dialect)}


def _group(name: str, group: Mapping[str, Any], dialect: Dialect) -> Group:
    targets = stated(group, dialect.group, "targets")
    entries = targets if isinstance(targets, list) else []
    return Group(name, matcher(entries, dialect.targets), {"bits": 0, **values(group, dialect.group)})


def _scheme_of(found: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """The activation scheme that the algorithm stands for."""
    activations = dialect.activations.get(str(found.get("algorithm", "")))
    return {"activations": activations} if activations else {}


def _is_plain(own: Mapping[str, Any]) -> bool:
    bits = own.get("bits")
    return isinstance(bits, int) and bits >= _PLAIN_BITS


@dataclass(frozen=True)
class Declared:
    """All declarations of a checkpoint, most authoritative first, and the methods no dialect knows."""

    all: tuple[Declaration, ...]
    unknown: tuple[tuple[str, str], ...]  # (file, method)

    @property
    def main(self) -> Declaration | None:
        """The declaration that loaders read first."""
        return self.all[0] if self.all else None


def read_declared(checkpoint: Checkpoint, dialects: Iterable[Dialect], inside: Iterable[str]) -> Declared:
    """Every declaration in the checkpoint's JSON files; config.json comes first, as loaders read it.

    A declaration may also stand `inside` the settings of the language model, under one of these keys.
    """
    around = ((), *((key,) for key in inside))
    found: list[Declaration] = []
    unknown: list[tuple[str, str]] = []
    dialects = tuple(d for d in dialects if d.adapter is None)
    known_methods = {d.method for d in dialects}
    for dialect in dialects:
        for place in dialect.places:
            for file, at, value in _placed(checkpoint, place, around):
                wanted = all(value.get(k) in allowed for k, allowed in place.when.items())
                if wanted and not any(value.get(k) in refused for k, refused in place.unless.items()):
                    found.append(Declaration(file, at, dialect, value, place))
    for at, value in _at(checkpoint.config("config.json"), ("quantization_config",), around):
        method = value.get("quant_method")
        if method is not None and str(method) not in known_methods and not any(d.at == at for d in found):
            unknown.append((checkpoint.path("config.json"), str(method)[:60]))
    order = {"config.json": 0, "hf_quant_config.json": 1}
    found.sort(key=lambda d: order.get(d.file.rpartition("/")[2], 2))
    return Declared(tuple(found), tuple(unknown))


def _placed(
    checkpoint: Checkpoint, place: Place, around: Iterable[tuple[str, ...]]
) -> Iterator[tuple[str, tuple[str, ...], Mapping[str, Any]]]:
    """What stands at a place: the file, the path of keys in it, and the content."""
    if place.file:
        for at, value in _at(checkpoint.config(place.file), place.at, around):
            yield checkpoint.path(place.file), at, value
        return
    found = of_metadata(checkpoint, place.metadata) if place.metadata else of_markers(checkpoint, place.marker)
    for shard, content in found:
        yield shard, (place.metadata or place.marker.lstrip("."),), content


def _at(
    content: Mapping[str, Any], path: tuple[str, ...], around: Iterable[tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    for wrapper in around:
        value: Any = content
        for step in (*wrapper, *path):
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, dict) and value:
            yield (*wrapper, *path), value
        if not path:
            return


def allows(scheme: Scheme, values: Mapping[str, Any]) -> bool:
    """Whether declared values mean this scheme; fields that are not declared are no contradiction."""
    return any(
        all(field not in values or values[field] in allowed for field, allowed in alternative.items())
        for alternative in scheme.declared
    )


def nearness(scheme: Scheme, values: Mapping[str, Any]) -> tuple[int, int]:
    """How near declared values come to naming this scheme: how much of it they state, how little they leave open."""
    ways = [way for way in scheme.declared if all(f not in values or values[f] in able for f, able in way.items())]
    stated = ((len(way.keys() & values.keys()), -len(way.keys() - values.keys())) for way in ways)
    return max(stated, default=(0, 0))


def without_sizes(scheme: Scheme, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Declared values but for those that the scheme's shapes tell: these are compared as numbers, not as words."""
    sizes = {s.declared for s in scheme.symbols.values() if s.declared}
    return {k: v for k, v in values.items() if k not in sizes}
