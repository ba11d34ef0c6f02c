"""How many columns and rows modules have by the architecture: what recognition holds stored sizes against.

The shape of packed codes does not tell how wide a matrix is, and an exporter's bug halves or transposes all matrices
alike. What two witnesses agree about is held to be true: sizes in config.json, where families say that every layer has
them, and tensors that no quantizer touches (norms) or that stand beside a module (the projection that it reads from).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from ..container.header import TensorInfo
from ..names import pattern_of
from .anatomy import Anatomy
from .families import COUNTS
from .grouping import Group
from .shapes import Env

NO_WIDTHS: Env = {}


class Widths:
    """Sizes by module, as symbols of schemes: `K` columns, witnessed twice, and `N` rows, as config.json has them.

    Says nothing where families do not say that all layers have the sizes of the configuration. A file without one has
    its norms and its embedding for witnesses, which tell the width of what reads the hidden state itself.
    """

    def __init__(self, tensors: Mapping[str, TensorInfo], anatomy: Anatomy, config: Mapping[str, Any]) -> None:
        self._anatomy = anatomy
        self._known: dict[str, Env] = {}
        counted = {what: c[1] for what in COUNTS if (c := anatomy.count(config, what)) is not None}
        heads, hidden = counted.get("heads", 0), counted.get("hidden", 0)
        norms = self._norms(tensors) if heads or not config else frozenset()
        self._alone = not config
        self._hidden = next(iter(norms)) if len(norms) == 1 else 0
        if self._hidden != (self._width_of_embedding(tensors) if self._alone else hidden):
            self._hidden = 0
        if heads and hidden % heads == 0:
            counted.setdefault("head_size", hidden // heads)
        self._rows = {
            glob: rows
            for glob, size in anatomy.rows.items()
            if size.symbols <= counted.keys() and (rows := size.value(counted))
        }
        self._inputs = _inputs(anatomy)
        narrow = anatomy.count(config, "embedding_width") is not None
        self._ends = frozenset(name for end in ("embedding", "head") for name in anatomy.ends(end) if not narrow)

    def of(self, module: str, groups: Mapping[str, Group]) -> Env:
        """What is known of a module, alike for all modules of a name pattern; `groups` are the tensors of all."""
        if not self._hidden:
            return NO_WIDTHS
        pattern = pattern_of(module)
        found = self._known.get(pattern)
        if found is None:
            found = self._known[pattern] = self._of(module, pattern, groups)
        return found

    def _of(self, module: str, pattern: str, groups: Mapping[str, Group]) -> Env:
        roles = self._anatomy.roles(module)
        if self._anatomy.canonical(module) in self._ends:
            return {"K": self._hidden}
        inside = any(pattern.startswith(f"{prefix}.*.") for prefix in self._anatomy.layers)
        if self._alone and not ("reads" in roles and self._reads_itself(module, roles)):
            return NO_WIDTHS
        if not inside or "norm" in roles or "vision" in roles or "mtp" in roles:
            return NO_WIDTHS
        if "reads" in roles:
            columns, rows = self._hidden, self._rows_of(pattern)
        else:
            columns, rows = self._width_of_input(module, pattern, groups), self._hidden if "writes" in roles else 0
        return {symbol: size for symbol, size in (("K", columns), ("N", rows)) if size} if columns else NO_WIDTHS

    def _rows_of(self, pattern: str) -> int:
        return next((rows for glob, rows in self._rows.items() if fnmatchcase(pattern, glob)), 0)

    def _width_of_input(self, module: str, pattern: str, groups: Mapping[str, Group]) -> int:
        """The rows of the projection whose output a module reads, where config.json and its tensors agree on them."""
        parent, _, leaf = module.rpartition(".")
        for name in self._inputs.get(leaf, ()):
            rows = self._rows_of(f"{pattern.rpartition('.')[0]}.{name}")
            if rows and any(rows in tensor.shape for tensor in groups.get(f"{parent}.{name}", {}).values()):
                return rows
        return 0

    def _norms(self, tensors: Mapping[str, TensorInfo]) -> frozenset[int]:
        """The widths of norms that read the hidden state."""
        vectors = ((name.rpartition(".")[0], t.shape[0]) for name, t in tensors.items() if len(t.shape) == 1)
        return frozenset(size for owner, size in vectors if {"norm", "reads"} <= self._anatomy.roles(owner))

    def _width_of_embedding(self, tensors: Mapping[str, TensorInfo]) -> int:
        """The columns of a plain embedding; 0 where there is none."""
        ends = self._anatomy.ends("embedding")
        for name, tensor in tensors.items():
            known = len(tensor.shape) == 2 and self._anatomy.canonical(name.rpartition(".")[0]) in ends
            if known and tensor.dtype.startswith(("F", "BF")):
                return tensor.shape[1]
        return 0

    def _reads_itself(self, module: str, roles: frozenset[str]) -> bool:
        """Whether a module reads the hidden state of its own layer: no expert, and no attention to another model."""
        if "attention" in roles:
            places = {keys.rpartition(".")[0] for keys in self._anatomy.cached}
            return module.rpartition(".")[0].rpartition(".")[2] in places
        return self._anatomy.stacks.isdisjoint(module.split("."))


def _inputs(anatomy: Anatomy) -> Mapping[str, tuple[str, ...]]:
    """Siblings whose rows are the columns of a module, by the last component of its name."""
    found: dict[str, list[str]] = defaultdict(list)
    for how in ("equal", "in_ratio"):
        for row in anatomy.wired(how):
            writers = [name for name, side in row.items() if side == "rows"]
            for name in (n for n, side in row.items() if side == "columns"):
                found[name].extend(writers)
    return {name: tuple(writers) for name, writers in found.items()}
