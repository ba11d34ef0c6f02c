"""Mutants of a module: its source with one small change that a test should notice.

The changes are those of mutmut's operators, plus three that it lacks: a number made one less (it only makes it one
more), a condition negated that is no comparison, and a call or `yield` that stands alone left out.

Not changed, by rule, since nobody should test it:
- docstrings, annotations, decorators, imports, `__all__`, type aliases, `TypeVar`, `cast`, `if TYPE_CHECKING`;
- wording: texts with a space in them, f-strings, and texts in a `raise` (it hits SQL and the like, too);
- texts are changed once (`"XXnameXX"`), not also to upper and to lower case;
- the arguments of `len` and `isinstance`; `strict=` of `zip`, which guards against what cannot be.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
import libcst.matchers as m
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.mutators import mutation_operators


@dataclass(frozen=True)
class Id:
    """What a mutant is called, whatever stands above it in the file; `nth` counts those that are otherwise the same."""

    module: str
    where: str
    was: str
    becomes: str
    nth: int = 0

    def __str__(self) -> str:
        which = f" (number {self.nth + 1})" if self.nth else ""
        return (
            f"{self.module} {self.where or '(module)'}{which}\n    - {_shown(self.was)}\n    + {_shown(self.becomes)}"
        )


def _shown(lines: str) -> str:
    return lines.replace("\n", "\n      ")


@dataclass(frozen=True)
class Mutant:
    """A changed module: `source` is all of it, `lines` are those of the statement that is changed, from 1."""

    id: Id
    lines: tuple[int, int]
    source: str


def mutants_of(module: str, source: str) -> list[Mutant]:
    """All mutants of a module that compile, in the order of their places."""
    visitor = _Visitor(source)
    MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True).visit(visitor)
    known, seen = {source}, Counter[tuple[str, str, str]]()
    made = []
    for where, lines, changed in visitor.found:
        if changed in known or not _compiles(changed):
            continue
        known.add(changed)
        was, becomes = _difference(source, changed)
        nth = seen[where, was, becomes]
        seen[where, was, becomes] += 1
        made.append(Mutant(Id(module, where, was, becomes, nth), lines, changed))
    return made


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _difference(old: str, new: str) -> tuple[str, str]:
    """The lines that differ, without indentation."""
    before, after = ([line.strip() for line in text.split("\n")] for text in (old, new))
    shorter = min(len(before), len(after))
    top = next((i for i in range(shorter) if before[i] != after[i]), shorter)
    end = next((i for i in range(shorter - top) if before[-1 - i] != after[-1 - i]), shorter - top)
    return "\n".join(before[top : len(before) - end]), "\n".join(after[top : len(after) - end])


_STRICT = m.Arg(keyword=m.Name("strict"))


class _Visitor(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider, ByteSpanPositionProvider, ParentNodeProvider)

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[int, int], str]] = []
        self._source = source.encode()
        self._module = cst.parse_module(source)
        self._names: list[str] = []
        self._raising = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            self._names.append(node.name.value)
        elif isinstance(node, cst.Raise):
            self._raising += 1
        if self._noise(node):
            return False
        for changed in self._changes(node):
            self._add(node, changed)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, (cst.FunctionDef, cst.ClassDef)):
            self._names.pop()
        elif isinstance(original_node, cst.Raise):
            self._raising -= 1

    def _noise(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom, cst.FormattedStringText)):
            return True
        if m.matches(node, m.Expr(m.SimpleString() | m.ConcatenatedString())):
            return True
        if m.matches(node, m.If(test=m.Name("TYPE_CHECKING")) | _STRICT):
            return True
        if m.matches(node, m.Assign(targets=[m.AssignTarget(m.Name("__all__"))])):
            return True
        if m.matches(node, m.Assign(value=m.Call(m.Name("TypeVar")))) or m.matches(node, m.Call(m.Name("cast"))):
            return True
        return not self._names and m.matches(  # a type alias: CamelCase = something[...]
            node,
            m.Assign(
                targets=[m.AssignTarget(m.Name(m.MatchIfTrue(lambda n: bool(re.match("_?[A-Z][a-z]", n)))))],
                value=m.Subscript(),
            ),
        )

    def _changes(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        if isinstance(node, cst.SimpleString):
            if not self._wording(node):
                yield from list(_operators(node))[:1]
        elif isinstance(node, cst.Call):
            yield from self._changed_call(node)
        elif isinstance(node, (cst.Integer, cst.Float)):
            yield from _operators(node)
            yield cst.parse_expression(repr(node.evaluated_value - 1))
        elif isinstance(node, cst.Expr):
            if isinstance(node.value, (cst.Call, cst.Yield)):
                yield cst.Pass()
        else:
            yield from _operators(node)
        parent = self.get_metadata(ParentNodeProvider, node, None)
        tested = isinstance(parent, (cst.If, cst.While, cst.CompIf)) and parent.test is node
        if tested and not isinstance(node, (cst.Comparison, cst.UnaryOperation)):
            inner = node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
            yield cst.UnaryOperation(cst.Not(), inner)

    def _changed_call(self, node: cst.Call) -> Iterator[cst.CSTNode]:
        if m.matches(node.func, m.Name("len") | m.Name("isinstance")):
            return
        kept = [arg for arg in node.args if self._wording(arg.value) or m.matches(arg, _STRICT)]
        for changed in _operators(node):
            if not isinstance(changed, cst.Call) or all(any(arg is k for arg in changed.args) for k in kept):
                yield changed

    def _wording(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (cst.FormattedString, cst.ConcatenatedString)):
            return True
        return isinstance(node, cst.SimpleString) and (self._raising > 0 or " " in node.value)

    def _add(self, node: cst.CSTNode, changed: cst.CSTNode) -> None:
        self.found.append((".".join(self._names), self._statement(node), self._with(node, changed)))

    def _statement(self, node: cst.CSTNode) -> tuple[int, int]:
        """First and last line of the innermost statement around a node; of a compound one, those of the node."""
        at = self.get_metadata(PositionProvider, node)
        outer: cst.CSTNode | None = node
        while outer is not None and not isinstance(outer, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            outer = self.get_metadata(ParentNodeProvider, outer, None)
        if isinstance(outer, cst.SimpleStatementLine):
            at = self.get_metadata(PositionProvider, outer)
        return at.start.line, at.end.line

    def _with(self, node: cst.CSTNode, changed: cst.CSTNode) -> str:
        span = self.get_metadata(ByteSpanPositionProvider, node)
        text = self._source[span.start : span.start + span.length].decode()
        old, new = self._module.code_for_node(node), self._module.code_for_node(changed)
        found, wanted = "".join(text.split()), "".join(old.split())  # the indentation of further lines may differ
        if wanted == f"({found})":  # the parentheses around a node are not part of its place
            new = new.strip().removeprefix("(").removesuffix(")") if new.strip().startswith("(") else new
        elif wanted != found:
            raise AssertionError(f"cannot find {old!r} in the source")
        head, tail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
        whole = head + new.strip() + tail
        return (self._source[: span.start] + whole.encode() + self._source[span.start + span.length :]).decode()


def _operators(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            yield from operator(node)
