"""Values of a declaration, whatever keys they stand under and however they are spelt."""

from __future__ import annotations

from typing import Any

import pytest

from tensorlint.schemes.spelling import VALUES, is_null, stated, values

SPELLING: dict[str, tuple[str, ...]] = {
    "bits": ("bits", "weights.num_bits", "w_bit"),
    "symmetric": ("sym",),
    "act_order": ("desc_act",),
    "activation_symmetric": ("act_sym",),
    "algorithm": ("algo",),
    "block": ("block",),
    "activations": ("input",),
    "activation_dynamic": ("input.dynamic",),
    "outputs": ("output",),
    "output_dynamic": ("output.dynamic",),
    "ignore": ("ignore",),
}


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ({"bits": 4}, 4),
        ({"weights": {"num_bits": 8}}, 8),
        ({"weights": [{"num_bits": 8}, {"num_bits": 4}]}, 8),  # of stages the first
        ([{"bits": 4}, {"bits": 8}], 4),
        ({"bits": 4, "w_bit": 8}, 4),  # the first path that says something
        ({"w_bit": 8, "bits": 4}, 4),
        ({"bits": None, "w_bit": 8}, 8),
        ({"bits": None}, None),
        ({"bits": 0, "w_bit": 8}, 0),
        ({"weights": []}, None),
        ({"weights": 8}, None),
        ({"weights.num_bits": 8}, None),
        ({}, None),
        ([], None),
        ("bits", None),
        (None, None),
    ],
)
def test_what_is_stated_is_at_the_first_path_that_has_something(content: Any, value: Any) -> None:
    assert stated(content, SPELLING, "bits") == value
    assert stated(content, {}, "bits") is None


@pytest.mark.parametrize(
    ("content", "null"),
    [({"bits": None}, True), ({"bits": 4, "w_bit": None}, True), ({"bits": 4}, False), ({}, False), (None, False),
     ({"weights": {"num_bits": None}}, True), ({"weights": None}, False)],
)  # fmt: skip
def test_none_is_said_by_a_key_with_null(content: Any, null: bool) -> None:
    assert is_null(content, SPELLING, "bits") is null
    assert not is_null(content, {}, "bits")


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ({}, {}),
        ({"bits": 4, "algo": "x", "ignore": "y"}, {"bits": 4, "algorithm": "x"}),  # what is said of weights, no more
        ({"bits": "4"}, {"bits": "4"}),
        ({"bits": True}, {}),
        ({"bits": 4.5}, {}),
        ({"bits": [4]}, {}),
        ({"sym": True, "desc_act": False, "act_sym": True}, {"symmetric": True, "act_order": False, "activation_symmetric": True}),
        ({"sym": 1}, {"symmetric": 1}),
        ({"algo": False}, {}),
        ({"block": [128, 64]}, {"block_rows": 128, "block_cols": 64}),
        ({"block": "128x64"}, {"block_rows": 128, "block_cols": 64}),
        ({"block": "128x64 "}, {}),
        ({"block": "x64"}, {}),
        ({"block": "1234567890x1"}, {}),
        ({"block": "123456789x1"}, {"block_rows": 123456789, "block_cols": 1}),
        ({"block": [128]}, {}),
        ({"block": [128, 64, 1]}, {}),
        ({"block": [128, True]}, {}),
        ({"block": [128, "64"]}, {}),
        ({"block": 128}, {}),
        ({"block": {"128": 64}}, {}),
        # How activations, and outputs, are scaled.
        ({"input": {}}, {"activations": "static"}),
        ({"input": {"dynamic": False}}, {"activations": "static"}),
        ({"input": {"dynamic": True}}, {"activations": "dynamic"}),
        ({"input": {"dynamic": "local"}}, {"activations": "local"}),
        ({"input": {"dynamic": "other"}}, {"activations": "dynamic"}),
        ({"input": [{"dynamic": True}, {}]}, {"activations": "dynamic"}),
        ({"input": None}, {"activations": "none"}),
        ({"input": []}, {"activations": "none"}),
        ({"input": "int8"}, {"activations": "none"}),
        ({"output": {"dynamic": True}}, {"outputs": "dynamic"}),
        ({"output": None, "input": {}, "bits": 3}, {"outputs": "none", "activations": "static", "bits": 3}),
    ],
)  # fmt: skip
def test_values_are_normalized(content: Any, wanted: dict[str, Any]) -> None:
    assert values(content, SPELLING) == wanted


def test_activations_without_settings_of_their_own_are_a_value_like_others() -> None:
    assert values({"act": "dynamic", "out": None}, {"activations": ("act",), "outputs": ("out",)}) == {
        "activations": "dynamic"
    }
    assert {"activations", "outputs"} < set(VALUES)
