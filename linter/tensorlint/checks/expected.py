"""What an architecture says of one tensor, worked out for a configuration and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..schemes.architectures import Size
from ..schemes.bound import Place
from ..schemes.keyterms import UNKNOWN, Term
from ..schemes.stored import Stored

Wanted = tuple[int | None, ...]


def shapes_of(place: Place) -> tuple[Wanted, ...]:
    """The shapes that it may have, None for a dimension that is not known; without any where it may have every one."""
    cases = place.bound.judged(place.indices).cases
    if any(case.open for case in cases):
        return ()
    return tuple(tuple(_size(size, place) for size in case.shape) for case in cases)


def shape_of(place: Place) -> list[int] | None:
    """The one shape that it has, where all of that is known."""
    shapes = shapes_of(place)
    if len(shapes) != 1 or any(size is None for size in shapes[0]):
        return None
    return [size for size in shapes[0] if size is not None]


def _size(size: Size, place: Place) -> int | None:
    return size.term.size(place.bound.scope, place.indices) if size.term is not None else None


def fits_shape(one: Stored, place: Place) -> bool:
    """Whether a tensor has the shape of a place, as far as both are known."""
    if one.shape is None:
        return True
    wants = shapes_of(place)
    return not wants or any(matches(one.shape, wanted) for wanted in wants)


def matches(shape: tuple[int, ...], wanted: Wanted) -> bool:
    """Whether a shape is what is wanted."""
    return len(shape) == len(wanted) and all(w is None or w == s for s, w in zip(shape, wanted, strict=True))


def condition(place: Place) -> str:
    """When it is there, in the words of config.json; `always` where nothing is asked."""
    cases = place.bound.line.cases
    found = [case.condition for case in cases if case.condition is not None]
    if len(found) < len(cases):
        return "always"
    return " or ".join(f"if {one.text} ({keys_of(one, place)})" if one.keys else f"if {one.text}" for one in found[:2])


def keys_of(found: Term, place: Place) -> str:
    """The keys of an expression with their values."""
    return ", ".join(_stated(key, place) for key in found.keys[:6])


def _stated(key: str, place: Place) -> str:
    scope = place.bound.scope
    value = scope.key(key)
    return f"{scope.stated(key)} is {shown(value)}"


def shown(value: Any) -> str:
    """A value of config.json, cut where it is long."""
    if value is UNKNOWN:
        return "not known"
    text = str(value).lower() if isinstance(value, bool) or value is None else str(value)
    return text.replace("none", "null") if value is None else text if len(text) <= 60 else text[:57] + "..."


def formula(sizes: tuple[Size, ...], place: Place) -> str:
    """`[num_attention_heads * head_dim, hidden_size], num_attention_heads is 6 ...` for the sizes of a case."""
    texts = [size.term.text if size.term is not None else "any" for size in sizes]
    keys: Mapping[str, None] = dict.fromkeys(key for size in sizes if size.term is not None for key in size.term.keys)
    said = ", ".join(_stated(key, place) for key in list(keys)[:6])
    return f"[{', '.join(texts)}]" + (f", {said}" if said else "")
