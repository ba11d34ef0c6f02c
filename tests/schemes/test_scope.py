"""Values of keys under their spellings, defaults, values made of others, and how many there are of an index."""

from __future__ import annotations

from typing import Any

import pytest

from architecture_text import architecture
from tensorlint.schemes.keyterms import UNKNOWN
from tensorlint.schemes.scope import Range, Scope

FILE = architecture("""
aliases: {n_layer: depth, layers: depth, old.n: sub.count, flat_n: sub.count}
defaults: {depth: 2, width: 8, sub.count: 3, experts: 4}
derived: {half: width // 2, quarter: half // 2, circle: circle + 1, ring: wheel, wheel: ring, of_lost: lost}
indices: {layer: depth, expert: 2 .. experts, open: "?", far: 1 .. ?, inner: layer + 1, block: sub.count, part: quarter,
  most: first .. last}
""")


@pytest.mark.parametrize(
    ("config", "key", "value"),
    [
        ({"depth": 5}, "depth", 5),
        ({"n_layer": 6}, "depth", 6),
        ({"layers": 7}, "depth", 7),
        ({"depth": 5, "n_layer": 6}, "depth", 5),  # its own name comes first, then spellings in their order
        ({"depth": None, "n_layer": 6}, "depth", 6),
        ({}, "depth", 2),
        ({"depth": None}, "depth", UNKNOWN),  # no default where the key says that there is nothing
        ({"n_layer": None}, "depth", UNKNOWN),
        ({"sub": {"count": 9}}, "sub.count", 9),
        ({"old": {"n": 9}}, "sub.count", 9),
        ({"sub": {}}, "sub.count", 3),
        ({"sub": 4}, "sub.count", 3),
        ({"sub": {"count": None}}, "sub.count", UNKNOWN),
        ({"old": {"n": None}}, "sub.count", UNKNOWN),
        ({"flat_n": None}, "sub.count", UNKNOWN),
        ({"sub.count": 9}, "sub.count", 3),  # dots lead inside
        ({}, "half", 4),
        ({"width": 20}, "half", 10),
        ({"width": 20}, "quarter", 5),
        ({"half": 3}, "half", 3),
        ({"half": None, "width": 20}, "half", 10),
        ({}, "circle", UNKNOWN),
        ({}, "ring", UNKNOWN),
        ({}, "lost", UNKNOWN),
        ({"lost": False}, "lost", False),
    ],
)  # fmt: skip
def test_the_value_of_a_key(config: dict[str, Any], key: str, value: Any) -> None:
    scope = Scope(FILE, config)
    assert scope.key(key) == value
    assert scope.key(key) == value


@pytest.mark.parametrize(
    ("config", "key", "states", "derives"),
    [
        ({}, "depth", False, False),
        ({"depth": 0}, "depth", True, False),
        ({"layers": 1}, "depth", True, False),
        ({"depth": None}, "depth", False, False),
        ({"sub": {"count": 1}}, "sub.count", True, False),
        ({}, "half", False, False),  # the width is only a default
        ({"width": 4}, "half", False, True),
        ({"width": 4}, "quarter", False, True),
        ({"half": 4}, "quarter", False, True),
        ({"half": 4}, "half", True, False),
        ({"width": 4}, "circle", False, False),
        ({"width": 4}, "ring", False, False),
        ({"width": 4}, "of_lost", False, False),
    ],
)
def test_what_config_states_and_what_is_made_of_what_it_states(
    config: dict[str, Any], key: str, states: bool, derives: bool
) -> None:
    scope = Scope(FILE, config)
    assert (scope.states(key), scope.derives(key)) == (states, derives)
    assert scope.derives(key) == scope.derives(key)


@pytest.mark.parametrize(
    ("config", "path", "key", "said"),
    [
        ({"n_layer": 1}, "", "depth", "n_layer"),
        ({"depth": 1, "n_layer": 1}, "", "depth", "depth"),
        ({"layers": 1}, "text_config", "depth", "text_config.layers"),
        ({}, "", "depth", "depth"),
        ({}, "a.b", "sub.count", "a.b.sub.count"),
    ],
)
def test_a_key_is_named_as_config_spells_it(config: dict[str, Any], path: str, key: str, said: str) -> None:
    assert Scope(FILE, config, path).stated(key) == said


@pytest.mark.parametrize(
    ("config", "index", "found"),
    [
        ({"depth": 5}, "layer", Range(0, 5)),
        ({"depth": 0}, "layer", Range(0, 0)),
        ({}, "layer", None),  # a default alone counts nothing
        ({"depth": "5"}, "layer", None),
        ({"depth": -1}, "layer", None),
        ({"depth": 10**9}, "layer", Range(0, 10**9)),
        ({"depth": 10**30}, "layer", None),
        ({"experts": 5}, "expert", Range(2, 5)),
        ({"experts": 1}, "expert", Range(2, 1)),
        ({"width": 16}, "part", Range(0, 4)),
        ({}, "part", None),
        ({"open": 3}, "open", None),
        ({"far": 3}, "far", None),
        ({"strange": 3}, "strange", None),
        ({"first": 1, "last": 3}, "most", Range(1, 3)),
        ({"first": "x", "last": 3}, "most", None),
    ],
)
def test_how_many_there_are_of_an_index(config: dict[str, Any], index: str, found: Range | None) -> None:
    scope = Scope(FILE, config)
    assert scope.range(index, {}) == found
    assert scope.range(index, {}) == found


def test_an_index_may_be_counted_by_another_one() -> None:
    scope = Scope(FILE, {})
    assert [scope.range("inner", {"layer": n}) for n in (0, 4, 0)] == [Range(0, 1), Range(0, 5), Range(0, 1)]
    assert scope.range("inner", {}) is None


@pytest.mark.parametrize(
    ("config", "index", "keys"),
    [
        ({"depth": 3}, "layer", ("depth",)),
        ({"experts": 3}, "expert", ("experts",)),
        ({}, "layer", ()),
        ({}, "open", ()),
    ],
)
def test_keys_that_count_an_index(config: dict[str, Any], index: str, keys: tuple[str, ...]) -> None:
    assert Scope(FILE, config).counted(index) == keys
