"""Tensors whose dtype is not of the kind that their role, their siblings or the configuration have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from ..container.header import TensorInfo
from ..dtypes import PLAIN_FLOATS
from ..facts import Fact, FactKind
from ..names import pattern_of
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "odd-type": FactKind(
        "A plain tensor has another kind of dtype than its role or its siblings have.", ("dtype", "wanted", "why")
    ),
    "odd-part-type": FactKind(
        "A part has another dtype than the same part of the other layers.", ("dtype", "wanted", "part")
    ),
    "config-dtype": FactKind(
        "config.json states another 16-bit dtype than the tensors have.", ("key", "stated", "found", "tensors")
    ),
}
_FLOATING = frozenset({"norm", "final_norm", "embedding", "head", "attention", "mlp", "router", "adapter"})
_HALVES = frozenset({"BF16", "F16"})
_OTHERS = 4  # plain tensors of one dtype beside which a single one of the other is odd: in fewer it may be meant


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Integer weights that no scheme explains, and 16-bit floats of the other kind in single layers."""
    for tensor in view.recognised.loose:
        module, _, leaf = tensor.name.rpartition(".")
        if leaf == "weight" and tensor.dtype not in PLAIN_FLOATS and view.anatomy.roles(module) & _FLOATING:
            values = {"dtype": tensor.dtype, "wanted": "a float", "why": "no quantization scheme explains it"}
            yield Fact("odd-type", tensor.shard, tensor.name, values=values)
    rows: dict[str, list[TensorInfo]] = defaultdict(list)
    for unit in view.units:
        if not (unit.module is not None and unit.module.scheme.quantized) and unit.tensor.dtype in _HALVES:
            rows[pattern_of(unit.tensor.name)].append(unit.tensor)
    overall = Counter(t.dtype for tensors in rows.values() for t in tensors)
    for tensors in rows.values():
        kinds = Counter(t.dtype for t in tensors)
        usual = max(kinds, key=lambda kind: (kinds[kind], overall[kind]))
        if len(kinds) > 1:
            for tensor in tensors:
                if tensor.dtype != usual:
                    values = {"dtype": tensor.dtype, "wanted": usual, "why": "the other layers have that"}
                    yield Fact("odd-type", tensor.shard, tensor.name, values=values)
    yield from _lone(view, rows, overall)
    yield from _parts(view)
    yield from _stated(view, overall)


def _lone(view: View, rows: Mapping[str, list[TensorInfo]], overall: Counter[str]) -> Iterator[Fact]:
    """The one 16-bit tensor without siblings whose dtype no other plain tensor has."""
    if len(overall) != 2:
        return
    usual, rare = (kind for kind, _ in overall.most_common())
    odd = [tensors for tensors in rows.values() if any(t.dtype == rare for t in tensors)]
    if len(odd) == 1 and len(odd[0]) == 1 and overall[usual] >= _OTHERS:
        tensor = odd[0][0]
        if view.anatomy.roles(tensor.name.rpartition(".")[0]) & {"embedding", "head", "final_norm"}:
            values = {"dtype": rare, "wanted": usual, "why": "all other plain tensors have that"}
            yield Fact("odd-type", tensor.shard, tensor.name, values=values)


def _parts(view: View) -> Iterator[Fact]:
    """Scales and other parts that are stored in another dtype than in the other layers, each of which is allowed."""
    rows: dict[tuple[str, str, str], list[TensorInfo]] = defaultdict(list)
    for unit in view.units:
        module, part = unit.module, unit.part
        if module is None or part is None or len(part.dtypes) < 2 or unit.tensor.dtype not in part.dtypes:
            continue
        if module.scheme.quantized or module.scheme.companion:
            rows[pattern_of(unit.tensor.name), module.scheme.name, part.name].append(unit.tensor)
    overall: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for (_, scheme, name), tensors in rows.items():
        overall[scheme, name].update(t.dtype for t in tensors)
    for (_, scheme, name), tensors in rows.items():
        kinds = Counter(t.dtype for t in tensors)
        everywhere = overall[scheme, name]
        usual = max(kinds, key=lambda kind: (kinds[kind], everywhere[kind]))
        if len(kinds) > 1 and (len(tensors) - kinds[usual]) * 2 <= len(tensors):
            for tensor in tensors:
                if tensor.dtype != usual:
                    values = {"dtype": tensor.dtype, "wanted": usual, "part": name}
                    yield Fact("odd-part-type", tensor.shard, tensor.name, values=values)


_HALF_NAMES = {"bfloat16": "BF16", "float16": "F16"}


def _stated(view: View, overall: Counter[str]) -> Iterator[Fact]:
    """The first dtype that config.json states is no tensor's, and plain ones have the other 16-bit dtype."""
    present = {t.dtype for t in view.checkpoint.tensors.values()}
    for config in (view.checkpoint.config("config.json"), view.model_config):
        for key in ("dtype", "torch_dtype"):
            stated = _HALF_NAMES.get(str(config.get(key, "")).removeprefix("torch."))
            if stated and overall and stated not in present and view.checkpoint.primary:
                found = overall.most_common(1)[0]
                values = {"key": key, "stated": str(config[key]), "found": found[0], "tensors": found[1]}
                yield Fact("config-dtype", view.checkpoint.path("config.json"), values=values)
            if stated:
                return


CHECKS = (Check(STATES, run),)
