"""The roles of a module are those of its name, whatever names were asked about before."""

from __future__ import annotations

from itertools import permutations

import pytest

from tensorlint.schemes.anatomy import Anatomy
from tensorlint.schemes.families import Family

_MODULES = (
    "model.layers.0.mlp",
    "model.layers.1.mlp",
    "model.layers.11.mlp",
    "model.w1",
    "model.w2",
    "layers.1.w1",
    "p_1",
    "p_2",
)


def _anatomy(glob: str) -> Anatomy:
    return Anatomy((Family("f", tables={"roles": {"mlp": (glob,)}, "names": {"outer": ("model",)}}),))


@pytest.mark.parametrize(
    ("glob", "covered"),
    [
        ("*.mlp", {"model.layers.0.mlp", "model.layers.1.mlp", "model.layers.11.mlp"}),
        ("*layers.1.*", {"model.layers.1.mlp", "layers.1.w1"}),
        ("*1.mlp", {"model.layers.1.mlp", "model.layers.11.mlp"}),
        ("layers.1*", {"model.layers.1.mlp", "model.layers.11.mlp", "layers.1.w1"}),
        ("*.layers.?.mlp", {"model.layers.0.mlp", "model.layers.1.mlp"}),
        ("layers.[0-5].*", {"model.layers.0.mlp", "model.layers.1.mlp", "layers.1.w1"}),
        ("p_1", {"p_1"}),
        ("*w1", {"model.w1", "layers.1.w1"}),
    ],
)
def test_names_that_differ_in_numbers_share_roles_only_where_no_glob_tells_them_apart(
    glob: str, covered: set[str]
) -> None:
    for order in permutations(_MODULES, 3):
        asked = _anatomy(glob)
        assert {m for m in order if asked.roles(m)} == covered & {*order}
