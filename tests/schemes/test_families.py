"""The roles of a module are those of its name, whatever names were asked about before."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from tensorlint.rulebook.library import load_book
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


LANGUAGE: dict[str, tuple[dict[str, Any], str]] = {
    "plain": ({"num_hidden_layers": 1, "id": "top"}, "top"),
    "text_config": ({"id": "top", "text_config": {"num_hidden_layers": 1, "id": "text"}}, "text"),
    "llm_config": ({"llm_config": {"num_hidden_layers": 1, "id": "llm"}}, "llm"),
    "language_config": ({"language_config": {"num_hidden_layers": 1, "id": "language"}}, "language"),
    "thinker_config": ({"thinker_config": {"text_config": {"id": "inner"}}}, "inner"),
    "both levels": ({"thinker_config": {"num_hidden_layers": 1, "id": "no", "text_config": {"id": "inner"}}}, "inner"),
    "inner is no object": ({"id": "top", "thinker_config": {"id": "thinker", "text_config": 1}}, "top"),
    "without layers": ({"id": "top", "text_config": {"id": "text"}}, "top"),
    "no object": ({"id": "top", "text_config": "num_hidden_layers"}, "top"),
    "the first of two": (
        {"text_config": {"num_hidden_layers": 1, "id": "text"}, "llm_config": {"num_hidden_layers": 1, "id": "llm"}},
        "text",
    ),
    "the second of two": (
        {"text_config": {"id": "text"}, "llm_config": {"num_hidden_layers": 1, "id": "llm"}},
        "llm",
    ),
}


@pytest.mark.parametrize("name", LANGUAGE)
def test_the_language_model_of_a_configuration(name: str) -> None:
    config, wanted = LANGUAGE[name]
    assert load_book().general.language(config)["id"] == wanted
