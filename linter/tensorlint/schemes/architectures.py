"""What checkpoints of a model type hold, as read from `rules/architectures/MODEL_TYPE.yaml`, which is generated.

rules/architectures/README.md is the format. A file is found by the model type alone, whose letters are checked first:
it comes from a config.json that anybody may have written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ..names import pattern_of
from .keyterms import Term, TermError, term

MAX_BYTES = 4 << 20
MAX_LIKE = 4  # layouts that are made of each other
MAX_LINES = 50_000  # of a layout
_TYPE = re.compile(r"[a-z0-9_-]{1,80}")
_SLOT = re.compile(r"\{(\w+)\}")
_NUMBER = re.compile(r"(?<![^._/])\d+(?![^._/])")  # the numbers of names.pattern_of
_CASE = re.compile(r"\s*(?:if\s+(?P<if>.+?))?\s*(?P<maybe>\bmaybe\b\s*(?P<group>\w+)?)?\s*", re.DOTALL)
_WORD = re.compile(r"\w+")
_ANY = "..."  # between the brackets of a shape that may be any

ROLES = (
    "linear", "head", "embedding", "norm", "router", "conv", "position", "state", "experts", "bias", "buffer", "other",
)  # fmt: skip


class ArchitectureError(ValueError):
    """An architecture file does not have its format."""


class Size(NamedTuple):
    """One dimension: an expression, a `symbol` of unknown size for each value of `per`, or neither: any size."""

    term: Term | None = None
    symbol: str = ""
    per: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """What a tensor is where `condition` holds: its shape; `maybe`: it may also not be there; `open`: of any shape."""

    shape: tuple[Size, ...]
    condition: Term | None
    maybe: bool
    group: str
    open: bool


@dataclass(frozen=True)
class Line:
    """One tensor of a layout; `slots` are the numbers in its name, each one an index or a number that stands there."""

    name: str
    text: str
    file: Architecture

    @cached_property
    def slots(self) -> tuple[str | int, ...]:
        """The indices and numbers of its name in order."""
        indices = iter(_SLOT.findall(self.name))
        marked = _SLOT.sub("{}", self.name)
        found = re.findall(r"\{\}|(?<![^._/])\d+(?![^._/])", marked)
        return tuple(next(indices) if one == "{}" else int(one) for one in found)

    @cached_property
    def pattern(self) -> str:
        """What `pattern_of` makes of every name that it stands for."""
        return pattern_of(_SLOT.sub("0", self.name))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Its role, and flags."""
        return tuple(self.text.partition("[")[0].split())

    @property
    def role(self) -> str:
        """One of ROLES."""
        return self.words[0]

    @property
    def linear(self) -> bool:
        """Whether it is the weight of a linear layer, which quantizers replace."""
        return "linear" in self.words

    @property
    def transposed(self) -> bool:
        """Whether inputs come before outputs."""
        return "transposed" in self.words

    @cached_property
    def indices(self) -> frozenset[str]:
        """The indices of its name."""
        return frozenset(slot for slot in self.slots if isinstance(slot, str))

    @cached_property
    def stack(self) -> str:
        """Its name up to the last index: what the modules of one stack have in common."""
        return self.name[: self.name.rfind("}") + 1]

    def indexed(self, row: tuple[int, ...]) -> dict[str, int]:
        """Its indices, in order, with these numbers."""
        return dict(zip((slot for slot in dict.fromkeys(self.slots) if isinstance(slot, str)), row, strict=True))

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """What it is, by condition; the first whose condition holds decides. Raises ArchitectureError."""
        try:
            return tuple(
                _case(text, self.indices) for text in _split(self.text[len(self.text.partition("[")[0]) :], "|")
            )
        except TermError as error:
            raise ArchitectureError(f"{self.file.type}: {self.name}: {error}") from error

    def named(self, numbers: Mapping[str, int]) -> str:
        """The name for these indices."""
        return _SLOT.sub(lambda found: str(numbers[found[1]]), self.name)

    def at(self, numbers: tuple[int, ...]) -> dict[str, int] | None:
        """The indices for the numbers of a name of its pattern, None where the name is another one."""
        found: dict[str, int] = {}
        for slot, number in zip(self.slots, numbers, strict=True):
            if isinstance(slot, int):
                if slot != number:
                    return None
            elif found.setdefault(slot, number) != number:
                return None
        return found


def numbers_of(name: str) -> tuple[int, ...]:
    """The numbers of a name that its pattern leaves open; a number that is too long to be an index becomes -1."""
    return tuple(int(n) if len(n) < 10 else -1 for n in _NUMBER.findall(name))


def _case(text: str, indices: frozenset[str]) -> Case:
    text = text.strip()
    end = _closing(text)
    tail = _CASE.fullmatch(text[end + 1 :])
    if not text.startswith("[") or tail is None:
        raise TermError(f"`{text[:60]}` is no shape")
    within = text[1:end].strip()
    sizes = [] if within == _ANY else [one.strip() for one in _split(within, ",") if one.strip()]
    condition = term(tail["if"], indices) if tail["if"] else None
    shape = tuple(_size(one, indices) for one in sizes)
    return Case(shape, condition, bool(tail["maybe"]), tail["group"] or "", within == _ANY)


def _size(text: str, indices: frozenset[str]) -> Size:
    if text == "_":
        return Size()
    if text.startswith("?"):
        symbol, _, per = text[1:].partition("[")
        return Size(None, symbol, tuple(_WORD.findall(per)))
    return Size(term(text, indices))


def _closing(text: str) -> int:
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign == "[") - (sign == "]")
        if not depth:
            return at
    raise TermError("a bracket is never closed")


def _split(text: str, sign: str) -> list[str]:
    """A text at the signs that stand in no bracket and no quote."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, one in enumerate(text):
        if one == '"':
            quoted = not quoted
        elif not quoted:
            depth += (one in "[(") - (one in "])")
            if one == sign and not depth:
                parts.append(text[start:at])
                start = at + 1
    parts.append(text[start:])
    return parts


class Tie(NamedTuple):
    """Names of one tensor; the first is the one that is written today."""

    names: tuple[str, ...]
    condition: str


@dataclass(frozen=True)
class Layout:
    """One spelling: the tensors of some classes as somebody writes them."""

    name: str
    classes: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    base: bool = False
    lines: Mapping[str, Line] = field(default_factory=dict)
    ties: tuple[Tie, ...] = ()
    ignored: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    assumes: tuple[tuple[str, str], ...] = ()  # (prefix, condition)


@dataclass(frozen=True)
class Architecture:
    """One file: a model type, what its configuration says by default, and its layouts."""

    type: str
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    indices: Mapping[str, str] = field(default_factory=dict)
    layouts: Mapping[str, Layout] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.type)

    def __eq__(self, other: object) -> bool:
        return self is other


@lru_cache(maxsize=16)
def load_architecture(folder: Path, model_type: str) -> Architecture | None:
    """The architecture of a model type, None where no file is about it; raises ArchitectureError for a broken one."""
    if not _TYPE.fullmatch(model_type):
        return None
    path = folder / f"{model_type}.yaml"
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    if len(raw) > MAX_BYTES:
        raise ArchitectureError(f"{path.name} is larger than {MAX_BYTES:,} bytes")
    import yaml  # not needed for a model type without a file

    try:
        top = yaml.load(raw, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ArchitectureError(f"{path.name} is not YAML") from error
    return _architecture(_map(top, model_type), model_type)


def _map(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ArchitectureError(f"{what} is no mapping of texts")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else (str(value),) if value else ()


def _architecture(top: Mapping[str, Any], model_type: str) -> Architecture:
    other: dict[str, tuple[str, ...]] = {}
    for spelled, key in _map(top.get("aliases") or {}, "aliases").items():
        other[str(key)] = (*other.get(str(key), ()), spelled)
    indices = {k: str(v) for k, v in _map(top.get("indices") or {}, "indices").items()}
    layouts: dict[str, Layout] = {}
    derived = {k: str(v) for k, v in _map(top.get("derived") or {}, "derived").items()}
    defaults = {k: v for k, v in _map(top.get("defaults") or {}, "defaults").items() if not _kinds(v)}
    found = Architecture(model_type, other, defaults, derived, indices, layouts)
    depth: dict[str, int] = {}
    for name, keys in _map(top.get("layouts") or {}, "layouts").items():
        layouts[name] = _layout(name, _map(keys, name), found, depth)
    return found


def _kinds(value: Any) -> bool:
    """Whether it says of which kind each layer is: that holds for the default model alone.

    A configuration without it has the kinds under a key of an earlier version, such as hybrid_override_pattern.
    """
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _layout(name: str, keys: Mapping[str, Any], file: Architecture, depth: dict[str, int]) -> Layout:
    lines: dict[str, Line] = {}
    ties: tuple[Tie, ...] = ()
    ignored: tuple[str, ...] = ()
    parts: dict[str, str] = {}
    assumes: tuple[tuple[str, str], ...] = ()
    if "like" in keys:
        other = file.layouts.get(str(keys["like"]))
        depth[name] = depth.get(str(keys["like"]), 0) + 1
        if other is None or depth[name] > MAX_LIKE:
            raise ArchitectureError(f"{file.type}: {name} is like a layout that is not above it")
        without = _texts(keys.get("without"))
        left_out = frozenset(without)
        starts = tuple(one[:-1] for one in without if one.endswith(".*"))
        renames = sorted(_map(keys.get("rename") or {}, "rename").items(), key=lambda kv: -len(kv[0]))

        def renamed(text: str) -> str:
            return next((str(new) + text[len(old) :] for old, new in renames if text.startswith(old)), text)

        def kept(text: str) -> bool:
            return text not in left_out and not (starts and text.startswith(starts))

        lines = {renamed(n): Line(renamed(n), line.text, file) for n, line in other.lines.items() if kept(n)}
        ties = tuple(tie._replace(names=tuple(renamed(n) for n in tie.names if kept(n))) for tie in other.ties)
        ties = tuple(tie for tie in ties if len(tie.names) > 1)
        ignored, assumes = other.ignored, tuple((renamed(p) if p else p, c) for p, c in other.assumes)
        parts = {renamed(prefix): key for prefix, key in other.parts.items() if kept(prefix)}
    lines |= {n: Line(n, str(text), file) for n, text in _map(keys.get("tensors") or {}, "tensors").items()}
    if len(lines) > MAX_LINES:
        raise ArchitectureError(f"{file.type}: {name} has more than {MAX_LINES:,} tensors")
    if "ties" in keys:
        ties = tuple(_tie(str(text)) for text in keys["ties"] or ())
    if "ignored" in keys:
        ignored = _texts(keys["ignored"])
    parts |= {prefix: str(key) for prefix, key in _map(keys.get("parts") or {}, "parts").items()}
    if "assumes" in keys:
        assumes = tuple(_assumed(keys["assumes"]))
    classes, written = _texts(keys.get("classes")), _texts(keys.get("written"))
    return Layout(name, classes, written, bool(keys.get("base")), lines, ties, ignored, parts, assumes)


def _assumed(value: Any) -> Iterator[tuple[str, str]]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield from ((str(prefix), str(condition)) for prefix, condition in one.items())
        else:
            yield "", str(one)


def _tie(text: str) -> Tie:
    names, _, condition = text.partition(" if ")
    return Tie(tuple(one.strip() for one in names.split(" = ")), condition.strip())
