"""Model families as data: what role a module plays, what runtimes fuse, which parameters of the config count what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase, translate
from functools import cached_property
from typing import Any

from ..names import canonical
from ..text.yamltext import Item, text_of

ROLES = (
    "embedding", "head", "final_norm", "norm", "router", "attention", "mlp", "vision", "mtp", "adapter", "position",
    "plain_norm", "calibration", "zero_start", "own_class",
)  # fmt: skip
COUNTS = (
    "layers", "experts", "hidden", "vocabulary", "intermediate", "expert_intermediate", "heads", "kv_heads",
    "head_size",
)  # fmt: skip
_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")
_OF_NUMBERS = re.compile(r"[?\[]|(?<![A-Za-z_\d])\d+(?![A-Za-z_\d])")  # not the digit of a word such as `ln_1`
# The keys of a family file, of which none has to be there; the JSON Schema is made of them too.
KEYS = {
    "summary", "model_types", "layers", "only_layers", "roles", "fused", "row_parallel", "counts", "optional",
    "wrappers", "see",
}  # fmt: skip


@dataclass(frozen=True)
class Family:
    """One family file; lists are globs over module names with wrappers such as `model.` removed where that helps."""

    name: str
    model_types: tuple[str, ...]
    layers: tuple[str, ...]
    only_layers: tuple[str, ...]
    roles: Mapping[str, tuple[str, ...]]
    fused: tuple[tuple[str, ...], ...]
    row_parallel: tuple[str, ...]
    counts: Mapping[str, tuple[str, ...]]
    optional: tuple[str, ...]
    wrappers: Mapping[str, str] = field(
        default_factory=dict
    )  # parts of names -> what adds them while it trains or runs


@dataclass(frozen=True)
class Anatomy:
    """The families that apply to one checkpoint, merged; the general one comes last."""

    families: tuple[Family, ...]
    _cache: dict[str, frozenset[str]] = field(default_factory=dict, compare=False)

    def roles(self, module: str) -> frozenset[str]:
        """The roles a module plays, by its name."""
        found = self._cache.get(module)
        if found is not None:
            return found
        key = module if self._numbered else _NUMBER.sub("*", module)
        found = self._cache.get(key)
        if found is None:
            plain = canonical(module)
            names = (module,) if plain == module else (module, plain)
            found = frozenset(role for role, pattern in self._roles if any(pattern.match(n) for n in names))
            self._cache[key] = found
        self._cache[module] = found
        return found

    @cached_property
    def _numbered(self) -> bool:
        """Whether a glob can tell names apart that differ in whole numbers only."""
        globs = (glob for family in self.families for more in family.roles.values() for glob in more)
        return any(_OF_NUMBERS.search(glob) for glob in globs)

    @cached_property
    def _roles(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        """One pattern for all globs of a role."""
        globs: dict[str, list[str]] = {}
        for family in self.families:
            for role, more in family.roles.items():
                globs.setdefault(role, []).extend(more)
        return tuple((role, re.compile("|".join(map(translate, more)))) for role, more in globs.items())

    @property
    def fused(self) -> tuple[tuple[str, ...], ...]:
        """Groups of last name components that runtimes merge into one matrix."""
        return tuple(dict.fromkeys(g for family in self.families for g in family.fused))

    @property
    def row_parallel(self) -> frozenset[str]:
        """Last name components of modules whose columns, not rows, tensor parallelism divides."""
        return frozenset(name for family in self.families for name in family.row_parallel)

    @property
    def layers(self) -> tuple[str, ...]:
        """Prefixes of the decoder's layers, most usual first."""
        return tuple(dict.fromkeys(p for family in self.families for p in family.layers))

    def only_layers(self, model_type: str) -> tuple[str, ...]:
        """The only prefixes under which the layers of a model type stand, where that is known."""
        return tuple(
            p for f in self.families if any(fnmatchcase(model_type, g) for g in f.model_types) for p in f.only_layers
        )

    def count(self, config: Mapping[str, Any], what: str) -> tuple[str, int] | None:
        """The config key and value that count something, if there is one."""
        for family in self.families:
            for key in family.counts.get(what, ()):
                value = config.get(key)
                if type(value) is int and value >= 0:
                    return key, value
        return None

    @property
    def wrappers(self) -> Mapping[str, str]:
        """Parts of names that do not belong into a saved model, with what adds them; the first family decides."""
        return next((family.wrappers for family in self.families if family.wrappers), {})

    def optional(self, tensor: str) -> bool:
        """Whether some layers of this family legitimately lack this tensor."""
        return any(fnmatchcase(tensor, g) for family in self.families for g in family.optional)


def anatomy(families: Iterable[Family], model_type: str) -> Anatomy:
    """The families for a model type, special ones first."""
    special = [f for f in families if any(fnmatchcase(model_type, g) for g in f.model_types)]
    general = [f for f in families if not f.model_types]
    return Anatomy((*special, *general))


def load_family(top: Item, name: str) -> Family:
    """A family from the top value of its file; raises RuleFileError."""
    keys = top.mapping("the family", KEYS)
    text_of(keys)
    roles = {}
    if "roles" in keys:
        roles = {k: v.strings(f"`{k}`") for k, v in keys["roles"].mapping("`roles`", ROLES).items()}
    counts = {}
    if "counts" in keys:
        counts = {k: v.strings(f"`{k}`") for k, v in keys["counts"].mapping("`counts`", COUNTS).items()}

    wrappers = {}
    if "wrappers" in keys:
        wrappers = {k: v.string(f"`{k}`") for k, v in keys["wrappers"].mapping("`wrappers`").items()}

    def strings(key: str) -> tuple[str, ...]:
        return keys[key].strings(f"`{key}`") if key in keys else ()

    fused = tuple(row.strings("a fused group") for row in keys["fused"].sequence("`fused`")) if "fused" in keys else ()
    return Family(
        name,
        strings("model_types"),
        strings("layers"),
        strings("only_layers"),
        roles,
        fused,
        strings("row_parallel"),
        counts,
        strings("optional"),
        wrappers,
    )
