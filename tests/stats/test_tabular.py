"""Tables for other tools: every tensor once, with columns that never change."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from tensorlint.errors import UsageError
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource
from tensorlint.stats.report import Contents, survey, with_values
from tensorlint.stats.tabular import COLUMNS, as_csv, as_json, write_parquet

SHARD = write_shard(
    {
        "a.weight": ("F8_E4M3", (4, 4), bytes([0x38] * 15 + [0x7F])),
        "a.weight_scale": ("F32", (), b"\0\0\x80\x3f"),
        "odd\nname": ("I64", (2,), bytes(16)),
    }
)


def contents() -> Contents:
    source = MemorySource({"model.safetensors": SHARD})
    return with_values(source, survey(source, load_book(), ""), "full")


def test_csv_has_a_line_per_tensor() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(contents()))))
    assert tuple(rows[0]) == COLUMNS
    weight = next(r for r in rows if r["tensor"] == "a.weight")
    assert (weight["scheme"], weight["part"], weight["nan"], weight["largest"]) == (
        "fp8-compressed-tensors",
        "weight",
        "1",
        "1.0",
    )
    assert json.loads(weight["shape"]) == [4, 4]
    assert json.loads(weight["histogram"]) == [[0.0, 15]]
    assert any(r["tensor"] == "odd\\x0aname" for r in rows)


def test_json_sums_up() -> None:
    whole = json.loads(as_json(contents()))
    assert whole["version"] == 1
    assert whole["schemes"]["fp8-compressed-tensors"] == {
        "modules": 1, "tensors": 2, "parameters": 16, "bytes": 20, "bits_per_weight": 10.0
    }  # fmt: skip
    assert [t["tensor"] for t in whole["tensors"]] == ["a.weight", "a.weight_scale", "odd\nname"]


def test_parquet(tmp_path) -> None:
    pyarrow = pytest.importorskip("pyarrow.parquet")
    write_parquet(contents(), tmp_path / "t.parquet")
    table = pyarrow.read_table(tmp_path / "t.parquet")
    assert tuple(table.column_names) == COLUMNS
    assert table["bytes"].to_pylist() == [16, 4, 16]
    assert table["histogram"].to_pylist()[0] == [{"label": 0.0, "count": 15}]


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="pyarrow") as caught:
        write_parquet(contents(), tmp_path / "t.parquet")
    assert "tensorlint[parquet]" in caught.value.hint
