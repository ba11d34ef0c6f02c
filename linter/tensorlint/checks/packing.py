"""What tells a reader how packed integers are laid out: group indices and logical shapes.

Group indices map each column to its group (GPTQModel gptqmodel/nn_modules/qlinear/__init__.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..schemes.module import Module
from ..schemes.shapes import Dim
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "group-index": FactKind(
        "A group index does not assign the columns to the groups.", ("module", "problem", "groups", "columns")
    ),
    "logical-shape": FactKind(
        "The stored logical shape is not that of the packed weight.", ("module", "stated", "found", "packed")
    ),
}
_MAX_BYTES = 64 << 20  # larger indices are not looked at
_COLUMNS = "K"  # the symbol of them in shapes
_INTEGERS: Mapping[str, str] = {"I32": "<i4", "I64": "<i8", "U8": "|u1"}


def run(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Facts about every packed module whose parts have the right dtypes and shapes."""
    for module in view.quantized:
        if module.problems:
            continue
        yield from _group_index(view, module)
        yield from _logical_shape(view, module)


def _read(view: View, tensor: TensorInfo, dtype: str) -> npt.NDArray[Any]:
    return np.frombuffer(view.stored(tensor, tensor.nbytes), dtype)


def _group_index(view: View, module: Module) -> Iterator[Fact]:
    tensor, columns, size = module.parts.get("group_index"), module.env.get("K"), module.env.get("g")
    if tensor is None or not columns or not size or tensor.nbytes > _MAX_BYTES or tensor.dtype != "I32":
        return
    values = _read(view, tensor, "<i4")
    groups = -(-columns // size)
    if not values.size or groups < 2:
        return
    if (lowest := int(values.min())) < 0:
        problem = f"it has negative entries, the lowest is {lowest}"
    elif (highest := int(values.max())) >= groups:
        problem = f"it names group {highest}, the last one is {groups - 1}"
    elif highest == lowest:
        problem = f"it puts every column into group {lowest}"
    else:
        counts = np.bincount(values, minlength=groups)
        problem = f"group {int(counts.argmax())} has {int(counts.max())} columns" if counts.max() > size else ""
        if not problem and _ordered(view, module) and bool((np.diff(values) < 0).any()):
            problem = "it is not in order, although no activation order is declared"
    if problem:
        said = {"module": module.name, "problem": problem, "groups": groups, "columns": columns}
        yield Fact("group-index", tensor.shard, tensor.name, values=said)


def _ordered(view: View, module: Module) -> bool:
    """Whether the configuration says that columns were not reordered: readers then may not look at the index."""
    return view.expected(module).get("act_order") is False


def _logical_shape(view: View, module: Module) -> Iterator[Fact]:
    """The shape before packing, by which readers unpack, against what the packings of the scheme make of it."""
    tensor, weight = module.parts.get("logical_shape"), module.parts.get("weight")
    known = {*module.env, _COLUMNS}
    packs = [p for p in module.scheme.parts["logical_shape"].packs if p.symbols <= known] if tensor is not None else []
    if tensor is None or weight is None or not packs or tensor.dtype not in _INTEGERS:
        return
    stated = [int(v) for v in _read(view, tensor, _INTEGERS[tensor.dtype])]
    if len(stated) != len(weight.shape) or not stated:
        return
    rows, columns = stated[:-1], stated[-1]
    packed = {size.value({**module.env, _COLUMNS: columns}) for size in packs}
    if rows != list(weight.shape[:-1]) or weight.shape[-1] not in packed:
        found = [*weight.shape[:-1], _unpacked(module, packs[0], weight.shape[-1])]
        values = {"module": module.name, "stated": stated, "found": found, "packed": list(weight.shape)}
        yield Fact("logical-shape", tensor.shard, tensor.name, values=values)


def _unpacked(module: Module, packing: Dim, size: int) -> int:
    """The columns that a packed size stands for: those of the module, where its other parts tell."""
    solved = packing.solve(size, {k: v for k, v in module.env.items() if k != _COLUMNS})
    return module.env.get(_COLUMNS) or (solved[1] if solved else size)


CHECKS = (Check(STATES, run, "scales"),)
