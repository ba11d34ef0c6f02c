"""A family file read whole; and the roles of a module are those of its name, whatever names were asked about before."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from tensorlint.errors import RuleFileError
from tensorlint.rulebook.library import load_book
from tensorlint.schemes.anatomy import Anatomy
from tensorlint.schemes.families import KEYS, Family, load_family
from tensorlint.schemes.shapes import dim
from tensorlint.text.yamlread import read

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


FULL = """\
summary: All there is.
see: somebody/repository file.py
model_types: [acme*, other]
layers: [net.stages, h]
only_layers: net.stages
row_parallel: [out, down]
optional: "*.bias"
roles: {reads: ["*.query", q], writes: "*.out"}
linear: {roles: [attention, mlp], but: norm}
ends: {embedding: words, final_norm: last, head: [back, words]}
experts: {named: specialists, stacked: pile, router: chooser}
kv_cache: {keys: att.key, pair: [key, value]}
names: {outer: net, once: [net, h], quantized: scale, left_over: zeros}
config: {inside: text, tied: tie, types: "*_types", generates: "*LM"}
counts: {layers: depth, hidden: [width, size]}
fused: [[query, key], [up, gate]]
fused_across: [[key, value]]
equal: [{up: rows, gate: rows, out.dense: columns}]
in_ratio: [{query: rows, out: columns}]
rows: {"*.query": heads*head_size}
wrappers: {inner: Somebody's wrapper}
"""


def test_every_key_of_a_family_ends_up_where_it_belongs() -> None:
    assert {line.partition(":")[0] for line in FULL.splitlines()} == KEYS
    found = load_family(read(FULL, "own.yaml"), "own")
    assert found == Family(
        "own",
        {
            "model_types": ("acme*", "other"), "layers": ("net.stages", "h"), "only_layers": ("net.stages",),
            "row_parallel": ("out", "down"), "optional": ("*.bias",),
        },
        {
            "roles": {"reads": ("*.query", "q"), "writes": ("*.out",)},
            "linear": {"roles": ("attention", "mlp"), "but": ("norm",)},
            "ends": {"embedding": ("words",), "final_norm": ("last",), "head": ("back", "words")},
            "experts": {"named": ("specialists",), "stacked": ("pile",), "router": ("chooser",)},
            "kv_cache": {"keys": ("att.key",), "pair": ("key", "value")},
            "names": {"outer": ("net",), "once": ("net", "h"), "quantized": ("scale",), "left_over": ("zeros",)},
            "config": {"inside": ("text",), "tied": ("tie",), "types": ("*_types",), "generates": ("*LM",)},
            "counts": {"layers": ("depth",), "hidden": ("width", "size")},
        },
        {"fused": (("query", "key"), ("up", "gate")), "fused_across": (("key", "value"),)},
        {
            "equal": ({"up": "rows", "gate": "rows", "out.dense": "columns"},),
            "in_ratio": ({"query": "rows", "out": "columns"},),
        },
        {"*.query": dim("heads*head_size")},
        {"inner": "Somebody's wrapper"},
    )  # fmt: skip
    assert found.model_types == ("acme*", "other")


def test_a_family_need_not_say_anything() -> None:
    found = load_family(read("summary: S.", "own.yaml"), "own")
    assert found == Family("own")
    assert found.model_types == ()


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("experts: {named: specialists", "experts: {named: 'mlp.*'", "is not the last component"),
        ("[[query, key]", "[[query, query]", "at least two different modules"),
        ("pair: [key, value]", "pair: [key, value, other]", "a pair has two different modules"),
        ("in_ratio: [{query: rows, ", "in_ratio: [{", "there are two sides"),
        ("equal: [{up: rows, gate: rows, out.dense: columns}]", "equal: [{up: rows}]", "there are at least two sides"),
        ("out.dense: columns}", "'*.dense': columns}", "is not the end of a module's name"),
        ("heads*head_size", "heads*width", "nothing counts `width`"),
        ("but: norm", "but: norms", "did you mean `norm`"),
    ],
)
def test_a_mistake_in_a_family_is_an_error_at_its_place(was: str, becomes: str, said: str) -> None:
    assert FULL.count(was) == 1
    with pytest.raises(RuleFileError) as caught:
        load_family(read(FULL.replace(was, becomes), "own.yaml"), "own")
    assert said in str(caught.value)
    assert "own.yaml:" in str(caught.value)
