"""The raw bytes behind a finding: what stands at the first bad element, and what that bit pattern means."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from ..dtypes import Encoding, code_table
from ..errors import UnfinishedError
from ..measures.cpu import CpuKernel
from ..measures.interface import COUNTED
from ..report.findings import Evidence, Location
from ..schemes.view import TensorUnit
from ..sources.interface import Source

_WINDOW = 4  # elements shown on either side


def evidence(unit: TensorUnit, location: Location, word: str, source: Source) -> Evidence | None:
    """The stored bytes around the place a rule points at, or of a lone scalar; None where there is nothing to show.

    `word` is the measure whose elements are marked.
    """
    if location.byte_offset is None:
        return None
    tensor = unit.tensor
    width = max(1, unit.encoding.bits // 8)
    stored = tensor.nbytes // width
    if location.index is None and stored != 1:
        return None
    at = (location.byte_offset - tensor.begin) // width
    columns = tensor.shape[-1] if tensor.shape else 1
    row = at - at % columns if columns else at
    low, high = max(row, at - _WINDOW), min(row + columns, at + _WINDOW + 4, stored)
    try:
        file = source.open(tensor.shard)
        raw = file.read(tensor.begin + low * width, (high - low) * width)
        file.close()
    except UnfinishedError:  # the bytes are an illustration; the finding stands without them
        return None
    pieces = [raw[i : i + width] for i in range(0, len(raw), width)]
    bad = _is_bad(unit.encoding, word)
    marked = frozenset(i for i, piece in enumerate(pieces) if bad(piece)) or frozenset({at - low})
    start = (
        tuple(int(i) for i in np.unravel_index(low, tensor.shape)) if tensor.shape and stored == tensor.elements else ()
    )
    note = _explain(unit.encoding, pieces[min(marked)], word)
    elements = tuple(p[::-1].hex() for p in pieces)
    return Evidence(tensor.name, tensor.dtype, tensor.shape, start, elements, marked, note)


def _is_bad(encoding: Encoding, word: str) -> Callable[[bytes], bool]:
    kernel = CpuKernel()  # the kernel that counted them decides which ones are marked

    def bad(piece: bytes) -> bool:
        if word not in COUNTED:
            return False
        data = np.frombuffer(piece, np.uint8)
        return bool(kernel.measure(data, encoding, frozenset({word}), 0, 0).value(word))

    return bad


_NAMES = {
    "e4m3": "E4M3",
    "e5m2": "E5M2",
    "e5m3": "E5M3",
    "e8m0": "E8M0",
    "bf16": "BF16",
    "f16": "F16",
    "f32": "F32",
    "f64": "F64",
}


def _explain(encoding: Encoding, piece: bytes, word: str) -> str:
    """What the marked pattern means, with the largest number of the format beside it where the format is narrow."""
    pattern = f"0x{piece[::-1].hex()}"
    name = _NAMES.get(encoding.name, encoding.name)
    if encoding.kind != "float":
        return f"{pattern} = {int.from_bytes(piece, 'little', signed=encoding.signed)}"
    if encoding.bits > 16:
        value = float(np.frombuffer(piece, f"<f{encoding.bits // 8}")[0])
        said = "NaN" if value != value else "Inf" if value == inf else "-Inf" if value == -inf else f"{value:.6g}"
        return f"{pattern} is {said} in {name}"
    table = code_table(encoding)
    code = int.from_bytes(piece, "little")
    if encoding.bits < 8:
        return f"byte {pattern}"
    value = table.value[code]
    meaning = (
        "NaN"
        if table.nan[code]
        else ("-Inf" if code >> (encoding.bits - 1) else "Inf")
        if table.inf[code]
        else f"{value:.6g}"
    )
    if encoding.bits == 8 and word in ("nan", "inf"):
        top = int(np.flatnonzero(table.ceiling & ~table.negative)[0])
        return f"{pattern} is {meaning} in {name} (largest: 0x{top:02x} = {table.value[top]:.6g})"
    return f"{pattern} is {meaning} in {name}"
