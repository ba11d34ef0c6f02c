"""What rules may ask of a tensor, and what could not be looked at, in sentences."""

from __future__ import annotations

import json

import pytest

from notation import BOOK, view
from tensorlint.container.checkpoint import find_checkpoints
from tensorlint.rulebook.examples import write_shard
from tensorlint.schemes.view import View
from tensorlint.sources.memory import MemorySource

TENSORS = {
    "model.layers.0.mlp.up_proj.weight": "F8_E4M3[4, 8] = 1",
    "model.layers.0.mlp.up_proj.weight_scale": "F32[4, 1] = 0.5",
    "model.layers.0.odd.thing": "F32[4, 1, 2] = 0.5",
    "alone": "BF16[2]",
}
DECLARED = {
    "quantization_config": {
        "quant_method": "compressed-tensors",
        "format": "float-quantized",
        "config_groups": {"g": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}},
    }
}  # fmt: skip


@pytest.mark.parametrize(
    ("tensor", "wanted"),
    [
        ("model.layers.0.mlp.up_proj.weight_scale", {
            "part": "weight_scale", "kind": "scale", "module": "model.layers.0.mlp.up_proj", "dtype": "F32", "holds": "f32",
            "label": "channel", "sign": "positive", "quantized": True, "dims": 2, "scheme": "fp8-compressed-tensors",
        }),
        ("model.layers.0.odd.thing", {
            "part": "", "kind": "other", "module": "model.layers.0.odd", "holds": "f32", "label": "", "sign": "any",
            "quantized": False, "dims": 3, "scheme": "", "convention": "",
        }),
        ("alone", {"module": "", "tensor": "alone", "dims": 1, "holds": "bf16"}),
    ],
)  # fmt: skip
def test_what_a_scope_is_matched_against(tensor: str, wanted: dict[str, object]) -> None:
    scope = view(TENSORS, DECLARED).unit_of[tensor].scope
    assert {key: scope[key] for key in wanted} == wanted


def test_units_that_differ_in_names_only_are_alike() -> None:
    names = {f"l.{n}.up_proj.{part}": what for n in (0, 1) for part, what in (
        ("weight", "F8_E4M3[4, 8] = 1"), ("weight_scale", "F32[4, 1] = 0.5"), ("odd", "F32[4, 1]"))}  # fmt: skip
    unit = view({**names, "l.2.up_proj.odd": "F16[4, 1]"}, DECLARED).unit_of
    for part in ("weight", "weight_scale", "odd"):
        assert unit[f"l.0.up_proj.{part}"].alike == unit[f"l.1.up_proj.{part}"].alike
    assert (
        len(
            {
                unit[name].alike
                for name in ("l.0.up_proj.weight", "l.0.up_proj.weight_scale", "l.0.up_proj.odd", "l.2.up_proj.odd")
            }
        )
        == 4
    )


def gaps(files: dict[str, bytes | None]) -> list[str]:
    checkpoint = next(iter(find_checkpoints(MemorySource(files))))
    return list(View(checkpoint, BOOK).gaps)


SOUND = write_shard({"a.weight": ("F32", (1,), bytes(4))})


def test_nothing_is_said_where_everything_was_looked_at() -> None:
    assert gaps({"model.safetensors": SOUND}) == []


def test_a_shard_that_cannot_be_read_is_a_gap() -> None:
    index = json.dumps({"weight_map": {"a.weight": "a.safetensors", "b": "b.safetensors"}}).encode()
    said = gaps({"a.safetensors": SOUND, "b.safetensors": b"x" * 20, "model.safetensors.index.json": index})
    assert said == ["b.safetensors could not be read"]


@pytest.mark.parametrize(("count", "said"), [(1, "1 tensor of"), (2, "2 tensors of")])
def test_tensors_that_cannot_be_read_are_a_gap(count: int, said: str) -> None:
    entries = {f"t{n}": {"dtype": "NONE", "shape": [1], "data_offsets": [n, n + 1]} for n in range(count)}
    header = json.dumps(entries).encode()
    raw = len(header).to_bytes(8, "little") + header + bytes(count)
    assert gaps({"model.safetensors": raw}) == [f"{said} model.safetensors could not be read"]


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 module fits no known scheme"), (2, "2 modules fit no known scheme")]
)
def test_modules_of_an_unknown_scheme_are_a_gap(count: int, said: str) -> None:
    odd = {}
    for n in range(count):
        odd[f"l.{n}.up_proj.packed_stuff"] = ("U8", (16, 16), bytes(256))
        odd[f"l.{n}.up_proj.my_scale"] = ("F32", (16,), bytes(64))
    assert gaps({"model.safetensors": write_shard(odd)}) == [f"{said}: only their container was checked"]


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "1 shard of the model was not downloaded"), (2, "2 shards of the model were not downloaded")],
)
def test_shards_that_were_not_downloaded_are_a_gap(count: int, said: str) -> None:
    class Partly(MemorySource):
        not_downloaded = frozenset(f"model-0000{n + 2}-of-00009.safetensors" for n in range(count))

    names = {
        "a.weight": "model-00001-of-00009.safetensors",
        **{f"t{n}": name for n, name in enumerate(Partly.not_downloaded)},
    }
    index = json.dumps({"weight_map": names}).encode()
    source = Partly({"model-00001-of-00009.safetensors": SOUND, "model.safetensors.index.json": index})
    checkpoint = next(iter(find_checkpoints(source)))
    assert list(View(checkpoint, BOOK).gaps) == [said]
