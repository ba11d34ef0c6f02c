"""What is checked under which settings: a target, or folders of it that are spoken of apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import UsageError
from ..files import makes
from ..measures.plan import DEPTHS, Depth
from ..sources.local import LocalSource
from ..sources.targets import RemoteTarget, choose
from .files import Configuration, Layer, Section, discover, load
from .keys import Selector
from .settings import NOTHING, Settings, settings_for


@dataclass(frozen=True)
class Task:
    """One run: a target without some of its folders, under its settings.

    `folder` is the absolute path of the target's folder, or org/model for a model on the Hub; `partial` says that the
    target is one file of it.
    """

    target: str
    folder: str
    settings: Settings
    configuration: Configuration | None = None
    without: tuple[str, ...] = ()
    partial: bool = False

    @property
    def remote(self) -> bool:
        """Whether it is a model on the Hub."""
        return not Path(self.folder).is_absolute()


@dataclass(frozen=True)
class Wanted:
    """What was asked for: a configuration file by name, none at all, or the one that is found; and the command line."""

    config: Path | None = None
    isolated: bool = False
    command_line: Layer = NOTHING

    def configuration(self, folder: Path) -> Configuration | None:
        """The configuration for what is in a folder. Raises UsageError, or RuleFileError at the place of a mistake."""
        if self.config is not None:
            return load(self.config)
        return None if self.isolated else discover(folder)


def wanted(
    depth: Depth | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    rules: Iterable[str | Path] = (),
    baseline: str | Path | None = None,
    config: str | Path | None = None,
    isolated: bool = False,
    engines: Iterable[str] = (),
    **more: Any,
) -> Wanted:
    """What is asked for on a command line or in a call; `more` are further keys of a configuration (None: not given).

    Raises UsageError for a depth that there is not, and for what contradicts itself.
    """
    if depth is not None and depth not in DEPTHS:
        raise UsageError(f"there is no depth `{depth}`", "one of: " + ", ".join(DEPTHS))
    if config is not None and isolated:
        raise UsageError("a configuration is named, and none is to be followed", "leave out one of config and isolated")
    values: dict[str, Any] = {
        "depth": depth,
        "select": tuple(map(Selector, select)) or None,
        "ignore": tuple(map(Selector, ignore)) or None,
        "engine": tuple(map(Selector, engines)) or None,
        "rules": tuple(map(str, rules)) or None,
        "baseline": None if baseline is None else str(baseline),
        **more,
    }
    given = {name: value for name, value in values.items() if value is not None}
    places = {name: "--set" if name == "params" else f"--{name}" for name in given}
    return Wanted(None if config is None else Path(config), isolated, Layer(given, places))


def task_for(target: str, wanted: Wanted) -> Task:
    """One task for all of a target. Raises NoCheckpointError or UsageError for what cannot be a target."""
    meant = choose(target)
    if isinstance(meant, RemoteTarget):
        configuration, folder = wanted.configuration(Path.cwd()), meant.repo
    else:
        path = meant.absolute() if meant.is_dir() else meant.absolute().parent
        configuration, folder = wanted.configuration(path), str(path)
    settings = settings_for(folder, configuration, wanted.command_line)
    partial = not isinstance(meant, RemoteTarget) and meant.is_file() and not meant.name.endswith(".json")
    return Task(target, folder, settings, configuration, partial=partial)


def tasks_for(target: str, wanted: Wanted) -> tuple[Task, ...]:
    """The tasks of a target: folders about which [[target]] tables say something else than about the rest come apart.

    Raises like `task_for`.
    """
    whole = task_for(target, wanted)
    configuration = whole.configuration
    if whole.remote or not Path(target).is_dir() or not _sections(configuration):
        return (whole,)
    found = []
    for folder, without in apart(configuration, Path(whole.folder), LocalSource(Path(target), target).files()):
        path, inside = str(Path(target) / folder) if folder else target, str(Path(whole.folder) / folder)
        below = tuple(str(PurePosixPath(w).relative_to(folder)) for w in without)
        settings = settings_for(inside, configuration, wanted.command_line)
        found.append(Task(path, inside, settings, configuration, below))
    return tuple(found) or (whole,)


def _sections(configuration: Configuration | None) -> tuple[Section, ...]:
    return tuple(configuration.every_section()) if configuration else ()


def apart(
    configuration: Configuration | None, root: Path | None, files: Iterable[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Folders with checkpoints that are spoken of apart, each with those below it that come apart again.

    The first is the root, "", where anything is left for it. It is the only one where nothing is said of any folder.
    """
    if root is None or not _sections(configuration):
        yield "", ()
        return
    folders = {PurePosixPath(n).parent for n in files if makes(n)}
    said = _Said(configuration, root)
    others = sorted({said.highest(folder) for folder in folders} - {PurePosixPath()})
    rest = any(not any(f.is_relative_to(a) for a in others) for f in folders)
    for folder in (*((PurePosixPath(),) if rest else ()), *others):
        below = tuple(str(a) for a in others if a != folder and a.is_relative_to(folder))
        yield "" if folder == PurePosixPath() else str(folder), below


class _Said:
    """Which [[target]] tables speak of a folder."""

    def __init__(self, configuration: Configuration | None, root: Path) -> None:
        self.sections = _sections(configuration)
        self.root = root

    def of(self, folder: PurePosixPath) -> tuple[bool, ...]:
        return tuple(section.covers(str(self.root / folder)) for section in self.sections)

    def highest(self, folder: PurePosixPath) -> PurePosixPath:
        """The highest folder around one about which the same is said without a change on the way."""
        while folder != PurePosixPath() and self.of(folder) == self.of(folder.parent):
            folder = folder.parent
        return folder
