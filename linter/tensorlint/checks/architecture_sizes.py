"""Sizes of all tensors against the architecture of the model type and the configuration, also when all layers agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ..facts import Fact, FactKind
from ..schemes.architectures import Case, Size
from ..schemes.bound import Place
from ..schemes.fitted import Fitted
from ..schemes.stored import Stored
from ..schemes.view import View
from .check import Check
from .expected import Wanted, formula, matches, shapes_of

STATES: Mapping[str, FactKind] = {
    "wrong-size": FactKind(
        "A tensor has another shape than in models of the type.", ("found", "wanted", "how", "why", "type")
    ),
    "config-dimension": FactKind(
        "A dimension in config.json is not that of the tensors.", ("key", "stated", "found", "shape", "wrong")
    ),
}
_FREE = frozenset({"buffer"})  # roles of tensors whose size nobody depends on
_PADDING = 5 / 4  # rows for each token from which on they are another vocabulary's, not padding
_MATRIX = 2
Key = tuple[int, str]  # a scope, and a key of config.json in it


@dataclass(frozen=True)
class _Odd:
    """A tensor that has none of the shapes that its place may have, with the shape that it is nearest to."""

    one: Stored
    place: Place
    shape: tuple[int, ...]
    wanted: Wanted
    case: Case


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about tensors of other sizes, or about keys of config.json that no tensor agrees with."""
    fit = view.known
    if fit is None:
        return
    odd = [found for one, place in fit.found if (found := _odd(one, place)) is not None]
    odd.extend(_unequal(fit))
    keys, sure = _wrong_keys(fit, odd) if odd else ({}, set())
    for key, (stated, size, example) in keys.items():
        if size in _of_similar_keys(view.checkpoint.config("config.json"), key[1].rpartition(".")[2]):
            continue  # versions of a class, and of its code, differ in which of them they take
        values = {
            "key": example.place.bound.scope.stated(key[1]), "stated": stated, "found": size,
            "shape": list(example.shape), "wrong": len(keys),
        }  # fmt: skip
        yield Fact("config-dimension", view.checkpoint.path("config.json"), example.one.tensor.name, values=values)
    for row in odd:
        how = _how(row)
        if not how or not _apart(row, keys, sure):
            continue
        values = {
            "found": list(row.shape),
            "wanted": _filled(row),
            "how": how,
            "why": formula(row.case.shape, row.place),
            "type": fit.architecture.type,
        }
        yield Fact("wrong-size", row.one.tensor.shard, row.one.tensor.name, values=values)


def _of_similar_keys(config: Mapping[str, object], key: str) -> Iterator[int]:
    """Whole numbers under other keys of the same end: `moe_intermediate_size` for `intermediate_size`."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _of_similar_keys(value, key)
        elif name != key and (name.endswith(f"_{key}") or key.endswith(f"_{name}")):
            yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, int))


def _odd(one: Stored, place: Place) -> _Odd | None:
    """What is wrong with the shape of a tensor, if that is known and anything is."""
    role = place.bound.line.role
    wants = shapes_of(place)
    shape = one.shape if one.shape is not None else _guessed(one.elements, wants)
    if shape is None or role in _FREE or shape == (0,):
        return None
    for wanted in wants:
        if matches(shape, wanted) or _accepted(one, place, shape, wanted):
            return None
    cases = place.bound.judged(place.indices).cases
    if not wants:
        return None
    best = max(range(len(wants)), key=lambda n: _nearness(shape, wants[n]))
    return _Odd(one, place, shape, wants[best], cases[best])


def _guessed(elements: int | None, wants: tuple[Wanted, ...]) -> tuple[int, ...] | None:
    """The matrix that so many elements are, where they are stored flat: of the columns that are wanted, or the rows."""
    if elements is None or len(wants) != 1 or len(wants[0]) != _MATRIX:
        return None
    rows, columns = wants[0]
    if not rows or not columns:
        return None
    if elements % columns == 0:
        return elements // columns, columns
    return (rows, elements // rows) if elements % rows == 0 else None


def _nearness(shape: tuple[int, ...], wanted: Wanted) -> tuple[bool, int]:
    return len(shape) == len(wanted), sum(s == w for s, w in zip(shape, wanted, strict=False))


def _accepted(one: Stored, place: Place, shape: tuple[int, ...], wanted: Wanted) -> bool:
    """What is stored in another way without harm."""
    line = place.bound.line
    if len(shape) != len(wanted):
        elements = 1
        for size in shape:
            elements *= size
        return elements == 1 and all(size in (1, None) for size in wanted)  # a scalar
    if line.role == "conv":  # channels first or last
        return sorted(shape) == sorted(size or 0 for size in wanted)
    if line.transposed and one.module is not None:  # quantizers store rows of outputs, as of a linear layer
        return matches(shape[::-1], wanted)
    if line.role in ("embedding", "head") and len(shape) == _MATRIX and wanted[0] is not None:
        return wanted[0] <= shape[0] < wanted[0] * _PADDING and matches(shape[1:], wanted[1:])
    return False


def _unequal(fit: Fitted) -> Iterator[_Odd]:
    """Tensors whose size is not known but the same as that of others, and is not."""
    seen: dict[tuple[object, ...], list[tuple[Stored, Place, Case, int]]] = defaultdict(list)
    for one, place in fit.found:
        cases = place.bound.judged(place.indices).cases
        if one.shape is None or len(cases) != 1 or len(cases[0].shape) != len(one.shape):
            continue
        for at, size in enumerate(cases[0].shape):
            if size.symbol:
                key = id(place.bound.scope), size.symbol, *(place.indices.get(index) for index in size.per)
                seen[key].append((one, place, cases[0], at))
    for rows in seen.values():
        sizes = Counter(one.shape[at] for one, _, _, at in rows if one.shape is not None)
        if len(sizes) < _MATRIX:
            continue
        (usual, count), (_, second) = sizes.most_common(2)
        lines = {id(place.bound) for _, place, _, _ in rows}
        for one, place, case, at in rows:
            shape = one.shape or ()
            # Between equals nobody knows which is wrong: the later line, as what is fed fits what feeds it.
            if shape[at] != usual and (count > second or len(lines) > 1):
                wanted = tuple(usual if n == at else size for n, size in enumerate(shape))
                yield _Odd(one, place, shape, wanted, case)


def _wrong_keys(fit: Fitted, odd: list[_Odd]) -> tuple[dict[Key, tuple[int, int, _Odd]], set[Key]]:
    """Keys that no tensor agrees with, while all agree with each other: what is stated, what is found, a tensor.

    Comes with the keys that some size agrees with. What config.json does not state is never called wrong.
    """
    asked: dict[Key, tuple[int, _Odd]] = {}
    numbered = any("expert" in bound.line.indices for bound in fit.bounds)
    for row in odd:
        if numbered and row.place.bound.line.role == "router":  # experts are counted by their numbers
            continue
        for size, wanted in zip(row.case.shape, row.wanted, strict=False):
            key = _key(size, row.place)
            if key is not None and wanted is not None:
                asked.setdefault(key, (wanted, row))
    seen: dict[Key, Counter[int]] = defaultdict(Counter)
    sure: set[Key] = set()
    for one, place in fit.found:
        for case in place.bound.judged(place.indices).cases[:1]:
            shape = one.shape if one.shape is not None else _guessed(one.elements, shapes_of(place))
            if shape is None or len(case.shape) != len(shape):
                continue
            for size, found in zip(case.shape, shape, strict=True):
                key = _key(size, place)
                if key in asked:
                    seen[key][found] += 1
                if size.term is not None and size.term.size(place.bound.scope, place.indices) == found:
                    sure.update((id(place.bound.scope), name) for name in size.term.keys)
    wrong: dict[Key, tuple[int, int, _Odd]] = {}
    for key, (stated, row) in sorted(asked.items(), key=lambda kv: -seen[kv[0]].total()):
        sizes = seen[key]
        if len(sizes) == 1 and stated not in sizes and row.place.bound.scope.states(key[1]):
            wrong[key] = stated, next(iter(sizes)), row
    return wrong, sure


def _key(size: Size, place: Place) -> Key | None:
    """The one key of config.json that a size is, without more."""
    found = size.term
    if found is None or found.indices or found.keys != (found.text.strip(),):
        return None
    return id(place.bound.scope), found.keys[0]


def _apart(row: _Odd, keys: Mapping[Key, object], sure: Collection[Key]) -> bool:
    """Whether the tensor is wrong, not a key: keys are stated, or made of others, or other sizes agree with them."""
    scope = row.place.bound.scope
    for size, wanted, found in zip(row.case.shape, row.wanted, row.shape, strict=False):
        if wanted in (None, found) or size.term is None:
            continue
        for key in size.term.keys:
            at = id(scope), key
            if at in keys or not (at in sure or scope.states(key) or (scope.derives(key) and not keys)):
                return False
    return True


def _filled(row: _Odd) -> list[int]:
    """The shape that is wanted; a size that nobody knows is the one that is there, turned round."""
    turned = zip(row.wanted, row.shape[::-1], strict=False)
    return [there if size is None else size for size, there in turned]


def _how(row: _Odd) -> str:
    """What happened to the tensor, where the sizes tell: ` (it is transposed)`; else versions of a class may differ."""
    shape, wanted = row.shape, row.wanted
    if len(shape) == _MATRIX == len(wanted) and wanted.count(None) == 1:
        return " (it is transposed)" if matches(shape[::-1], wanted) else ""
    if None in wanted:
        return ""
    sizes = [size for size in wanted if size is not None]
    if len(shape) == _MATRIX == len(sizes) and list(shape[::-1]) == sizes:
        return " (it is transposed)"
    if len(shape) == 1 < len(sizes) and shape[0] == _product(sizes):
        return " (it is flattened)"
    if len(shape) == len(sizes):
        differ = [(s, w) for s, w in zip(shape, sizes, strict=True) if s != w]
        if len(differ) == 1 and differ[0][0] * 2 == differ[0][1]:
            return " (half of it is there)"
    return ""


def _product(sizes: list[int]) -> int:
    found = 1
    for size in sizes:
        found *= size
    return found


CHECKS = (Check(STATES, run),)
