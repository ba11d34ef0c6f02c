"""A checkpoint as a table: one row per tensor, and what rows of a kind add up to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ..container.header import TensorInfo
from ..dtypes import PLAIN_FLOATS
from ..schemes.amount import logical
from ..schemes.module import Module
from ..schemes.view import TensorUnit, View

_LAYER = re.compile(r"(.*?\.\d+)(?=\.|$)", re.DOTALL)
# What a module is called when it plays several roles: the most telling one.
_TELLING = ("embedding", "head", "router", "vision", "mtp", "adapter", "attention", "mlp", "norm", "position")
Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True)
class Row:
    """One tensor.

    `scheme` is `unquantized` for plain tensors and `unknown` for those of modules that fit no scheme; `parameters` are
    the logical weights it holds (zero for scales and the like), None where the scheme does not tell how many those are.
    """

    checkpoint: str
    tensor: TensorInfo
    unit: TensorUnit
    scheme: str
    role: str
    parameters: int | None

    @property
    def module(self) -> str:
        """Name of the module, or what stands before the last dot."""
        return self.unit.module.name if self.unit.module else self.tensor.name.rpartition(".")[0]

    @property
    def part(self) -> str:
        """Name of the part, or empty."""
        return self.unit.part.name if self.unit.part else ""

    @property
    def shape(self) -> str:
        """The shape of the tensor as text: `[4096, 1024]`."""
        return "[" + ", ".join(map(str, self.tensor.shape)) + "]"

    @property
    def layer(self) -> str:
        """What stands before and with the first number: `model.layers.4`; empty outside of layers."""
        found = _LAYER.match(self.tensor.name)
        return found[1] if found else ""


@dataclass(frozen=True)
class Sum:
    """What rows of a kind add up to; `parameters` is None when one of them is not known, `bytes` are those on disk."""

    modules: int
    tensors: int
    parameters: int | None
    bytes: int

    @property
    def bits_per_weight(self) -> float | None:
        """Bits on disk for each logical weight, scales included; None without weights."""
        return self.bytes * 8 / self.parameters if self.parameters else None


def rows(view: View, checkpoint: str) -> Iterator[Row]:
    """One row per readable tensor, in the order of the checkpoint's shards."""
    unknown = {tensor.name for found in view.recognised.unknown for tensor in found.tensors}
    made = []
    for unit in view.units:
        module, tensor = unit.module, unit.tensor
        scheme = module.scheme.name if module else "unknown" if tensor.name in unknown else "unquantized"
        made.append(Row(checkpoint, tensor, unit, scheme, _role(view, unit, module), _parameters(unit)))
    yield from sorted(made, key=lambda r: (r.tensor.shard, r.tensor.begin, r.tensor.name))


def _role(view: View, unit: TensorUnit, module: Module | None) -> str:
    experts = view.anatomy.experts
    if module is not None and ("E" in module.env or not experts.isdisjoint(module.name.split("."))):
        return "experts"
    found = next((role for role in _TELLING if role in unit.roles), "")
    return found or ("norm" if unit.roles & {"final_norm", "plain_norm"} else "other")


def _parameters(unit: TensorUnit) -> int | None:
    module, tensor = unit.module, unit.tensor
    if module is None or not module.scheme.quantized:
        return tensor.elements if tensor.dtype in PLAIN_FLOATS else 0
    if unit.part is None or unit.part.name != "weight":
        return tensor.elements if unit.part is not None and unit.part.kind == "bias" else 0
    return logical(module)


def summed(table: Iterable[Row]) -> Sum:
    """The sum over all rows."""
    modules: set[tuple[str, str]] = set()
    parameters: int | None = 0
    tensors = size = 0
    for row in table:
        modules.add((row.checkpoint, row.module))
        tensors += 1
        size += row.tensor.nbytes
        parameters = None if parameters is None or row.parameters is None else parameters + row.parameters
    return Sum(len(modules), tensors, parameters, size)


def by(table: Iterable[Row], key: Callable[[Row], Group]) -> dict[Group, Sum]:
    """Sums by a property of rows, the largest first."""
    groups: dict[Group, list[Row]] = defaultdict(list)
    for row in table:
        groups[key(row)].append(row)
    found = {name: summed(members) for name, members in groups.items()}
    return dict(sorted(found.items(), key=lambda pair: -pair[1].bytes))
