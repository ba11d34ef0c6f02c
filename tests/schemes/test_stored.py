"""Tensors of the model under the names and sizes that they had before anything was quantized."""

from __future__ import annotations

import pytest

from notation import BOOK
from tensorlint.container.header import TensorInfo
from tensorlint.schemes.recognise import Recogniser
from tensorlint.schemes.stored import Stored, stored

FP8 = {".weight": ("F8_E4M3", (4, 8)), ".weight_scale": ("F32", (4, 1))}
GPTQ = {
    ".qweight": ("I32", (16, 8)),
    ".qzeros": ("I32", (1, 1)),
    ".scales": ("F16", (1, 8)),
    ".g_idx": ("I32", (128,)),
    ".bias": ("F16", (8,)),
}
FUSED = {
    "": ("U8", (4, 64, 8)),
    "_weight_scale": ("F8_E4M3", (4, 8, 8)),
    "_weight_scale_2": ("F32", ()),
}
UNKNOWN = {".packed_stuff": ("U8", (16, 16)), ".scale_of_it": ("F32", (16,))}
PLAIN = {".weight": ("BF16", (4, 8)), ".bias": ("BF16", (4,))}
Spec = dict[str, tuple[str, tuple[int, ...]]]


def found(modules: dict[str, Spec], settled: list[str] | None = None) -> dict[str, Stored]:
    tensors = {
        name + suffix: TensorInfo(name + suffix, dtype, shape, "s", 0, 0)
        for name, spec in modules.items()
        for suffix, (dtype, shape) in spec.items()
    }
    recognised = Recogniser(BOOK.schemes.values(), BOOK.general.hints).recognise(tensors, None)
    rows = list(stored(recognised, tensors, list(modules) if settled is None else settled))
    assert len({row.name for row in rows}) == len(rows)
    return {row.name: row for row in rows}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (PLAIN, {"l.q.weight": ("l.q.weight", (4, 8), 32), "l.q.bias": ("l.q.bias", (4,), 4)}),
        (FP8, {"l.q.weight": ("l.q.weight", (4, 8), 32)}),
        (GPTQ, {"l.q.weight": ("l.q.qweight", (8, 128), 1024), "l.q.bias": ("l.q.bias", (8,), 8)}),
        (FUSED, {"l.q": ("l.q", None, 4 * 128 * 8)}),  # several matrices in one: their number is sure, no more
        (UNKNOWN, {"l.q.weight": ("l.q.packed_stuff", None, None)}),
        ({**PLAIN, ".k_scale": ("F32", ())}, {"l.q.weight": ("l.q.weight", (4, 8), 32), "l.q.bias": ("l.q.bias", (4,), 4)}),
        ({**FP8, ".input_scale": ("F32", ())}, {"l.q.weight": ("l.q.weight", (4, 8), 32)}),
    ],
)  # fmt: skip
def test_every_tensor_of_the_model_is_there_once(
    spec: Spec, wanted: dict[str, tuple[str, tuple[int, ...] | None, int | None]]
) -> None:
    rows = found({"l.q": spec})
    assert {name: (row.tensor.name, row.shape, row.elements) for name, row in rows.items()} == wanted
    assert {row.owner for row in rows.values()} <= {"l.q", "l"}


def test_a_weight_knows_its_quantized_module_and_a_plain_tensor_has_none() -> None:
    rows = found({"l.q": GPTQ, "l.k": PLAIN})
    modules = {name: row.module and row.module.name for name, row in rows.items()}
    assert modules == {"l.q.weight": "l.q", "l.q.bias": None, "l.k.weight": None, "l.k.bias": None}


@pytest.mark.parametrize(
    ("modules", "settled"),
    [
        ({"l.q": GPTQ}, []),  # nobody is sure of its size
        ({"l.q": GPTQ}, ["l.k"]),
        ({"l.q": {**GPTQ, ".scales": ("F16", (1, 9))}, "l.k": GPTQ, "l.v": GPTQ}, ["l.q"]),  # it has a defect
        ({"l.q": {s: t for s, t in GPTQ.items() if s != ".qweight"}, "l.k": GPTQ, "l.v": GPTQ}, ["l.q"]),
    ],
)
def test_no_size_is_told_of_what_is_not_certain(modules: dict[str, Spec], settled: list[str]) -> None:
    row = found(modules, settled)["l.q.weight"]
    assert (row.shape, row.elements) == (None, None)
    assert row.module is not None and row.module.name == "l.q"
