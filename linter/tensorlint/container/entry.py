"""One entry of a safetensors header: its usual form, and what is wrong with it.

What an entry may be is what the safetensors crate makes of it (`safetensors/src/tensor.rs`: `TensorInfo`, `Dtype`).
"""

from __future__ import annotations

import difflib
import re
from typing import Any

from ..dtypes import DTYPE_BITS
from .jsontext import BadInteger, Pairs, json_type

FIELDS = ("dtype", "shape", "data_offsets")
_USIZE = 1 << 64


def usual(entry: Any) -> tuple[Any, str]:
    """An entry in its usual form, and what was unusual about it.

    Derived serde readers also take a struct as the list of its fields, and a dtype as an object with the null value.
    """
    odd = ""
    if type(entry) is list and len(entry) == len(FIELDS):
        entry, odd = Pairs(zip(FIELDS, entry, strict=True)), "(a list in place of named fields)"
    if isinstance(entry, Pairs):
        dtype = entry.get("dtype")
        if isinstance(dtype, Pairs) and not dtype.repeated and list(dtype.values()) == [None]:
            made = Pairs(entry)
            made.repeated = entry.repeated
            made["dtype"] = next(iter(dtype))
            entry, odd = made, odd or "(an object in place of a dtype)"
    return entry, odd


def problem_of(entry: Any) -> str:
    """Why an entry in its usual form tells no dtype, shape and offsets; empty where it does."""
    if not isinstance(entry, Pairs):
        return f"it is a {json_type(entry)}, not an object"
    for field in FIELDS:
        if field in entry.repeated:
            return f"`{field}` is given twice"
        if field not in entry:
            return f"`{field}` is missing"
    if type(entry["dtype"]) is not str:
        return f"`dtype` is a {json_type(entry['dtype'])}, not text"
    shape, offsets = entry["shape"], entry["data_offsets"]
    if type(shape) is not list:
        return f"`shape` is a {json_type(shape)}, not a list"
    if type(offsets) is not list or len(offsets) != 2:
        return "`data_offsets` is not a list of two numbers"
    for what, values in (("shape", shape), ("data_offsets", offsets)):
        for value in values:
            if type(value) is not int:
                return f"`{what}` holds a {json_type(value)}{_shown(value)}, not a whole number"
            if value < 0:
                return f"`{what}` holds a negative number ({value})"
            if value >= _USIZE:
                return f"`{what}` holds a number beyond 64 bits ({value})"
    return ""


def _shown(value: Any) -> str:
    # Lists and objects may be too deep or too long to print.
    return f" ({str(value)[:40]})" if isinstance(value, (bool, float, BadInteger, str)) else ""


def bits_of(shape: list[int], bits: int) -> int | None:
    """Bits of a tensor; None where the crate's order of multiplication (dimensions first) overflows 64 bits."""
    elements = 1
    for size in shape:
        elements *= size
        if elements >= _USIZE:
            return None
    return elements * bits if elements * bits < _USIZE else None


_SPELLINGS = (("FLOAT", "F"), ("UINT", "U"), ("INT", "I"), ("COMPLEX", "C"), ("FP", "F"))


def nearest_dtype(dtype: str) -> str:
    """The dtype that was probably meant, `torch.float8_e4m3fn` and the like included; empty when nothing is near.

    One of other numbers was not meant: an `int4` is no I64, and the format has nothing for it.
    """
    name = dtype[:40].upper().rpartition(".")[2]
    for spelling, short in _SPELLINGS:
        name = name.replace(spelling, short)
    # Frameworks say FN or FNU for what the format leaves out; FNUZ are other formats. FP4 has one layout only.
    name = re.sub(r"^(?=E\dM\d)", "F8_", re.sub(r"(E\dM\d)FNU?(_X2)?$", r"\1", name)).replace("F4_E2M1", "F4")
    same = [known for known in DTYPE_BITS if _digits(known) == _digits(name)]
    return next(iter(difflib.get_close_matches(name, same, 1)), "")


def _digits(name: str) -> str:
    return re.sub(r"\D", "", name)
