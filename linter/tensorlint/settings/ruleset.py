"""Rules as settings make them: loaded, selected, with their severities and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from ..errors import RuleFileError, UsageError
from ..rulebook.library import Book, load_book
from ..rulebook.model import Rule
from ..text.place import suggest
from ..text.value import Value
from .files import Configuration, Layer
from .keys import KEYS, Ignore, Param, Selector, Severity
from .settings import Settings


@dataclass(frozen=True)
class Ruleset:
    """This target under these rules: the rules that run, the book they are from, and the settings they come from."""

    book: Book
    rules: tuple[Rule, ...]
    settings: Settings = field(default_factory=Settings)


@lru_cache(maxsize=8)
def _book(paths: tuple[str, ...]) -> Book:
    return load_book(tuple(map(Path, paths)))


def ruleset(settings: Settings, configuration: Configuration | None = None) -> Ruleset:
    """What runs under some settings.

    Every name in the configuration is checked, those for other targets too. Raises RuleFileError at the place of a rule
    or param that does not exist, UsageError for those of the command line, and where no rule is left.
    """
    book = _book(tuple(dict.fromkeys(settings.rules)))
    for layer, is_section in configuration.every_layer() if configuration else ():
        own = layer.values.get("rules", ())
        _check(layer, _book((*dict.fromkeys((*settings.rules, *own)),)) if is_section and own else book)
    return chosen(book, settings)


def chosen(book: Book, settings: Settings) -> Ruleset:
    """What of a book runs under some settings, whose own rule files do not count. Raises like `ruleset`."""
    _check(Layer({k: getattr(settings, k) for k in ("select", "ignore", "params")}, {}), book)
    book = _with_params(book, settings.params)
    changed, off = _judged(book, settings)
    left_out = {n for s in settings.ignore for n in book.matching(s.pattern)} | off
    left_out -= set(map(book.called, settings.named))
    wanted = {n for s in settings.select for n in book.matching(s.pattern)} if settings.select else set(changed)
    engines = _engines(settings, book)
    if not any(changed[name].engine for name in wanted & set(changed)):
        wanted |= {name for name, rule in changed.items() if rule.engine in engines}
    left = tuple(
        rule
        for name, rule in changed.items()
        if name in wanted and name not in left_out and (not rule.engine or rule.engine in engines)
    )
    if not left and any(changed[name].engine for name in wanted - left_out):
        raise UsageError("the selected rules are about engines", "name one: --engine " + " or ".join(book.engines))
    if not left:
        raise UsageError("what is ignored leaves none of the rules", "`tensorlint rules` lists them")
    return Ruleset(replace(book, rules={n: r for n, r in changed.items() if n not in off}), left, settings)


def _judged(book: Book, settings: Settings) -> tuple[dict[str, Rule], set[str]]:
    """The rules of a book with the severities of the settings, and which of them are off."""
    rules, off = dict(book.rules), set()
    for setting in settings.severity:
        for name in book.matching(setting.rules.pattern):
            if setting.severity == "off":
                off.add(name)
                rules[name] = book.rules[name]
            else:
                off.discard(name)
                rules[name] = replace(rules[name], severity=setting.severity)
    return rules, off


def named(book: Book, selectors: Iterable[str]) -> tuple[Rule, ...]:
    """The rules that names, folders and globs stand for, those about engines too. Raises UsageError."""
    select = tuple(map(Selector, selectors))
    about_engines = any(book.rules[name].engine for s in select for name in book.matching(s.pattern))
    engine = tuple(map(Selector, book.engines)) if about_engines or not select else ()
    return chosen(book, Settings(select=select, engine=engine)).rules


def _engines(settings: Settings, book: Book) -> frozenset[str]:
    """The engines asked for; raises RuleFileError or UsageError for one that there is not."""
    for engine in settings.engine:
        if engine.pattern not in book.engines:
            engine.fail(f"there is no engine `{engine.pattern}`", suggest(engine.pattern, book.engines))
    return frozenset(engine.pattern for engine in settings.engine)


def _selectors(layer: Layer) -> Iterator[Selector]:
    yield from layer.values.get("select", ())
    for entry in layer.values.get("ignore", ()):
        yield entry.rule if isinstance(entry, Ignore) else entry
    severities: tuple[Severity, ...] = layer.values.get("severity", ())
    yield from (s.rules for s in severities)


def _check(layer: Layer, book: Book) -> None:
    for selector in _selectors(layer):
        book.current(selector.pattern, _place(selector.at))
        if not book.matching(selector.pattern):
            hint = book.hint(selector.pattern)
            if selector.pattern in (*KEYS, "extend", "target"):
                hint = f"`{selector.pattern}` is a key of the whole file: write it above the first [table]"
            selector.fail(f"no rule matches `{selector.pattern}`", hint)
    for param in layer.values.get("params", ()):
        rule = book.rules.get(book.current(param.rule.pattern, _place(param.at)))
        if rule is None:
            param.rule.fail(f"there is no rule `{param.rule.pattern}` to set a param of", book.hint(param.rule.pattern))
        elif param.name not in rule.params:
            hint = suggest(param.name, rule.params) or "`tensorlint explain` shows the params of a rule"
            param.fail(f"rule {rule.id} has no param `{param.name}`", hint)


def _place(at: Value | None) -> str:
    return f"{at.text.path}:{at.line}" if at is not None else ""


def _with_params(book: Book, params: tuple[Param, ...]) -> Book:
    """The book with params set; what a rule refuses is shown where it is written."""
    numbers: dict[str, dict[str, float]] = {}
    for param in params:
        numbers.setdefault(book.called(param.rule.pattern), {})[param.name] = param.number
    for rule, values in numbers.items():
        try:
            book = book.with_params({rule: values})
        except RuleFileError as error:
            mine = [p for p in params if book.called(p.rule.pattern) == rule]
            named = [p for p in mine if f"`{p.name}`" in error.problem]
            (named or mine)[-1].fail(error.problem, error.advice)
    return book
