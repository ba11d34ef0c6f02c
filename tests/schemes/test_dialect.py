"""A dialect file read whole: every key ends up where it belongs, and what is left out has its default."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tensorlint.errors import RuleFileError
from tensorlint.schemes.adapterform import AdapterForm
from tensorlint.schemes.dialect import KEYS, Dialect, Place, load_dialect
from tensorlint.schemes.spelling import OF_MODULES
from tensorlint.text.yamlread import read

FULL = """\
summary: All there is.
method: own
places:
  - {file: own.json, at: a.b, when: {x: 1, y: [2, three]}, unless: {z: true}, copy_since: "0.3"}
  - {metadata: how}
  - {marker: .how}
fields: {bits: [w_bit, b.bits], groups: groups, exceptions: not, status: done, format: form, scale_format: scales}
group: {targets: which, bits: num}
module: {weight: w, bits: [n, m]}
targets: [exact, class]
matching: glob
loose: [prefix, suffix]
exceptions: regex
lists: complete
overrides: true
names_head: true
trust_activations: false
activations: {FP8: static}
marks: [one, two]
stores: {weight_scale: always, zero_point: {symmetric: false, bits: [4, 8]}}
somewhere: {input_scale: {activations: static}}
beside: other
unfinished: [initialized, frozen]
mixed: several
powers_of_two: {e8: [weight_scale, block_scale], e9: weight_scale}
adapter:
  {weights: half, prefix: base, keys: {kind: sort, rank: r}, kinds: {A: [a_, b_]}, heads: {TEXT: head}, ranked: A,
   shared: c, tokens: t, every_target: all, inner: inside, wrappers: {module: Wrapper}, usual_start: true,
   nonzero_start: [false, x], ends: [in, out], headed: TEXT, routed: ["*moe*"], says: {once: Once.}}
see: somebody/repository file.py
"""
LEAST = "summary: S.\nmethod: m\nplaces: [{file: config.json}]\n"


def loaded(text: str) -> Dialect:
    return load_dialect(read(text, "own.yaml"), "own")


def test_every_key_ends_up_where_it_belongs() -> None:
    assert {line.partition(":")[0] for line in FULL.splitlines() if line[:1].isalpha()} == KEYS
    assert loaded(FULL) == Dialect(
        name="own",
        method="own",
        summary="All there is.",
        places=(
            Place("own.json", ("a", "b"), {"x": (1,), "y": (2, "three")}, "0.3", {"z": (True,)}),
            Place("", (), {}, metadata="how"),
            Place("", (), {}, marker=".how"),
        ),
        fields={
            "bits": ("w_bit", "b.bits"), "groups": ("groups",), "exceptions": ("not",), "status": ("done",),
            "format": ("form",), "scale_format": ("scales",),
        },
        group={"targets": ("which",), "bits": ("num",)},
        module={"weight": ("w",), "bits": ("n", "m")},
        targets=("exact", "class"),
        matching=("glob",),
        loose=("prefix", "suffix"),
        exceptions=("regex",),
        lists="complete",
        overrides=True,
        names_head=True,
        trust_activations=False,
        activations={"FP8": "static"},
        marks=("one", "two"),
        stores={"weight_scale": {}, "zero_point": {"symmetric": (False,), "bits": (4, 8)}},
        somewhere={"input_scale": {"activations": ("static",)}},
        beside=("other",),
        unfinished=("initialized", "frozen"),
        mixed=("several",),
        powers_of_two={"e8": ("weight_scale", "block_scale"), "e9": ("weight_scale",)},
        see=("somebody/repository file.py",),
        adapter=AdapterForm(
            weights="half", prefix="base", keys={"kind": "sort", "rank": "r"}, kinds={"A": ("a_", "b_")},
            heads={"TEXT": ("head",)}, wrappers={"module": "Wrapper"}, says={"once": "Once."}, ranked=frozenset("A"),
            shared=frozenset("c"), tokens=frozenset("t"), every_target=frozenset({"all"}), inner=frozenset({"inside"}),
            usual_start=(True,), nonzero_start=(False, "x"), ends=frozenset({"in", "out"}), headed=frozenset({"TEXT"}),
            routed=("*moe*",),
        ),
    )  # fmt: skip


def test_what_is_left_out_has_its_default() -> None:
    found = loaded(LEAST)
    said = {"name": "own", "method": "m", "summary": "S.", "places": (Place("config.json", (), {}),)}
    # A loader without a word about what it demands is believed about siblings, and about activations.
    usual = {"lists": "partial", "overrides": False, "names_head": False, "trust_activations": True}
    for field in fields(Dialect):
        if field.name != "module":
            wanted = {**said, **usual}.get(field.name)
            value = getattr(found, field.name)
            assert value == wanted if wanted is not None else not value, field.name


def test_settings_of_a_module_stand_under_the_keys_of_the_whole_or_under_the_fields_own_names() -> None:
    found = loaded(LEAST + "fields: {bits: [w_bit, b.bits], ignore: leave}\n").module
    assert set(found) == set(OF_MODULES)
    assert (found["bits"], found["mode"]) == (("w_bit", "b.bits", "bits"), ("mode",))


@pytest.mark.parametrize(
    ("place", "where"),
    [
        (Place("own.json", (), {}), "own.json"),
        (Place("own.json", ("a", "b"), {}), "own.json, a.b"),
        (Place("", (), {}, metadata="how"), "metadata of the header, how"),
        (Place("", (), {}, marker=".how"), "tensors module.how"),
    ],
)
def test_where_a_declaration_stands_is_told_in_words(place: Place, where: str) -> None:
    assert place.where == where


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("method: own\n", "", "has no `method`"),
        ("{metadata: how}", "{metadata: how, marker: .x}", "a place names a `file`"),
        ("{metadata: how}", "{at: x}", "a place names a `file`"),
        ("weight_scale: always", "weight_scale: sometimes", "`always` or conditions"),
        ("{symmetric: false", "{symetric: false", "did you mean `symmetric`"),
        ("targets: [exact", "targets: [exactly", "did you mean `exact`"),
        ("e9: weight_scale", "e9: weights", "a part"),
        ("overrides: true", "overrides: 3", "`overrides`"),
        ("lists: complete", "lists: all", "a word for `lists`"),
        ("targets: which", "target: which", "did you mean `targets`"),
    ],
)
def test_a_mistake_is_an_error_at_its_place(was: str, becomes: str, said: str) -> None:
    assert FULL.count(was) == 1
    with pytest.raises(RuleFileError) as caught:
        loaded(FULL.replace(was, becomes))
    assert said in str(caught.value)
    assert "own.yaml:" in str(caught.value)
