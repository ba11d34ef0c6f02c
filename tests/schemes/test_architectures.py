"""Architecture files: their lines, layouts made of others, and names of model types that lead nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from architecture_text import architecture
from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.shipped import ARCHITECTURES, shipped_folder
from tensorlint.schemes import architectures
from tensorlint.schemes.architectures import (
    MAX_BYTES,
    MAX_LIKE,
    ROLES,
    ArchitectureError,
    Line,
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


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
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
    llama = load_book().architecture("llama")
    assert llama is not None
    assert Scope(llama, config).key("hidden_size") == value


@pytest.mark.parametrize(
    ("default", "config", "value"),
    [
        ("[moe, mlp]", {}, UNKNOWN),
        ("[moe, mlp]", {"kinds": ["mlp", "mlp"]}, ["mlp", "mlp"]),
        ("[3, 5]", {}, [3, 5]),
        ("[]", {}, []),
        ("moe", {}, "moe"),
    ],
)
def test_the_kinds_of_layers_of_the_default_model_are_nobody_elses(
    tmp_path: Path, default: str, config: dict[str, object], value: object
) -> None:
    found = load_architecture(write(tmp_path, f"defaults: {{kinds: {default}}}", "mixed"), "mixed")
    assert found is not None
    assert Scope(found, config).key("kinds") == value


def test_an_older_key_for_the_kinds_of_layers_leaves_them_open() -> None:
    nemotron = load_book().architecture("nemotron_h")
    assert nemotron is not None
    assert Scope(nemotron, {"hybrid_override_pattern": "M-M-"}).key("layers_block_type") is UNKNOWN


FULL = """
aliases: {a: x, b: x, c: y}
derived: {half: 3}
indices: {layer: 4}
layouts:
  One:
    classes: A
    written: [T, U]
    base: true
    tensors: {m.a: "linear [1]", m.n.b: "norm [1]", m.c.0: "bias [1]", m.c.1: "bias [1]"}
    ties: [m.a = m.n.b = m.c.0 if tied, "m.c.0 = m.c.1"]
    ignored: [x, y]
    parts: {m.side.: side, m.c.far.: far}
    assumes: [{m.n.: "p"}, "q"]
  Two:
    like: One
    rename: {m.: o., m.n.: z.}
    without: [m.c.*]
    tensors: {new: "other [1]"}
    parts: {more.: more}
  Three: {like: Two, ties: [o.a = new], ignored: only, assumes: r, without: [o.a]}
  Four: {ties: null, ignored: [], tensors: {m.a: "linear [1]"}}
"""


def test_what_a_file_and_its_first_layout_say() -> None:
    found = architecture(FULL)
    assert (found.type, found.aliases, found.derived) == ("tiny", {"x": ("a", "b"), "y": ("c",)}, {"half": "3"})
    assert (found.indices, found.defaults, list(found.layouts)) == ({"layer": "4"}, {}, ["One", "Two", "Three", "Four"])
    one = found.layouts["One"]
    assert (one.name, one.classes, one.written, one.base) == ("One", ("A",), ("T", "U"), True)
    assert [(tie.names, tie.condition) for tie in one.ties] == [
        (("m.a", "m.n.b", "m.c.0"), "tied"),
        (("m.c.0", "m.c.1"), ""),
    ]
    assert (one.ignored, one.parts) == (("x", "y"), {"m.side.": "side", "m.c.far.": "far"})
    assert one.assumes == (("m.n.", "p"), ("", "q"))
    assert all(line.file is found and line.name == name for name, line in one.lines.items())


def test_a_layout_like_another_has_what_it_does_not_say_itself() -> None:
    layouts = architecture(FULL).layouts
    two, three, four = layouts["Two"], layouts["Three"], layouts["Four"]
    assert {name: line.name for name, line in two.lines.items()} == {"o.a": "o.a", "z.b": "z.b", "new": "new"}
    assert [(tie.names, tie.condition) for tie in two.ties] == [(("o.a", "z.b"), "tied")]  # of one name there is no tie
    assert (two.ignored, two.parts) == (("x", "y"), {"o.side.": "side", "more.": "more"})
    assert two.assumes == (("z.", "p"), ("", "q"))
    assert (two.classes, two.written, two.base) == ((), (), False)
    assert list(three.lines) == ["z.b", "new"]
    assert [tie.names for tie in three.ties] == [("o.a", "new")]
    assert (three.ignored, three.assumes, three.parts) == (("only",), (("", "r"),), two.parts)
    assert (four.ties, four.ignored, four.parts, four.assumes) == ((), (), {}, ())


def test_layouts_that_are_made_of_each_other_have_a_limit() -> None:
    chain = "layouts:\n  L0: {tensors: {a: 'bias [1]'}}\n" + "".join(
        f"  L{n}: {{like: L{n - 1}}}\n" for n in range(1, MAX_LIKE + 1)
    )
    assert list(architecture(chain).layouts[f"L{MAX_LIKE}"].lines) == ["a"]
    with pytest.raises(ArchitectureError, match=f"L{MAX_LIKE + 1} is like a layout that is not above it"):
        architecture(chain + f"  L{MAX_LIKE + 1}: {{like: L{MAX_LIKE}}}\n")


@pytest.mark.parametrize(("count", "wrong"), [(3, False), (4, True)])
def test_a_layout_has_a_largest_number_of_lines(count: int, wrong: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architectures, "MAX_LINES", 3)
    text = "layouts: {A: {tensors: {" + ", ".join(f"t{n}: 'bias [1]'" for n in range(count)) + "}}}"
    if not wrong:
        assert len(architecture(text).layouts["A"].lines) == count
        return
    with pytest.raises(ArchitectureError, match="A has more than 3 tensors"):
        architecture(text)


@pytest.mark.parametrize(("more", "wrong"), [(0, False), (1, True)])
def test_a_file_has_a_largest_size(more: int, wrong: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(architectures, "MAX_BYTES", 100)
    text = "layouts: {} #" + "x" * (100 + more - 13)
    if not wrong:
        assert load_architecture(write(tmp_path, text), "tiny") is not None
        return
    with pytest.raises(ArchitectureError, match=r"tiny.yaml is larger than 100 bytes"):
        load_architecture(write(tmp_path, text), "tiny")


@pytest.mark.parametrize(("name", "there"), [("a" * 80, True), ("a" * 81, False), ("a-b_9", True), ("a.b", False)])
def test_letters_of_a_model_type(tmp_path: Path, name: str, there: bool) -> None:
    write(tmp_path, "layouts: {}", name)
    assert (load_architecture(tmp_path, name) is not None) is there


@pytest.mark.parametrize(
    ("text", "shapes", "conditions", "rest"),
    [
        ("linear [a, b]", [["a", "b"]], [None], [(False, "")]),
        ("linear []", [[]], [None], [(False, "")]),
        ("linear [ a , b ] maybe", [["a", "b"]], [None], [(True, "")]),
        ("linear [a] maybe g1", [["a"]], [None], [(True, "g1")]),
        ("linear [a] if b", [["a"]], ["b"], [(False, "")]),
        ('linear [a] if b == "]|," maybe g', [["a"]], ['b == "]|,"'], [(True, "g")]),
        ("linear [a] if maybes", [["a"]], ["maybes"], [(False, "")]),
        ("linear [min(a, b)] if c[0] | [b]", [["min(a, b)"], ["b"]], ["c[0]", None], [(False, ""), (False, "")]),
        ("linear transposed [a[0], _]", [["a[0]", "_"]], [None], [(False, "")]),
    ],
)
def test_cases_of_a_line(
    text: str, shapes: list[list[str]], conditions: list[str | None], rest: list[tuple[bool, str]]
) -> None:
    cases = Line("m", text, architecture("layouts: {}")).cases
    assert [[size.term.text if size.term else size.symbol or "_" for size in c.shape] for c in cases] == shapes
    assert [c.condition and c.condition.text for c in cases] == conditions
    assert [(c.maybe, c.group) for c in cases] == rest


@pytest.mark.parametrize(
    "text", ["linear", "linear [a", "linear [a] b", "linear [a] | b", "linear [a +]", "linear [a] if"]
)
def test_a_line_that_is_none_names_its_file_and_tensor(text: str) -> None:
    with pytest.raises(ArchitectureError, match=r"^tiny: m\.x: "):
        print(Line("m.x", text, architecture("layouts: {}")).cases)


@pytest.mark.parametrize(
    ("name", "slots", "pattern", "numbers", "indices"),
    [
        ("a.{x}.b", ("x",), "a.*.b", (3,), {"x": 3}),
        ("a.{x}.{x}", ("x", "x"), "a.*.*", (3, 3), {"x": 3}),
        ("a.{x}.{x}", ("x", "x"), "a.*.*", (3, 4), None),
        ("a.7.{y}.b2.c_4", (7, "y", 4), "a.*.*.b2.c_*", (7, 1, 4), {"y": 1}),
        ("a.7.{y}.b2.c_4", (7, "y", 4), "a.*.*.b2.c_*", (7, 1, 5), None),
        ("a", (), "a", (), {}),
    ],
)
def test_numbers_in_the_name_of_a_line(
    name: str, slots: tuple[str | int, ...], pattern: str, numbers: tuple[int, ...], indices: dict[str, int] | None
) -> None:
    line = Line(name, "linear norm [1]", architecture("layouts: {}"))
    assert (line.slots, line.pattern, line.at(numbers)) == (slots, pattern, indices)
    assert line.indices == {slot for slot in slots if isinstance(slot, str)}
    if indices is not None:
        assert numbers_of(line.named(indices)) == numbers
    assert (line.role, line.words, line.linear, line.transposed) == ("linear", ("linear", "norm"), True, False)


def test_a_number_of_ten_digits_is_no_index() -> None:
    assert numbers_of("a.999999999.b/1") == (999999999, 1)
    assert numbers_of("a.1000000000.1x") == (-1,)
