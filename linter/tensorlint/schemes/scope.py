"""What config.json says to an architecture: values of keys under their several spellings, defaults, and counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .architectures import Architecture
from .keyterms import UNKNOWN, Indices, Term, term

_DEEPEST = 8  # dots of a key


class Range(NamedTuple):
    """The numbers that an index takes: from `first` on, below `end`."""

    first: int
    end: int


class Scope:
    """One architecture file with the part of config.json that its keys are relative to; `path` is where that stands."""

    def __init__(self, file: Architecture, config: Mapping[str, Any], path: str = "") -> None:
        self.file = file
        self.config = config
        self.path = path
        self._values: dict[str, Any] = {}
        self._deriving: set[str] = set()
        self._ranges: dict[tuple[Any, ...], Range | None] = {}
        self._counts: dict[str, tuple[Term, Term] | None] = {}

    def key(self, name: str) -> Any:
        """The value of a key: what config.json says, else the default; UNKNOWN where neither does."""
        if name not in self._values:
            self._values[name] = UNKNOWN  # a default that is made of itself
            self._values[name] = self._value(name)
        return self._values[name]

    def _value(self, name: str) -> Any:
        for spelled in (name, *self.file.aliases.get(name, ())):
            value = _inside(self.config, spelled)
            if value is not None:
                return value
        if name in self.file.defaults:
            default = self.file.defaults[name]
            return UNKNOWN if default is not None and self._is_null(name) else default
        derived = self.file.derived.get(name)
        return UNKNOWN if derived is None else term(derived).run(self, {})

    def _is_null(self, name: str) -> bool:
        """Whether config.json has a key without a value: the default of the class does not hold then."""
        for spelled in (name, *self.file.aliases.get(name, ())):
            around, _, last = spelled.rpartition(".")
            inner = _inside(self.config, around) if around else self.config
            if isinstance(inner, Mapping) and last in inner:
                return True
        return False

    def states(self, name: str) -> bool:
        """Whether config.json itself has a key."""
        spelled = (name, *self.file.aliases.get(name, ()))
        return any(_inside(self.config, one) is not None for one in spelled)

    def derives(self, name: str) -> bool:
        """Whether a key that config.json lacks is by default made of other keys, all of which it has."""
        derived = self.file.derived.get(name)
        if derived is None or name in self._deriving:
            return False
        self._deriving.add(name)
        found = all(self.states(key) or self.derives(key) for key in term(derived).keys)
        self._deriving.discard(name)
        return found

    def stated(self, name: str) -> str:
        """The key as it is spelled in config.json, with where it stands."""
        spelled = (name, *self.file.aliases.get(name, ()))
        found = next((one for one in spelled if _inside(self.config, one) is not None), name)
        return f"{self.path}.{found}" if self.path else found

    def counted(self, index: str) -> tuple[str, ...]:
        """The keys of config.json that say how many there are of an index."""
        bounds = self._bounds(index)
        return bounds[1].keys if bounds is not None else ()

    def range(self, index: str, indices: Indices) -> Range | None:
        """The numbers that an index takes beside these others; None where that is not known."""
        bounds = self._bounds(index)
        if bounds is None:
            return None
        key = (index, *(indices.get(one) for bound in bounds for one in bound.indices))
        if key not in self._ranges:
            first, end = (bound.size(self, indices) for bound in bounds)
            known = first is not None and end is not None
            self._ranges[key] = Range(first or 0, end or 0) if known else None
        return self._ranges[key]

    def _bounds(self, index: str) -> tuple[Term, Term] | None:
        """The numbers below which and from which on an index is; a count by default alone is too little to go by."""
        if index not in self._counts:
            bounds = self._read(index)
            told = bounds is not None and all(self.states(key) or self.derives(key) for key in bounds[1].keys)
            self._counts[index] = bounds if told else None
        return self._counts[index]

    def _read(self, index: str) -> tuple[Term, Term] | None:
        text = self.file.indices.get(index, "?")
        first, dots, end = text.rpartition("..")
        if end.strip() == "?":
            return None
        names = frozenset(self.file.indices)
        return term(first.strip() if dots else "0", names), term(end.strip(), names)


def _inside(config: Mapping[str, Any], name: str) -> Any:
    """The value under a key with dots; a key that itself has dots is not looked for."""
    value: Any = config
    for step in name.split(".", _DEEPEST):
        value = value.get(step) if isinstance(value, dict) else None
    return value
