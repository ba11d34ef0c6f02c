"""What a rule may refer to while it is read: words, fields, params, and the parts of the schemes it is about."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ..dtypes import DTYPE_BITS
from ..measures.interface import COUNTED, UNPLACED
from ..schemes.load import DECLARED_FIELDS
from ..schemes.model import PART_KINDS, Scheme
from ..text.place import suggest
from ..text.yamltext import Item
from . import vocabulary as v
from .expression import ExpressionError, Field
from .facts import catalogue
from .model import Scope


@dataclass
class Context:
    """One rule while it is read; `words` and `points_at` collect what it needs to be measured.

    `schemes` are all that are loaded; none when a rule is read on its own, which then may name any known part.
    """

    each: str
    fact: str
    params: Mapping[str, float]
    schemes: Mapping[str, Scheme]
    scope: Scope = field(default_factory=Scope)
    words: dict[str, set[str]] = field(default_factory=dict)
    points_at: str = ""

    def schemes_in_scope(self) -> list[Scheme]:
        """The schemes that the rule's `for` allows."""
        wanted = self.scope
        return [
            s
            for s in self.schemes.values()
            if (not wanted.schemes or any(fnmatchcase(s.name, g) for g in wanted.schemes))
            and wanted.quantized in (None, s.quantized)
        ]

    def parts(self) -> Collection[str]:
        """Names of the parts that units of this rule can have."""
        if not self.schemes:
            return PART_KINDS
        return {name for scheme in self.schemes_in_scope() for name in scheme.parts}

    def part(self, item: Item, name: str = "") -> str:
        """The name of a part as given at `item` (or as its key); fails when no scheme in scope has it."""
        given = name or item.string("a part")
        problem = self.part_problem(given)
        if problem:
            (item.fail_key if name else item.fail)(*problem)
        return given

    def part_problem(self, name: str) -> tuple[str, str] | None:
        """What is wrong with the name of a part, and what to write instead."""
        known = self.parts()
        if name in known:
            return None
        everywhere = {part for scheme in self.schemes.values() for part in scheme.parts}
        if name in everywhere:
            return f"no scheme that the rule's `for` allows has a part `{name}`", suggest(name, known)
        if name in PART_KINDS:
            return f"no scheme has a part `{name}`", suggest(name, known)
        return f"`{name}` is not a part of any scheme", suggest(name, known)

    def need(self, part: str, word: str) -> None:
        """Note that a measure of a part ("" for the tensor itself) is needed."""
        base = word.removesuffix("_share")
        self.words.setdefault(part, set()).add(base)
        if not self.points_at and base in COUNTED and base not in UNPLACED:
            self.points_at = base

    # -- names in expressions and messages ------------------------------------------------------------------------

    def resolve(self, name: str) -> Field:
        """What a name in an expression stands for; raises ExpressionError, and notes measures that it needs."""
        first, _, rest = name.partition(".")
        if name in self.params:
            return Field("number")
        if first == "declared":
            if rest in DECLARED_FIELDS:
                return Field("any")
            hint = suggest(rest, DECLARED_FIELDS) if rest else "write declared.field, such as declared.bits"
            raise ExpressionError(f"`{rest or name}` is no field of a declaration", hint, name)
        if self.each == "tensor":
            if name in v.TENSOR_WORDS:
                self.need("", name)
                return Field("number")
            if name in v.TENSOR_FIELDS and name != "tensors":
                return self._field(name)
            known = [*v.TENSOR_WORDS, *(f for f in v.TENSOR_FIELDS if f != "tensors"), *self.params]
            raise ExpressionError(f"`{name}` is not a field of a tensor", suggest(name, known), name)
        if first == "config":
            if rest:
                return Field("any")
            raise ExpressionError("`config` alone means nothing", "write config.key, such as config.hidden_size", name)
        if self.each == "checkpoint":
            raise ExpressionError(
                f"`{name}` means nothing for a checkpoint", "write config.key, such as config.hidden_size", name
            )
        return self._of_module(name, first, rest)

    def _of_module(self, name: str, first: str, rest: str) -> Field:
        if not rest:
            if name in v.MODULE_NUMBERS:
                return Field("number")
            if name in ("module", "scheme"):
                return self._field(name)
            known = [*v.MODULE_FIELDS, *self.params]
            near = suggest(name, known) if name not in {*self.parts(), *v.TENSOR_WORDS} else ""
            hint = near if near.startswith("did") else "write part.field, such as weight.shape[0]"
            raise ExpressionError(f"`{name}` alone means nothing here", hint, name)
        problem = self.part_problem(first)
        if problem:
            raise ExpressionError(problem[0], problem[1], first)
        if rest in v.PART_FIELDS:
            return self._field(rest)
        if rest in v.TENSOR_WORDS:
            self.need(first, rest)
            return Field("number")
        raise ExpressionError(
            f"`{rest}` is not a field of a part", suggest(rest, [*v.PART_FIELDS, *v.TENSOR_WORDS]), name
        )

    def _field(self, name: str) -> Field:
        if name == "shape":
            return Field("list")
        options: Collection[str] = {
            "dtype": DTYPE_BITS, "part": {*self.parts(), "tensor"}, "scheme": {*self.schemes, "none"},
        }.get(name, ())  # fmt: skip
        return Field("text", options if name != "scheme" or self.schemes else ())

    def message_fields(self, counts: bool) -> list[str]:
        """The names a message may use, apart from part.field and config.key; `counts` adds those of the finding."""
        if self.each == "fact":
            return [*catalogue()[self.fact].fields, "file", "tensor", "offset", *self.params]
        if self.each == "tensor":
            return [*v.TENSOR_WORDS, *(f for f in v.TENSOR_FIELDS if counts or f != "tensors"), *self.params]
        return [*(v.MODULE_FIELDS if self.each == "module" else ("file",)), *self.params]

    def message_problem(self, name: str, counts: bool) -> tuple[str, str] | None:
        """What is wrong with a field of a message; measures that it shows are noted as needed."""
        if name[:1] in "{}":
            return (
                f"the field {name} cannot be read",
                "write {name}, {name:%}, {name:x}, {name:bytes}, {name:g} or {name|words}",
            )
        known = self.message_fields(counts)
        first, _, rest = name.partition(".")
        if name in known:
            if self.each == "tensor" and name in v.TENSOR_WORDS:
                self.words.setdefault("", set()).add(name.removesuffix("_share"))
            return None
        if rest and first == "config" and self.each in ("module", "checkpoint"):
            return None
        if rest in DECLARED_FIELDS and first == "declared":
            return None
        if rest and self.each == "module":
            try:
                self._of_module(name, first, rest)
            except ExpressionError as error:
                return str(error), error.hint
            return None
        return f"the text uses `{{{name}}}`, which this rule does not have", suggest(name, known)
