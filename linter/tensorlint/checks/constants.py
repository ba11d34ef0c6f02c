"""Tables that are the same in every file of a format, against those that are stored.

What they hold is part of the scheme, with the source of it (bitsandbytes .../functional.py, get_4bit_type and
create_dynamic_map).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "constant-table": FactKind(
        "A table that is the same in every file has other values.",
        ("module", "part", "odd", "count", "first", "found", "wanted"),
    ),
}
_TYPES: Mapping[str, str] = {"F32": "<f4", "F16": "<f2"}
_MARGIN = 1e-4  # of what rounding to other digits, or another way to the same number, leaves; a step is larger by far


def run(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Facts about tables with values that are not those of the format."""
    for module in view.quantized:
        for name, tensor in module.parts.items():
            constant = module.scheme.parts[name].constant
            if not constant or tensor.dtype not in _TYPES or tensor.elements != len(constant):
                continue
            found = np.frombuffer(view.stored(tensor, tensor.nbytes), _TYPES[tensor.dtype]).astype(np.float64)
            wanted = np.array(constant)
            odd = ~(np.abs(found - wanted) <= _MARGIN * np.maximum(np.abs(wanted), _MARGIN))  # NaN is odd as well
            if odd.any():
                first = int(odd.argmax())
                values = {
                    "module": module.name, "part": name, "odd": int(odd.sum()), "count": len(constant), "first": first,
                    "found": float(found[first]), "wanted": float(wanted[first]),
                }  # fmt: skip
                yield Fact("constant-table", tensor.shard, tensor.name, tensor.begin, values)


CHECKS = (Check(STATES, run, "scales"),)
