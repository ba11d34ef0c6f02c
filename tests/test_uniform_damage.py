"""The same damage in all modules of a sound export: what an exporter's bug looks like. No sibling knows better.

From the sound example of every declared scheme, in names, dtypes and shapes: the damage must be said, and the modules
must still be of their scheme. What cannot be seen in the files is listed with the reason.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase

import pytest

from linted import check, rules_of
from tensorlint.dtypes import DTYPE_BITS
from tensorlint.report.findings import Report
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.variants import scheme_examples
from tensorlint.schemes.model import Part, Scheme
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
RULES = rules_of(BOOK)
Tensor = tuple[str, tuple[int, ...], bytes]
Tensors = dict[str, Tensor]


def of(dtype: str, *shape: int) -> Tensor:
    return dtype, shape, bytes(math.prod(shape) * DTYPE_BITS[dtype] // 8)


def retyped(*dtypes: str) -> Callable[[Tensor], Tensor | None]:
    """Another dtype of those that exporters write instead; None where the tensor has it already."""
    return lambda t: next((of(d, *t[1]) for d in dtypes if d != t[0]), None)


def transposed(tensor: Tensor) -> Tensor | None:
    shape = tensor[1]
    return of(tensor[0], *shape[::-1]) if len(shape) == 2 and shape[0] != shape[1] and 1 not in shape else None


def halved(tensor: Tensor) -> Tensor | None:
    *first, last = tensor[1] or (1,)
    return of(tensor[0], *first, last // 2) if last % 2 == 0 else None


DAMAGES: Mapping[str, Callable[[Tensor], Tensor | None]] = {
    "dropped": lambda t: ("", (), b""),
    "u8": lambda t: of("U8", *t[1]) if t[0].startswith("F8") else None,
    "f16": lambda t: of("F16", *t[1]) if t[0] in ("F32", "BF16") else None,
    "bf16": lambda t: of("BF16", *t[1]) if t[0] in ("F32", "F16") else None,
    "f32": lambda t: of("F32", *t[1]) if t[0].startswith("F8") else None,
    "transposed": transposed,
    "flat": lambda t: of(t[0], math.prod(t[1])) if len(t[1]) == 2 else None,
    "half": halved,
}
