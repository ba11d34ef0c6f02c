"""Expressions over keys of config.json, as architecture files have them: sizes, and conditions of presence.

Closed and small: whole numbers, texts, lists, arithmetic, comparisons, five functions. Text becomes closures here;
nothing is evaluated by Python. What a configuration does not tell, or tells in another type than an operator takes, is
UNKNOWN, and so is what is made of it. rules/architectures/README.md is the grammar.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, Protocol

MAX_LENGTH = 4_000  # characters
MAX_DEPTH = 60
MAX_TOKENS = 400  # each may be a call within a call: Python's stack holds a thousand
_LARGEST = 1 << 62  # a number beyond it is no size of anything
_LONGEST = 20_000  # entries of a list of the configuration; a hostile one has millions
_STEEPEST = 64  # exponent


class _Unknown:
    """The type of UNKNOWN."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
Indices = Mapping[str, int]


class Keys(Protocol):
    """What a configuration says."""

    def key(self, name: str) -> Any:
        """The value of a key, with dots for keys of sub-configurations; UNKNOWN where nothing says it."""


_Run = Callable[[Keys, Indices], Any]


class TermError(ValueError):
    """The text is no expression."""


@dataclass(frozen=True)
class Term:
    """One expression: `keys` of config.json and `indices` that it speaks of, in the order of the text."""

    text: str
    run: _Run
    keys: tuple[str, ...]
    indices: tuple[str, ...]

    def size(self, config: Keys, indices: Indices) -> int | None:
        """What it comes to as a size; None where that is not known."""
        value = self.run(config, indices)
        if isinstance(value, (float, Fraction)) and value == value // 1:
            value = int(value)
        return value if type(value) is int and 0 <= value <= _LARGEST else None

    def holds(self, config: Keys, indices: Indices) -> bool | None:
        """Whether it is true as a condition; None where that is not known."""
        value = self.run(config, indices)
        return None if value is UNKNOWN else _true(value)


def _true(value: Any) -> bool:
    return bool(value)


_TOKEN = re.compile(
    r'\s*(?:(?P<number>\d{1,19})|(?P<text>"[^"]*")|(?P<word>[A-Za-z_]\w*(?:\.\w+)*)'
    r"|(?P<sign>==|!=|<=|>=|//|\*\*|[-+*/%<>()\[\],]))"
)
_FUNCTIONS = {"len": 1, "ceil": 2, "int": 1, "min": 2, "max": 2}
_WORDS = frozenset({"and", "or", "not", "in", "true", "false", "null"})
_CONSTANTS = {"true": True, "false": False, "null": None}


@lru_cache(maxsize=20_000)
def term(text: str, indices: frozenset[str] = frozenset()) -> Term:
    """Read an expression in which these words are indices; raises TermError."""
    if len(text) > MAX_LENGTH:
        raise TermError(f"an expression of more than {MAX_LENGTH:,} characters")
    parser = _Parser(_tokens(text), indices)
    run = parser.condition()
    if parser.at < len(parser.tokens):
        raise TermError(f"`{parser.tokens[parser.at][1]}` is not expected in `{text}`")
    return Term(text, run, tuple(dict.fromkeys(parser.keys)), tuple(dict.fromkeys(parser.used)))


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        hit = _TOKEN.match(text, at)
        if hit is None:
            raise TermError(f"`{text[at : at + 20]}` is not understood")
        kind = str(hit.lastgroup)
        word = hit[kind]
        found.append(("sign" if kind == "word" and word in _WORDS and word not in _CONSTANTS else kind, word))
        at = hit.end()
        if len(found) > MAX_TOKENS:
            raise TermError(f"an expression of more than {MAX_TOKENS} words and signs")
    return found


class _Parser:
    """Weakest operators first; each step gives a closure."""

    def __init__(self, tokens: list[tuple[str, str]], indices: frozenset[str]) -> None:
        self.tokens, self.indices = tokens, indices
        self.at = self.depth = self.whole = 0  # `whole` counts the `int( )` around
        self.keys: list[str] = []
        self.used: list[str] = []

    def take(self, *signs: str) -> str:
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "sign" and self.tokens[self.at][1] in signs:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return ""

    def need(self, sign: str) -> None:
        if not self.take(sign):
            raise TermError(f"`{sign}` is missing")

    def condition(self) -> _Run:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TermError("an expression is nested too deep")
        run = self.both()
        while self.take("or"):
            run = _either(run, self.both(), True)
        self.depth -= 1
        return run

    def both(self) -> _Run:
        run = self.negated()
        while self.take("and"):
            run = _either(run, self.negated(), False)
        return run

    def negated(self) -> _Run:
        times = 0
        while self.take("not"):
            times += 1
        run = self.compared()
        for _ in range(times):
            run = _one(run, lambda value: not _true(value))
        return run

    def compared(self) -> _Run:
        left = self.sum()
        sign = self.take("==", "!=", "<", "<=", ">", ">=", "in", "not")
        if not sign:
            return left
        if sign == "not":
            self.need("in")
            return _two(left, self.sum(), lambda a, b: _negated(_within(a, b)))
        return _two(left, self.sum(), _COMPARE[sign])

    def sum(self) -> _Run:
        run = self.product()
        while sign := self.take("+", "-"):
            run = _two(run, self.product(), _NUMBERS[sign])
        return run

    def product(self) -> _Run:
        run = self.power()
        while sign := self.take("*", "//", "/", "%"):
            run = _two(run, self.power(), _NUMBERS["exact" if sign == "/" and not self.whole else sign])
        return run

    def power(self) -> _Run:
        if self.take("-"):
            return _two(lambda _c, _i: 0, self.power(), _NUMBERS["-"])
        run = self.atom()
        return _two(run, self.power(), _NUMBERS["**"]) if self.take("**") else run

    def atom(self) -> _Run:
        run = self.plain()
        while self.take("["):
            run = _two(run, self.condition(), _entry)
            self.need("]")
        return run

    def plain(self) -> _Run:
        if self.take("("):
            run = self.condition()
            self.need(")")
            return run
        if self.at >= len(self.tokens):
            raise TermError("the expression ends too early")
        kind, word = self.tokens[self.at]
        self.at += 1
        if kind == "sign":
            raise TermError(f"`{word}` is not expected")
        if kind == "number":
            return _constant(int(word))
        if kind == "text":
            return _constant(word[1:-1])
        if word in _CONSTANTS:
            return _constant(_CONSTANTS[word])
        if word in _FUNCTIONS and self.take("("):
            return self.function(word)
        if word in self.indices:
            self.used.append(word)
            return lambda _config, indices: indices.get(word, UNKNOWN)
        self.keys.append(word)
        return lambda config, _indices: config.key(word)

    def function(self, word: str) -> _Run:
        self.whole += word == "int"
        given = [self.condition()]
        while self.take(","):
            given.append(self.condition())
        self.need(")")
        self.whole -= word == "int"
        if len(given) != _FUNCTIONS[word]:
            raise TermError(f"`{word}` takes {_FUNCTIONS[word]} values")
        if word == "len":
            return _one(given[0], lambda v: len(v) if isinstance(v, (list, str, dict)) else UNKNOWN)
        if word == "int":
            return _one(given[0], lambda v: int(v) if _number(v) else UNKNOWN)
        return _two(given[0], given[1], _NUMBERS[word])


def _constant(value: Any) -> _Run:
    return lambda _config, _indices: value


def _one(inner: _Run, make: Callable[[Any], Any]) -> _Run:
    def run(config: Keys, indices: Indices) -> Any:
        value = inner(config, indices)
        return UNKNOWN if value is UNKNOWN else make(value)

    return run


def _two(left: _Run, right: _Run, make: Callable[[Any, Any], Any]) -> _Run:
    def run(config: Keys, indices: Indices) -> Any:
        a, b = left(config, indices), right(config, indices)
        return UNKNOWN if a is UNKNOWN or b is UNKNOWN else make(a, b)

    return run


def _either(left: _Run, right: _Run, wanted: bool) -> _Run:
    """`or` where `wanted` is true, `and` where it is false: known as soon as one side decides."""

    def run(config: Keys, indices: Indices) -> Any:
        a = left(config, indices)
        if a is not UNKNOWN and _true(a) is wanted:
            return wanted
        b = right(config, indices)
        if b is not UNKNOWN and _true(b) is wanted:
            return wanted
        return UNKNOWN if a is UNKNOWN or b is UNKNOWN else not wanted

    return run


def _number(value: Any) -> bool:
    finite = not isinstance(value, float) or abs(value) < _LARGEST  # NaN is not below it
    return isinstance(value, (int, float, Fraction)) and not isinstance(value, bool) and finite


def _numbers(make: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def run(a: Any, b: Any) -> Any:
        if not (_number(a) and _number(b)):
            return UNKNOWN
        try:
            value = make(a, b)
        except ArithmeticError:
            return UNKNOWN
        return value if value is UNKNOWN or (_number(value) and abs(value) <= _LARGEST) else UNKNOWN

    return run


def _exact(a: Any, b: Any) -> Any:
    value = Fraction(a) / Fraction(b)
    return int(value) if value.denominator == 1 else UNKNOWN


def _divided(a: Any, b: Any) -> Any:
    return a / b if isinstance(a, float) or isinstance(b, float) else Fraction(a) / Fraction(b)


def _raised(a: Any, b: Any) -> Any:
    return a**b if isinstance(a, int) and isinstance(b, int) and 0 <= b <= _STEEPEST and abs(a) < 1 << 20 else UNKNOWN


_NUMBERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": _numbers(operator.add),
    "-": _numbers(operator.sub),
    "*": _numbers(operator.mul),
    "/": _numbers(_divided),
    "exact": _numbers(_exact),
    "//": _numbers(operator.floordiv),
    "%": _numbers(operator.mod),
    "**": _numbers(_raised),
    "ceil": _numbers(lambda a, b: -(-a // b)),
    "min": _numbers(min),
    "max": _numbers(max),
}


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _negated(value: Any) -> Any:
    return UNKNOWN if value is UNKNOWN else not value


def _within(a: Any, b: Any) -> Any:
    if not isinstance(b, list) or len(b) > _LONGEST:
        return UNKNOWN
    return any(_same(a, entry) for entry in b)


def _ordered(make: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    return lambda a, b: make(a, b) if _number(a) and _number(b) else UNKNOWN


_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": _same,
    "!=": lambda a, b: not _same(a, b),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": _within,
}


def _entry(value: Any, at: Any) -> Any:
    if not isinstance(value, (list, str)) or type(at) is not int or not -len(value) <= at < len(value):
        return UNKNOWN
    return value[at]
