"""Scales of a quantized KV cache: declared and there, in pairs, in every layer, and calibrated.

Loaders take a missing value scale from the key scale, assert on the reverse, and use 1.0 when both are absent
(vLLM .../quantization/kv_cache.py, SGLang kv_cache.py).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..measures.plan import Need
from ..schemes.view import Layer, View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "kv-without-scales": FactKind("KV-cache quantization is declared, but there are no scales.", ("declared", "where")),
    "kv-undeclared": FactKind("There are KV-cache scales, but no file declares KV-cache quantization.", ("tensors",)),
    "kv-half-pair": FactKind(
        "An attention layer has a key scale without a value scale, or the reverse.", ("module", "has", "lacks")
    ),
    "kv-layer-missing": FactKind(
        "Some attention layers have KV-cache scales, this one has none.", ("module", "have", "of")
    ),
}
VALUE_STATES: Mapping[str, FactKind] = {
    "kv-all-one": FactKind("Every KV-cache scale is exactly 1.", ("tensors",)),
}
_USUAL_BITS = 8  # of a cache whose settings name none
_LAYER = re.compile(r"^(?P<layer>.*?\.\d+)\.")


def _by_layer(view: View) -> Mapping[str, dict[str, TensorInfo]]:
    """Key and value scales by layer prefix (`model.layers.4`)."""
    found: dict[str, dict[str, TensorInfo]] = defaultdict(dict)
    for module in view.companions:
        layer = _LAYER.match(module.name + ".")
        for name, tensor in module.parts.items():
            if name in ("k_scale", "v_scale", "kv_scale", "kv_cache_scale") and layer:
                found[layer["layer"]][name] = tensor
    return found


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about presence; values are looked at separately."""
    scales = _by_layer(view)
    for declaration in view.declarations_with("kv_cache"):
        # NVFP4 caches may be scaled per block at run time; a dynamic scheme needs no scales either.
        declared = declaration.get("kv_cache")
        text = (
            declared
            if isinstance(declared, str)
            else f"{declaration.get('kv_cache_bits') or _USUAL_BITS} bit"
            if isinstance(declared, dict)
            else ""
        )
        dynamic = isinstance(declared, dict) and declaration.get("kv_cache_dynamic") is True
        if not scales and text and not dynamic and view.checkpoint.whole and view.layers and not _other_scales(view):
            yield Fact("kv-without-scales", declaration.file, values={"declared": text, "where": declaration.where})
            break
    if not scales:
        return
    main = view.declared.main
    if main is not None and "kv_cache" in main.dialect.fields and not any(view.declarations_with("kv_cache")):
        first = next(iter(next(iter(scales.values())).values()))
        yield Fact("kv-undeclared", first.shard, first.name, values={"tensors": sum(map(len, scales.values()))})
    for layer, parts in scales.items():
        if len(parts) == 1 and parts.keys() <= {"k_scale", "v_scale"}:
            ((has, tensor),) = parts.items()
            lacks = "v_scale" if has == "k_scale" else "k_scale"
            name = _counterpart(view, tensor, lacks)
            if name not in view.checkpoint.unreadable_names:
                yield Fact(
                    "kv-half-pair",
                    tensor.shard,
                    tensor.name,
                    values={"module": layer, "has": has, "lacks": lacks},
                )
    yield from _gaps(view, scales)


def _other_scales(view: View) -> bool:
    """Whether some module has output scales, which other exporters use for the cache."""
    return any("output_scale" in m.parts for m in view.modules.values())


def _counterpart(view: View, tensor: TensorInfo, part: str) -> str:
    """The name that another part of the same cache would have: key and value scales may be those of two modules."""
    module = view.unit_of[tensor.name].module
    assert module is not None
    parent, dot, leaf = module.name.rpartition(".")
    known = module.scheme.parts.get(part)
    return f"{parent}{dot}{view.anatomy.partner(leaf)}{known.suffix if known else '.' + part}"


def _gaps(view: View, scales: Mapping[str, dict[str, TensorInfo]]) -> Iterator[Fact]:
    if not view.checkpoint.whole:
        return
    attending = {
        f"{layer.prefix}.{layer.number}": _projections(view, layer)
        for layer in view.layers
        if any(name.startswith(view.anatomy.cached) for name in layer.tensors)
    }
    have = [layer for layer in attending if layer in scales]
    # Other projections are another kind of attention (linear attention has no cache of keys and values).
    kinds = {attending[layer] for layer in have}
    attending = {layer: kind for layer, kind in attending.items() if kind in kinds}
    for layer in attending:
        if layer not in scales:
            file = next(
                iter(next(lay for lay in view.layers if f"{lay.prefix}.{lay.number}" == layer).tensors.values())
            ).shard
            values = {"module": layer, "have": len(have), "of": len(attending)}
            yield Fact("kv-layer-missing", file, f"{layer}.{view.anatomy.cached[0]}.k_scale", values=values)


def _projections(view: View, layer: Layer) -> frozenset[str]:
    """The projections of a layer's attention."""
    blocks = {name.partition(".")[0] for name in view.anatomy.cached}
    names = (n.split(".") for n in layer.tensors)
    inside = {(n[0], n[1]) for n in names if len(n) > 1 and n[0] in blocks}
    start = f"{layer.prefix}.{layer.number}"
    return frozenset(leaf for block, leaf in inside if "projection" in view.anatomy.roles(f"{start}.{block}.{leaf}"))


def needs(view: View) -> Iterator[Need]:
    """Every key and value scale."""
    for module in view.companions:
        for name, tensor in module.parts.items():
            yield Need(
                tensor,
                module.scheme.parts[name].encoding(tensor.dtype),
                frozenset({"smallest", "largest", "first"}),
            )


def run_values(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """States kv-all-one when no layer was calibrated."""
    tensors = [t for parts in _by_layer(view).values() for t in parts.values()]
    found = [measured.get((t.shard, t.name)) for t in tensors]
    if tensors and all(m is not None and m.count and m.smallest == m.largest == 1.0 for m in found):
        yield Fact("kv-all-one", tensors[0].shard, tensors[0].name, values={"tensors": len(tensors)})


CHECKS = (
    Check(STATES, run),
    Check(VALUE_STATES, run_values, "scales", needs),
)
