"""Modules that engines always load unquantized: norms, and routers beside their experts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..facts import Fact, FactKind
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "protected-role-quantized": FactKind(
        "A module that engines load unquantized is quantized.", ("module", "role", "scheme")
    ),
}


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about quantized norms and routers, for schemes that do not quantize everything by design."""
    parents = set(_with_experts(view))
    for module in view.quantized:
        if module.scheme.everywhere:
            continue
        roles = view.anatomy.roles(module.name)
        parent = module.name.rpartition(".")[0]
        role = "norm" if "norm" in roles else "router" if "router" in roles and parent in parents else ""
        weight = module.parts.get("weight")
        if role and weight is not None:
            values = {"module": module.name, "role": role, "scheme": module.scheme.name}
            yield Fact("protected-role-quantized", weight.shard, weight.name, values=values)


def _with_experts(view: View) -> Iterator[str]:
    """Modules that hold experts."""
    for name in view.modules:
        steps = name.split(".")
        yield from (".".join(steps[:i]) for i, step in enumerate(steps) if i and step in view.anatomy.experts)


CHECKS = (Check(STATES, run),)
