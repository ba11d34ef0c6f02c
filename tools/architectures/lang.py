"""The expressions of architecture files, as rules/architectures/README.md states them, over a configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

TOKENS = re.compile(
    r"\s*(?:(?P<number>\d+)|(?P<text>\"[^\"]*\")|(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)"
    r"|(?P<sign>\*\*|//|==|!=|<=|>=|[-+*/%()\[\],<>]))"
)
FUNCTIONS = {"len", "ceil", "int", "min", "max"}


class Unknown:
    """The value of what cannot be told."""

    def __repr__(self) -> str:
        return "?"


UNKNOWN = Unknown()
Get = Callable[[str], Any]
Indices = Mapping[str, int]
Value = Callable[[Get, Indices], Any]


@lru_cache(maxsize=100_000)
def compiled(text: str) -> Value:
    """A function of (key -> value after defaults, indices); raises ValueError for what is no expression."""
    tokens: list[tuple[str, str]] = []
    at = 0
    text = text.strip()
    while at < len(text):
        found = TOKENS.match(text, at)
        if not found:
            raise ValueError(f"{text!r} at {at}")
        tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
        at = found.end()
    parser = _Parser(tokens, text)
    value = parser.either()
    if parser.tokens:
        raise ValueError(f"{text!r}: {parser.tokens[0][1]!r} is left")
    return value


def _numbers(get: Callable[..., Any], *parts: Value) -> Value:
    def run(key: Get, at: Indices) -> Any:
        values = [part(key, at) for part in parts]
        if any(isinstance(v, bool) or not isinstance(v, (int, float, Fraction)) for v in values):
            return UNKNOWN
        try:
            return get(*(Fraction(v) if isinstance(v, float) else v for v in values))
        except (ArithmeticError, ValueError):
            return UNKNOWN

    return run


def _power(a: Any, b: Any) -> Any:
    if abs(b) > 64 or abs(a) > 2**32:
        raise ValueError
    return Fraction(a) ** b


def _exact(value: Any) -> Any:
    return int(value) if isinstance(value, Fraction) and value.denominator == 1 else value


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], text: str) -> None:
        self.tokens, self.text = tokens, text

    def next_is(self, *signs: str) -> str:
        return self.tokens.pop(0)[1] if self.tokens and self.tokens[0][1] in signs else ""

    def need(self, sign: str) -> None:
        if not self.next_is(sign):
            raise ValueError(f"{self.text!r}: {sign!r} is missing")

    def either(self) -> Value:
        parts = [self.both()]
        while self.next_is("or"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else _logic(parts, True)

    def both(self) -> Value:
        parts = [self.no()]
        while self.next_is("and"):
            parts.append(self.no())
        return parts[0] if len(parts) == 1 else _logic(parts, False)

    def no(self) -> Value:
        if not self.next_is("not"):
            return self.compared()
        part = self.no()

        def run(key: Get, at: Indices) -> Any:
            value = part(key, at)
            return UNKNOWN if value is UNKNOWN else not truth(value)

        return run

    def compared(self) -> Value:
        left = self.added()
        sign = self.next_is("==", "!=", "<", "<=", ">", ">=", "in", "not")
        if not sign:
            return left
        if sign == "not":
            self.need("in")
        right = self.added()

        def run(key: Get, at: Indices) -> Any:
            a, b = left(key, at), right(key, at)
            if a is UNKNOWN or b is UNKNOWN:
                return UNKNOWN
            if sign in ("==", "!="):
                return (a == b) is (sign == "==")
            if sign in ("in", "not"):
                return (a in b) is (sign == "in") if isinstance(b, list) else UNKNOWN
            if any(isinstance(v, bool) or not isinstance(v, (int, float, Fraction)) for v in (a, b)):
                return UNKNOWN
            return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign]

        return run

    def added(self) -> Value:
        value = self.multiplied()
        while sign := self.next_is("+", "-"):
            value = _numbers((lambda a, b: a + b) if sign == "+" else (lambda a, b: a - b), value, self.multiplied())
        return value

    def multiplied(self) -> Value:
        value = self.raised()
        while sign := self.next_is("*", "//", "/", "%"):
            how: Callable[..., Any] = {
                "*": lambda a, b: a * b,
                "//": lambda a, b: a // b,
                "%": lambda a, b: a % b,
                "/": lambda a, b: _exact(Fraction(a) / b),
            }[sign]
            value = _numbers(how, value, self.raised())
        return value

    def raised(self) -> Value:
        if self.next_is("-"):
            return _numbers(lambda a: -a, self.raised())
        value = self.atom()
        return _numbers(lambda a, b: _exact(_power(a, b)), value, self.raised()) if self.next_is("**") else value

    def atom(self) -> Value:
        if not self.tokens:
            raise ValueError(f"{self.text!r} ends early")
        kind, text = self.tokens.pop(0)
        value: Value
        if kind == "number":
            number = int(text)
            value = lambda key, at: number
        elif kind == "text":
            value = lambda key, at: text[1:-1]
        elif text == "(":
            value = self.either()
            self.need(")")
        elif text in ("true", "false", "null"):
            constant = {"true": True, "false": False, "null": None}[text]
            value = lambda key, at: constant
        elif text in FUNCTIONS and self.tokens and self.tokens[0][1] == "(":
            value = self.call(text)
        elif kind == "word":
            value = lambda key, at: at[text] if text in at else key(text)
        else:
            raise ValueError(f"{self.text!r}: {text!r}")
        while self.next_is("["):
            value = _entry(value, self.added())
            self.need("]")
        return value

    def call(self, name: str) -> Value:
        self.need("(")
        arguments = [self.either()]
        while self.next_is(","):
            arguments.append(self.either())
        self.need(")")
        if name == "len":
            (one,) = arguments

            def length(key: Get, at: Indices) -> Any:
                value = one(key, at)
                return len(value) if isinstance(value, (list, dict)) else UNKNOWN

            return length
        how = {
            "ceil": lambda a, b: -(-a // b),
            "int": lambda a: int(a),
            "min": lambda a, b: min(a, b),
            "max": lambda a, b: max(a, b),
        }[name]
        return _numbers(how, *arguments)


def _entry(whole: Value, number: Value) -> Value:
    def run(key: Get, at: Indices) -> Any:
        values, i = whole(key, at), number(key, at)
        if not isinstance(values, list) or type(i) is not int or not 0 <= i < len(values):
            return UNKNOWN
        return values[i]

    return run


def _logic(parts: list[Value], decisive: bool) -> Value:
    """`or` where `decisive` is true, `and` where it is false."""

    def run(key: Get, at: Indices) -> Any:
        unknown = False
        for part in parts:
            value = part(key, at)
            if value is UNKNOWN:
                unknown = True
            elif truth(value) is decisive:
                return decisive
        return UNKNOWN if unknown else not decisive

    return run


def truth(value: Any) -> bool:
    """Whether a value counts as a condition that holds."""
    return bool(value)
