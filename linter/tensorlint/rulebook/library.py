"""Find and load rule, scheme, dialect and family files: the shipped ones, and those a user adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import RuleFileError, UsageError
from ..producers import Producer, load_producer
from ..schemes.dialect import Dialect, load_dialect
from ..schemes.families import Family, load_family
from ..schemes.load import load_scheme
from ..schemes.model import Scheme
from .language import load_rule
from .model import Rule
from .yamltext import Item, read, suggest

MAX_USER_FILES = 2000


@dataclass(frozen=True)
class Book:
    """Everything that was loaded, by kind and name."""

    rules: Mapping[str, Rule]
    schemes: Mapping[str, Scheme]
    dialects: Mapping[str, Dialect]
    families: Mapping[str, Family]
    producers: Mapping[str, Producer]

    def select(self, select: Iterable[str], ignore: Iterable[str]) -> tuple[Rule, ...]:
        """Rules matched by any of `select` (all when empty) and by none of `ignore`; both hold globs or folders.

        Raises UsageError for a pattern that matches no rule.
        """
        select, ignore = tuple(select), tuple(ignore)
        for pattern in (*select, *ignore):
            if not any(_matches(rule, pattern) for rule in self.rules):
                raise UsageError(f"no rule matches `{pattern}`", suggest(pattern, [*self.rules, *self.folders]))
        return tuple(
            rule
            for name, rule in self.rules.items()
            if (not select or any(_matches(name, p) for p in select)) and not any(_matches(name, p) for p in ignore)
        )

    @property
    def folders(self) -> tuple[str, ...]:
        """Groups of rules: `scales`, `container` ..."""
        return tuple(dict.fromkeys(name.partition("/")[0] for name in self.rules if "/" in name))


def _matches(rule: str, pattern: str) -> bool:
    return pattern == "all" or fnmatchcase(rule, pattern) or rule.startswith(pattern.rstrip("/") + "/")


def shipped_folder() -> Path:
    """The rule files: inside the package when installed, beside it in a checkout."""
    inside = Path(str(files("tensorlint"))) / "rules"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[3] / "rules"


def load_book(extra: Iterable[Path] = (), settings: Mapping[str, Mapping[str, float]] | None = None) -> Book:
    """The shipped files and those at `extra` (files or folders); a user's file replaces a shipped one of the same name.

    `settings` are params by rule. Raises RuleFileError for the first file that cannot be loaded.
    """
    extra = tuple(extra)
    if not extra and not settings:
        return _shipped()
    book = _Loading(settings or {})
    book.add_folder(shipped_folder(), shipped=True)
    for path in extra:
        if not path.exists():
            raise UsageError(f"there is no rule file or folder at {path}")
        book.add_folder(path, shipped=False) if path.is_dir() else book.add_file(path, path.stem, shipped=False)
    unknown = [name for name in (settings or {}) if name not in book.rules]
    if unknown:
        raise UsageError(f"there is no rule `{unknown[0]}` to set a param of", suggest(unknown[0], book.rules))
    return book.done()


@lru_cache(maxsize=1)
def _shipped() -> Book:
    book = _Loading({})
    book.add_folder(shipped_folder(), shipped=True)
    return book.done()


class _Loading:
    def __init__(self, settings: Mapping[str, Mapping[str, float]]) -> None:
        self.settings = settings
        self.rules: dict[str, Rule] = {}
        self.schemes: dict[str, Scheme] = {}
        self.dialects: dict[str, Dialect] = {}
        self.families: dict[str, Family] = {}
        self.producers: dict[str, Producer] = {}

    def add_folder(self, folder: Path, shipped: bool) -> None:
        found = sorted(_yaml_files(folder))
        if not shipped and len(found) > MAX_USER_FILES:
            raise UsageError(f"{folder} holds more than {MAX_USER_FILES:,} rule files")
        for path in found:
            name = path.relative_to(folder).with_suffix("").as_posix()
            self.add_file(path, name, shipped)

    def add_file(self, path: Path, name: str, shipped: bool) -> None:
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
        top = read(raw, str(path) if not shipped else "rules/" + name + ".yaml")
        kind = _kind(top)
        short = name.rpartition("/")[2]
        if kind == "scheme":
            self.schemes[short] = load_scheme(top, short)
        elif kind == "dialect":
            self.dialects[short] = load_dialect(top, short)
        elif kind == "producer":
            self.producers[short] = load_producer(top, short)
        elif kind == "family":
            self.families[short] = load_family(top, short)
        else:
            self.rules[name] = load_rule(top, name, self.settings.get(name))

    def done(self) -> Book:
        # Families that name model types come before the general one wherever both speak.
        families = dict(sorted(self.families.items(), key=lambda kv: not kv[1].model_types))
        return Book(self.rules, self.schemes, self.dialects, families, self.producers)


def _yaml_files(folder: Path) -> Iterator[Path]:
    for pattern in ("*.yaml", "*.yml"):
        yield from folder.rglob(pattern)


_TELLING: Mapping[str, str] = {
    "parts": "scheme", "places": "dialect", "roles": "family", "model_types": "family", "layers": "family",
    "defects": "producer",
}  # fmt: skip


def _kind(top: Item) -> str:
    """What a file is, by the keys only that kind has; a rule when nothing else."""
    if not top.is_map:
        raise RuleFileError(f"{top.text.path} must be a mapping of `key: value`")
    node: Any = top.node
    for key, _ in node.value:
        if str(key.value) in _TELLING:
            return _TELLING[str(key.value)]
    return "rule"
