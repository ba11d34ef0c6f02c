"""Where the tensors of a finding are, also of those whose places are cut."""

from __future__ import annotations

import random

import pytest

from tensorlint.names import Place, place_of, short
from tensorlint.report.findings import Finding, Location
from tensorlint.report.grid import grid
from tensorlint.report.spread import OTHER, spread, spread_of


@pytest.mark.parametrize(
    ("name", "layer", "module"),
    [
        ("model.layers.4.mlp.down_proj.weight_scale", 4, "down_proj"),
        ("model.layers.0.mlp.experts.17.gate_proj.weight", 0, "experts"),
        ("model.layers.0.mlp.experts.gate_up_proj_blocks", 0, "experts"),
        ("model.layers.2.*", 2, "*"),
        ("double_blocks.1.img_mlp.0.weight", 1, "img_mlp"),
        ("lm_head.weight", None, "lm_head"),
        ("h.0.w", 0, "w"),
        ("w", None, "w"),
        ("conv2d.w", None, "conv2d"),
    ],
)
def test_the_layer_and_the_module_of_a_name(name, layer, module):
    assert place_of(name) == Place(layer, module)


def named(*names: str, **more: object) -> Finding:
    return Finding("r/r", "error", "m", locations=tuple(Location("f", n) for n in names), count=len(names), **more)  # type: ignore[arg-type]


def test_a_finding_without_a_spread_has_that_of_its_places():
    found = spread_of(named("l.0.q.w", "l.1.q.w", "head.w"))
    assert found.patterns == ("l.{0,1}.q.w", "head.w")
    assert set(found.cells) == {(0, "q", 1), (1, "q", 1), (None, "head", 1)}
    assert found.files == 1


def test_irregular_names_are_counted_and_the_rest_is_one_cell():
    random.seed(1)
    names = ["".join(random.choices("abcdefgh", k=9)) + ".w" for _ in range(9_000)]
    found = spread(Location(f"f{i}", n) for i, n in enumerate(names))
    assert len(found.patterns) == 100
    assert found.patterns_total == len(set(names))
    assert found.files == 9_000
    assert sum(count for _, _, count in found.cells) == 9_000
    assert found.cells[-1][:2] == (None, OTHER)
    assert len(found.cells) == 2_001


def test_files_are_in_no_cell():
    assert spread([Location("model-1.safetensors")]).cells == ()


def test_joining_names_does_not_slow_down_with_their_square():
    names = [f"{a}.{b}.w" for a in "abcdefghij" for b in range(9_000)] + [f"m{i}x.{i}.v" for i in range(1_900)]
    assert short(names)[0] == "{a,b,c,d,e,f,g,h,i,j}.{0..8999}.w"


def test_layers_where_the_same_is_broken_share_a_row_with_the_sum():
    rows = grid([named(*(f"l.{n}.{m}.w" for n in (0, 1, 2, 5) for m in ("q", "k")), "l.2.q.v", "head.w")])
    assert rows == [
        "| layer | `q` | `k` | `head` |",
        "| --: | --- | --- | --- |",
        "| 0–2 | ❌ 4 | ❌ 3 |  |",
        "| 5 | ❌ 1 | ❌ 1 |  |",
        "| outside of layers |  |  | ❌ 1 |",
    ]


def test_many_modules_and_many_rows_are_cut():
    many = [named(*(f"l.{n}.m{n}.w" for n in range(0, 200, 2)), "l.1.x.w")]
    rows = grid(many)
    assert len(rows) <= 2 + 40 + 1
    assert rows[0].count("|") == 1 + 1 + 12
    assert "other" in rows[0]
    assert rows[-1].startswith("| 60 more |") or "more" in rows[-1]


def test_a_table_that_would_say_nothing_is_left_out():
    assert grid([named("lm_head.weight")]) == []
    assert grid([named(*(f"a{i}.w" for i in range(30)))]) == []
    assert grid([Finding("r/r", "error", "m", locations=(Location("config.json"),))]) == []
