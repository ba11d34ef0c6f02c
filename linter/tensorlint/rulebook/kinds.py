"""Kinds of files, in one table: what each may hold, how it is read and checked, and its JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..schemes import dialect, families, load, producers
from ..schemes.model import Scheme
from ..text.place import nearest
from ..text.yamltext import Item
from . import crosscheck, engines, language, schema
from . import vocabulary as v
from .model import Rule
from .variants import scheme_examples


@dataclass(frozen=True)
class Known:
    """What has been read and others may refer to; names count when all has been read."""

    schemes: dict[str, Scheme] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)

    @cached_property
    def earlier(self) -> Mapping[str, str]:
        """What rules are called, by names that they had earlier and no rule has now."""
        return earlier(self.rules)

    @cached_property
    def names(self) -> Collection[str]:
        """All names by which rules may be called."""
        return {*self.rules, *self.earlier}

    def others(self, rule: Rule) -> Mapping[str, str]:
        """The names of other rules and those that they had earlier, with what these are called."""
        rest = {name: other for name, other in self.rules.items() if name != rule.id}
        return {**earlier(rest), **{name: name for name in rest}}


def earlier(rules: Mapping[str, Rule]) -> dict[str, str]:
    """What rules are called, by names that they had earlier and no rule has now."""
    return {old: rule.id for rule in rules.values() for old in rule.was if old not in rules}


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    `keys` are those at its top, `required` those that it must have. `read` makes what it stands for, `check` fails for
    what only shows when the file is looked at as a whole, and `refer` for names that nothing has when all files have
    been read. Files of a lower `stage` are read before those of a higher one.
    """

    name: str
    keys: Collection[str]
    required: Collection[str]
    read: Callable[[Item, str, Known, bool], Any]
    schema: Callable[[Collection[str], Collection[str]], schema.Schema]
    check: Callable[[Item, Any], None] = lambda top, made: None
    refer: Callable[[Item, Known], None] = lambda top, known: None
    stage: int = 0

    def made(self, top: Item, name: str, known: Known, examples: bool = True) -> Any:
        """What a file stands for, checked, its examples too where asked for; raises RuleFileError."""
        found = self.read(top, name, known, examples)
        self.check(top, found)
        if examples and isinstance(found, Scheme):
            scheme_examples(found)
        return found


def _scheme(top: Item, name: str, known: Known, examples: bool) -> Scheme:
    crosscheck.check_scheme_file(top)
    return load.load_scheme(top, name)


def _rule(top: Item, name: str, known: Known, examples: bool) -> Rule:
    return language.load_rule(top, name, None, known.schemes, examples=examples)


def _engine(top: Item, name: str, known: Known, examples: bool) -> engines.Engine:
    engine, limits = engines.load_engine(top, name, known.schemes, examples)
    known.rules.update(limits)
    return engine


KINDS: tuple[Kind, ...] = (
    Kind(
        "rule", v.TOP, language.REQUIRED, _rule, schema.rule,
        refer=lambda top, known: crosscheck.check_unless(top, known.names), stage=1,
    ),
    Kind("scheme", load.KEYS, load.REQUIRED, _scheme, schema.scheme, crosscheck.check_scheme),
    Kind(
        "dialect", dialect.KEYS, dialect.REQUIRED, lambda top, name, *_: dialect.load_dialect(top, name),
        schema.dialect, lambda top, _: crosscheck.check_dialect(top),
    ),
    Kind(
        "family", families.KEYS, (), lambda top, name, *_: families.load_family(top, name),
        schema.family, lambda top, _: crosscheck.check_family(top),
    ),
    Kind(
        "producer", producers.KEYS, producers.REQUIRED, lambda top, name, *_: producers.load_producer(top, name),
        schema.producer, refer=lambda top, known: crosscheck.check_producer(top, known.names),
    ),
    Kind("engine", engines.KEYS, engines.REQUIRED, _engine, schema.engine, stage=2),
)  # fmt: skip


_OF = {
    key: tuple(k for k in KINDS if key in k.keys) for kind in KINDS for key in kind.keys
}  # key -> kinds that have it
_TELLING = {key: kinds[0] for key, kinds in _OF.items() if len(kinds) == 1}
_IN_ALL = frozenset(key for key, kinds in _OF.items() if len(kinds) == len(KINDS))


def kind_of(top: Item) -> Kind:  # noqa: RET503 (every other way out raises)
    """The kind that most of the keys speak for which no other has; raises RuleFileError when none does."""
    keys = top.mapping("the file")
    votes = [sum(_TELLING.get(key) is kind for key in keys) for kind in KINDS]
    if any(votes):
        return KINDS[votes.index(max(votes))]
    for key in keys:  # nothing but misspelt keys: what is nearest?
        near = nearest(key, _TELLING) if key not in _OF else ""
        if near:
            keys[key].fail_key(f"unknown key `{key}`", f"did you mean `{near}`?")
    # Keys that several kinds have: those of which this may be a whole file.
    whole = [k for k in KINDS if {*k.required} <= keys.keys() <= {*k.keys} and not keys.keys() <= _IN_ALL]
    if len(whole) == 1:
        return whole[0]
    names = [kind.name for kind in KINDS]
    top.fail(
        f"this is no {', '.join(names[:-1])} or {names[-1]}",
        "a rule has `severity`, `message` and `require`; a scheme has `parts`",
    )


def schemas() -> dict[str, schema.Schema]:
    """The JSON Schemas of all kinds, by name."""
    return {kind.name: schema.headed(kind.name, kind.schema(kind.keys, kind.required)) for kind in KINDS}
