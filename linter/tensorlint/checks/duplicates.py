"""The same tensor in two shards (harmless when the bytes are equal, a gamble when not), and the same layer twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..measures.plan import Need
from ..schemes.view import Layer, View
from .check import Check

LAYER_STATES: Mapping[str, FactKind] = {
    "copied-layer": FactKind("A layer is a copy of another one.", ("layer", "other", "tensors", "bytes", "copies")),
}
STATES: Mapping[str, FactKind] = {
    "duplicate-tensor": FactKind("Two shards hold the same tensor with the same bytes.", ("shards", "bytes")),
    "duplicate-tensor-differs": FactKind(
        "Two shards hold the same tensor with different content.", ("shards", "shapes")
    ),
    "duplicate-tensor-overridden": FactKind(
        "A shard overrides a tensor of another one, as the index says.", ("shards", "shapes", "overlay")
    ),
}
_CHUNK = 4 << 20


def run(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Compare all copies of a name with the first."""
    listed = view.checkpoint.index.files if view.checkpoint.index else None
    folder = len(view.checkpoint.folder)
    overlays = _overlays(view) if view.checkpoint.copies else frozenset()
    for name, copies in view.checkpoint.copies.items():
        if listed is not None and any(c.shard[folder:] not in listed for c in copies):
            continue  # a shard outside the index is reported as a whole
        first, *rest = copies
        same = all(c.dtype == first.dtype and c.shape == first.shape and same_bytes(view, first, c) for c in rest)
        shards = [c.shard for c in copies]
        if same:
            yield Fact("duplicate-tensor", rest[-1].shard, name, values={"shards": shards, "bytes": first.nbytes})
        else:
            shapes = [f"{c.dtype}{list(c.shape)}" for c in copies]
            overlay = next((s for s in shards if s in overlays), "")
            kind = "duplicate-tensor-overridden" if overlay else "duplicate-tensor-differs"
            values = {"shards": shards, "shapes": shapes, "overlay": overlay}
            yield Fact(kind, overlay or rest[-1].shard, name, values=values)


def _overlays(view: View) -> frozenset[str]:
    """Shards made to override others: the index takes all of their tensors from them, and each has an older copy."""
    index, copies = view.checkpoint.index, view.checkpoint.copies
    if index is None:
        return frozenset()
    folder = len(view.checkpoint.folder)
    shards = view.checkpoint.shards
    whole = {s for s in shards if all(t.name in copies for t in shards[s].header.tensors)}
    return frozenset(
        s
        for s in whole
        for tensors in [shards[s].header.tensors]
        if all(index.weight_map.get(t.name) == s[folder:] for t in tensors)
        and all(c.shard == s or c.shard not in whole for t in tensors for c in copies[t.name])
    )


def same_bytes(view: View, a: TensorInfo, b: TensorInfo) -> bool:
    """Whether two tensors hold the same bytes; stops at the first difference."""
    if a.nbytes != b.nbytes:
        return False
    one, two = view.checkpoint.source.open(a.shard), view.checkpoint.source.open(b.shard)
    try:
        return all(
            one.read(a.begin + at, min(_CHUNK, a.nbytes - at)) == two.read(b.begin + at, min(_CHUNK, a.nbytes - at))
            for at in range(0, a.nbytes, _CHUNK)
        )
    finally:
        one.close()
        two.close()


_LEAST = 2048  # bytes of a weight that is never equal by chance
_TALL, _MANY = (
    3,
    4,
)  # layers of an encoder, and weights of each of them; heads for every layer are often one and the same
_VARIED = 2  # weights of more than one byte value, at least: a single one may be a table that layers share
_WORDS = frozenset({"largest", "smallest", "nan", "inf", "zero", "negative", "ceiling", "floor", "uniform"})


def _weights(layer: Layer) -> dict[str, TensorInfo]:
    return {n: t for n, t in layer.tensors.items() if len(t.shape) > 1 and t.nbytes >= _LEAST}


def _stacks(view: View) -> Iterator[tuple[Layer, ...]]:
    """Layers that may be compared: the decoder's, and those of encoders and towers, which have many weights each."""
    if len(view.layers) > 1 and view.anatomy.count(view.model_config, "layers") is not None:
        yield view.layers
    for layers in view.towers:
        if len(layers) >= _TALL and all(len(_weights(layer)) >= _MANY for layer in layers):
            yield layers


def needs_layers(view: View) -> Iterator[Need]:
    """What tells the weights of two layers apart without comparing them."""
    for layers in _stacks(view):
        for layer in layers:
            for tensor in _weights(layer).values():
                yield Need(tensor, view.unit_of[tensor.name].encoding, _WORDS)


def run_layers(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Layers whose weights are, byte by byte, those of another layer."""
    for layers in _stacks(view):
        yield from _copied(view, layers, measured)


def _copied(view: View, layers: tuple[Layer, ...], measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    firsts: dict[tuple[object, ...], Layer] = {}
    copies: list[tuple[Layer, Layer]] = []
    for layer in layers:
        weights = _weights(layer)
        found = {n: measured.get((t.shard, t.name)) for n, t in weights.items()}
        # What is one byte over and over, such as symmetric zero points, is alike in all layers and tells nothing.
        if sum(m is not None and not m.value("uniform") for m in found.values()) < _VARIED or None in found.values():
            continue
        looks = tuple((n, weights[n].dtype, weights[n].shape, *_looks(found[n])) for n in sorted(weights))
        first = firsts.setdefault(looks, layer)
        if first is not layer and all(same_bytes(view, first.tensors[n], t) for n, t in weights.items()):
            copies.append((layer, first))
    for layer, first in copies:
        weights = _weights(layer)
        tensor = next(iter(weights.values()))
        values = {
            "layer": layer.number,
            "other": first.number,
            "tensors": len(weights),
            "bytes": sum(t.nbytes for t in weights.values()),
            "copies": len(copies),
        }
        yield Fact("copied-layer", tensor.shard, f"{layer.prefix}.{layer.number}.*", values=values)


def _looks(found: Measures | None) -> tuple[float, ...]:
    return () if found is None else tuple(found.value(word) for word in sorted(_WORDS))


CHECKS = (
    Check(STATES, run, "full"),
    Check(LAYER_STATES, run_layers, "full", needs_layers),
)
