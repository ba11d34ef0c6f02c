"""How many weights a module stands for: from its sizes, or from what its scheme says of the stored bytes."""

from __future__ import annotations

from collections.abc import Mapping

from .model import STORED
from .module import Module


def logical(module: Module) -> int | None:
    """How many weights a quantized module stands for, or None where its shapes do not tell."""
    env = module.env
    if module.scheme.elements is not None:
        stored = module.parts["weight"].nbytes
        return module.scheme.elements.value({**env, STORED: stored}) if _known(module, env) else None
    if "N" in env and "K" in env:
        return env["N"] * env["K"] * env.get("E", 1)
    weight = module.scheme.parts["weight"]
    tensor = module.parts["weight"]
    packed = weight.encoding(tensor.dtype)
    return None if packed.kind == "raw" else tensor.nbytes * 8 // packed.bits


def _known(module: Module, env: Mapping[str, int]) -> bool:
    assert module.scheme.elements is not None
    return module.scheme.elements.symbols <= {*env, STORED}
