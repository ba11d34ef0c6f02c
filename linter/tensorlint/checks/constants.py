"""Tables that are the same in every file of a format, against those that are stored.

What they hold is part of the scheme, with the source of it (bitsandbytes .../functional.py, get_4bit_type).
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
        ("module", "part", "apart", "odd", "count", "number", "found", "wanted"),
    ),
}
_TYPES: Mapping[str, str] = {"F32": "<f4", "F16": "<f2"}


def run(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Facts about tables with values that are not those of the format, and how far the farthest is from its own."""
    for module in view.quantized:
        for name, tensor in module.parts.items():
            constant = module.scheme.parts[name].constant
            if not constant or tensor.dtype not in _TYPES or tensor.elements != len(constant):
                continue
            found = np.frombuffer(view.stored(tensor, tensor.nbytes), _TYPES[tensor.dtype])
            wanted = np.array(constant, found.dtype)
            odd = found != wanted  # NaN is odd as well
            if odd.any():
                apart = np.nan_to_num(np.abs(found.astype(np.float64) - wanted), nan=np.inf)
                number = int(apart.argmax())
                values = {
                    "module": module.name, "part": name, "apart": float(apart[number]), "odd": int(odd.sum()),
                    "count": len(constant), "number": number, "found": float(found[number]),
                    "wanted": float(wanted[number]),
                }  # fmt: skip
                yield Fact("constant-table", tensor.shard, tensor.name, tensor.begin, values)


CHECKS = (Check(STATES, run, "scales"),)
