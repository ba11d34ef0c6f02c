"""Find configuration files, and read them with all that they build on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import UsageError
from ..text.place import suggest
from ..text.toml import read_toml
from ..text.value import Value
from .keys import EXTEND, KEYS, check_keys

NAME = "tensorlint.toml"
_HIDDEN = ".tensorlint.toml"
_PROJECT = "pyproject.toml"
_OURS = re.compile(rb"""tool.{0,9}tensorlint|^\s*\[\s*["']?tool["']?\s*\]""", re.MULTILINE)
MAX_FILES = 32  # that one configuration builds on


@dataclass(frozen=True)
class Layer:
    """What one table says: values by key, as their kinds read them, and where each is written (`file:line`)."""

    values: Mapping[str, Any]
    places: Mapping[str, str]


@dataclass(frozen=True)
class Section:
    """A [[target]] table: what it says about targets that one of its globs matches."""

    globs: tuple[str, ...]
    folder: str
    layer: Layer

    def covers(self, target: str) -> bool:
        """Whether it is about a target: the absolute path of a folder, or org/model for a model on the Hub.

        What is said about a folder holds for everything below it, except of ".", which is the file's own folder alone.
        """
        name = target
        if os.path.isabs(target):  # noqa: PTH117
            name = Path(os.path.relpath(target, self.folder)).as_posix()
        around = [name, *(str(p) for p in PurePosixPath(name).parents if p.name)]
        globs = [glob.removeprefix("./").rstrip("/") or "." for glob in self.globs]
        if name == ".":
            return "." in globs
        return any(fnmatchcase(place, glob) for place in around for glob in globs)


@dataclass(frozen=True)
class Configuration:
    """One file, with those that it builds on before it."""

    path: str
    bases: tuple[Configuration, ...]
    top: Layer
    sections: tuple[Section, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that was read; this one last."""
        return tuple(dict.fromkeys((*(f for base in self.bases for f in base.files), self.path)))

    def layers(self, target: str) -> Iterator[Layer]:
        """What applies to a target; later ones win."""
        for base in self.bases:
            yield from base.layers(target)
        yield self.top
        yield from (s.layer for s in self.sections if s.covers(target))

    def every_layer(self) -> Iterator[tuple[Layer, bool]]:
        """All layers, and whether each is that of a [[target]]."""
        for base in self.bases:
            yield from base.every_layer()
        yield self.top, False
        yield from ((s.layer, True) for s in self.sections)

    def every_section(self) -> Iterator[Section]:
        """All [[target]] tables."""
        for base in self.bases:
            yield from base.every_section()
        yield from self.sections


def discover(folder: Path) -> Configuration | None:
    """The configuration for what is in a folder: the nearest, in it or above it.

    In one folder `tensorlint.toml` comes before `.tensorlint.toml`, and that before `pyproject.toml`.

    A pyproject.toml without [tool.tensorlint] is passed over. Raises like `load`.
    """
    folder = folder.absolute()
    for place in (folder, *folder.parents):
        for own in (place / NAME, place / _HIDDEN):
            if os.path.lexists(own):
                return load(own)
        project = place / _PROJECT
        if project.is_file() and (found := written_in(project)):
            return found
    return None


def written_in(path: Path) -> Configuration | None:
    """The configuration that a file holds, None for a pyproject.toml without [tool.tensorlint]. Raises like `load`."""
    if path.name == _PROJECT:
        tool = read_toml(path).data.get("tool") if _OURS.search(_start(path)) else None
        if not isinstance(tool, dict) or "tensorlint" not in tool:
            return None
    return load(path)


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1 << 20)
    except OSError:
        return b""


def load(path: Path) -> Configuration:
    """A configuration file with its bases. Raises UsageError, or RuleFileError at the place of a mistake."""
    return _load(path, (), [])


def _load(path: Path, inside: tuple[str, ...], seen: list[str]) -> Configuration:
    seen.append(os.path.realpath(path))
    top = read_toml(path)
    if path.name == _PROJECT:
        tool = top.table("the file").get("tool")
        tools = tool.table("`tool`") if tool else {}
        if "tensorlint" not in tools:
            raise UsageError(f"{path} has no [tool.tensorlint]", f"write it there, or name a {NAME}")
        top = tools["tensorlint"]
    return configuration_from(top, str(path.parent.absolute()), str(path), (*inside, seen[-1]), seen)


def configuration_from(
    top: Value, folder: str, path: str = NAME, inside: tuple[str, ...] = (), seen: list[str] | None = None
) -> Configuration:
    """The configuration in a table; `folder` is what its paths are relative to.

    `inside` are the files that build on it, `seen` all that were read before. Raises like `load`.
    """
    seen = [] if seen is None else seen
    keys = top.table("[tool.tensorlint]")
    _refuse_unknown(keys, " of [tool.tensorlint]" if path.endswith(_PROJECT) else "")
    bases = []
    for base, value in _bases(keys["extend"], folder) if "extend" in keys else ():
        if os.path.realpath(base) in inside:
            value.fail(f"{base} builds on this file, and this file on it", "leave one of the two `extend` out")
        if len(seen) >= MAX_FILES:
            value.fail(f"a configuration builds on at most {MAX_FILES} files")
        bases.append(_load(Path(base), inside, seen))
    layer = _layer({k: v for k, v in keys.items() if k in KEYS}, folder)
    rows = keys["target"].rows("`target`", "write [[target]]") if "target" in keys else ()
    return Configuration(path, tuple(bases), layer, tuple(_section(row, folder) for row in rows))


def _bases(value: Value, folder: str) -> Iterator[tuple[str, Value]]:
    for row in value.one_or_more("`extend`"):
        yield EXTEND.kind.read(row, folder)[0], row


_ALIASES = {
    "disable": "ignore", "exclude": "ignore", "enable": "select", "include": "select", "suppress": "ignore",
    "suppressions": "ignore", "extends": "extend", "threshold": "params", "level": "fail-on", "rule": "select",
}  # fmt: skip


def _refuse_unknown(keys: Mapping[str, Value], prefix: str) -> None:
    allowed = (*KEYS, "extend", "target")
    for name, value in keys.items():
        if name in allowed:
            continue
        if "/" in name:
            value.fail_key(f"unknown key `{name}`{prefix}", f'a severity goes into [severity]: "{name}" = "note"')
        if name in _ALIASES:
            value.fail_key(f"unknown key `{name}`{prefix}", f"did you mean `{_ALIASES[name]}`?")
        if name == "tool":
            value.fail_key("[tool.tensorlint] stands in pyproject.toml", "here keys have no [tool.tensorlint] above")
        value.fail_key(f"unknown key `{name}`{prefix}", suggest(name, allowed))


def _section(row: Value, folder: str) -> Section:
    keys = row.table("an entry of `target`", "write [[target]]")
    check_keys(keys, ("path", *KEYS), "an entry of `target`")
    if "path" not in keys:
        row.fail("an entry of `target` has no `path`", 'such as path = "models/*"')
    globs = []
    for value in keys["path"].one_or_more("`path`"):
        glob = value.glob("`path`")
        if Path(glob).is_absolute():
            value.fail("a path here is relative to the folder of this file", 'such as "models/*"')
        globs.append(glob)
    if not globs:
        keys["path"].fail("an empty list matches nothing", "name at least one folder")
    if set(keys) == {"path"}:
        row.fail("an entry of `target` says nothing but its `path`", "one of: " + ", ".join(KEYS))
    return Section(tuple(globs), folder, _layer({k: v for k, v in keys.items() if k != "path"}, folder))


def _layer(keys: Mapping[str, Value], folder: str) -> Layer:
    return Layer(
        {k: KEYS[k].kind.read(v, folder) for k, v in keys.items()},
        {k: f"{v.text.path}:{v.line}" for k, v in keys.items()},
    )
