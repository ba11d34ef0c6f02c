"""Low-rank products that are zero: adapters that were never trained, that lost what they learnt, and single modules.

A product begins as zero, as one of its factors does: of an adapter that nobody trained this factor is zero in every
module, and the others are as they were initialized. In training every factor moves, unless nothing reaches it: experts
that no token was sent to, towers that saw no input, queries and keys over a single token, and what of the last layer
nothing reads. So a module counts as lost only where its counterpart in a later layer has values.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.plan import Need
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check, Measured

STATES: Mapping[str, FactKind] = {
    "lost-adapter": FactKind(
        "The product of every module is zero, although the other factors are not as before training.",
        ("part", "modules"),
    ),
    "lost-product": FactKind(
        "The product of a module is zero, that of its counterparts is not.", ("module", "part", "zero", "alive", "of")
    ),
}
_FACTOR = "low_rank"  # the kind of part
_ONE_VALUE = frozenset({"magnitude", "rotation"})  # parts of that kind that are no factor
_FIRST, _SECOND = "low_rank_a", "low_rank_b"  # of two factors the second one begins as zero
_NUMBER = re.compile(r"(?<![A-Za-z0-9])\d{1,6}(?![A-Za-z0-9])")  # between dots or underscores
_LOOKED_AT = 8  # modules whose factors are looked at for how they were initialized
_BYTES = 1 << 14  # of each
_LEAST = 64  # values that tell how they are distributed
_ROUNDED = 1.01  # by which a value may lie beyond its bound
_NEAR = 0.25  # of the root mean square that an initialization has
_TYPES = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}


def _factors(module: Module) -> dict[str, TensorInfo]:
    """The factors of a module of low-rank products; empty for any other module, and for one that is damaged."""
    if module.scheme.quantized or module.problems:
        return {}
    parts = {n: t for n, t in module.parts.items() if module.scheme.parts[n].kind == _FACTOR and n not in _ONE_VALUE}
    return parts if len(parts) > 1 and all(t.elements for t in parts.values()) else {}


def needs(view: View) -> Iterator[Need]:
    """Whether factors are zero."""
    for module in view.modules.values():
        for name, tensor in _factors(module).items():
            yield Need(tensor, module.scheme.parts[name].encoding(tensor.dtype), frozenset({"all_zero"}))


def run(view: View, measured: Measured) -> Iterator[Fact]:
    """Facts about modules whose product is zero; where the first factor is zero too, that is said elsewhere."""
    zero: dict[str, str] = {}  # module -> its zero factor
    alive: list[str] = []
    for module in view.modules.values():
        factors = _factors(module)
        found = {name: measured.get((t.shard, t.name)) for name, t in factors.items()}
        if not factors or any(m is None for m in found.values()):
            continue
        dead = [name for name, m in found.items() if m is not None and m.value("all_zero")]
        if not dead:
            alive.append(module.name)
        elif _FIRST not in dead:
            zero[module.name] = dead[0]
    if zero and not alive:
        yield from _all(view, zero)
    elif zero:
        yield from _single(view, zero, alive)


def _all(view: View, zero: Mapping[str, str]) -> Iterator[Fact]:
    """Every product is zero; where what is left may be as it was initialized, nobody trained it, which is sound."""
    pairs = [view.modules[name] for name, part in zero.items() if part == _SECOND][:_LOOKED_AT]
    if _untrained(view, pairs):
        return
    for name, part in zero.items():
        tensor = view.modules[name].parts[part]
        yield Fact("lost-adapter", tensor.shard, tensor.name, values={"part": part, "modules": len(zero)})


def _untrained(view: View, modules: list[Module]) -> bool:
    """Whether the first factors may be as they were initialized.

    PEFT, kohya-ss/sd-scripts and MLX take them as torch initializes a linear layer: uniform to 1 / sqrt(inputs); PEFT
    on demand and diffusers before it normal, of 1 / rank (peft src/peft/tuners/lora/layer.py, `reset_lora_parameters`;
    sd-scripts networks/lora.py; diffusers models/lora.py; mlx_lm/tuner/lora.py). Other initializations are not known
    here by their numbers, and nor are those of products of more than two factors.
    """
    adapter = view.adapter
    stated = adapter.get("started") if adapter is not None else None
    if adapter is not None and stated is not None and stated not in adapter.form.usual_start:
        return stated not in adapter.form.nonzero_start
    told = [one for one in (_initial(view, module) for module in modules) if one is not None]
    return 2 * sum(told) >= len(told)


def _initial(view: View, module: Module) -> bool | None:
    """Whether the first factor of a module is as it was initialized; None where that cannot be told."""
    tensor, rank = module.parts.get(_FIRST), module.env.get("r")
    if tensor is None or not rank or module.env.get("K") is None:
        return None
    some = _some(view, tensor)
    if some is None or len(some) < _LEAST or not np.isfinite(some).all():
        return None
    size, largest = float(np.sqrt(np.mean(some**2))), float(np.abs(some).max())
    bound = (rank / tensor.elements) ** 0.5
    uniform = largest <= _ROUNDED * bound and abs(size * 3**0.5 / bound - 1) < _NEAR
    return uniform or abs(size * rank - 1) < _NEAR


def _some(view: View, tensor: TensorInfo) -> npt.NDArray[np.float64] | None:
    """The first values of a tensor, None for a dtype that is not read here."""
    raw = view.stored(tensor, _BYTES)
    if tensor.dtype == "BF16":
        words = np.frombuffer(raw, "<u2").astype("<u4") << np.uint32(16)
        return np.asarray(words.view("<f4"), np.float64)
    kind = _TYPES.get(tensor.dtype)
    return None if kind is None else np.asarray(np.frombuffer(raw, kind), np.float64)


def _single(view: View, zero: Mapping[str, str], alive: list[str]) -> Iterator[Fact]:
    """Modules that nothing explains: no expert, and a counterpart in a later layer has values.

    In the last layer a module counts where it is the only one that is zero beside several that are not, and elsewhere
    one of its name has values. All modules of a language model with a head are reached, but for towers and experts.
    """
    adapter = view.adapter
    headed = adapter is not None and adapter.headed
    last: dict[str, tuple[int, ...]] = {}  # the last counterpart with values, by pattern
    for name in alive:
        pattern = _NUMBER.sub("*", name)
        last[pattern] = max(last.get(pattern, ()), _numbers(name))
    leaves = Counter(map(_leaf, alive))
    here, dead = Counter(b for n in alive for b in _blocks(n)), Counter(b for n in zero for b in _blocks(n))
    for name, part in zero.items():
        end = last.get(_NUMBER.sub("*", name))
        if view.anatomy.expert(name) is not None:
            continue
        reached = headed and view.anatomy.roles(name).isdisjoint(_UNREACHED)
        alone = leaves[_leaf(name)] and any(dead[b] == 1 and here[b] >= _BESIDE for b in _blocks(name))
        if not reached and not alone and (end is None or end < _numbers(name)):
            continue
        tensor = view.modules[name].parts[part]
        values = {
            "module": name, "part": part, "zero": len(zero), "alive": len(alive), "of": len(zero) + len(alive),
        }  # fmt: skip
        yield Fact("lost-product", tensor.shard, tensor.name, values=values)


_UNREACHED = frozenset({"vision", "mtp"})  # roles of modules that training may pass by
_BESIDE = 3  # modules of a block that have values beside a single one that has none


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(map(int, _NUMBER.findall(name)))


def _leaf(name: str) -> str:
    """What follows the last number in a name."""
    return _NUMBER.split(name)[-1]


def _blocks(name: str) -> list[str]:
    """What a module stands in, up to each number in its name, the innermost first."""
    return [name[: hit.end()] for hit in reversed(list(_NUMBER.finditer(name)))][:_DEPTH]


_DEPTH = 8


CHECKS = (Check(STATES, run, "full", needs),)
