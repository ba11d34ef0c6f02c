"""`when:` and `require:`: the conditions of a rule, each compiled to a closure over the unit's words and fields."""

from __future__ import annotations

from collections.abc import Mapping

from ..dtypes import DTYPE_BITS
from ..schemes.families import ROLES
from ..schemes.load import DECLARED_FIELDS
from ..schemes.model import PART_KINDS
from ..schemes.shapes import Dim, Shape, ShapeError, dim, fits
from ..text.place import suggest
from ..text.yamltext import Item
from . import vocabulary as v
from .bounds import Comparer
from .context import Context
from .expression import ExpressionError, compile_expression
from .facts import catalogue
from .model import Lookup, Test

# The words that may stand under `when` and `require`, by what the rule looks at.
WORDS_OF: Mapping[str, tuple[str, ...]] = {
    "tensor": (*v.TENSOR_WORDS, "that", "dtype", "declared"),
    "module": (*v.MODULE_WORDS, "config", "that"),
    "checkpoint": ("config", "declared", "metadata", "that"),
}


class Conditions:
    """Reads conditions in a context; `used` are the params they refer to."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.comparer = Comparer(context.params)
        self.used = self.comparer.used

    def read(self, item: Item, what: str) -> tuple[Test, ...]:
        """The tests of `when` or `require`; raises RuleFileError."""
        each = self.context.each
        if each == "fact":
            fact = catalogue()[self.context.fact]
            if not fact.fields:
                item.fail_key(f"the fact `{self.context.fact}` has no fields to compare", "leave `when` out")
            return tuple(self._fact(word, value) for word, value in item.mapping(what, fact.fields).items())
        allowed = WORDS_OF[each]
        tests: list[Test] = []
        for word, value in item.mapping(what).items():
            if word not in allowed:
                if word in v.REQUIRE:
                    value.fail_key(f"`{word}` is not about a {each}", "one of: " + ", ".join(sorted(allowed)))
                if word in v.SCOPE:
                    value.fail_key(f"`{word}` is no condition: it chooses units", "write it under `for`")
                value.fail_key(f"unknown key `{word}` in {what}", suggest(word, allowed))
            tests.append(self._test(word, value))
        return tuple(tests)

    def _fact(self, word: str, item: Item) -> Test:
        closed: Mapping[str, Mapping[str, object]] = {
            "part": {**PART_KINDS, **dict.fromkeys(self.context.parts())}, "role": dict.fromkeys(ROLES),
        }  # fmt: skip
        return self.comparer.compare(word, item, numeric=False, options=closed.get(word))

    def _test(self, word: str, item: Item) -> Test:
        if word == "that":
            return self._that(item)
        if word == "config":
            return self._config(item)
        if word == "metadata":
            wanted = item.strings("`metadata`")
            return lambda u: all(u("metadata." + key) is not None for key in wanted)
        if word == "declared":
            return self._declared(item)
        if word in ("present", "absent"):
            return self._present(item, there=word == "present")
        if word == "dtype":
            dtypes = _dtypes(item)
            return lambda u: u("dtype") in dtypes
        if word == "dtypes":
            pairs = {self.context.part(d, p): _dtypes(d) for p, d in item.mapping("`dtypes`").items()}
            return lambda u: all((f := u(p + ".dtype")) is None or f in want for p, want in pairs.items())
        if word == "shapes":
            return self._shapes(item)
        self.context.need("", word)
        return self.comparer.compare(word, item, numeric=True)

    def _present(self, item: Item, there: bool) -> Test:
        parts = tuple(self.context.part(i) for i in item.one_or_more())
        return lambda u: all((u(p + ".dtype") is not None) == there for p in parts)

    def _config(self, item: Item) -> Test:
        tests = []
        for key, value in item.mapping("`config`").items():
            if not all(key.split(".")) or key != key.strip():
                value.fail_key(f"`{key}` is not a key of the configuration", "such as hidden_size or rope_scaling.type")
            tests.append(self.comparer.compare("config." + key, value, numeric=False))
        return lambda u: all(t(u) for t in tests)

    def _declared(self, item: Item) -> Test:
        fields = item.mapping("`declared`", DECLARED_FIELDS)
        tests = [self.comparer.compare("declared." + name, value, numeric=False) for name, value in fields.items()]
        return lambda u: all(t(u) for t in tests)

    def _shapes(self, item: Item) -> Test:
        wanted: dict[str, Shape] = {}
        for name, value in item.mapping("`shapes`").items():
            part = self.context.part(value, name)
            wanted[part] = tuple(_dim(one) for one in value.sequence("a shape"))
        symbols = {s for shape in wanted.values() for one in shape for s in one.symbols}
        alone = {s for shape in wanted.values() for one in shape if len(one.symbols) == 1 for s in one.symbols}
        for name, value in item.mapping("`shapes`").items():
            for number, one in enumerate(wanted[name]):
                if not one.symbols <= alone:
                    value.sequence("a shape")[number].fail(
                        f"`{one.text}` cannot be solved: nothing else tells {', '.join(sorted(symbols - alone))}",
                        "give each symbol a dimension of its own, such as [N, K]",
                    )

        def test(u: Lookup) -> bool:
            env: dict[str, int] = {}
            return all((s := u(p + ".shape")) is None or fits(shape, tuple(s), env) for p, shape in wanted.items())

        return test

    def _that(self, item: Item) -> Test:
        try:
            test, names = compile_expression(item.string("`that`"), self.context.resolve)
        except ExpressionError as error:
            item.fail_at(error.fragment, str(error), error.hint)
        self.used |= set(names) & set(self.context.params)
        return test


def _dtypes(item: Item) -> tuple[str, ...]:
    return tuple(i.word("a dtype", DTYPE_BITS) for i in item.one_or_more())


def _dim(item: Item) -> Dim:
    hint = "a number, a letter such as N, or arithmetic such as K/16"
    if item.is_map or item.is_list:
        item.fail("a dimension is one value", hint)
    text = str(item.whole("a dimension")) if item.is_number else item.string("a dimension")
    try:
        return dim(text)
    except (ShapeError, ValueError) as error:
        item.fail(str(error), hint)
