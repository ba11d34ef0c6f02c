"""What is checked under which settings: a target, or folders of it that are spoken of apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .configuration.files import Configuration, Layer, discover, load
from .settings import NOTHING, Settings, settings_for
from .sources.local import LocalSource
from .sources.targets import RemoteTarget, choose

_CHECKPOINT = (".safetensors", ".safetensors.index.json")


@dataclass(frozen=True)
class Task:
    """One run: a target without some of its folders, under its settings.

    `folder` is the absolute path of the target's folder, or org/model for a model on the Hub.
    """

    target: str
    folder: str
    settings: Settings
    configuration: Configuration | None = None
    without: tuple[str, ...] = ()

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


def task_for(target: str, wanted: Wanted) -> Task:
    """One task for all of a target. Raises NoCheckpointError or UsageError for what cannot be a target."""
    meant = choose(target)
    if isinstance(meant, RemoteTarget):
        configuration, folder = wanted.configuration(Path.cwd()), meant.repo
    else:
        path = meant.absolute() if meant.is_dir() else meant.absolute().parent
        configuration, folder = wanted.configuration(path), str(path)
    return Task(target, folder, settings_for(folder, configuration, wanted.command_line), configuration)


def tasks_for(target: str, wanted: Wanted) -> tuple[Task, ...]:
    """The tasks of a target: folders about which [[target]] tables say something else than about the rest come apart.

    Raises like `task_for`.
    """
    whole = task_for(target, wanted)
    configuration = whole.configuration
    if configuration is None or whole.remote or not Path(target).is_dir() or not any(configuration.every_section()):
        return (whole,)
    names = [n for n in LocalSource(Path(target), target).files() if n.endswith(_CHECKPOINT)]
    folders = {PurePosixPath(n).parent for n in names}
    said = _Said(configuration, Path(whole.folder))
    apart = sorted({said.highest(folder) for folder in folders} - {PurePosixPath()})
    rest = [f for f in folders if not any(f.is_relative_to(a) for a in apart)]
    found = [_without(whole, PurePosixPath(), apart)] if rest or not apart else []
    for folder in apart:
        path = str(Path(target) / folder)
        inside = str(Path(whole.folder) / folder)
        settings = settings_for(inside, configuration, wanted.command_line)
        found.append(_without(Task(path, inside, settings, configuration), folder, apart))
    return tuple(found)


def _without(task: Task, folder: PurePosixPath, apart: Iterable[PurePosixPath]) -> Task:
    below = tuple(str(a.relative_to(folder)) for a in apart if a != folder and a.is_relative_to(folder))
    return Task(task.target, task.folder, task.settings, task.configuration, below)


class _Said:
    """Which [[target]] tables speak of a folder."""

    def __init__(self, configuration: Configuration, root: Path) -> None:
        self.sections = tuple(configuration.every_section())
        self.root = root

    def of(self, folder: PurePosixPath) -> tuple[bool, ...]:
        return tuple(section.covers(str(self.root / folder)) for section in self.sections)

    def highest(self, folder: PurePosixPath) -> PurePosixPath:
        """The highest folder around one about which the same is said without a change on the way."""
        while folder != PurePosixPath() and self.of(folder) == self.of(folder.parent):
            folder = folder.parent
        return folder
