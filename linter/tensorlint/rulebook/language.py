"""YAML -> Rule. What the vocabulary does not know is an error with place and suggestion, never silence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..dtypes import DTYPE_BITS, ENCODINGS
from ..facts import catalogue
from ..measures.interface import COUNTED
from ..schemes.families import ROLES
from ..schemes.model import CONVENTIONS, KINDS, PART_KINDS, SIGNS
from ..schemes.shapes import Shape, ShapeError, dim, fits
from . import vocabulary as v
from .examples import read_examples
from .expression import ExpressionError, compile_expression
from .message import fields
from .model import EACH, SEVERITIES, Lookup, Rule, Scope, Test
from .yamltext import Item, suggest

_NEEDED = ("summary", "severity", "message", "bad", "good")


def load_rule(top: Item, rule_id: str, settings: Mapping[str, float] | None = None) -> Rule:
    """A rule from the top value of its file; `settings` overrides its params. Raises RuleFileError."""
    return _Loader(top, rule_id, settings or {}).load()


class _Loader:
    def __init__(self, top: Item, rule_id: str, settings: Mapping[str, float]) -> None:
        self.top, self.id, self.settings = top, rule_id, settings
        self.params: dict[str, float] = {}
        self.words: dict[str, set[str]] = {}
        self.points_at = ""
        self.each = "tensor"
        self.fact = ""

    def load(self) -> Rule:
        keys = self.top.mapping("the rule", v.TOP)
        for key in _NEEDED:
            if key not in keys:
                self.top.fail(f"the rule has no `{key}`", "a rule carries " + ", ".join(f"`{k}`" for k in _NEEDED))
        self._kind(keys)
        if "params" in keys:
            self.params = {k: item.number(f"param `{k}`") for k, item in keys["params"].mapping("`params`").items()}
        for name in self.settings:
            if name not in self.params:
                self.top.fail(
                    f"rule {self.id} has no param `{name}`", suggest(name, self.params) if self.params else ""
                )
        self.params.update(self.settings)
        scope = self._scope(keys["for"]) if "for" in keys else Scope()
        when = self._tests(keys["when"], "`when`") if "when" in keys else ()
        require = self._tests(keys["require"], "`require`") if "require" in keys else ()
        self._message(keys["message"])

        def text(key: str) -> str:
            return " ".join(keys[key].string(f"`{key}`").split()) if key in keys else ""

        return Rule(
            id=self.id,
            summary=text("summary"),
            severity=keys["severity"].word("a severity", SEVERITIES),
            message=text("message"),
            each=self.each,
            path=self.top.text.path,
            scope=scope,
            fact=self.fact,
            when=when,
            require=require,
            words={part: frozenset(words) for part, words in self.words.items()},
            points_at=self.points_at,
            params=dict(self.params),
            effect=text("effect"),
            remedy=text("remedy"),
            why=keys["why"].string("`why`").strip() if "why" in keys else "",
            see=keys["see"].strings("`see`") if "see" in keys else (),
            since=keys["since"].string("`since`") if "since" in keys else "",
            bad=read_examples(keys["bad"], "`bad`", need_says=True),
            good=read_examples(keys["good"], "`good`", need_says=False),
        )

    def _kind(self, keys: Mapping[str, Item]) -> None:
        if "fact" in keys:
            self.fact = keys["fact"].word("a fact", catalogue())
            self.each = "fact"
            for key in ("each", "for", "require"):
                if key in keys:
                    keys[key].fail(f"a rule about a fact has no `{key}`", "use `when` to narrow it")
            return
        if "each" in keys:
            self.each = keys["each"].word("something to look at", [e for e in EACH if e != "fact"])
        if "require" not in keys:
            self.top.fail("the rule has neither `fact` nor `require`")

    def _scope(self, item: Item) -> Scope:
        keys = item.mapping("`for`", v.SCOPE)
        closed: Mapping[str, Any] = {
            "part": None, "kind": KINDS, "role": ROLES, "not_role": ROLES, "dtype": DTYPE_BITS, "holds": ENCODINGS,
            "not_holds": ENCODINGS, "sign": SIGNS, "convention": CONVENTIONS,
        }  # fmt: skip

        def words(key: str) -> tuple[str, ...]:
            if key not in keys:
                return ()
            allowed = closed.get(key)
            if key == "part":
                # Schemes of users may have parts of their own, but a near miss of a known part is a slip.
                return tuple(self._part(i) for i in keys[key].one_or_more())
            if allowed is None:
                return keys[key].strings(f"`{key}`")
            return tuple(i.word(f"a {key.removeprefix('not_')}", allowed) for i in keys[key].one_or_more())

        return Scope(
            words("scheme"), words("part"), words("kind"), words("role"), words("not_role"), words("dtype"),
            words("holds"), words("not_holds"), words("granularity"), words("sign"), words("convention"),
            words("tensor"), words("module"), words("not_module"),
            keys["quantized"].boolean("`quantized`") if "quantized" in keys else None,
            tuple(int(i.number("dimensions")) for i in keys["dims"].one_or_more()) if "dims" in keys else (),
        )  # fmt: skip

    def _part(self, item: Item) -> str:
        name = item.string("a part")
        if name not in PART_KINDS and not name.startswith("x_"):
            item.fail(f"`{name}` is not a part", suggest(name, PART_KINDS) + "; parts of your own begin with x_")
        return name

    # -- conditions -------------------------------------------------------------------------------------------------

    def _tests(self, item: Item, what: str) -> tuple[Test, ...]:
        tests: list[Test] = []
        if self.each == "fact":
            allowed = catalogue()[self.fact].fields
            for word, value in item.mapping(what, allowed).items():
                tests.append(self._compare(word, value))
            return tuple(tests)
        own: Mapping[str, str]
        if self.each == "tensor":
            own = {**v.TENSOR_WORDS, "that": "", "dtype": ""}
        elif self.each == "module":
            own = {**v.MODULE_WORDS, "that": ""}
        else:
            own = {"config": "", "that": ""}
        for word, value in item.mapping(what).items():
            if word not in own:
                if word in v.REQUIRE:
                    value.fail(f"`{word}` is not about a {self.each}", "one of: " + ", ".join(sorted(own)))
                value.text.fail(
                    value.node.start_mark.line, max(0, value.node.start_mark.column - len(word) - 2), len(word),
                    f"unknown key `{word}` in {what}", suggest(word, own),
                )  # fmt: skip
            tests.append(self._test(word, value))
        return tuple(tests)

    def _test(self, word: str, item: Item) -> Test:
        if word == "that":
            return self._that(item)
        if word == "config":
            tests = [self._compare("config." + key, value) for key, value in item.mapping("`config`").items()]
            return lambda u: all(t(u) for t in tests)
        if word in ("present", "absent"):
            parts = tuple(self._part(i) for i in item.one_or_more())
            there = word == "present"
            return lambda u: all((u(p + ".dtype") is not None) == there for p in parts)
        if word == "dtype":
            dtypes = tuple(i.word("a dtype", DTYPE_BITS) for i in item.one_or_more())
            return lambda u: u("dtype") in dtypes
        if word == "dtypes":
            pairs = {
                p: tuple(i.word("a dtype", DTYPE_BITS) for i in d.one_or_more())
                for p, d in item.mapping("`dtypes`").items()
            }
            return lambda u: all((f := u(p + ".dtype")) is None or f in want for p, want in pairs.items())
        if word == "shapes":
            return self._shapes(item)
        self._need("", word)
        return self._compare(word, item)

    def _shapes(self, item: Item) -> Test:
        wanted: dict[str, Shape] = {}
        for part, value in item.mapping("`shapes`", [*PART_KINDS]).items():
            dims = []
            for one in value.sequence("a shape"):
                try:
                    dims.append(dim(one.raw))
                except ShapeError as error:
                    one.fail(str(error), "a number, a letter such as N, or arithmetic such as K/16")
            wanted[part] = tuple(dims)

        def test(u: Lookup) -> bool:
            env: dict[str, int] = {}
            return all((s := u(p + ".shape")) is None or fits(shape, tuple(s), env) for p, shape in wanted.items())

        return test

    def _that(self, item: Item) -> Test:
        def check(name: str) -> None:
            problem = self._name_problem(name)
            if problem:
                item.fail(*problem)

        try:
            test, _ = compile_expression(item.string("`that`"), check)
        except ExpressionError as error:
            item.fail(str(error), error.hint)
        return test

    def _name_problem(self, name: str) -> tuple[str, str] | None:
        """What is wrong with a name in an expression; a measure it stands for is noted as needed."""
        first, _, rest = name.partition(".")
        if first == "config" and rest:
            return None
        if self.each == "tensor":
            if name in v.TENSOR_WORDS:
                self._need("", name)
                return None
            if name in ("dtype", "shape", "tensor", "module", "part", "scheme", *self.params):
                return None
            return f"`{name}` is not a field of a tensor", suggest(
                name, [*v.TENSOR_WORDS, "dtype", "shape", *self.params]
            )
        if self.each == "module":
            if not rest:
                if name in ("N", "K", "E", "module", "scheme", *self.params):
                    return None
                return f"`{name}` alone means nothing here", "write part.field, such as weight.shape[0]"
            if first not in PART_KINDS and not first.startswith("x_"):
                return f"left of the dot comes a part, not `{first}`", suggest(first, PART_KINDS)
            if rest in v.PART_FIELDS:
                return None
            if rest in v.TENSOR_WORDS:
                self._need(first, rest)
                return None
            return f"`{rest}` is not a field of a part", suggest(rest, [*v.PART_FIELDS, *v.TENSOR_WORDS])
        return f"`{name}` means nothing for a checkpoint", "write config.key, such as config.hidden_size"

    def _need(self, part: str, word: str) -> None:
        base = word.removesuffix("_share")
        self.words.setdefault(part, set()).add(base)
        if not self.points_at and base in COUNTED and base not in ("ceiling", "floor"):
            self.points_at = base

    def _compare(self, word: str, item: Item) -> Test:
        """`word: 0`, `word: text`, or `word: {at_least: 1, below: $limit}`."""
        if not item.is_map:
            if item.is_list:
                options = [self._scalar(i, word) for i in item.sequence("values")]
                return lambda u: u(word) in options
            wanted = self._scalar(item, word)
            return lambda u: u(word) == wanted
        tests: list[Callable[[Any], bool]] = []
        for bound, value in item.mapping(f"`{word}`", v.BOUNDS).items():
            if bound == "one_of":
                options = [self._scalar(i, word) for i in value.sequence("`one_of`")]
                tests.append(lambda x, o=options: x in o)  # type: ignore[misc]
                continue
            limit = self._scalar(value, word)
            if bound in ("equals", "not"):
                same = bound == "equals"
                tests.append(lambda x, n=limit, s=same: (x == n) == s)  # type: ignore[misc]
                continue
            if not isinstance(limit, (int, float)):
                value.fail(f"`{bound}` compares numbers")
            order: Mapping[str, Callable[[Any, float], bool]] = {
                "at_least": lambda x, n: x >= n, "at_most": lambda x, n: x <= n,
                "above": lambda x, n: x > n, "below": lambda x, n: x < n,
            }  # fmt: skip
            tests.append(lambda x, n=limit, o=order[bound]: isinstance(x, (int, float)) and o(x, n))  # type: ignore[misc]
        if not tests:
            item.fail(f"`{word}` has no bound", "one of: " + ", ".join(v.BOUNDS))

        def test(u: Lookup) -> bool:
            value = u(word)
            return value is not None and all(t(value) for t in tests)

        return test

    def _scalar(self, item: Item, word: str) -> Any:
        raw = item.raw
        if raw.startswith("$"):
            if raw[1:] not in self.params:
                item.fail(
                    f"`{raw}` is not a param of this rule",
                    suggest(raw[1:], self.params) if self.params else "",
                )
            return self.params[raw[1:]]
        numeric = self.each == "tensor" and word in v.TENSOR_WORDS
        if numeric or re.fullmatch(r"[-+.\d][\w.+-]*", raw):
            return item.number(f"`{word}`")
        if raw in ("true", "false"):
            return item.boolean(f"`{word}`")
        return item.string(f"`{word}`")

    def _message(self, item: Item) -> None:
        if self.each == "fact":
            known = [*catalogue()[self.fact].fields, "file", "tensor", "offset", *self.params]
        elif self.each == "tensor":
            known = [*v.TENSOR_WORDS, *v.TENSOR_FIELDS, *self.params]
        elif self.each == "module":
            known = [*v.MODULE_FIELDS, *self.params]
        else:
            known = ["file", *self.params]
        for name in fields(item.string("`message`")):
            if name.startswith("{"):
                item.fail(
                    f"the message has a field `{name}` that cannot be read",
                    "write {name}, {name:%} or {name:x}",
                )
            first, _, rest = name.partition(".")
            if self.each == "module" and rest in v.PART_FIELDS and first in PART_KINDS:
                continue
            if self.each == "checkpoint" and first == "config" and rest:
                continue
            if name not in known:
                item.fail(f"the message uses `{{{name}}}`, which this rule does not have", suggest(name, known))
            if self.each == "tensor" and name in v.TENSOR_WORDS:
                self.words.setdefault("", set()).add(name.removesuffix("_share"))
