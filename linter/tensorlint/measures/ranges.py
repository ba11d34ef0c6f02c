"""The counted words of an encoding as ranges of bit patterns, so that counting is comparing whole arrays.

A float without its sign bit grows with its magnitude, and so does the absolute value of an integer. NaN, Inf, zero,
subnormals and both ends of a format are therefore each one range of unsigned magnitudes: if the least and the greatest
magnitude of an array lie outside of it, the count is zero and no element has to be looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..dtypes import Encoding, code_table


class Range(NamedTuple):
    """Patterns from `low` to `high`, ends included; of the stored element where `stored`, else of its magnitude."""

    low: int
    high: int
    stored: bool = False


@dataclass(frozen=True)
class Ranges:
    """What each counted word counts (a word that is missing never occurs), and the finite numbers other than zero.

    Elements are looked at in containers of 8, 16, 32 or 64 bits; integers of 4 bits are sign-extended into theirs.
    """

    words: Mapping[str, tuple[Range, ...]]
    real: Range


@lru_cache(maxsize=64)
def ranges_of(encoding: Encoding) -> Ranges:
    """The ranges of a float or integer encoding."""
    return _float(encoding) if encoding.kind == "float" else _integer(encoding)


def _float(e: Encoding) -> Ranges:
    sign = 1 << (e.exponent + e.mantissa)
    if e.special == "e8m0":
        real = Range(0, sign - 2)
        return Ranges(
            {
                "nan": (Range(sign - 1, sign - 1),),
                "ceiling": _only(real.high),
                "below_ceiling": _only(real.high - 1),
                "floor": _only(0),
            },
            real,
        )
    infinity = sign - (1 << e.mantissa)
    words: dict[str, tuple[Range, ...]] = {"zero": _only(0), "floor": _only(1)}
    last = sign - 1
    if e.special == "ieee":
        last = infinity - 1
        words |= {"nan": (Range(infinity + 1, sign - 1),), "inf": _only(infinity)}
    elif e.special == "fn":
        last = sign - 2
        words |= {"nan": _only(sign - 1)}
    elif e.special == "fnuz":
        # Zero and NaN have the same magnitude; only the sign bit tells them apart.
        words |= {"nan": (Range(sign, sign, True),), "zero": (Range(0, 0, True),)}
    if e.signed:
        words["negative"] = (Range(sign + 1, sign + last, True),)
    words |= {
        "subnormal": (Range(1, (1 << e.mantissa) - 1),),
        "ceiling": _only(last),
        "below_ceiling": _only(last - 1),
    }
    return Ranges(words, Range(1, last))


def _integer(e: Encoding) -> Ranges:
    if not e.signed:
        top = (1 << e.bits) - 1
        return Ranges(
            {
                "zero": _only(0),
                "ceiling": (*_only(0), *_only(top)),
                "below_ceiling": (*_only(1), *_only(top - 1)),
                "floor": _only(1),
            },
            Range(1, top),
        )
    container = max(8, e.bits)
    half = 1 << (e.bits - 1)
    words = {
        "zero": _only(0),
        "negative": (Range(1 << (container - 1), (1 << container) - 1, True),),
        # Symmetric quantization clips at -(2^(b-1) - 1); both ends count as the ceiling.
        "ceiling": (Range(half - 1, half),),
        "below_ceiling": _only(half - 2),
        "floor": _only(1),
    }
    return Ranges(words, Range(1, half))


def _only(pattern: int) -> tuple[Range]:
    return (Range(pattern, pattern),)


def number(encoding: Encoding, pattern: int) -> float:
    """The value of one stored element, or of one magnitude (which is the pattern of a positive element)."""
    if encoding.kind == "float":
        if encoding.bits <= 16:
            return float(code_table(encoding).value[pattern])
        return float(np.array(pattern, f"<u{encoding.bits // 8}").view(f"<f{encoding.bits // 8}"))
    container = max(8, encoding.bits)
    return float(pattern - (1 << container) if encoding.signed and pattern >> (container - 1) else pattern)
