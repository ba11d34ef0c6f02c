"""Find and load rule, scheme, dialect, family, producer and engine files: the shipped ones, and those a user adds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from ..errors import UsageError
from ..schemes.dialect import Dialect, load_dialect
from ..schemes.families import Family, load_family
from ..schemes.knowledge import Knowledge
from ..schemes.load import load_scheme
from ..schemes.model import Scheme
from ..schemes.producers import Producer, load_producer
from ..text.place import nearest, suggest
from ..text.yamlread import MAX_BYTES, read
from ..text.yamltext import Item
from .crosscheck import check_dialect, check_family, check_producer, check_scheme, check_scheme_file, check_unless
from .engines import Engine, load_engine
from .kinds import kind_of
from .language import load_rule
from .model import Rule
from .shipped import shipped_folder
from .variants import scheme_examples

MAX_USER_FILES = 2000
_NAME = re.compile(r"[\w.+-]+(/[\w.+-]+)*", re.ASCII)


@dataclass(frozen=True)
class Book(Knowledge):
    """Everything that was loaded, by kind and name; `replaced` names shipped files that a user's took the place of."""

    rules: Mapping[str, Rule]
    engines: Mapping[str, Engine] = field(default_factory=dict)
    replaced: tuple[str, ...] = ()
    paths: Mapping[str, Path] = field(default_factory=dict, repr=False)  # of rule files, by rule

    def select(self, select: Iterable[str], ignore: Iterable[str], engines: Iterable[str] = ()) -> tuple[Rule, ...]:
        """Rules matched by any of `select` (all when empty) and by none of `ignore`; both hold globs or folders.

        Rules about an engine are among them when it is one of `engines`. Raises UsageError for a pattern that matches
        no rule, for an unknown engine, and when no rule is left.
        """
        select, ignore, engines = tuple(select), tuple(ignore), tuple(engines)
        for engine in engines:
            if engine not in self.engines:
                raise UsageError(f"there is no engine `{engine}`", suggest(engine, self.engines))
        for pattern in (*select, *ignore):
            if not self.matching(pattern):
                raise UsageError(f"no rule matches `{pattern}`", self.hint(pattern))
        left = tuple(
            rule
            for name, rule in self.rules.items()
            if (not rule.engine or rule.engine in engines)
            and (not select or any(_matches(name, p) for p in select))
            and not any(_matches(name, p) for p in ignore)
        )
        if not left and not ignore:
            raise UsageError("the selected rules are about engines", "name one: --engine " + " or ".join(self.engines))
        if not left:
            raise UsageError("--ignore leaves none of the rules", "`tensorlint rules` lists them")
        return left

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Names of the rules that a name, folder or glob stands for."""
        return tuple(rule for rule in self.rules if _matches(rule, pattern))

    def with_params(self, params: Mapping[str, Mapping[str, float]]) -> Book:
        """The book with numbers of rules set, by rule; raises RuleFileError for one that a rule cannot have."""
        rules = dict(self.rules)
        for name, numbers in params.items():
            top = read(self.paths[name].read_bytes(), rules[name].path)
            rules[name] = load_rule(top, name, numbers, self.schemes, examples=False)
        return replace(self, rules=rules)

    def hint(self, pattern: str) -> str:
        """What may have been meant by a pattern that no rule matches."""
        if pattern.endswith((".yaml", ".yml")) or Path(pattern).is_dir():
            return f"rule files are added with --rules {pattern}"
        ends = [rule for rule in self.rules if rule.rpartition("/")[2] == pattern]
        if ends:
            return "did you mean " + " or ".join(f"`{rule}`" for rule in ends[:4]) + "?"
        last = {rule.rpartition("/")[2]: rule for rule in self.rules}
        near = nearest(pattern, [*self.rules, *self.folders]) or last.get(nearest(pattern, last), "")
        return (
            f"did you mean `{near}`?" if near else "`tensorlint rules` lists them; folders: " + ", ".join(self.folders)
        )

    @property
    def folders(self) -> tuple[str, ...]:
        """Groups of rules: `scales`, `container` ..."""
        return tuple(dict.fromkeys(name.partition("/")[0] for name in self.rules if "/" in name))


def _matches(rule: str, pattern: str) -> bool:
    return pattern == "all" or fnmatchcase(rule, pattern) or rule.startswith(pattern.rstrip("/") + "/")


def load_book(extra: Iterable[Path] = (), settings: Mapping[str, Mapping[str, float]] | None = None) -> Book:
    """The shipped files and those at `extra` (files or folders).

    The name of a rule is its path below the folder given, without the suffix, or the name of a single file; schemes,
    dialects, families, producers and engines are named by their file alone. A user's file replaces a shipped one of
    the same kind and name; two files of the user may not have the same name. `settings` are params by rule. Raises
    RuleFileError for the first file that cannot be loaded, UsageError for paths without rule files.
    """
    extra = tuple(extra)
    if not extra and not settings:
        return _shipped()
    book = _Loading(settings or {})
    book.add_folder(shipped_folder(), shipped=True)
    for path in extra:
        if not path.exists():
            raise UsageError(
                f"there is no rule file or folder at {path}", "--rules takes a YAML file or a folder of them"
            )
        if path.is_dir():
            book.add_folder(path, shipped=False)
        else:
            book.add_file(path, path.stem, shipped=False)
    return book.done()


@lru_cache(maxsize=1)
def _shipped() -> Book:
    book = _Loading({})
    book.add_folder(shipped_folder(), shipped=True)
    return book.done()


@dataclass(frozen=True)
class _File:
    path: Path
    top: Item
    shipped: bool


class _Loading:
    """Files are collected first and loaded then: rules refer to schemes, and producers to rules."""

    def __init__(self, settings: Mapping[str, Mapping[str, float]]) -> None:
        self.settings = settings
        self.files: dict[tuple[str, str], _File] = {}
        self.replaced: list[str] = []

    def add_folder(self, folder: Path, shipped: bool) -> None:
        found = sorted(_yaml_files(folder))
        if not found:
            raise UsageError(f"there is no .yaml file in {folder}")
        if not shipped and len(found) > MAX_USER_FILES:
            raise UsageError(f"{folder} holds more than {MAX_USER_FILES:,} rule files")
        for path in found:
            self.add_file(path, path.relative_to(folder).with_suffix("").as_posix(), shipped)

    def add_file(self, path: Path, name: str, shipped: bool) -> None:
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
        top = read(raw, "rules/" + name + ".yaml" if shipped else str(path))
        kind = kind_of(top)
        if not _NAME.fullmatch(name):
            raise UsageError(f"the name of the rule file {path} has other characters than letters, digits, . _ + -")
        key = (kind, name if kind == "rule" else name.rpartition("/")[2])
        before = self.files.get(key)
        if before is not None and before.shipped and not shipped:
            self.replaced.append(f"{kind} {key[1]}")
        elif before is not None and before.path.resolve() != path.resolve():
            raise UsageError(f"two files define the {kind} `{key[1]}`: {before.path} and {path}", "rename one of them")
        self.files[key] = _File(path, top, shipped)

    def _files(self, kind: str) -> Iterator[tuple[str, _File]]:
        return ((name, file) for (k, name), file in self.files.items() if k == kind)

    def _of(self, kind: str) -> Iterator[tuple[str, Item]]:
        return ((name, file.top) for name, file in self._files(kind))

    def done(self) -> Book:
        """Load what was collected; raises RuleFileError."""
        # The examples of shipped files are read by `tensorlint test`, not at every start.
        schemes = {name: scheme_from(f.top, name, examples=not f.shipped) for name, f in self._files("scheme")}
        rules = {
            name: load_rule(f.top, name, self.settings.get(name), schemes, examples=not f.shipped)
            for name, f in self._files("rule")
        }
        engines: dict[str, Engine] = {}
        for name, f in self._files("engine"):
            engines[name], limits = load_engine(f.top, name, schemes, examples=not f.shipped)
            rules.update(limits)
        for _, top in self._of("rule"):
            check_unless(top, rules)
        unknown = [name for name in self.settings if name not in rules]
        if unknown:
            raise UsageError(f"there is no rule `{unknown[0]}` to set a param of", suggest(unknown[0], rules))
        dialects = {name: dialect_from(top, name) for name, top in self._of("dialect")}
        families = {name: family_from(top, name) for name, top in self._of("family")}
        producers = {name: producer_from(top, name, rules) for name, top in self._of("producer")}
        # Families that name model types come before the general one wherever both speak.
        ordered = dict(sorted(families.items(), key=lambda kv: not kv[1].model_types))
        paths = {name: file.path for (kind, name), file in self.files.items() if kind == "rule"}
        return Book(schemes, dialects, ordered, producers, rules, engines, tuple(self.replaced), paths)


def scheme_from(top: Item, name: str, examples: bool = True) -> Scheme:
    """A scheme, checked, its examples too where asked for; raises RuleFileError."""
    check_scheme_file(top)
    scheme = load_scheme(top, name)
    check_scheme(top, scheme)
    if examples:
        scheme_examples(scheme)
    return scheme


def dialect_from(top: Item, name: str) -> Dialect:
    """A checked dialect; raises RuleFileError."""
    dialect = load_dialect(top, name)
    check_dialect(top)
    return dialect


def family_from(top: Item, name: str) -> Family:
    """A checked family; raises RuleFileError."""
    family = load_family(top, name)
    check_family(top)
    return family


def producer_from(top: Item, name: str, rules: Mapping[str, Rule]) -> Producer:
    """A checked producer; `rules` are those its defects may name. Raises RuleFileError."""
    producer = load_producer(top, name)
    check_producer(top, rules)
    return producer


def _yaml_files(folder: Path) -> Iterator[Path]:
    for pattern in ("*.yaml", "*.yml"):
        yield from (path for path in folder.rglob(pattern) if path.is_file())
