"""Modules that runtimes merge into one matrix: q/k/v, gate/up, experts' w1/w3."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from math import log
from statistics import median

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..measures.plan import Need
from ..names import short
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "fused-schemes-differ": FactKind(
        "Modules that runtimes merge are stored in different ways.", ("modules", "schemes")
    ),
    "fused-partly-quantized": FactKind(
        "Of modules that runtimes merge, some are quantized and some are not.", ("modules", "plain", "scheme")
    ),
}
VALUE_STATES: Mapping[str, FactKind] = {
    "fused-scales-differ": FactKind(
        "Modules that runtimes merge have different scales per tensor.",
        ("modules", "part", "ratio", "smallest", "largest"),
    ),
    "fused-inputs-differ": FactKind(
        "Modules that read the same input have different activation scales.",
        ("modules", "part", "ratio", "smallest", "largest"),
    ),
}
_INPUTS = ("input_scale", "input_tensor_scale")


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Groups whose members are stored in different ways, or only in part quantized."""
    for group in view.fused_groups:
        yield from _partly(group)
        stored = [m for m in group if m.scheme.quantized and not m.problems]
        ways = set(map(_way, stored))
        if len(ways) > 1:
            schemes = [
                m.scheme.name
                + "".join(f" {what} {m.env[s]}" for s, what in (("b", "bits"), ("g", "group")) if s in m.env)
                + (f" per {m.labels['weight_scale']}" if "weight_scale" in m.labels else "")
                for m in stored
            ]
            odd = _odd(view, stored)
            first = odd.parts["weight"] if "weight" in odd.parts else next(iter(odd.parts.values()))
            values = {"modules": short(m.name for m in stored), "schemes": schemes}
            yield Fact("fused-schemes-differ", first.shard, first.name, values=values)


def _partly(group: tuple[Module, ...]) -> Iterator[Fact]:
    quantized = [m for m in group if m.scheme.quantized]
    plain = [m for m in group if not m.scheme.quantized and "weight" in m.parts]
    if quantized and plain:
        first = plain[0].parts["weight"]
        values = {
            "modules": short(m.name for m in quantized),
            "plain": short(m.name for m in plain),
            "scheme": quantized[0].scheme.name,
        }
        yield Fact("fused-partly-quantized", first.shard, first.name, values=values)


def _way(module: Module) -> tuple[object, ...]:
    return module.scheme.name, module.env.get("b"), module.env.get("g"), module.labels.get("weight_scale")


def _odd(view: View, group: list[Module]) -> Module:
    """The member that is stored in the way which is rarest in the group and among the siblings of its members."""
    ways = Counter(_way(m) for m in group for m in view.siblings.get(m.pattern, (m,)) if m.scheme.quantized)
    return min(group, key=lambda m: ways[_way(m)])


def _scalar_parts(group: Iterable[Module]) -> Iterator[tuple[str, list[tuple[Module, Need]]]]:
    """For each part that is one number in every member: the members with what is needed to read it."""
    members = list(group)
    for part_name in ("tensor_scale", *_INPUTS):
        rows = []
        for module in members:
            tensor = module.parts.get(part_name)
            if tensor is not None and tensor.elements == 1:
                encoding = module.scheme.parts[part_name].encoding(tensor.dtype)
                rows.append((module, Need(tensor, encoding, frozenset({"first"}))))
        if len(rows) > 1:
            yield part_name, rows


def needs(view: View) -> Iterator[Need]:
    """The scalar scales of all fused groups."""
    for group in view.fused_groups:
        for _, rows in _scalar_parts(group):
            yield from (need for _, need in rows)


def run_values(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Groups whose scales per tensor, or activation scales, differ."""
    groups: list[tuple[str, dict[str, tuple[float, TensorInfo]]]] = []
    for group in view.fused_groups:
        for part_name, rows in _scalar_parts(group):
            values = {}
            for module, need in rows:
                found = measured.get((need.tensor.shard, need.tensor.name))
                if found is not None and found.count:
                    values[module.name] = (found.first[1], need.tensor)
            # Zero, negative and non-finite scales have rules of their own.
            if len(values) > 1 and all(0 < v < float("inf") for v, _ in values.values()):
                groups.append((part_name, values))
    logs: dict[str, list[float]] = defaultdict(list)
    for part_name, values in groups:
        logs[part_name].extend(log(v) for v, _ in values.values())
    usual = {part_name: median(row) for part_name, row in logs.items()}
    for part_name, values in groups:
        low, high = min(v for v, _ in values.values()), max(v for v, _ in values.values())
        if low == high:
            continue
        kind = "fused-inputs-differ" if part_name in _INPUTS else "fused-scales-differ"
        # The odd one is that which is farthest from all of its kind in the model.
        odd = max(values.values(), key=lambda pair: (abs(log(pair[0]) - usual[part_name]), -pair[0]))[1]
        said = {
            "modules": short(values),
            "part": part_name,
            "ratio": high / low,
            "smallest": low,
            "largest": high,
        }
        yield Fact(kind, odd.shard, odd.name, odd.begin, said)


CHECKS = (
    Check(STATES, run),
    Check(VALUE_STATES, run_values, "scales", needs),
)
