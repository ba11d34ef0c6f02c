"""Find and load rule, scheme, dialect, family, producer and engine files: the shipped ones, and those a user adds."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from ..errors import RenamedWarning, UsageError
from ..schemes.architectures import Architecture, load_architecture
from ..schemes.knowledge import Knowledge
from ..schemes.producers import Producer
from ..text.node import MAX_BYTES, Node
from ..text.place import Lines, Text, nearest
from ..text.yamltext import Item
from . import compiled
from .crosscheck import check_was
from .engines import Engine
from .kinds import KINDS, Kind, Known, earlier, kind_of
from .language import load_rule
from .model import Rule
from .shipped import ARCHITECTURES, shipped_folder

MAX_USER_FILES = 2000
_NAME = re.compile(r"[\w.+-]+(/[\w.+-]+)*", re.ASCII)


@dataclass(frozen=True)
class Book(Knowledge):
    """Everything that was loaded, by kind and name; `replaced` names shipped files that a user's took the place of."""

    rules: Mapping[str, Rule]
    engines: Mapping[str, Engine] = field(default_factory=dict)
    replaced: tuple[str, ...] = ()
    paths: Mapping[str, Path] = field(default_factory=dict, repr=False)  # of rule files, by rule

    def architecture(self, model_type: str) -> Architecture | None:
        """The architecture of a model type, which is read when it is asked for."""
        return load_architecture(shipped_folder() / ARCHITECTURES, model_type)

    @cached_property
    def earlier(self) -> Mapping[str, str]:
        """What rules are called, by names that they had earlier."""
        return earlier(self.rules)

    def called(self, name: str) -> str:
        """What a rule of this name, or that had it earlier, is called."""
        return self.earlier.get(name, name)

    def current(self, name: str, where: str = "") -> str:
        """The same, and says so where it is an earlier name; `where` is the place at which that is written."""
        now = self.called(name)
        if now != name:
            at = f" ({where})" if where else ""
            warnings.warn(f"{name} is now called {now}{at}", RenamedWarning, stacklevel=2)
        return now

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Names of the rules that a name, folder or glob stands for."""
        if pattern in self.earlier:
            return (self.earlier[pattern],)
        return tuple(rule for rule in self.rules if _matches(rule, pattern))

    def with_params(self, params: Mapping[str, Mapping[str, float]]) -> Book:
        """The book with numbers of rules set, by rule; raises RuleFileError for one that a rule cannot have."""
        rules = dict(self.rules)
        for name, numbers in params.items():
            top = _read(self.paths[name].read_bytes(), rules[name].path)
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


def load_book(extra: Iterable[Path] = ()) -> Book:
    """The shipped files and those at `extra` (files or folders).

    The name of a rule is its path below the folder given, without the suffix, or the name of a single file; schemes,
    dialects, families, producers and engines are named by their file alone. A user's file replaces a shipped one of
    the same kind and name; two files of the user may not have the same name. Raises RuleFileError for the first file
    that cannot be loaded, UsageError for paths without rule files.
    """
    extra = tuple(extra)
    if not extra:
        return _shipped()
    book = _Loading()
    book.add_shipped()
    for path in extra:
        if not path.exists():
            raise UsageError(
                f"there is no rule file or folder at {path}", "--rules takes a YAML file or a folder of them"
            )
        if path.is_dir():
            book.add_folder(path)
        else:
            book.add_file(path, path.stem)
    return book.done()


@lru_cache(maxsize=1)
def _shipped() -> Book:
    book = _Loading()
    book.add_shipped()
    return book.done()


@dataclass(frozen=True)
class _File:
    kind: Kind
    name: str
    path: Path
    top: Item
    shipped: bool


class _Loading:
    """Files are collected first and loaded then: rules refer to schemes, and producers to rules."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], _File] = {}
        self.replaced: list[str] = []
        self.sources: dict[str, bytes] = {}  # shipped files that had to be read as YAML, and what they hold
        self.tops: dict[str, Node] = {}

    def add_shipped(self) -> None:
        folder = shipped_folder()
        paths = {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(_shipped_files(folder))}
        if not paths:
            raise UsageError(f"there is no .yaml file in {folder}")
        sources = {name: _content(path) for name, path in paths.items()}
        tops = compiled.load(sources)
        for name, path in paths.items():
            shown, raw = f"rules/{name}.yaml", sources[name]
            if tops is not None:
                top = Item(tops[name], Text(shown, Lines(raw)))
            else:
                top = _read(raw, shown)
                self.sources[name], self.tops[name] = raw, top.node
            self._add(name, path, top, shipped=True)

    def add_folder(self, folder: Path) -> None:
        found = sorted(_yaml_files(folder))
        if not found:
            raise UsageError(f"there is no .yaml file in {folder}")
        if len(found) > MAX_USER_FILES:
            raise UsageError(f"{folder} holds more than {MAX_USER_FILES:,} rule files")
        for path in found:
            self.add_file(path, path.relative_to(folder).with_suffix("").as_posix())

    def add_file(self, path: Path, name: str) -> None:
        self._add(name, path, _read(_content(path), str(path)), shipped=False)

    def _add(self, name: str, path: Path, top: Item, shipped: bool) -> None:
        kind = kind_of(top)
        if not _NAME.fullmatch(name):
            raise UsageError(f"the name of the rule file {path} has other characters than letters, digits, . _ + -")
        own = name if kind.name == "rule" else name.rpartition("/")[2]
        before = self.files.get((kind.name, own))
        if before is not None and before.shipped and not shipped:
            self.replaced.append(f"{kind.name} {own}")
        elif before is not None and before.path.resolve() != path.resolve():
            raise UsageError(
                f"two files define the {kind.name} `{own}`: {before.path} and {path}", "rename one of them"
            )
        self.files[kind.name, own] = _File(kind, own, path, top, shipped)

    def done(self) -> Book:
        """Load what was collected; raises RuleFileError."""
        known = Known()
        made: dict[str, dict[str, Any]] = {kind.name: {} for kind in KINDS}
        made |= {"scheme": known.schemes, "rule": known.rules}
        for file in sorted(self.files.values(), key=lambda file: file.kind.stage):
            # The examples of shipped files are read by `tensorlint test`, not at every start.
            made[file.kind.name][file.name] = file.kind.made(file.top, file.name, known, not file.shipped)
        for file in self.files.values():
            file.kind.refer(file.top, known)
            if not file.shipped and isinstance(rule := made[file.kind.name][file.name], Rule) and rule.was:
                check_was(file.top, known.others(rule))
        if self.sources:  # and all of them are sound
            compiled.keep(self.sources, self.tops)
        _by_present_names(known, made["producer"])
        # Families that name model types come before the general one wherever both speak.
        ordered = dict(sorted(made["family"].items(), key=lambda kv: not kv[1].model_types))
        paths = {file.name: file.path for file in self.files.values() if file.kind.name == "rule"}
        return Book(
            known.schemes, made["dialect"], ordered, made["producer"], known.rules, made["engine"],
            tuple(self.replaced), paths,
        )  # fmt: skip


def _by_present_names(known: Known, producers: dict[str, Producer]) -> None:
    """Put present names in the place of earlier ones where files name rules."""
    now = known.earlier
    for rule in list(known.rules.values()) if now else ():
        if any(old in now for causes in rule.unless.values() for old in causes):
            unless = {near: tuple(now.get(old, old) for old in causes) for near, causes in rule.unless.items()}
            known.rules[rule.id] = replace(rule, unless=unless)
    for name, producer in list(producers.items()) if now else ():
        defects = tuple(replace(d, rules=tuple(now.get(old, old) for old in d.rules)) for d in producer.defects)
        producers[name] = replace(producer, defects=defects)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error


def _read(raw: bytes, path: str) -> Item:
    from ..text.yamlread import read  # most runs need no YAML

    return read(raw, path)


def _yaml_files(folder: Path) -> Iterator[Path]:
    for pattern in ("*.yaml", "*.yml"):
        yield from (path for path in folder.rglob(pattern) if path.is_file())


def _shipped_files(folder: Path) -> Iterator[Path]:
    """All but the architectures, of which one is read when a checkpoint has its type."""
    for room in folder.iterdir():
        if room.is_dir() and room.name != ARCHITECTURES:
            yield from _yaml_files(room)
