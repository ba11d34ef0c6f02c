"""The restricted expression word `that:`: comparisons and arithmetic over words and fields, compiled to closures.

Python's parser reads the text; only the listed nodes are accepted, their types are checked, and each becomes a closure
here. Nothing is ever evaluated by Python itself: no calls, no attribute access on objects, no powers. An expression is
short and has no loops, so that it ends after a bounded number of steps.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ..text.place import suggest
from .model import Lookup

MAX_LENGTH = 400
MAX_DEPTH = 32
MAX_INTEGER = 1 << 53
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_EQUAL: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {ast.Eq: operator.eq, ast.NotEq: operator.ne}
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_WITHIN: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_Run = Callable[[Lookup], Any]


@dataclass(frozen=True)
class Field:
    """What a name stands for: a number, text, truth, a list, or `any` where only the file tells.

    `options` are the texts it may be, where that is known.
    """

    kind: str
    options: Collection[str] = ()


@dataclass(frozen=True)
class _Piece:
    """A compiled piece of an expression; `texts` are the constants it consists of, `fixed` says it uses no name."""

    run: _Run
    kind: str
    options: Collection[str] = ()
    texts: tuple[str, ...] = ()
    fixed: bool = False


class ExpressionError(ValueError):
    """The expression uses something that is not allowed; `fragment` is where, `hint` what to write instead."""

    def __init__(self, message: str, hint: str = "", fragment: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.fragment = fragment


class _Absent(Exception):
    """A field the unit does not have: the expression does not apply to it."""


def compile_expression(text: str, resolve: Callable[[str], Field]) -> tuple[Callable[[Lookup], bool], tuple[str, ...]]:
    """A test and the names it uses.

    `resolve` says what a (dotted) name stands for and raises ExpressionError for unknown ones. A unit that lacks a
    field, or has an element less than an index asks for, passes the test; so does one for which a division by zero
    comes up. A value of the configuration that cannot be compared does not pass.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters", "split it into two rules")
    if "#" in re.sub(r"'[^']*'|\"[^\"]*\"", "", text):
        raise ExpressionError("an expression has no comment", "write it behind the value, in the file", "#")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = getattr(error, "msg", None) or "it is nested too deep"
        hint = "comparisons joined by and/or/not, such as `nan == 0 and weight.shape[0] % 16 == 0`"
        raise ExpressionError(f"cannot read the expression: {reason}", hint) from None
    reader = _Reader(text.strip(), resolve)
    root = reader.read(tree, 0)
    if root.kind not in ("truth", "any"):
        raise ExpressionError(f"the expression is a {root.kind}, not a comparison", "compare it, such as `nan == 0`")
    if not reader.names:
        raise ExpressionError("the expression looks at nothing", "use a word or a field, such as `nan == 0`")

    def test(lookup: Lookup) -> bool:
        try:
            return bool(root.run(lookup))
        except (_Absent, ZeroDivisionError, IndexError):
            return True
        except (TypeError, OverflowError):
            return False

    return test, tuple(dict.fromkeys(reader.names))


class _Reader:
    def __init__(self, text: str, resolve: Callable[[str], Field]) -> None:
        self.text, self.resolve = text, resolve
        self.names: list[str] = []

    def fail(self, node: ast.expr, message: str, hint: str = "") -> ExpressionError:
        fragment = ast.get_source_segment(self.text, node) or ""
        return ExpressionError(message.replace("{}", f"`{fragment[:60]}`"), hint, fragment)

    def read(self, node: ast.expr, depth: int) -> _Piece:
        if depth > MAX_DEPTH:
            raise self.fail(node, f"the expression is nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._name(node)
        if isinstance(node, ast.Subscript):
            return self._subscript(node, depth)
        if isinstance(node, (ast.List, ast.Tuple)):
            return self._list(node, depth)
        if isinstance(node, ast.BoolOp):
            return self._join(node, depth)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
            inner = self.read(node.operand, depth + 1)
            if isinstance(node.op, ast.Not):
                self._want(inner, "truth", node.operand)
                return _Piece(lambda u: not inner.run(u), "truth")
            self._want(inner, "number", node.operand)
            return _Piece(lambda u: -_number(inner.run(u)), "number", fixed=inner.fixed)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return self._binary(node, depth)
        if isinstance(node, ast.Compare):
            return self._comparison(node, depth)
        hint = "allowed are comparisons, and/or/not, + - * / // %, names, fields such as weight.shape[0], and constants"
        if isinstance(node, ast.Call):
            hint = "functions cannot be called; " + hint
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            hint = "there are no powers: write a * a"
        raise self.fail(node, "{} is not allowed in an expression", hint)

    def _constant(self, node: ast.Constant) -> _Piece:
        value = node.value
        if isinstance(value, bool):
            return _Piece(lambda u: value, "truth", fixed=True)
        if isinstance(value, str):
            return _Piece(lambda u: value, "text", texts=(value,), fixed=True)
        if isinstance(value, (int, float)) and abs(value) <= (MAX_INTEGER if isinstance(value, int) else 1e308):
            return _Piece(lambda u: value, "number", fixed=True)
        raise self.fail(node, "the constant {} is not allowed", "numbers up to 2^53, quoted text, True and False")

    def _name(self, node: ast.expr) -> _Piece:
        parts: list[str] = []
        at = node
        while isinstance(at, ast.Attribute):
            parts.append(at.attr)
            at = at.value
        if not isinstance(at, ast.Name):
            raise self.fail(node, "{}: a field belongs to a name", "such as weight.shape")
        name = ".".join([at.id, *reversed(parts)])
        field = self.resolve(name)
        self.names.append(name)

        def get(lookup: Lookup) -> Any:
            value = lookup(name)
            if value is None:
                raise _Absent
            return tuple(value) if isinstance(value, list) else value

        return _Piece(get, field.kind, field.options)

    def _subscript(self, node: ast.Subscript, depth: int) -> _Piece:
        base = self.read(node.value, depth + 1)
        self._want(base, "list", node.value)
        try:
            at = ast.literal_eval(node.slice)
        except ValueError:
            at = None
        if type(at) is not int or abs(at) > 64:
            raise self.fail(node, "{}: an index is a whole number", "such as shape[0] or shape[-1]")
        return _Piece(lambda u: base.run(u)[at], "any" if base.kind == "any" else "number")

    def _list(self, node: ast.List | ast.Tuple, depth: int) -> _Piece:
        items = [self.read(e, depth + 1) for e in node.elts]
        for item, element in zip(items, node.elts, strict=True):
            if item.kind not in ("number", "text", "any"):
                raise self.fail(element, f"{{}} is a {item.kind}; a list holds numbers or texts")
        texts = tuple(t for item in items for t in item.texts)
        fixed = all(item.fixed for item in items)
        return _Piece(lambda u: tuple(item.run(u) for item in items), "list", texts=texts, fixed=fixed)

    def _join(self, node: ast.BoolOp, depth: int) -> _Piece:
        parts = [self.read(v, depth + 1) for v in node.values]
        for part, value in zip(parts, node.values, strict=True):
            self._want(part, "truth", value)
        if isinstance(node.op, ast.And):
            return _Piece(lambda u: all(p.run(u) for p in parts), "truth")
        return _Piece(lambda u: any(p.run(u) for p in parts), "truth")

    def _binary(self, node: ast.BinOp, depth: int) -> _Piece:
        apply = _BINARY[type(node.op)]
        left, right = self.read(node.left, depth + 1), self.read(node.right, depth + 1)
        self._want(left, "number", node.left)
        self._want(right, "number", node.right)
        return _Piece(
            lambda u: apply(_number(left.run(u)), _number(right.run(u))), "number", fixed=left.fixed and right.fixed
        )

    def _comparison(self, node: ast.Compare, depth: int) -> _Piece:
        sides = [node.left, *node.comparators]
        items = [self.read(e, depth + 1) for e in sides]
        tests = []
        for i, op in enumerate(node.ops):
            a, b, kind = items[i], items[i + 1], type(op)
            if a.fixed and b.fixed:
                raise self.fail(node, "{} compares constants", "one side is a word or a field")
            if kind in _ORDER:
                self._want(a, "number", sides[i])
                self._want(b, "number", sides[i + 1])
            elif kind in _WITHIN:
                self._member(a, b, sides[i], sides[i + 1])
            elif kind in _EQUAL:
                if "any" not in (a.kind, b.kind) and a.kind != b.kind:
                    raise self.fail(node, f"{{}} compares a {a.kind} with a {b.kind}: they are never equal")
            else:
                raise self.fail(node, "`is` is not allowed in an expression", "compare with == or !=")
            if (kind in _WITHIN, b.kind) != (True, "text"):  # `"F8" in dtype` looks for a piece of a text
                self._options(a, b, sides[i + 1])
                self._options(b, a, sides[i])
            tests.append({**_ORDER, **_WITHIN, **_EQUAL}[kind])

        def run(u: Lookup) -> bool:
            values = [item.run(u) for item in items]
            return all(test(a, b) for test, a, b in zip(tests, values, values[1:], strict=False))

        return _Piece(run, "truth")

    def _member(self, a: _Piece, b: _Piece, left: ast.expr, right: ast.expr) -> None:
        if b.kind not in ("list", "any") and (a.kind, b.kind) != ("text", "text"):
            raise self.fail(
                right, f"right of `in` comes a list, {{}} is a {b.kind}", "such as dtype in ['F16', 'BF16']"
            )
        if a.kind in ("list", "truth"):
            raise self.fail(left, f"left of `in` comes a number or a text, {{}} is a {a.kind}")

    def _options(self, name: _Piece, other: _Piece, node: ast.expr) -> None:
        """Fail for a constant that a field can never be."""
        for text in other.texts if name.options and other.kind in ("text", "list") else ():
            if text not in name.options:
                raise self.fail(node, f"`{text}` is no value that this field can have", suggest(text, name.options))

    def _want(self, piece: _Piece, kind: str, node: ast.expr) -> None:
        if piece.kind not in (kind, "any"):
            hint = "compare it, such as `nan == 0`" if kind == "truth" else ""
            wanted = "a comparison" if kind == "truth" else f"a {kind}"
            raise self.fail(node, f"{wanted} is needed here, {{}} is a {piece.kind}", hint)


def _number(value: Any) -> Any:
    if not isinstance(value, (int, float)):
        raise TypeError
    return value
