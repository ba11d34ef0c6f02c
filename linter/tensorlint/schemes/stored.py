"""The tensors of a model as it was before anything was quantized: names and sizes, however they are stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..container.header import TensorInfo
from .amount import logical
from .module import Module, Recognised

_WEIGHT = ".weight"


@dataclass(frozen=True)
class Stored:
    """One tensor of the model.

    `name` is what it is called unquantized; `tensor` is where it is, the weight of its module where that has several;
    `shape` is its unquantized shape, None where that is not certain; `elements` their number, None where not even that
    is; `module` the quantized module that it is the weight of.
    """

    name: str
    tensor: TensorInfo
    shape: tuple[int, ...] | None
    elements: int | None
    module: Module | None = None

    @property
    def owner(self) -> str:
        """The module it belongs to by its name."""
        return self.name.rpartition(".")[0]


def stored(recognised: Recognised, tensors: Mapping[str, TensorInfo], settled: Iterable[str]) -> Iterator[Stored]:
    """Every tensor of the model once; `settled` are quantized modules about whose size nothing is a guess.

    What belongs to quantization alone (scales, zero points, calibration) is left out.
    """
    sure = frozenset(settled)
    taken: set[str] = set()
    for module in recognised.modules:
        if not module.scheme.quantized or module.scheme.companion:
            # A zero point without a scale is a tensor of the model that is called like one: `v_bias`.
            if module.scheme.companion and any(module.scheme.parts[part].kind != "zero_point" for part in module.parts):
                taken.update(t.name for t in module.parts.values())
            continue
        taken.update(t.name for part, t in module.parts.items() if part != "bias")
        taken.update(t.name for t in module.left_over)
        yield _quantized(module, module.name in sure)
    for unknown in recognised.unknown:
        taken.update(t.name for t in unknown.tensors)
        yield Stored(unknown.name + _WEIGHT, unknown.tensors[0], None, None)
    for name, tensor in tensors.items():
        if name not in taken:
            yield Stored(name, tensor, tensor.shape, tensor.elements)


def _quantized(module: Module, sure: bool) -> Stored:
    """The weight of a quantized module."""
    part = "weight" if "weight" in module.parts else next(iter(module.parts))
    suffix = module.scheme.parts[part].suffix
    name = module.name + _WEIGHT if suffix.startswith(".") else module.name
    tensor = module.parts[part]
    if module.problems or not sure or "weight" not in module.parts:
        return Stored(name, tensor, None, None, module)
    flat = module.shape if "E" not in module.env else None
    return Stored(name, tensor, flat, logical(module), module)
