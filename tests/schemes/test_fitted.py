"""A checkpoint beside an architecture: the layout that fits, and where every tensor and every missing one belongs."""

from __future__ import annotations

from typing import Any

import pytest

from architecture_text import architecture
from tensorlint.container.header import TensorInfo
from tensorlint.schemes.architectures import Architecture
from tensorlint.schemes.fitted import Fitted, fitted
from tensorlint.schemes.stored import Stored

TEXT = """
indices: {layer: depth, expert: experts}
layouts:
  Full:
    classes: [FullModel]
    tensors:
      m.words.w: embedding [v, h]
      m.{layer}.q.w: linear [h, h]
      m.{layer}.norm.w: norm [h]
      m.{layer}.odd.w: linear [h] if layer % 2 == 1
      m.{layer}.e.{expert}.w: experts [h]
      m.{layer}.e.{expert}.s: experts [h] maybe pair
      m.{layer}.e.{expert}.z: experts [h] maybe pair
      m.{layer}.extra.w: other [h] if extra
      head.w: head linear [v, h]
    ties: [m.words.w = head.w if tied]
    ignored: ["\\\\.cache$", "("]
  Bare: {classes: [BareModel], like: Full, rename: {m.: ""}, without: [head.w]}
"""
FILE = architecture(TEXT)
EMPTY = architecture("layouts: {}", "empty")
CONFIG: dict[str, Any] = {"depth": 2, "experts": 2, "extra": False, "tied": False}
FULL = [
    "m.words.w", "m.0.q.w", "m.1.q.w", "m.0.norm.w", "m.1.norm.w", "m.1.odd.w",
    "m.0.e.0.w", "m.0.e.1.w", "m.1.e.0.w", "m.1.e.1.w", "head.w",
]  # fmt: skip


def find(model_type: str) -> Architecture | None:
    return {"tiny": FILE, "empty": EMPTY}.get(model_type)


def fit(names: list[str], config: dict[str, Any] | None = None, model_type: str = "tiny") -> Fitted | None:
    items = [Stored(name, TensorInfo(name, "BF16", (1,), "s", 0, 2), (1,), 1) for name in names]
    return fitted(model_type, CONFIG | (config or {}), items, find)


def sure(names: list[str], **config: Any) -> Fitted:
    found = fit(names, config)
    assert found is not None
    return found


def told(found: Fitted) -> dict[str, list[str]]:
    rows = {
        "beyond": [one.name for one, _ in found.beyond],
        "denied": [one.name for one, _ in found.denied],
        "surplus": [one.name for one in found.surplus],
        "missing": sorted(place.name for place in found.missing),
    }
    return {what: names for what, names in rows.items() if names}


@pytest.mark.parametrize("model_type", ["strange", "empty"])
def test_what_no_layout_is_known_of_is_not_judged(model_type: str) -> None:
    assert fit(FULL, model_type=model_type) is None


def test_nothing_is_not_judged() -> None:
    assert fit([]) is None


def without(*names: str) -> list[str]:
    assert set(names) <= set(FULL)
    return [name for name in FULL if name not in names]


@pytest.mark.parametrize(
    ("names", "config", "wanted"),
    [
        (FULL, {}, {}),
        ([*FULL, "m.0.extra.w"], {}, {"denied": ["m.0.extra.w"]}),
        ([*FULL, "m.0.extra.w"], {"extra": None}, {}),  # nobody knows
        (FULL, {"extra": True}, {"missing": ["m.0.extra.w", "m.1.extra.w"]}),
        ([*FULL, "m.0.odd.w"], {}, {"denied": ["m.0.odd.w"]}),
        (without("m.1.odd.w"), {}, {"missing": ["m.1.odd.w"]}),
        ([*FULL, "m.2.q.w"], {}, {"beyond": ["m.2.q.w"]}),
        ([*FULL, "m.0.strange.w"], {}, {"surplus": ["m.0.strange.w"]}),
        ([*FULL, "m.words.cache", "m.0.cache"], {}, {}),
        (without("m.0.q.w"), {}, {"missing": ["m.0.q.w"]}),
        (without("m.0.q.w"), {"depth": None}, {"missing": ["m.0.q.w"]}),  # no count, but the layer is there
        ([name for name in FULL if ".0." not in name], {"depth": None}, {}),  # no count asks for the layer
        (without("m.0.e.1.w", "m.words.w"), {}, {"missing": ["m.0.e.1.w", "m.words.w"]}),
        (without("m.0.e.1.w"), {"experts": None}, {}),
        # Parts of a group are there together or not at all, for each of their indices.
        ([*FULL, "m.0.e.0.s", "m.0.e.0.z"], {}, {}),
        ([*FULL, "m.0.e.0.s"], {}, {"missing": ["m.0.e.0.z"]}),
        ([*FULL, "m.0.e.0.s", "m.1.e.1.z"], {}, {"missing": ["m.0.e.0.z", "m.1.e.1.s"]}),
        # One of two names of one tensor is enough where that is so, or may be.
        (without("head.w"), {}, {"missing": ["head.w"]}),
        (without("head.w"), {"tied": True}, {}),
        (without("head.w"), {"tied": None}, {}),
        (without("m.words.w"), {"tied": True}, {}),
        (without("m.words.w"), {}, {"missing": ["m.words.w"]}),
        (without("m.words.w", "head.w"), {"tied": True}, {"missing": ["m.words.w"]}),  # said once, of the first
        (without("m.words.w", "head.w"), {}, {"missing": ["head.w", "m.words.w"]}),
    ],
)  # fmt: skip
def test_where_tensors_belong(names: list[str], config: dict[str, Any], wanted: dict[str, list[str]]) -> None:
    found = sure(names, **config)
    assert (found.layout.name, told(found)) == ("Full", wanted)
    assert found.fits and found.whole


def bare(names: list[str]) -> list[str]:
    return [name.removeprefix("m.") for name in names]


@pytest.mark.parametrize(
    ("names", "config", "layout"),
    [
        (FULL, {}, "Full"),
        (bare(without("head.w")), {}, "Bare"),
        (FULL, {"architectures": ["BareModel"]}, "Full"),  # names tell more than the class
        (["strange"], {"architectures": ["BareModel"]}, "Bare"),
        (["strange"], {"architectures": ["FullModel"]}, "Full"),
        (["strange"], {"architectures": "FullModel"}, "Bare"),  # no list; of Bare less has to be there
        (["strange"], {"architectures": [None, ["BareModel"]]}, "Bare"),
        (["strange"], {"tied": True}, "Bare"),
    ],
)
def test_the_layout_that_fits_best(names: list[str], config: dict[str, Any], layout: str) -> None:
    assert sure(names, **config).layout.name == layout


@pytest.mark.parametrize(
    ("strange", "share", "fits"),
    [(0, 1.0, True), (2, 5 / 7, True), (5, 0.5, True), (6, 5 / 11, False)],
)
def test_names_are_those_of_the_architecture_where_half_of_their_patterns_are(
    strange: int, share: float, fits: bool
) -> None:
    found = sure(
        [n for n in FULL if ".odd" not in n] + [f"x.{'abcdefgh'[n]}.{i}" for n in range(strange) for i in (0, 1)]
    )
    assert (found.share, found.fits) == (share, fits)


@pytest.mark.parametrize(
    ("names", "whole"),
    [
        (FULL, True),
        (["m.words.w", "head.w", "m.0.q.w"], True),  # three of six
        (["m.words.w", "head.w"], False),
        (["m.0.q.w"], False),
    ],
)
def test_an_extract_has_less_than_half_of_what_is_always_there(names: list[str], whole: bool) -> None:
    assert sure(names).whole is whole


def renamed(*pairs: tuple[str, str]) -> list[str]:
    names = FULL
    for old, new in pairs:
        assert any(old in name for name in names)
        names = [name.replace(old, new) for name in names]
    return names


@pytest.mark.parametrize(
    ("names", "spelt"),
    [
        (FULL, True),
        ([*FULL, "m.0.strange.w"], True),  # a single one is no spelling
        ([*FULL, "m.0.strange.w", "m.0.other.w"], True),
        (renamed((".q.", ".query.")), True),  # one for one, in every layer, at the same place
        (renamed((".q.", ".att.query.")), False),  # at another place
        (renamed((".q.w", ".query.weight")), False),
        (renamed((".q.", ".query."), (".norm.", ".ln.")), False),  # two others
        ([*FULL, "m.0.query.w", "m.1.query.w"], False),  # for which nothing is missing
        ([*(n for n in FULL if ".norm." not in n and ".q." not in n), "m.0.x.w", "m.1.x.w"], False),
        ([*renamed((".q.", ".query.")), "m.2.query.w"], False),  # not one for one
        (without("m.0.q.w", "m.1.q.w"), True),  # left out, by nobody's spelling
        (without("m.0.e.0.w", "m.0.e.1.w", "m.1.e.0.w", "m.1.e.1.w"), False),  # what versions store otherwise
        (["m.words.w", "m.0.q.w"], True),  # an extract
        (["m.0.e.0.w", "m.0.x.w", "m.1.x.w"], False),
    ],
)  # fmt: skip
def test_single_other_names_are_mistakes_and_several_are_another_spelling(names: list[str], spelt: bool) -> None:
    assert sure(names).spelt is spelt


@pytest.mark.parametrize(
    ("name", "config", "asked", "spoken"),
    [
        ("m.0.q.w", {}, True, True),
        ("m.1.q.w", {}, True, True),
        ("m.2.q.w", {}, False, True),
        ("m.0.odd.w", {}, False, True),
        ("m.1.odd.w", {}, True, True),
        ("m.0.e.0.s", {}, None, True),
        ("m.0.extra.w", {"extra": None}, None, True),
        ("m.0.strange.w", {}, False, False),
        ("head.w", {}, True, True),
        (f"m.{'9' * 30}.q.w", {}, False, True),
    ],
)
def test_whether_a_layout_asks_for_a_name(name: str, config: dict[str, Any], asked: bool | None, spoken: bool) -> None:
    found = sure(FULL, **config)
    assert (found.asks_for(name), found.speaks_of(name)) == (asked, spoken)


@pytest.mark.parametrize(("names", "config", "tied"), [
    (FULL, {"tied": True}, True), (FULL, {"tied": False}, False), (FULL, {"tied": None}, None),
    (bare(without("head.w")), {"tied": True}, None),
])  # fmt: skip
def test_whether_the_head_is_the_embedding(names: list[str], config: dict[str, Any], tied: bool | None) -> None:
    assert sure(names, **config).tied() is tied


def test_a_head_that_no_tie_is_about_is_not_tied() -> None:
    file = architecture(
        'layouts: {A: {tensors: {head.w: "head [v]", a: "linear [v]", b: "linear [v]"}, ties: [a = b]}}'
    )
    items = [Stored("head.w", TensorInfo("head.w", "BF16", (1,), "s", 0, 2), (1,), 1)]
    found = fitted("tiny", {}, items, lambda _: file)
    assert found is not None and found.tied() is False
    assert told(found) == {"missing": ["a"]}


def test_a_tie_whose_condition_is_none_may_hold() -> None:
    file = architecture('layouts: {A: {tensors: {head: "head [v]", a: "linear [v]"}, ties: ["a = head if (("]}}')
    found = fitted("tiny", {}, [Stored("a", TensorInfo("a", "BF16", (1,), "s", 0, 2), (1,), 1)], lambda _: file)
    assert found is not None and found.tied() is None
    assert told(found) == {}


def test_a_number_that_stands_in_a_line_goes_before_the_index_that_it_is_not() -> None:
    text = 'indices: {layer: 1 .. depth}\nlayouts: {A: {tensors: {"l.0.w": "linear [1]", "l.{layer}.w": "norm [1]"}}}'
    items = [Stored(f"l.{n}.w", TensorInfo("x", "BF16", (1,), "s", 0, 2), (1,), 1) for n in range(4)]
    file = architecture(text)
    found = fitted("tiny", {"depth": 3}, items, lambda _: file)
    assert found is not None
    assert [(one.name, place.bound.line.role) for one, place in found.found] == [
        ("l.0.w", "linear"), ("l.1.w", "norm"), ("l.2.w", "norm"),
    ]  # fmt: skip
    assert [(one.name, place.bound.line.role) for one, place in found.beyond] == [("l.3.w", "norm")]


def test_places_of_weights_are_found_by_module() -> None:
    text = 'layouts: {A: {tensors: {"a.weight": "linear [1]", "b": "other [1]"}}}'
    items = [Stored(n, TensorInfo(n, "BF16", (1,), "s", 0, 2), (1,), 1) for n in ("a.weight", "b", "c.weight")]
    file = architecture(text)
    found = fitted("tiny", {}, items, lambda _: file)
    assert found is not None
    assert {name: place.name for name, place in found.by_module.items()} == {"a": "a.weight", "b": "b"}
