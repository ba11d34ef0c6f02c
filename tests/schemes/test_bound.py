"""Lines of an architecture under a configuration: what must be there, what may be, and for which indices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from architecture_text import architecture
from tensorlint.schemes import bound as bounding
from tensorlint.schemes.architectures import Architecture
from tensorlint.schemes.bound import Bound, Place, bounds_of

TEXT = """
defaults: {side.model_type: other}
indices: {layer: depth, expert: experts, inner: layer + 1, open: "?", late: 2 .. depth}
layouts:
  Top:
    assumes: [{m.guess.: "on"}, "sure"]
    tensors:
      m.always: linear [4]
      m.maybe: linear [4] maybe
      m.if: linear [4] if on
      m.either: linear [4] if on | [8] if off
      m.else: linear [4] if on | [8]
      m.else_maybe: linear [4] if on maybe | [8]
      m.{layer}.w: linear [4]
      m.{layer}.odd: linear [4] if layer % 2 == 1
      m.{layer}.e.{expert}.w: linear [4]
      m.{layer}.i.{inner}.w: linear [4]
      m.{layer}.{layer}.w: linear [4]
      m.{open}.w: linear [4]
      m.{late}.late: linear [4]
      m.guess.w: linear [4]
    parts: {side.: side}
"""
OTHER = """
layouts:
  Wrong: {tensors: {wrong: "linear [4]"}}
  Right: {base: true, tensors: {w: "linear [width]"}, parts: {deeper.: more}}
"""
FILES = {"tiny": architecture(TEXT), "other": architecture(OTHER, "other")}


def bounds(config: dict[str, Any], files: dict[str, Architecture] | None = None) -> dict[str, Bound]:
    known = FILES if files is None else files
    top = known["tiny"].layouts["Top"]
    return {b.line.name: b for b in bounds_of(known["tiny"], top, config, known.get)}


SURE = {"sure": True}


@pytest.mark.parametrize(
    ("name", "config", "must", "may", "sizes"),
    [
        ("m.always", {}, True, True, ["4"]),
        ("m.maybe", {}, False, True, ["4"]),
        ("m.if", {"on": True}, True, True, ["4"]),
        ("m.if", {"on": False}, False, False, ["4"]),
        ("m.if", {}, False, True, ["4"]),  # nobody knows
        ("m.either", {"on": False, "off": True}, True, True, ["8"]),
        ("m.either", {"off": True}, False, True, ["4", "8"]),  # it is there, in one of two sizes
        ("m.either", {"on": True}, True, True, ["4"]),
        ("m.either", {"on": False, "off": False}, False, False, ["4", "8"]),
        ("m.else", {"on": False}, True, True, ["8"]),
        ("m.else", {}, False, True, ["4", "8"]),
        ("m.else_maybe", {"on": True}, False, True, ["4"]),
        ("m.else_maybe", {"on": False}, True, True, ["8"]),
    ],
)  # fmt: skip
def test_conditions_say_what_must_and_may_be_there(
    name: str, config: dict[str, Any], must: bool, may: bool, sizes: list[str]
) -> None:
    bound = bounds({**SURE, **config})[name]
    for _ in range(2):
        found = bound.judged({})
        assert (found.must, found.may) == (must, may)
        assert [case.shape[0].term and case.shape[0].term.text for case in found.cases] == sizes


def test_a_condition_on_an_index_is_worked_out_for_each() -> None:
    bound = bounds(SURE)["m.{layer}.odd"]
    assert [bound.judged({"layer": n}).must for n in (0, 1, 2, 3, 1)] == [False, True, False, True, True]


@pytest.mark.parametrize(
    ("config", "sure", "guess", "denied"),
    [
        ({"sure": True, "on": True}, True, True, False),
        ({"sure": True, "on": False}, True, False, True),
        ({"sure": True}, True, False, False),  # what is not known is not assumed
        ({"sure": False, "on": True}, False, False, False),
        ({"sure": False, "on": False}, False, False, False),  # nor is anything denied
    ],
)
def test_where_what_a_layout_assumes_does_not_hold_nothing_must_be_there(
    config: dict[str, Any], sure: bool, guess: bool, denied: bool
) -> None:
    found = bounds(config)
    assert (found["m.always"].judged({}).must, found["m.guess.w"].judged({}).must) == (sure, guess)
    assert found["m.guess.w"].judged({}).may
    assert found["m.if"].judged({}).may is not denied


def test_what_is_assumed_in_no_readable_way_does_not_hold() -> None:
    file = architecture('layouts: {Top: {assumes: "((", tensors: {m: "linear [4]"}}}')
    assert not bounds({}, {"tiny": file})["m"].judged({}).must


def rows(found: Iterable[dict[str, int]] | None) -> list[tuple[int, ...]] | None:
    return None if found is None else [tuple(row.values()) for row in found]


@pytest.mark.parametrize(
    ("name", "config", "wanted"),
    [
        ("m.always", {}, [()]),
        ("m.{layer}.w", {"depth": 2}, [(0,), (1,)]),
        ("m.{layer}.w", {"depth": 0}, []),
        ("m.{layer}.w", {}, None),
        ("m.{late}.late", {"depth": 4}, [(2,), (3,)]),
        ("m.{late}.late", {"depth": 1}, []),
        ("m.{layer}.odd", {"depth": 2}, [(0,), (1,)]),
        ("m.{layer}.e.{expert}.w", {"depth": 2, "experts": 2}, [(0, 0), (0, 1), (1, 0), (1, 1)]),
        ("m.{layer}.e.{expert}.w", {"depth": 2}, None),
        ("m.{layer}.i.{inner}.w", {"depth": 2}, [(0, 0), (1, 0), (1, 1)]),
        ("m.{layer}.i.{inner}.w", {}, None),
        ("m.{layer}.{layer}.w", {"depth": 2}, [(0,), (1,)]),
        ("m.{open}.w", {}, None),
    ],
)
def test_the_indices_that_counts_ask_for(
    name: str, config: dict[str, Any], wanted: list[tuple[int, ...]] | None
) -> None:
    assert rows(bounds(config)[name].expected()) == wanted


@pytest.mark.parametrize(("limit", "found"), [(7, 6), (6, 6), (5, 5)])
def test_of_more_names_than_anybody_has_the_first_are_asked_for(
    limit: int, found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounding, "_MOST", limit)
    made = rows(bounds({"depth": 3, "experts": 2})["m.{layer}.e.{expert}.w"].expected())
    assert made is not None and len(made) == found


@pytest.mark.parametrize(("limit", "found"), [(6, 6), (5, 5)])
def test_rows_that_depend_on_each_other_have_a_limit(limit: int, found: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounding, "_EACH", limit)
    made = rows(bounds({"depth": 3})["m.{layer}.i.{inner}.w"].expected())
    assert made is not None and len(made) == found


@pytest.mark.parametrize("config", [{"depth": 10**15, "experts": 10**15}, {"depth": 10**15}])
def test_billions_of_names_are_asked_for_one_after_the_other(config: dict[str, Any]) -> None:
    made = bounds({"experts": 4} | config)["m.{layer}.e.{expert}.w"].expected()
    assert made is not None and next(made) == {"layer": 0, "expert": 0}


@pytest.mark.parametrize(
    ("name", "indices", "inside"),
    [
        ("m.{layer}.w", {"layer": 0}, True),
        ("m.{layer}.w", {"layer": 2}, True),
        ("m.{layer}.w", {"layer": 3}, False),
        ("m.{late}.late", {"late": 1}, False),
        ("m.{late}.late", {"late": 2}, True),
        ("m.{layer}.e.{expert}.w", {"layer": 0, "expert": 9}, True),  # experts are not counted
        ("m.{layer}.e.{expert}.w", {"layer": 9, "expert": 0}, False),
        ("m.{layer}.i.{inner}.w", {"layer": 1, "inner": 1}, True),
        ("m.{layer}.i.{inner}.w", {"layer": 1, "inner": 2}, False),
        ("m.always", {}, True),
    ],
)
def test_indices_that_are_counted(name: str, indices: dict[str, int], inside: bool) -> None:
    assert bounds({"depth": 3})[name].inside(indices) is inside


def test_a_place_has_the_name_of_its_tensor() -> None:
    assert Place(bounds({})["m.{layer}.e.{expert}.w"], {"layer": 3, "expert": 4}).name == "m.3.e.4.w"


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({}, ["side.w"]),  # by default
        ({"side": {"model_type": "other"}}, ["side.w"]),
        ({"side": {"model_type": "strange"}}, []),
        ({"side": {"model_type": ["other"]}}, []),
        ({"side": "other"}, ["side.w"]),
        ({"side": {"more": {"model_type": "other"}}}, ["side.w", "side.deeper.w"]),
    ],
)
def test_parts_are_other_model_types_in_the_layout_that_says_so(config: dict[str, Any], names: list[str]) -> None:
    assert [name for name in bounds(config) if name.startswith("side.")] == names


def test_keys_of_a_part_are_those_below_its_own() -> None:
    found = bounds({"width": 3, "side": {"width": 5, "more": {"width": 7, "model_type": "other"}}})
    for name, path, width in (("side.w", "side", 5), ("side.deeper.w", "side.more", 7)):
        assert (found[name].scope.path, found[name].scope.key("width")) == (path, width)
        assert found[name].judged({}).must


def test_parts_that_are_made_of_each_other_come_to_an_end() -> None:
    inner: dict[str, Any] = {"model_type": "other"}
    inner["more"] = inner
    assert sum(name.startswith("side.") for name in bounds({"side": inner})) == 4
