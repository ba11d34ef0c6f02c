"""Measures one element at a time in plain Python, for tests to compare the fast ones with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tensorlint.dtypes import Encoding
from tensorlint.measures.interface import COUNTED, WORDS, Measures

EVERY = frozenset(WORDS)
ELEMENTWISE = tuple(w for w in COUNTED if w != "ceiling_runs")
PLACED = tuple(w for w in COUNTED if w not in ("ceiling", "below_ceiling", "ceiling_runs", "floor"))


@dataclass(frozen=True)
class Element:
    """One element: where it is stored, its value, and whether it is subnormal."""

    index: int
    value: float
    subnormal: bool


def elements(data: bytes, encoding: Encoding) -> Iterator[Element]:
    """Every logical element in order; two 4-bit codes share the index of their byte."""
    if encoding.bits == 4:
        for index, byte in enumerate(data):
            for pattern in (byte & 15, byte >> 4):
                yield Element(index, *decode(pattern, encoding))
        return
    width = encoding.bits // 8
    for index in range(len(data) // width):
        pattern = int.from_bytes(data[index * width : (index + 1) * width], "little")
        yield Element(index, *decode(pattern, encoding))


def decode(pattern: int, e: Encoding) -> tuple[float, bool]:
    """(value, subnormal) of a bit pattern, from the definition of its format."""
    if e.kind == "int":
        return (pattern - (1 << e.bits) if e.signed and pattern >> (e.bits - 1) else pattern), False
    if e.special == "e8m0":
        return (math.nan if pattern == 255 else 2.0 ** (pattern - 127)), False
    sign = -1.0 if e.signed and pattern >> (e.bits - 1) else 1.0
    exponent, mantissa = pattern >> e.mantissa & ((1 << e.exponent) - 1), pattern & ((1 << e.mantissa) - 1)
    ones = exponent == (1 << e.exponent) - 1
    if e.special == "ieee" and ones:
        return (math.nan if mantissa else sign * math.inf), False
    if e.special == "fn" and ones and mantissa == (1 << e.mantissa) - 1:
        return math.nan, False
    if e.special == "fnuz" and pattern == 1 << (e.bits - 1):
        return math.nan, False
    whole = mantissa + (1 << e.mantissa if exponent else 0)
    value = math.ldexp(whole, max(exponent, 1) - e.bias - e.mantissa)
    return sign * value, exponent == 0 and mantissa != 0


@cache
def ends(e: Encoding) -> tuple[float, float]:
    """(smallest, largest) magnitude of a format."""
    if e.kind == "int":
        return 1, (1 << (e.bits - e.signed)) - 1
    known = {"f32": (2.0**-149, (2 - 2.0**-23) * 2.0**127), "f64": (5e-324, 1.7976931348623157e308)}
    if e.name in known:
        return known[e.name]
    values = [abs(decode(p, e)[0]) for p in range(1 << e.bits)]
    finite = [v for v in values if math.isfinite(v) and v]
    return min(finite), max(finite)


@cache
def step_below(e: Encoding) -> float:
    """The largest magnitude but one."""
    most = ends(e)[1]
    if e.kind == "int":
        return most - 1
    if e.name in ("f32", "f64"):
        return most - 2.0 ** (math.frexp(most)[1] - 1 - e.mantissa)
    return max(v for v in (abs(decode(p, e)[0]) for p in range(1 << e.bits)) if v < most)


def tests(element: Element, e: Encoding) -> dict[str, bool]:
    """Which counted words an element counts for."""
    value = element.value
    least, most = ends(e)
    finite = math.isfinite(value)
    return {
        "nan": math.isnan(value),
        "inf": math.isinf(value),
        "zero": value == 0,
        "negative": finite and value < 0,
        "subnormal": element.subnormal,
        "ceiling": finite and (abs(value) >= most or (e.kind == "int" and not e.signed and value == 0)),
        "below_ceiling": finite and (abs(value) == step_below(e) or (e.kind == "int" and not e.signed and value == 1)),
        "floor": finite and abs(value) == least,
    }


def slow(data: bytes, encoding: Encoding) -> dict[str, object]:
    """What `told` should say of the measures of these bytes."""
    found = list(elements(data, encoding))
    answer: dict[str, object] = {"count": len(found)}
    for word in ELEMENTWISE:
        hits = [x.index for x in found if tests(x, encoding)[word]]
        answer[word] = len(hits)
        if word in PLACED:
            answer[f"{word} at"] = hits[0] if hits else None
    packed = encoding.kind == "float" and encoding.bits == 4
    runs = [{code & 0x77 for code in data[at : at + 4]} for at in range(0, len(data) // 4 * 4, 4)]
    answer["ceiling_runs"] = 8 * runs.count({0x77}) if packed else 0
    real = [abs(float(x.value)) for x in found if math.isfinite(x.value) and x.value]
    answer["smallest"], answer["largest"] = min(real, default=0.0), max(real, default=0.0)
    answer["first"] = repr(float(found[0].value)) if found else None
    whole = data[: len(data) - len(data) % max(1, encoding.bits // 8)]
    answer["uniform"] = int(len(set(whole)) <= 1)
    answer["all_zero"] = int(all(x.value == 0 for x in found))
    answer["byte"] = (whole or b"\xff")[0] if answer["uniform"] else "any"
    return answer


def grain(encoding: Encoding) -> int:
    """Bytes at a multiple of which a tensor may be cut."""
    return 4 if encoding.kind == "float" and encoding.bits == 4 else max(1, encoding.bits // 8)


def told(measures: Measures, words: frozenset[str] = EVERY) -> dict[str, object]:
    """What measures say about words, in a form that can be compared (NaN equals NaN)."""
    answer: dict[str, object] = {"count": measures.count}
    for word in words - {"first", "zero_pages", "count"}:
        answer[word] = measures.value(word)
        if word in PLACED:
            answer[f"{word} at"] = measures.positions.get(word)
    if "byte" in words and measures.value("uniform") == 0:
        answer["byte"] = "any"
    if "first" in words:
        answer["first"] = repr(measures.first[1]) if measures.count else None
    return answer


def longest_zero_run(data: bytes, offset: int, page: int) -> tuple[int, int]:
    """(pages, first page) of the longest run of zero pages among the whole pages of the file inside the data."""
    best = (0, 0)
    first = length = 0
    for number in range(-(-offset // page), (offset + len(data)) // page):
        piece = data[number * page - offset : (number + 1) * page - offset]
        if any(piece):
            length = 0
            continue
        if not length:
            first = number
        length += 1
        if length > best[0]:
            best = (length, first)
    return best
