"""Columns and rows that two witnesses agree about, and nothing where one of them is silent or disagrees."""

from __future__ import annotations

from typing import Any

import pytest

from tensorlint.container.header import TensorInfo
from tensorlint.schemes.anatomy import Anatomy
from tensorlint.schemes.families import load_family
from tensorlint.schemes.grouping import Grouping
from tensorlint.schemes.widths import Widths
from tensorlint.text.yamlread import read

FAMILY = """\
summary: Models of small sizes.
layers: [model.layers, h]
roles:
  norm: ["*norm"]
  reads: ["*.q", "*.up", "*.gate", "*.in_norm"]
  writes: ["*.o", "*.down"]
  attention: ["*.q", "*.o"]
  vision: ["*vision*"]
  mtp: ["*mtp*"]
ends: {embedding: embed, head: head}
experts: {named: experts, stacked: switch}
kv_cache: {keys: [att.k, wide.k]}
names: {outer: [model]}
equal: [{up: rows, gate: rows, down: columns}]
in_ratio: [{q: rows, o: columns}]
rows: {"*.mlp.up": intermediate, "*.mlp.gate": intermediate, "*.att.q": heads*head_size}
counts:
  hidden: [width]
  heads: [att_heads]
  head_size: [att_size]
  intermediate: [inner]
  embedding_width: [narrow]
"""
ANATOMY = Anatomy((load_family(read(FAMILY.encode(), "small.yaml"), "small"),))
CONFIG = {"width": 8, "att_heads": 2, "inner": 24}
TENSORS = {
    "model.embed.weight": ("BF16", (32, 8)),
    "model.layers.0.in_norm.weight": ("BF16", (8,)),
    "model.layers.0.att.q.weight": ("U8", (8, 4)),
    "model.layers.0.att.o.weight": ("U8", (8, 4)),
    "model.layers.0.mlp.up.weight": ("U8", (24, 4)),
    "model.layers.0.mlp.gate.weight": ("U8", (24, 4)),
    "model.layers.0.mlp.down.weight": ("U8", (8, 12)),
    "head.weight": ("U8", (32, 4)),
}
Shapes = dict[str, tuple[str, tuple[int, ...]]]


def infos(tensors: Shapes) -> dict[str, TensorInfo]:
    return {name: TensorInfo(name, dtype, shape, "s", 0, 0) for name, (dtype, shape) in tensors.items()}


def width(module: str, tensors: Shapes | None = None, config: dict[str, Any] | None = None) -> dict[str, int]:
    found = infos(TENSORS if tensors is None else tensors)
    widths = Widths(found, ANATOMY, CONFIG if config is None else config)
    return dict(widths.of(module, Grouping([".weight"]).groups(found)))


L = "model.layers.0"


@pytest.mark.parametrize(
    ("module", "known"),
    [
        (f"{L}.att.q", {"K": 8, "N": 8}),  # reads the hidden state; its rows are heads
        (f"{L}.mlp.up", {"K": 8, "N": 24}),
        (f"{L}.x.up", {"K": 8}),  # no family says how many rows it has
        (f"{L}.att.o", {"K": 8, "N": 8}),  # reads what q gives, writes the hidden state
        (f"{L}.mlp.down", {"K": 24, "N": 8}),
        (f"{L}.x.down", {}),  # nothing beside it tells what it reads
        (f"{L}.x.other", {}),
        ("h.0.mlp.up", {"K": 8, "N": 24}),  # the other prefix of layers
        ("mlp.up", {}),  # in no layer
        ("towers.0.mlp.up", {}),
        ("model.layers.x.mlp.up", {}),
        (f"{L}.in_norm", {}),
        (f"{L}.vision.up", {}),
        (f"{L}.mtp.up", {}),
        ("model.embed", {"K": 8}),
        ("embed", {"K": 8}),
        ("head", {"K": 8}),
        ("model.layers.0.head", {}),
    ],
)
def test_what_is_known_of_a_module(module: str, known: dict[str, int]) -> None:
    assert width(module) == known


@pytest.mark.parametrize(
    ("config", "module", "known"),
    [
        ({**CONFIG, "width": 16}, "att.q", {}),  # norms are of another width
        ({"width": 8, "inner": 24}, "att.q", {}),  # families do not say that layers have these sizes
        ({"att_heads": 2, "inner": 24}, "att.q", {}),
        ({"width": 8, "att_heads": 2}, "mlp.up", {"K": 8}),
        ({"width": 8, "att_heads": 2}, "mlp.down", {}),
        ({**CONFIG, "att_size": 5}, "att.q", {"K": 8, "N": 10}),  # a stated size of heads holds
        ({**CONFIG, "att_heads": 3}, "att.q", {"K": 8}),  # no whole number is the size of a head
        ({**CONFIG, "att_heads": 1}, "att.q", {"K": 8, "N": 8}),
        ({**CONFIG, "att_heads": 0}, "att.q", {}),
        ({"width": 8, "att_heads": "many"}, "att.q", {}),
    ],
)
def test_the_configuration_is_one_of_two_witnesses(config: dict[str, Any], module: str, known: dict[str, int]) -> None:
    assert width(f"{L}.{module}", config=config) == known


@pytest.mark.parametrize(
    "norms",
    [
        {},
        {f"{L}.in_norm.weight": ("BF16", (9,))},
        {f"{L}.in_norm.weight": ("BF16", (8, 1))},
        {f"{L}.in_norm.weight": ("BF16", (8,)), "model.layers.1.in_norm.weight": ("BF16", (9,))},
        {f"{L}.q_norm.weight": ("BF16", (8,))},  # a norm of something else
        {f"{L}.att.q.bias": ("BF16", (8,))},  # reads it, but is no norm
    ],
)
def test_without_norms_of_one_width_nothing_is_known(norms: Shapes) -> None:
    rest = {name: what for name, what in TENSORS.items() if "norm" not in name}
    assert width(f"{L}.att.q", {**rest, **norms}) == {}
    assert width("head", {**rest, **norms}) == {}


@pytest.mark.parametrize(
    ("shape", "known"),
    [((24, 4), {"K": 24, "N": 8}), ((4, 24), {"K": 24, "N": 8}), ((23, 4), {}), (None, {})],
)
def test_what_a_module_reads_is_as_wide_as_config_and_the_one_beside_it_say(
    shape: tuple[int, ...] | None, known: dict[str, int]
) -> None:
    tensors = {name: what for name, what in TENSORS.items() if ".up" not in name and ".gate" not in name}
    if shape is not None:
        tensors[f"{L}.mlp.gate.weight"] = ("U8", shape)  # the second one that it may read
    assert width(f"{L}.mlp.down", tensors) == known


def test_layers_are_not_told_apart_but_modules_are() -> None:
    found = infos(TENSORS)
    widths = Widths(found, ANATOMY, CONFIG)
    groups = Grouping([".weight"]).groups(found)
    first = widths.of(f"{L}.mlp.down", groups)
    assert widths.of("model.layers.7.mlp.down", groups) is first  # beside which there is no `up`
    assert widths.of(f"{L}.mlp.up", groups) != first


@pytest.mark.parametrize("end", ["model.embed", "head"])
def test_an_embedding_of_another_width_makes_the_ends_unknown(end: str) -> None:
    assert width(end, config={**CONFIG, "narrow": 4}) == {}
    assert width(f"{L}.mlp.up", config={**CONFIG, "narrow": 4}) == {"K": 8, "N": 24}


ALONE = {**TENSORS, f"{L}.wide.q.weight": ("U8", (8, 4)), f"{L}.cross.q.weight": ("U8", (8, 4))}


@pytest.mark.parametrize(
    ("module", "known"),
    [
        (f"{L}.mlp.up", {"K": 8}),
        (f"{L}.att.q", {"K": 8}),
        (f"{L}.wide.q", {"K": 8}),
        (f"{L}.cross.q", {}),  # its attention may be to another model
        (f"{L}.q", {}),
        (f"{L}.experts.0.up", {}),
        (f"{L}.switch.up", {}),
        (f"{L}.mlp.down", {}),
        (f"{L}.att.o", {}),
        (f"{L}.in_norm", {}),
        ("tower.0.mlp.up", {}),
        ("head", {"K": 8}),
    ],
)
def test_without_a_configuration_what_reads_the_hidden_state_itself_is_known(
    module: str, known: dict[str, int]
) -> None:
    assert width(module, ALONE, {}) == known


@pytest.mark.parametrize(
    ("embedding", "known"),
    [
        ({"model.embed.weight": ("BF16", (32, 8))}, {"K": 8}),
        ({"embed.weight": ("F32", (32, 8))}, {"K": 8}),
        ({"embed.weight": ("F8_E4M3", (32, 8))}, {"K": 8}),
        ({"embed.bias": ("F32", (32,)), "embed.weight": ("F32", (32, 8))}, {"K": 8}),
        ({"embed.weight": ("F32", (8, 32))}, {}),
        ({"embed.weight": ("U8", (32, 8))}, {}),  # packed: it tells no width
        ({"embed.weight": ("F32", (32, 8, 1))}, {}),
        ({"words.weight": ("F32", (32, 8))}, {}),
        ({}, {}),
    ],
)
def test_without_a_configuration_a_plain_embedding_is_the_second_witness(
    embedding: Shapes, known: dict[str, int]
) -> None:
    rest = {name: what for name, what in TENSORS.items() if "embed" not in name}
    assert width(f"{L}.mlp.up", {**embedding, **rest}, {}) == known


def test_nothing_is_known_of_nothing() -> None:
    assert width("head", {}, {}) == {}
    assert width("head", {}) == {}
