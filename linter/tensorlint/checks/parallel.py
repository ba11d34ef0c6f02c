"""How many devices a quantized model can be divided over: tensor parallelism cuts only between scales.

Rows of a projection are divided, or its columns where it follows another (Megatron-LM); each device then needs whole
groups, blocks and packed words (vllm-project/vllm#16260, vllm-project/vllm#17569, QwenLM/Qwen3#360).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..facts import Fact, FactKind
from ..schemes.module import Module
from ..schemes.shapes import Env, Shape
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "tensor-parallel": FactKind(
        "The scales of a module do not let it be divided over 8 devices.",
        ("module", "size", "part", "side", "length", "shape"),
    ),
}
_SIZES = (2, 4, 8)
_ROLES = frozenset({"mlp"})


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """One fact, about the module that allows the fewest devices, where that is fewer than 8.

    Attention is left out: how its heads are divided or repeated is the engine's affair, not that of the scales.
    """
    least: tuple[int, Module, str, str] | None = None
    known: dict[object, tuple[int, str] | None] = {}  # layers and experts repeat the same shapes
    for module in view.quantized:
        if (
            module.problems
            or "N" not in module.env
            or "K" not in module.env
            or not view.anatomy.roles(module.name) & _ROLES
        ):
            continue
        symbol = "K" if module.name.rpartition(".")[2] in view.anatomy.row_parallel else "N"
        alike = (module.scheme.name, symbol, tuple((p, t.shape) for p, t in module.parts.items()))
        if alike not in known:
            known[alike] = _limit(module, symbol)
        limit = known[alike]
        if limit is not None and (least is None or limit[0] < least[0]):
            least = limit[0], module, symbol, limit[1]
    if least is not None:
        size, module, symbol, part = least
        tensor = module.parts[part]
        values = {
            "module": module.name,
            "size": size,
            "part": part,
            "side": "columns" if symbol == "K" else "rows",
            "length": module.env[symbol],
            "shape": list(tensor.shape),
        }
        yield Fact("tensor-parallel", tensor.shard, tensor.name, values=values)


def _limit(module: Module, symbol: str) -> tuple[int, str] | None:
    """The largest number of devices below 8, and the part that allows no more; None where 8 are allowed."""
    size = 1
    for wanted in _SIZES:
        part = _obstacle(module, symbol, wanted)
        if part:
            return size, part
        size = wanted
    return None


def _obstacle(module: Module, symbol: str, devices: int) -> str:
    """The part that cannot be cut into so many equal pieces although the plain weight could, or nothing."""
    length = module.env[symbol]
    if length % devices:
        return ""  # without quantization it would be no better
    env = {**module.env, symbol: length // devices}
    for name, tensor in module.parts.items():
        alike = [s for s in module.scheme.parts[name].shapes if _fits(s, tensor.shape, module.env)]
        if alike and not any(_cuts(shape, tensor.shape, env, symbol, devices) for shape in alike):
            return name
    return ""


def _fits(shape: Shape, sizes: tuple[int, ...], env: Env) -> bool:
    return len(shape) == len(sizes) and all(one.value(env) == size for one, size in zip(shape, sizes, strict=True))


def _cuts(shape: Shape, sizes: tuple[int, ...], env: Env, symbol: str, devices: int) -> bool:
    for one, size in zip(shape, sizes, strict=True):
        if symbol in one.symbols:
            piece = one.value(env)
            if piece is None or piece * devices != size:
                return False
    return True


CHECKS = (Check(STATES, run),)
