"""How large the values of a weight are once decoded: the formula of its scheme, over measures of the parts.

A product is as large as its factors together. That is exact where one scale covers the tensor, and elsewhere as far as
codes do not depend on their scales: within a factor of two, unless a few scales are more than ten times the others.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from math import isfinite

import numpy as np

from ..dtypes import code_table
from ..measures.interface import Measures
from ..schemes.amount import logical
from ..schemes.module import Module
from .spread import Spread, constant, numbers, of_codes, of_scales, of_whole_range

_AGREE = 2.0  # two ways to decode say the same where what they say differs by less
_BYTE = 8  # bits
_LONGEST = 200  # characters of a formula: scheme files may be anybody's
_MEAN = object()  # codes lie around their own mean: something that is added or taken moves them to around zero


class _UnknownError(Exception):
    """A formula cannot be followed with what is known."""


def decoded(module: Module, measured: Mapping[tuple[str, str], Measures], by_scales: bool = False) -> Spread | None:
    """The values of a module's weight; None where that cannot be told.

    With `by_scales` the weight is not looked at: of the values that share a scale one is taken to be at the end of its
    range, as quantizers make it, and all others to be zero. The mean square is then the least there can be.
    """
    found: list[tuple[int, Spread]] = []
    for decoding in module.scheme.decode:
        tree = parsed(decoding.formula)
        reader = _Reader(module, measured, by_scales)
        try:
            spread = reader.value(tree) if tree is not None else Spread(np.inf, np.inf)
        except _UnknownError:
            continue
        if isfinite(spread.square) and isfinite(spread.peak):
            found.append((len(reader.used), spread))
    # Of several ways those that use most of what is there; no one can tell which is right where they disagree.
    best = [spread for used, spread in found if used == max(found, key=lambda row: row[0])[0]]
    if not best or max(s.rms for s in best) > _AGREE * min(s.rms for s in best):
        return None
    return best[0]


@lru_cache(maxsize=256)
def parsed(formula: str) -> ast.expr | None:
    """The tree of a formula; None where it is no arithmetic."""
    if len(formula) > _LONGEST:
        return None
    try:
        return ast.parse(formula.replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError):
        return None


class _Reader:
    """Follows one formula for one module; `used` are the parts that it found there."""

    def __init__(self, module: Module, measured: Mapping[tuple[str, str], Measures], by_scales: bool) -> None:
        self._module = module
        self._by_scales = by_scales
        self._measured = measured
        self.used: set[str] = set()

    def value(self, node: ast.expr, middle: object = None) -> Spread:
        """What an expression comes to; `middle` is what codes lie around, None where they say it themselves."""
        if isinstance(node, ast.Name):
            return self._codes(middle) if node.id == "weight" else self._scales(node.id)
        if isinstance(node, ast.Constant):
            return constant(self._number(node))
        if isinstance(node, ast.Subscript):
            return self._looked_up(node)
        if not isinstance(node, ast.BinOp):
            raise _UnknownError
        if isinstance(node.op, ast.Mult):
            return self.value(node.left, middle) * self.value(node.right, middle)
        if isinstance(node.op, ast.Div):
            return self.value(node.left, middle) * self._below(node.right)
        if isinstance(node.op, ast.Sub) and _is_number(node.right):
            if not isinstance(node.left, ast.Name) or node.left.id != "weight":
                raise _UnknownError
            return self._codes(self._number(node.right))
        if isinstance(node.op, ast.Add | ast.Sub):
            names = {n.id for n in ast.walk(node.right) if isinstance(n, ast.Name)}
            self.used |= names & self._module.parts.keys()
            kinds = {self._module.scheme.parts[name].kind for name in names & self._module.scheme.parts.keys()}
            # What moves codes to around zero; what is added beside that (a product of low rank, outliers) is small.
            return self.value(node.left, _MEAN if "zero_point" in kinds and names & self.used else middle)
        raise _UnknownError

    def _number(self, node: ast.expr) -> float:
        """What is computed of whole numbers and symbols."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name) and node.id in self._module.env:
            return float(self._module.env[node.id])
        if isinstance(node, ast.BinOp):
            left, right = self._number(node.left), self._number(node.right)
            if isinstance(node.op, ast.Sub):
                return left - right
            if isinstance(node.op, ast.Pow) and 0 < left <= _BYTE and 0 <= right <= _BYTE:
                return float(left**right)
        raise _UnknownError

    def _below(self, node: ast.expr) -> Spread:
        """One over a number or a part."""
        if isinstance(node, ast.Name):
            return self._scales(node.id, divide=True)
        number = self._number(node)
        if not number:
            raise _UnknownError
        return constant(1 / number)

    def _scales(self, name: str, divide: bool = False) -> Spread:
        part, tensor = self._module.scheme.parts.get(name), self._module.parts.get(name)
        if part is None:
            raise _UnknownError
        if tensor is None:
            if part.needed == "always":
                raise _UnknownError
            return constant(1)  # its term falls away
        self.used.add(name)
        found = self._measured.get((tensor.shard, tensor.name))
        spread = of_scales(found, part.encoding(tensor.dtype), divide) if found is not None else None
        if spread is None:
            raise _UnknownError
        return spread

    def _looked_up(self, node: ast.Subscript) -> Spread:
        """`lookup[weight]`, where what the table holds is the same in every file."""
        names = [one.id for one in (node.value, node.slice) if isinstance(one, ast.Name)]
        part = self._module.scheme.parts.get(names[0]) if names[1:] == ["weight"] else None
        if part is None or not part.constant:
            raise _UnknownError
        self.used.add(names[0])
        return self._of_weight(np.array(part.constant), 0.0)

    def _codes(self, middle: object) -> Spread:
        part, tensor = self._module.scheme.parts["weight"], self._module.parts["weight"]
        encoding = part.encoding(tensor.dtype)
        if encoding.kind == "raw":
            if part.integers is None:
                raise _UnknownError
            values, signed = numbers(self._bits(), part.integers.signed), part.integers.signed
        else:
            if encoding.bits > _BYTE:
                raise _UnknownError
            values, signed = code_table(encoding).value, encoding.signed
        if isinstance(middle, float) and signed:
            raise _UnknownError  # signed codes have no middle that could be taken from them
        if middle is None and not signed:
            raise _UnknownError
        return self._of_weight(values, None if middle is _MEAN else middle if isinstance(middle, float) else 0.0)

    def _of_weight(self, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], middle: float | None) -> Spread:
        tensor, bits = self._module.parts["weight"], self._bits()
        found = self._measured.get((tensor.shard, tensor.name))
        spread = None
        if self._by_scales:
            count = together(self._module)
            spread = of_whole_range(values, middle, count) if count is not None else None
        elif found is not None and found.sample is not None and len(values) == 1 << bits and whole(self._module):
            spread = of_codes(found.sample, bits, values, middle)
        if spread is None:
            raise _UnknownError
        return spread

    def _bits(self) -> int:
        bits = width(self._module)
        if not bits or bits > _BYTE:
            raise _UnknownError
        return bits


def width(module: Module) -> int | None:
    """The bits of one code of a module's weight; None where nothing tells."""
    part = module.scheme.parts["weight"]
    encoding = part.encoding(module.parts["weight"].dtype)
    if encoding.kind != "raw":
        return encoding.bits
    known = part.integers is not None and part.integers.bits.symbols <= module.env.keys()
    return part.integers.bits.value(module.env) if part.integers is not None and known else None


def whole(module: Module) -> bool:
    """Whether bytes of the weight hold whole codes, so that counting bytes counts codes."""
    bits = width(module)
    return bits is not None and bits > 0 and _BYTE % bits == 0


def together(module: Module) -> int | None:
    """How many values of the weight share a scale, the finest where scales have scales; None where nothing tells."""
    scales = [tensor for name, tensor in module.parts.items() if module.scheme.parts[name].scales == "weight"]
    count = logical(module)
    return max(1, -(-count // max(1, *(t.elements for t in scales)))) if scales and count else None


def _is_number(node: ast.expr) -> bool:
    """Whether an expression has numbers and symbols of one letter only."""
    return all(len(n.id) == 1 for n in ast.walk(node) if isinstance(n, ast.Name))
