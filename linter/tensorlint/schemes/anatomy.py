"""What a model of one type is made of, as the families that apply to it say together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase, translate
from functools import cached_property
from typing import Any, NamedTuple

from .families import Family
from .shapes import Dim

_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")
_OF_NUMBERS = re.compile(r"[?\[]|(?<![A-Za-z_\d])\d+(?![A-Za-z_\d])")  # not the digit of a word such as `ln_1`


class Expert(NamedTuple):
    """A name inside one of several numbered experts: the module of them all, the number, and the rest."""

    owner: str
    number: int
    rest: str


@dataclass(frozen=True)
class Anatomy:
    """The families that apply to one checkpoint, merged; the general ones come last."""

    families: tuple[Family, ...]
    _cache: dict[str, frozenset[str]] = field(default_factory=dict, compare=False)

    # -- what modules are -------------------------------------------------------------------------------------------

    def roles(self, module: str) -> frozenset[str]:
        """The roles a module plays, by its name."""
        found = self._cache.get(module)
        if found is not None:
            return found
        key = module if self._numbered else _NUMBER.sub("*", module)
        found = self._cache.get(key)
        if found is None:
            plain = self.canonical(module)
            names = (module,) if plain == module else (module, plain)
            found = frozenset(role for role, pattern in self._roles if any(pattern.match(n) for n in names))
            self._cache[key] = found
        self._cache[module] = found
        return found

    def is_linear(self, module: str) -> bool:
        """Whether a module is a projection, such as quantizers take for a linear layer, by its roles."""
        roles = self.roles(module)
        linear, never = self._linear
        return not roles.isdisjoint(linear) and roles.isdisjoint(never)

    @cached_property
    def _linear(self) -> tuple[frozenset[str], frozenset[str]]:
        return frozenset(self._of("linear", "roles")), frozenset(self._of("linear", "but"))

    @cached_property
    def _numbered(self) -> bool:
        """Whether a glob can tell names apart that differ in whole numbers only."""
        tables = (family.tables.get("roles", {}) for family in self.families)
        return any(_OF_NUMBERS.search(glob) for table in tables for more in table.values() for glob in more)

    @cached_property
    def _roles(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        """One pattern for all globs of a role."""
        globs: dict[str, list[str]] = {}
        for family in self.families:
            for role, more in family.tables.get("roles", {}).items():
                globs.setdefault(role, []).extend(more)
        return tuple((role, re.compile("|".join(map(translate, more)))) for role, more in globs.items())

    # -- names ------------------------------------------------------------------------------------------------------

    def canonical(self, module: str) -> str:
        """A module name without the outer modules that differ between library versions (`model.`)."""
        parts = module.split(".")
        while parts and parts[0] in self._outer:
            parts.pop(0)
        return ".".join(parts)

    @cached_property
    def _outer(self) -> frozenset[str]:
        return frozenset(self._of("names", "outer"))

    @property
    def layers(self) -> tuple[str, ...]:
        """Prefixes of the decoder's layers, most usual first."""
        return self._list("layers")

    @cached_property
    def layer_number(self) -> re.Pattern[str]:
        """Finds the number of a layer in a name, or in an entry of a list that covers names."""
        lasts = dict.fromkeys(re.escape(prefix.rpartition(".")[2]) for prefix in self.layers)
        return re.compile(rf"(?:^|\.)(?:{'|'.join(lasts) or '(?!)'})\\?\.(\d{{1,6}})(?![^.*\\])")

    def only_layers(self, model_type: str) -> tuple[str, ...]:
        """The only prefixes under which the layers of a model type stand, where that is known."""
        own = (f for f in self.families if any(fnmatchcase(model_type, g) for g in f.model_types))
        return tuple(prefix for family in own for prefix in family.lists.get("only_layers", ()))

    def ends(self, role: str) -> tuple[str, ...]:
        """Names of the embedding before the layers, or the norm or head behind them, the most usual first."""
        return self._of("ends", role)

    @cached_property
    def repeated(self) -> re.Pattern[str]:
        """Finds components of names that stand there twice and never should."""
        return re.compile(rf"(?:^|\.)({'|'.join(map(re.escape, self._of('names', 'once'))) or '(?!)'})\.\1\.")

    @property
    def hints(self) -> tuple[str, ...]:
        """What names of tensors hold that hint at quantization."""
        return self._of("names", "quantized")

    @property
    def left_over(self) -> tuple[str, ...]:
        """What names of tensors hold that belong to a quantized weight and to no other."""
        return self._of("names", "left_over")

    @property
    def wrappers(self) -> Mapping[str, str]:
        """Parts of names that do not belong into a saved model, with what adds them; the first family decides."""
        return next((family.wrappers for family in self.families if family.wrappers), {})

    def optional(self, tensor: str) -> bool:
        """Whether some layers of this family legitimately lack this tensor."""
        return any(fnmatchcase(tensor, glob) for glob in self._list("optional"))

    # -- what goes together -----------------------------------------------------------------------------------------

    @cached_property
    def fused(self) -> tuple[tuple[str, ...], ...]:
        """Groups of last name components that runtimes merge into one matrix."""
        return self._groups("fused")

    @cached_property
    def fused_across(self) -> tuple[tuple[str, ...], ...]:
        """The same of attention that reads two streams."""
        return self._groups("fused_across")

    def _groups(self, key: str) -> tuple[tuple[str, ...], ...]:
        return tuple(dict.fromkeys(g for family in self.families for g in family.fused.get(key, ())))

    @cached_property
    def row_parallel(self) -> frozenset[str]:
        """Last name components of modules whose columns, not rows, tensor parallelism divides."""
        return frozenset(self._list("row_parallel"))

    def wired(self, how: str) -> tuple[Mapping[str, str], ...]:
        """Sides (rows or columns) of sibling modules that are `equal`, or `in_ratio`, by last name component."""
        return tuple(row for family in self.families for row in family.wires.get(how, ()))

    @cached_property
    def compared(self) -> frozenset[str]:
        """Last name components of modules whose size that of a sibling tells."""
        return frozenset(name for how in ("equal", "in_ratio") for row in self.wired(how) for name in row)

    @property
    def rows(self) -> Mapping[str, Dim]:
        """Rows of modules in terms of counts, by glob; where two families speak of one glob, the first decides."""
        return {glob: size for family in reversed(self.families) for glob, size in family.rows.items()}

    # -- experts, and caches of keys and values -----------------------------------------------------------------------

    @cached_property
    def experts(self) -> frozenset[str]:
        """Components of names below which experts stand."""
        return frozenset(self._of("experts", "named"))

    @cached_property
    def stacks(self) -> frozenset[str]:
        """Components of names below which experts may be stored in one tensor."""
        return self.experts | frozenset(self._of("experts", "stacked"))

    @property
    def routers(self) -> tuple[str, ...]:
        """Names of routers that stand right beside experts."""
        return self._of("experts", "router")

    def expert(self, name: str) -> Expert | None:
        """The expert that a name is inside of, where experts are numbered; None for others."""
        found = self._expert.search(name)
        return Expert(name[: found.start(1) - 1], int(found[1]), found[2]) if found else None

    @cached_property
    def _expert(self) -> re.Pattern[str]:
        named = "|".join(map(re.escape, sorted(self.experts))) or "(?!)"
        return re.compile(rf"(?<![^.])(?:{named})\.(\d{{1,9}})\.(.+)\Z")

    @property
    def cached(self) -> tuple[str, ...]:
        """Modules of a layer whose keys a cache holds, the most usual first."""
        return self._of("kv_cache", "keys")

    def partner(self, name: str) -> str:
        """Of the modules that give keys and values the other one, by last name component; of others the same."""
        pairs = (family.tables.get("kv_cache", {}).get("pair", ()) for family in self.families)
        return next((pair[1 - pair.index(name)] for pair in pairs if name in pair), name)

    # -- config.json --------------------------------------------------------------------------------------------------

    def counts(self, config: Mapping[str, Any], what: str) -> Iterator[tuple[str, int]]:
        """The config keys that count something, with their values."""
        for key in self._of("counts", what):
            value = config.get(key)
            if type(value) is int and value >= 0:
                yield key, value

    def count(self, config: Mapping[str, Any], what: str) -> tuple[str, int] | None:
        """The first config key that counts something, with its value, if there is one."""
        return next(self.counts(config, what), None)

    def states(self, config: Mapping[str, Any], what: str) -> bool:
        """Whether a config has a key that counts something, whatever its value is."""
        return any(key in config for key in self._of("counts", what))

    def language(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """The part of config.json that describes the language model, which is all of it unless that is a part."""
        for inner in self._inside(config):
            deeper = list(self._inside(inner))
            if deeper or self.states(inner, "layers"):
                return deeper[0] if deeper else inner
        return config

    @property
    def inside(self) -> tuple[str, ...]:
        """Keys of config.json under which the settings of the language model may stand."""
        return self._of("config", "inside")

    def _inside(self, config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for key in self.inside:
            if isinstance(config.get(key), dict):
                yield config[key]

    @property
    def tied(self) -> tuple[str, ...]:
        """Config keys that tie the head to the embedding."""
        return self._of("config", "tied")

    def layer_types(self, config: Mapping[str, Any]) -> list[list[Any]]:
        """Lists of the configuration that give each layer a type."""
        globs = self._of("config", "types")
        return [v for k, v in config.items() if isinstance(v, list) and any(fnmatchcase(k, g) for g in globs)]

    def generates(self, config: Mapping[str, Any]) -> bool:
        """Whether a class that config.json names generates text."""
        named = config.get("architectures")
        globs = self._of("config", "generates")
        return isinstance(named, list) and any(fnmatchcase(str(name), g) for name in named for g in globs)

    # -- how families are merged --------------------------------------------------------------------------------------

    def _list(self, key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry for family in self.families for entry in family.lists.get(key, ())))

    def _of(self, table: str, key: str) -> tuple[str, ...]:
        tables = (family.tables.get(table, {}) for family in self.families)
        return tuple(dict.fromkeys(entry for rows in tables for entry in rows.get(key, ())))


def anatomy(families: Iterable[Family], model_type: str) -> Anatomy:
    """The families for a model type, special ones first."""
    special = [f for f in families if any(fnmatchcase(model_type, g) for g in f.model_types)]
    general = [f for f in families if not f.model_types]
    return Anatomy((*special, *general))
