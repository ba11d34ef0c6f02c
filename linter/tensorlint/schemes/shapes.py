"""Symbolic shapes: `[N, K/16]`, `[ceil(N/R), ceil(K/C)]`, solved against the sizes that a file holds.

A dimension is arithmetic over whole numbers and one-word symbols: `+ - * /`, `ceil(a/b)`, `floor(a/b)`. A plain
division must leave no remainder. Solving looks at exact integers only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import ceil, floor

Env = Mapping[str, int]
_Number = int | Fraction
_ROUNDING = ("ceil", "floor")
_LONGEST, _LARGEST = 80, 1 << 40  # characters, and number, in a dimension: scheme files may be anybody's
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


class ShapeError(ValueError):
    """The text of a dimension cannot be read."""


@dataclass(frozen=True)
class Dim:
    """One dimension: an expression tree and the symbols in it."""

    text: str
    tree: ast.expr
    symbols: frozenset[str]

    def value(self, env: Env) -> int | None:
        """Its size, or None where a division leaves a remainder or the size would be negative."""
        result = _evaluate(self.tree, env)
        return None if result is None or result.denominator != 1 or result < 0 else int(result)

    def solve(self, size: int, env: Env) -> tuple[str, int] | None:
        """The one unknown symbol and its value that gives `size`; None when there is no single linear solution."""
        unknown = self.symbols.difference(env)
        if len(unknown) != 1:
            return None
        symbol = next(iter(unknown))
        answer = _invert(self.tree, size, symbol, env)
        if answer is None or answer.denominator != 1 or answer < 0:
            return None
        return symbol, int(answer)

    @property
    def first(self) -> str:
        """The symbol that its text names first; empty where it has none."""
        named = (node for node in ast.walk(self.tree) if isinstance(node, ast.Name) and node.id in self.symbols)
        return min(named, key=lambda node: node.col_offset).id if self.symbols else ""

    @property
    def rounds(self) -> bool:
        """Whether it is rounded, so that several values of its symbols give the same size."""
        return any(word in self.text for word in _ROUNDING)

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and other.text == self.text


def _divided(left: _Number, right: _Number) -> _Number:
    """The exact quotient, as an int where it is whole: most are, and fractions are slow."""
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right
    return Fraction(left, right)


def _evaluate(node: ast.expr, env: Env) -> _Number | None:
    if isinstance(node, ast.Constant):
        return node.value  # type: ignore[return-value]  # `dim` lets whole numbers pass only
    if isinstance(node, ast.Name):
        return env.get(node.id)
    if isinstance(node, ast.Call):
        inner = _evaluate(node.args[0], env)
        assert isinstance(node.func, ast.Name)
        return None if inner is None else ceil(inner) if node.func.id == "ceil" else floor(inner)
    assert isinstance(node, ast.BinOp)
    left, right = _evaluate(node.left, env), _evaluate(node.right, env)
    if left is None or right is None:
        return None
    kind = _OPERATORS[type(node.op)]
    if kind == "/":
        return _divided(left, right) if right else None
    return left + right if kind == "+" else left - right if kind == "-" else left * right


def _invert(node: ast.expr, target: _Number, symbol: str, env: Env) -> _Number | None:
    """Solve `node == target` for the symbol; rounding is inverted as if it were exact."""
    if isinstance(node, ast.Name):
        return target
    if isinstance(node, ast.Call):
        return _invert(node.args[0], target, symbol, env)
    if not isinstance(node, ast.BinOp):
        return None
    on_left = any(isinstance(n, ast.Name) and n.id == symbol for n in ast.walk(node.left))
    other = _evaluate(node.right if on_left else node.left, env)
    kind = _OPERATORS[type(node.op)]
    if other is None or (kind in "*/" and other == 0) or (kind == "/" and not on_left and target == 0):
        return None
    inverse = {
        "+": target - other,
        "-": target + other if on_left else other - target,
        "*": _divided(target, other) if other else None,
        "/": target * other if on_left else (_divided(other, target) if target else None),
    }[kind]
    return None if inverse is None else _invert(node.left if on_left else node.right, inverse, symbol, env)


@lru_cache(maxsize=4096)
def dim(text: str) -> Dim:
    """Read one dimension; raises ShapeError."""
    if len(text) > _LONGEST:
        raise ShapeError("the dimension is too long")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        raise ShapeError(f"`{text}` is not a dimension") from None
    symbols: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value <= _LARGEST:
            continue
        if isinstance(node, ast.Name):
            if node.id not in _ROUNDING:
                symbols.add(node.id)
            continue
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in _ROUNDING and len(node.args) == 1 and not node.keywords:
                continue
        elif isinstance(node, (ast.BinOp, ast.Load, *_OPERATORS)):
            continue
        raise ShapeError(f"`{text}` uses something else than numbers, symbols, + - * /, ceil() and floor()")
    return Dim(text.strip(), tree, frozenset(symbols))


Shape = tuple[Dim, ...]


@dataclass(frozen=True)
class Solution:
    """Symbols that fit, which alternative each part took, and the parts that do not fit.

    `tried` has all symbols, also those that only a part which does not fit would need.
    """

    env: Env
    tried: Env
    chosen: Mapping[str, int]
    misfits: tuple[str, ...]


def fits(shape: Shape, sizes: tuple[int, ...], env: dict[str, int]) -> bool:
    """Whether sizes match a shape; symbols that become known are added to `env` only on success."""
    if len(shape) != len(sizes):
        return False
    trial = dict(env)
    pending = list(zip(shape, sizes, strict=True))
    while pending:
        rest: list[tuple[Dim, int]] = []
        for one, size in pending:
            if one.symbols <= trial.keys():
                if one.value(trial) != size:
                    return False
                continue
            found = one.solve(size, trial)
            if found is None:
                # One unknown and no rounding to take it away: no whole number gives this size.
                if len(one.symbols - trial.keys()) == 1 and not one.rounds:
                    return False
                rest.append((one, size))
                continue
            trial[found[0]] = found[1]
            if one.value(trial) != size:
                return False
        if len(rest) == len(pending):
            break
        pending = rest
    # What stays undetermined (two unknowns in one dimension) is decided by another part, or by nobody.
    env.update(trial)
    return True


def solve(
    parts: Mapping[str, tuple[Shape, ...]],
    sizes: Mapping[str, tuple[int, ...]],
    domains: Mapping[str, tuple[int, ...]],
    fixed: Env,
) -> Solution:
    """Fit every present part; `domains` lists the values a symbol may take, in order of preference.

    `parts` gives alternatives of shapes by part in order of authority (the weight first); `fixed` are symbols known
    beforehand. The solution with the fewest misfits wins, earlier values first, then those in which the weight decides.
    """
    order = [p for p in parts if p in sizes]
    used = frozenset().union(*(d.symbols for p in order for alt in parts[p] for d in alt)) if order else frozenset()
    free = [s for s in domains if s not in fixed and s in used]
    orders = [order]
    if order and any(one.rounds for alt in parts[order[0]] for one in alt):
        # The weight has the say, unless its rounded sizes (words that hold ten values each) leave K to the others.
        orders.append([*order[1:], *order[:1]])
    best: Solution | None = None
    for values in product(*(domains[s] for s in free)):
        start = {**fixed, **dict(zip(free, values, strict=True))}
        for authority in orders:
            candidate = _attempt(authority, parts, sizes, start)
            if best is None or len(candidate.misfits) < len(best.misfits):
                best = candidate
            if not best.misfits:
                return best
    assert best is not None
    return best


def _attempt(
    order: Iterable[str],
    parts: Mapping[str, tuple[Shape, ...]],
    sizes: Mapping[str, tuple[int, ...]],
    start: Env,
) -> Solution:
    env = dict(start)
    chosen: dict[str, int] = {}
    misfits: list[str] = []
    # Symbols of the first part's other alternatives (an expert dimension it does not have) are not free to be solved.
    closed: frozenset[str] = frozenset()
    for part in order:
        for number, shape in enumerate(parts[part]):
            if closed and any(not closed.isdisjoint(one.symbols) for one in shape):
                continue
            if fits(shape, sizes[part], env):
                chosen[part] = number
                if len(chosen) == 1 and not misfits:
                    mine = {s for one in shape for s in one.symbols}
                    closed = frozenset(s for alt in parts[part] for one in alt for s in one.symbols) - mine
                break
        else:
            misfits.append(part)
    for part in [p for p, number in chosen.items() if not _holds(parts[p][number], sizes[p], env)]:
        misfits.append(part)  # its rounding left a symbol open that another part has settled otherwise
        del chosen[part]
    used = {s for part, number in chosen.items() for one in parts[part][number] for s in one.symbols}
    return Solution({s: v for s, v in env.items() if s in used}, env, chosen, tuple(misfits))


def _holds(shape: Shape, sizes: tuple[int, ...], env: Env) -> bool:
    return all(one.value(env) == size for one, size in zip(shape, sizes, strict=True) if one.symbols <= env.keys())


def show(shape: Shape, env: Env | None = None) -> str:
    """`[N, K/16]`, or with an environment `[256, 32]` as far as it is known."""
    return "[" + ", ".join(_show(shape, env)) + "]"


def _show(shape: Shape, env: Env | None) -> Iterator[str]:
    for one in shape:
        value = one.value(env) if env is not None and one.symbols <= env.keys() else None
        yield one.text if value is None else str(value)
