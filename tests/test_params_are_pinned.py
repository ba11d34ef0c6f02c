"""Every number in a rule has an example on each side of it: moved a little, it changes what is said about one of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from tensorlint.errors import RuleFileError
from tensorlint.rulebook.engines import load_engine
from tensorlint.rulebook.language import load_rule
from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.model import Example, Rule
from tensorlint.rulebook.shipped import shipped_folder
from tensorlint.run.examples import messages
from tensorlint.text.node import FLOAT, INT, MAPPING, SEQUENCE, STYLE, TAG, VALUE, Node
from tensorlint.text.yamlread import read
from tensorlint.text.yamltext import Item

BOOK = load_book()
ENUMERATIONS = ("one_of", "shapes")  # a choice or a layout, in which no number is next to another one

# How far a number has to be moved where the format of what it is compared with has nothing nearer.
STEPS: dict[tuple[str, str], float] = {
    ("contract/scale-lost", "most"): 17,  # E4M3 has 224 and 240
    ("scales/mostly-saturated", "low"): 9,  # E4M3 has 192 and 208
    ("scales/all-saturated", "low"): 9,
    ("weights/saturated-fp4", "least"): 8,  # runs are counted in eights
}
# Numbers that only ask whether a field is declared at all: nothing is declared to be 0, or less.
DECLARED_AT_ALL = {
    ("engine/transformers/no-method-name", "that"),
    ("engine/vllm/fp8-block-static", "that"),
    ("engine/vllm/fused-block-rows", "at_least"),
    ("engine/vllm/no-target", "at_least"),
}


@dataclass(frozen=True)
class Number:
    """A number in a rule: the keys under which it stands, from the top of the file, and which one of those there."""

    rule: str
    keys: tuple[str, ...]
    value: int | float
    nth: int = 0

    def __str__(self) -> str:
        return f"{self.rule}:{'.'.join(self.keys)}[{self.nth}]={self.value:g}"

    @property
    def step(self) -> int | float:
        """One for whole numbers up to two hundred, else a few per cent."""
        known = STEPS.get((self.rule, self.keys[-1]))
        if known is not None:
            return known
        share = isinstance(self.value, float) or any(key.endswith("_share") for key in self.keys)
        return abs(self.value) * 0.03 if share else max(1, abs(self.value) // 100)

    def moved(self, value: int | float) -> Rule:
        """The rule with another value in its place."""
        file = file_of(self.rule)
        top = read(source(file), file)
        top = Item(self._moved(top.node, self.keys, value), top.text)
        if file.startswith("engines/"):
            return load_engine(top, file.removeprefix("engines/"), BOOK.schemes, examples=False)[1][self.rule]
        return load_rule(top, self.rule, None, BOOK.schemes, examples=False)

    def _moved(self, node: Node, keys: tuple[str, ...], value: int | float) -> Node:
        if keys:
            pairs = ((k, self._moved(v, keys[1:], value) if k[VALUE] == keys[0] else v) for k, v in node[VALUE])
            return (node[TAG], tuple(pairs), *node[STYLE:])
        assert node[TAG] not in (MAPPING, SEQUENCE)
        if self.keys[-1] == "that":
            text = node[VALUE].strip()
            old = constants(text)[self.nth]
            assert old.end_col_offset is not None
            return (node[TAG], text[: old.col_offset] + str(value) + text[old.end_col_offset :], *node[STYLE:])
        return (INT if isinstance(value, int) else FLOAT, str(value), *node[STYLE:])


def file_of(rule: str) -> str:
    return f"engines/{BOOK.rules[rule].engine}" if BOOK.rules[rule].engine else rule


@cache
def source(file: str) -> bytes:
    return (shipped_folder() / f"{file}.yaml").read_bytes()


def numbers() -> Iterator[Number]:
    """The numbers in the params and conditions of all rules."""
    for rule in BOOK.rules:
        at = ("limits", rule.rpartition("/")[2]) if BOOK.rules[rule].engine else ()
        node: Node | None = read(source(file_of(rule)), rule).node
        for key in at:
            node = {k[VALUE]: v for k, v in node[VALUE]}.get(key) if node is not None else None
        for key, value in node[VALUE] if node is not None else ():  # a rule that is not written has none
            if key[VALUE] in ("params", "when", "require"):
                yield from below(rule, (*at, key[VALUE]), value)


def below(rule: str, keys: tuple[str, ...], node: Node) -> Iterator[Number]:
    if node[TAG] == MAPPING and keys[-1] not in ENUMERATIONS:
        for key, value in node[VALUE]:
            yield from below(rule, (*keys, key[VALUE]), value)
    elif node[TAG] not in (MAPPING, SEQUENCE) and keys[-1] == "that":
        for nth, constant in enumerate(constants(node[VALUE])):
            yield Number(rule, keys, constant.value, nth)  # type: ignore[arg-type]
    elif node[TAG] in (INT, FLOAT):
        yield Number(rule, keys, ast.literal_eval(node[VALUE]))


def constants(expression: str) -> list[ast.Constant]:
    """The numbers in an expression, less indices and members of lists."""

    def inside(node: ast.AST) -> Iterator[ast.Constant]:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield node
        for child in ast.iter_child_nodes(node):
            if not isinstance(node, ast.List | ast.Tuple) and child is not getattr(node, "slice", None):
                yield from inside(child)

    return list(inside(ast.parse(expression.strip(), mode="eval").body))


NUMBERS = [n for n in numbers() if (n.rule, n.keys[-1], n.nth) not in {(*row, 0) for row in DECLARED_AT_ALL}]


@pytest.mark.parametrize("number", NUMBERS, ids=str)
def test_a_number_has_an_example_just_below_and_just_above(number: Number) -> None:
    rule = BOOK.rules[number.rule]
    shown = []
    for value in (number.value - number.step, number.value + number.step):
        try:
            moved = number.moved(value)
        except RuleFileError as error:
            assert "never" in str(error) or "always" in str(error), error  # no tensor is like this
            continue
        shown.append(any(differs(rule, moved, example) for example in (*rule.bad, *rule.good)))
        assert shown[-1], f"no example would show that it is {value:g}"
    assert shown


def differs(rule: Rule, moved: Rule, example: Example) -> bool:
    return bool(messages(moved, BOOK, example)) != (example in rule.bad)


def test_params_and_conditions_with_numbers_are_looked_at() -> None:
    assert len(NUMBERS) > 100
    assert {n.rule for n in NUMBERS if n.keys[0] == "params"} == {r.id for r in BOOK.rules.values() if r.params}


@pytest.mark.parametrize(("rule", "name"), STEPS, ids=str)
def test_a_wider_step_is_needed_where_it_is_allowed(rule: str, name: str) -> None:
    one = next(n for n in NUMBERS if (n.rule, n.keys[-1]) == (rule, name))
    for value in (one.value - 1, one.value + 1):
        if not any(
            differs(BOOK.rules[rule], one.moved(value), e) for e in (*BOOK.rules[rule].bad, *BOOK.rules[rule].good)
        ):
            return
    raise AssertionError("a step of 1 would do")
