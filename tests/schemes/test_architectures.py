"""Architecture files: their lines, layouts made of others, and names of model types that lead nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.shipped import ARCHITECTURES, shipped_folder
from tensorlint.schemes.architectures import (
    MAX_BYTES,
    ROLES,
    ArchitectureError,
    load_architecture,
    numbers_of,
)
from tensorlint.schemes.keyterms import UNKNOWN
from tensorlint.schemes.scope import Scope

SHIPPED = shipped_folder() / ARCHITECTURES
TEXT = """
type: tiny
aliases: {hidden_size: width}
defaults: {width: 8}
derived: {half: width // 2}
indices: {layer: depth, expert: "2 .. experts"}
layouts:
  One:
    classes: [One]
    tensors:
      m.layers.{layer}.q.weight: linear [2 * width, width]
      m.layers.{layer}.e.{expert}.w: experts transposed [_, ?x, ?y[layer]] if layer > 0 maybe g1
      m.layers.0.first: other [] | [1] if width == 8
      head.weight: head linear [vocab, width]
    ties: [m.e = head.weight = m.f if tied]
  Two: {classes: [Two], like: One, rename: {m.: ""}, without: [head.weight, m.layers.0.*], tensors: {a: "bias [width]"}}
"""


def write(folder: Path, text: str, name: str = "tiny") -> Path:
    (folder / f"{name}.yaml").write_text(text)
    return folder


def test_a_line_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    found = load_architecture(write(tmp_path, TEXT), "tiny")
    assert found is not None
    line = found.layouts["One"].lines["m.layers.{layer}.e.{expert}.w"]
    assert (line.role, line.linear, line.transposed, line.slots) == ("experts", False, True, ("layer", "expert"))
    assert line.pattern == "m.layers.*.e.*.w"
    (case,) = line.cases
    assert [(size.term, size.symbol, size.per) for size in case.shape] == [
        (None, "", ()),
        (None, "x", ()),
        (None, "y", ("layer",)),
    ]
    assert (case.maybe, case.group, case.condition and case.condition.text) == (True, "g1", "layer > 0")
    first = found.layouts["One"].lines["m.layers.0.first"]
    assert first.slots == (0,)
    assert first.at((0,)) == {} and first.at((1,)) is None
    assert [len(case.shape) for case in first.cases] == [0, 1]


def test_a_layout_is_made_of_another_one(tmp_path: Path) -> None:
    found = load_architecture(write(tmp_path, TEXT), "tiny")
    assert found is not None
    two = found.layouts["Two"]
    assert list(two.lines) == ["layers.{layer}.q.weight", "layers.{layer}.e.{expert}.w", "a"]
    assert [tie.names for tie in two.ties] == [("e", "f")]


@pytest.mark.parametrize("name", ["../tiny", "TINY", "a/b", "", "x" * 100, "tiny.yaml", "tiny\n"])
def test_a_model_type_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    (tmp_path / "inner").mkdir()
    write(tmp_path, TEXT)
    assert load_architecture(tmp_path / "inner", name) is None


@pytest.mark.parametrize(
    "text",
    ["- a", "a: [", "layouts: {A: {like: B}}", "layouts: 3", "x: " + "y" * MAX_BYTES],
)
def test_a_broken_file_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ArchitectureError):
        load_architecture(write(tmp_path, text, "broken"), "broken")


def test_numbers_of_a_name_are_those_that_its_pattern_leaves_open() -> None:
    assert numbers_of("a.12.b3.4_5.w") == (12, 4, 5)
    assert numbers_of("a.12345678901234567890.w") == (-1,)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml"))[:40], ids=lambda path: path.stem)
def test_shipped_files_have_the_format(path: Path) -> None:
    found = load_architecture(SHIPPED, path.stem)
    assert found is not None and found.layouts
    for layout in found.layouts.values():
        for line in layout.lines.values():
            assert line.role in ROLES and line.cases


@pytest.mark.parametrize(
    ("config", "value"),
    [({"hidden_size": 8}, 8), ({}, 4096), ({"hidden_size": None}, UNKNOWN), ({"other": None}, 4096)],
)
def test_the_default_of_a_class_holds_where_a_key_is_left_out_and_not_where_it_is_null(
    config: dict[str, object], value: object
) -> None:
    architecture = load_book().architecture("llama")
    assert architecture is not None
    assert Scope(architecture, config).key("hidden_size") == value
