"""The restricted expression word `that:`: comparisons and arithmetic over words and fields, compiled to closures.

Python's parser reads the text; only the listed nodes are accepted and each becomes a closure here. Nothing is ever
evaluated by Python itself: no calls, no attribute access on objects, no powers.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from .model import Lookup

MAX_LENGTH = 400
MAX_INTEGER = 1 << 53
_BINARY: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_Node = Callable[[Lookup], Any]


class ExpressionError(ValueError):
    """The expression uses something that is not allowed; `hint` says what is."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class _Absent(Exception):
    """A field the unit does not have: the expression does not apply to it."""


def compile_expression(
    text: str, check_name: Callable[[str], None]
) -> tuple[Callable[[Lookup], bool], tuple[str, ...]]:
    """A test and the names it uses.

    `check_name` is called with every (dotted) name and raises for unknown ones. A unit that lacks a field passes the
    test; so does one for which a division by zero comes up.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise ExpressionError(f"cannot read the expression: {getattr(error, 'msg', error)}") from None
    names: list[str] = []

    def use(name: str) -> _Node:
        check_name(name)
        names.append(name)

        def get(lookup: Lookup) -> Any:
            value = lookup(name)
            if value is None:
                raise _Absent
            return value

        return get

    root = _compile(tree, use)

    def test(lookup: Lookup) -> bool:
        try:
            return bool(root(lookup))
        except (_Absent, ZeroDivisionError, IndexError):
            return True
        except TypeError:
            return False

    return test, tuple(dict.fromkeys(names))


def _compile(node: ast.expr, use: Callable[[str], _Node]) -> _Node:
    if isinstance(node, ast.Constant):
        return _constant(node)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return use(_dotted(node))
    if isinstance(node, ast.Subscript):
        return _subscript(node, use)
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_compile(e, use) for e in node.elts]
        return lambda u: [item(u) for item in items]
    if isinstance(node, ast.BoolOp):
        parts = [_compile(v, use) for v in node.values]
        if isinstance(node.op, ast.And):
            return lambda u: all(p(u) for p in parts)
        return lambda u: any(p(u) for p in parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        inner = _compile(node.operand, use)
        return (lambda u: not inner(u)) if isinstance(node.op, ast.Not) else (lambda u: -inner(u))
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _binary(node, use)
    if isinstance(node, ast.Compare):
        return _comparison(node, use)
    raise ExpressionError(
        f"`{ast.unparse(node)[:60]}` is not allowed in an expression",
        "allowed are comparisons, and/or/not, + - * / // %, names, fields such as weight.shape[0], lists and constants",
    )


def _constant(node: ast.Constant) -> _Node:
    value = node.value
    if not isinstance(value, (int, float, str, bool)) or (isinstance(value, int) and abs(value) > MAX_INTEGER):
        raise ExpressionError(f"the constant `{str(value)[:40]}` is not allowed")
    return lambda u: value


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise ExpressionError(f"`{ast.unparse(node)[:60]}`: a field belongs to a name", "such as weight.shape")
    return ".".join([node.id, *reversed(parts)])


def _subscript(node: ast.Subscript, use: Callable[[str], _Node]) -> _Node:
    base = _compile(node.value, use)
    index = node.slice
    if isinstance(index, ast.UnaryOp) and isinstance(index.op, ast.USub) and isinstance(index.operand, ast.Constant):
        number = index.operand.value
        at = -number if type(number) is int else None
    else:
        at = index.value if isinstance(index, ast.Constant) and type(index.value) is int else None
    if at is None:
        raise ExpressionError("an index is a whole number", "such as shape[0] or shape[-1]")
    position: int = at
    return lambda u: base(u)[position]


def _binary(node: ast.BinOp, use: Callable[[str], _Node]) -> _Node:
    for side in (node.left, node.right):
        if isinstance(side, (ast.List, ast.Tuple)) or (isinstance(side, ast.Constant) and isinstance(side.value, str)):
            raise ExpressionError("arithmetic is on numbers only")
    apply = _BINARY[type(node.op)][1]
    left, right = _compile(node.left, use), _compile(node.right, use)

    def run(u: Lookup) -> Any:
        a, b = left(u), right(u)
        if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
            raise TypeError
        return apply(a, b)

    return run


def _comparison(node: ast.Compare, use: Callable[[str], _Node]) -> _Node:
    items = [_compile(e, use) for e in (node.left, *node.comparators)]
    tests = [_COMPARE.get(type(op)) for op in node.ops]
    if any(t is None for t in tests):
        raise ExpressionError("`is` is not allowed in an expression", "compare with == or !=")
    kept = [t for t in tests if t is not None]

    def run(u: Lookup) -> bool:
        values = [item(u) for item in items]
        return all(test(a, b) for test, a, b in zip(kept, values, values[1:], strict=False))

    return run
