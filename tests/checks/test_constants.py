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
TABLES = {
    part: np.array(BOOK.schemes["bitsandbytes-nf4"].parts[part].constant, "<f4") for part in ("lookup", "nested_lookup")
}


def dynamic_map() -> list[float]:
    """The table of double quantization, as bitsandbytes computes it (functional.py, create_dynamic_map)."""
    values = [0.0, 1.0]
    for power in range(7):
        ends = np.linspace(0.1, 1, 2**power + 1, dtype=np.float32)
        steps = 10.0 ** (power - 6) * (ends[:-1] + ends[1:]) / 2
        values += [*steps.tolist(), *(-steps).tolist()]
    return sorted(values)


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
    report = check(source, BOOK, rules_of(BOOK, ("contract/constant-table",)))
    return [location.tensor.rpartition(".")[2] for f in report.findings for location in f.locations]


def test_the_table_of_double_quantization_is_the_computed_one() -> None:
    assert TABLES["nested_lookup"] == pytest.approx(np.array(dynamic_map()), rel=1e-6, abs=1e-12)
    assert found(TABLES["lookup"], np.array(dynamic_map())) == []


@pytest.mark.parametrize("wrong", [np.zeros_like, np.ones_like, np.negative, lambda t: t[::-1], lambda t: t * np.nan])
def test_other_tables_are_named(wrong) -> None:
    assert found(wrong(TABLES["lookup"]), TABLES["nested_lookup"]) == ["quant_map"]
    assert found(TABLES["lookup"], wrong(TABLES["nested_lookup"])) == ["nested_quant_map"]


@pytest.mark.parametrize(("factor", "named"), [(1 + 9e-5, []), (1 + 2e-4, ["quant_map"])])
def test_other_digits_are_the_same_value_and_another_step_is_not(factor: float, named: list[str]) -> None:
    assert found(TABLES["lookup"].astype(np.float64) * factor, TABLES["nested_lookup"]) == named


@pytest.mark.parametrize(("step", "named"), [(5e-9, []), (2e-8, ["quant_map"])])
def test_a_zero_of_a_table_is_zero(step: float, named: list[str]) -> None:
    table = TABLES["lookup"].copy()
    table[7] = step
    assert found(table, TABLES["nested_lookup"]) == named
