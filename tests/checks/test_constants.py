"""Tables that bitsandbytes writes are known, however their values are rounded."""

from __future__ import annotations

import json

import numpy as np
import pytest

from linted import check, rules_of
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
TABLE = np.array(BOOK.schemes["bitsandbytes-nf4"].parts["lookup"].constant, "<f4")


def dynamic_map() -> np.ndarray:
    """The table of double quantization, as bitsandbytes computes it (functional.py, create_dynamic_map)."""
    values = [0.0, 1.0]
    for power in range(7):
        ends = np.linspace(0.1, 1, 2**power + 1, dtype=np.float32)
        steps = 10.0 ** (power - 6) * (ends[:-1] + ends[1:]) / 2
        values += [*steps.tolist(), *(-steps).tolist()]
    return np.array(sorted(values), np.float32)


def found(table: np.ndarray, nested: np.ndarray) -> list[str]:
    """The tables that the rule names."""
    state = {"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [8, 32], "nested_blocksize": 256}
    text = json.dumps(state).encode()
    tensors = {
        "l.weight": ("U8", (128, 1), bytes(range(128))),
        "l.weight.absmax": ("U8", (4,), bytes(range(4))),
        "l.weight.nested_absmax": ("F32", (1,), np.float32(0.1).tobytes()),
        "l.weight.nested_quant_map": ("F32", (256,), nested.astype("<f4").tobytes()),
        "l.weight.quant_map": ("F32", (16,), table.astype("<f4").tobytes()),
        "l.weight.quant_state.bitsandbytes__nf4": ("U8", (len(text),), text),
    }
    source = MemorySource({"model.safetensors": write_shard(tensors, None)})
    report = check(source, BOOK, rules_of(BOOK, ("contract/constant-table", "contract/nested-table")))
    return [location.tensor.rpartition(".")[2] for f in report.findings for location in f.locations]


def test_what_the_library_writes_is_sound() -> None:
    assert found(TABLE, dynamic_map()) == []


@pytest.mark.parametrize("wrong", [np.zeros_like, np.ones_like, lambda t: t * np.nan])
def test_tables_that_cannot_be_are_named(wrong) -> None:
    assert found(wrong(TABLE), dynamic_map()) == ["quant_map"]
    assert found(TABLE, wrong(dynamic_map())) == ["nested_quant_map"]


@pytest.mark.parametrize("wrong", [np.negative, lambda t: t[::-1], lambda t: np.linspace(-1, 1, len(t))])
def test_another_table_of_codes_is_named(wrong) -> None:
    assert found(wrong(TABLE), dynamic_map()) == ["quant_map"]


@pytest.mark.parametrize(("digits", "named"), [(3, []), (2, ["quant_map"])])
def test_rounded_values_are_the_same_and_another_step_is_not(digits: int, named: list[str]) -> None:
    assert found(np.round(TABLE, digits), dynamic_map()) == named
