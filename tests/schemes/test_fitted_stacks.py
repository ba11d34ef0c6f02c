"""A checkpoint beside an architecture: what is missing, and whether it is spelt as the layout."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tensorlint.container.header import TensorInfo
from tensorlint.schemes import fitted as fitting
from tensorlint.schemes.architectures import Architecture, load_architecture
from tensorlint.schemes.fitted import Fitted, fitted
from tensorlint.schemes.stored import Stored

TEXT = """
type: tiny
indices: {layer: layers, stage: "?", block: "?"}
layouts:
  Tiny:
    classes: [Tiny]
    tensors:
      embed.weight: embedding [width]
      layers.{layer}.ln_1.weight: norm [width]
      layers.{layer}.ln_2.weight: norm [width]
      layers.{layer}.up.weight: linear [width, width]
      layers.{layer}.up.bias: bias [width]
      layers.{layer}.fold: other [...]
      stages.{stage}.{block}.a.weight: linear [width]
      stages.{stage}.{block}.b.weight: linear [width]
      stages.{stage}.{block}.c.weight: linear [width] if block == 0
"""
CONFIG: dict[str, object] = {"model_type": "tiny", "width": 4, "layers": 2}
WHOLE = (
    "embed.weight",
    *(
        f"layers.{n}.{name}"
        for n in range(2)
        for name in ("ln_1.weight", "ln_2.weight", "up.weight", "up.bias", "fold")
    ),
    *(f"stages.{s}.{b}.{name}.weight" for s in range(2) for b in range(2) for name in "ab"),
    *(f"stages.{s}.0.c.weight" for s in range(2)),
)


@pytest.fixture
def architecture(tmp_path: Path) -> Architecture:
    (tmp_path / "tiny.yaml").write_text(TEXT)
    found = load_architecture(tmp_path, "tiny")
    assert found is not None
    return found


def fit(architecture: Architecture, names: Iterable[str]) -> Fitted:
    items = [Stored(name, TensorInfo(name, "BF16", (4,), "model.safetensors", 0, 8), (4,), 4) for name in names]
    found = fitted("tiny", CONFIG, items, lambda _: architecture)
    assert found is not None
    return found


def test_a_whole_checkpoint_lacks_nothing(architecture: Architecture) -> None:
    found = fit(architecture, WHOLE)
    assert (found.missing, found.surplus, found.spelt) == ((), (), True)


@pytest.mark.parametrize(
    "name",
    ["embed.weight", "layers.1.fold", "layers.0.up.bias", "stages.1.0.b.weight", "stages.0.1.a.weight",
     "stages.1.0.c.weight"],
)  # fmt: skip
def test_one_tensor_is_missing_also_from_a_stack_that_nobody_counts(architecture: Architecture, name: str) -> None:
    found = fit(architecture, [one for one in WHOLE if one != name])
    assert [place.name for place in found.missing] == [name] and found.spelt


def test_a_block_without_any_tensor_is_not_asked_for_where_nobody_counts_them(architecture: Architecture) -> None:
    found = fit(architecture, [one for one in WHOLE if not one.startswith("stages.1.1.")])
    assert found.missing == ()


@pytest.mark.parametrize(
    ("old", "new", "spelt"),
    [
        ("ln_", "norm_", True),  # two lines of one pattern
        ("up.weight", "dense.weight", True),
        ("up.", "dense.", False),  # two names in every layer: another spelling
        ("up.weight", "inner.up.weight", False),  # one module deeper
    ],
)
def test_one_name_that_is_another_in_every_layer_is_a_name_and_several_are_a_spelling(
    architecture: Architecture, old: str, new: str, spelt: bool
) -> None:
    assert fit(architecture, [one.replace(old, new) for one in WHOLE]).spelt is spelt


@pytest.mark.parametrize(("part", "spelt"), [("up.weight", True), ("up.bias", False), (".fold", False)])
def test_what_lacks_in_every_layer_tells_by_its_role(architecture: Architecture, part: str, spelt: bool) -> None:
    found = fit(architecture, [one for one in WHOLE if not one.endswith(part)])
    assert len(found.missing) == 2 and found.spelt is spelt


def test_a_count_that_nobody_has_is_no_reason_to_look_for_billions(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "_ABSENT", 5)
    monkeypatch.setitem(CONFIG, "layers", 10**12)
    found = fit(architecture, WHOLE)
    assert [place.name for place in found.missing] == [f"layers.{n}.ln_1.weight" for n in range(2, 7)]
