"""Contents as JSON, CSV or Parquet: every statistic of every tensor, for other tools."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..measures.interface import COUNTED
from ..text.wording import printable
from .report import Contents
from .survey import Row, Sum, by, summed
from .values import Values

VERSION = 1
COLUMNS = (
    "checkpoint", "file", "tensor", "module", "scheme", "part", "role", "layer", "dtype", "shape", "encoding",
    "elements", "parameters", "bytes", "offset", "count", *COUNTED, "smallest", "largest", "entropy_bits",
    "histogram_of", "histogram",
)  # fmt: skip


def record(row: Row, values: Values | None) -> dict[str, Any]:
    """One tensor as plain values; what was not measured is None."""
    m = values.measures if values and values.measures.count else None
    found: dict[str, Any] = {
        "checkpoint": row.checkpoint,
        "file": row.tensor.shard,
        "tensor": row.tensor.name,
        "module": row.module,
        "scheme": row.scheme,
        "part": row.part or None,
        "role": row.role,
        "layer": row.layer or None,
        "dtype": row.tensor.dtype,
        "shape": list(row.tensor.shape),
        "encoding": (values.encoding if values else row.unit.encoding).name,
        "elements": row.tensor.elements,
        "parameters": row.parameters,
        "bytes": row.tensor.nbytes,
        "offset": row.tensor.begin,
        "count": m.count if m else None,
    }
    told = m if m and values and values.encoding.kind != "raw" else None
    found.update({word: getattr(told, word) if told else None for word in COUNTED})
    found["smallest"] = told.value("smallest") if told else None
    found["largest"] = told.value("largest") if told else None
    found["entropy_bits"] = values.entropy if values else None
    histogram = values.histogram if values else None
    found["histogram_of"] = histogram.kind if histogram else None
    found["histogram"] = (
        [[label, count] for label, count in zip(histogram.labels, histogram.counts, strict=True)] if histogram else None
    )
    return found


def _sum(total: Sum) -> dict[str, Any]:
    bits = total.bits_per_weight
    return {
        "modules": total.modules,
        "tensors": total.tensors,
        "parameters": total.parameters,
        "bytes": total.bytes,
        "bits_per_weight": None if bits is None else round(bits, 4),
    }


def as_json(contents: Contents) -> str:
    """The whole contents: sums by scheme, role, layer and dtype, and one record per chosen tensor."""
    sums = {
        "schemes": by(contents.rows, lambda r: r.scheme),
        "roles": by(contents.rows, lambda r: r.role),
        "layers": by((r for r in contents.rows if r.layer), lambda r: r.layer),
        "dtypes": by(contents.rows, lambda r: r.tensor.dtype),
    }
    whole = {
        "version": VERSION,
        "target": contents.target,
        "origin": contents.origin,
        "checkpoints": list(contents.checkpoints),
        "shards": contents.shards,
        "file_bytes": contents.bytes,
        "depth": contents.depth,
        "bytes_read": contents.bytes_read,
        "bytes_known": contents.bytes_known,
        "not_read": list(contents.gaps),
        "total": _sum(summed(contents.rows)),
        **{name: {key: _sum(total) for key, total in found.items()} for name, found in sums.items()},
        "tensors": [record(row, contents.value(row)) for row in contents.chosen],
    }
    return json.dumps(whole, indent=1) + "\n"


def as_csv(contents: Contents) -> str:
    """A line per chosen tensor under a line of column names; shapes and histograms are JSON texts."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in contents.chosen:
        cells = record(row, contents.value(row))
        writer.writerow([_cell(cells[column]) for column in COLUMNS])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value)
    return printable(value) if isinstance(value, str) else value


def write_parquet(contents: Contents, path: Path) -> None:
    """Write the table of `as_csv` with types; raises UsageError where pyarrow is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed", "pip install 'tensorlint[parquet]'"
        ) from error
    integers = ("elements", "parameters", "bytes", "offset", "count", *COUNTED)
    types = {name: pyarrow.int64() for name in integers}
    types |= {name: pyarrow.float64() for name in ("smallest", "largest", "entropy_bits")}
    bucket = pyarrow.struct([("label", pyarrow.float64()), ("count", pyarrow.int64())])
    types |= {"shape": pyarrow.list_(pyarrow.int64()), "histogram": pyarrow.list_(bucket)}
    records = [record(row, contents.value(row)) for row in contents.chosen]
    for one in records:
        if one["histogram"]:
            one["histogram"] = [{"label": label, "count": count} for label, count in one["histogram"]]
    schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in COLUMNS])
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records, schema=schema), path)
