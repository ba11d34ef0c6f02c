"""About which ignores it can be said that they match nothing: those whose checkpoints have all been checked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..settings.files import Configuration
from ..settings.keys import Ignore
from ..settings.tasks import Task, Wanted
from ..sources.local import folders_with_weights


def final_ignores(tasks: Sequence[Task], number: int, wanted: Wanted) -> frozenset[Ignore]:
    """The ignores that no task after a given one has, where no checkpoint is left out that they could be meant for.

    A configuration that was found speaks for every checkpoint below its folder, and one that others extend for
    theirs too; one that was named with --config speaks for the targets it is named with. A target that is one shard
    says nothing of the others.
    """
    later = {ignore for task in tasks[number + 1 :] for ignore in task.settings.ignores}
    walked: dict[str, tuple[str, ...] | None] = {}
    mine = tasks[number].settings.ignores
    return frozenset(i for i in mine if i not in later and _all_seen(i, tasks, wanted, walked))


def _all_seen(ignore: Ignore, tasks: Iterable[Task], wanted: Wanted, walked: dict[str, tuple[str, ...] | None]) -> bool:
    mine = [task for task in tasks if ignore in task.settings.ignores]
    configuration = mine[0].configuration
    if any(task.partial for task in mine):
        return False
    if wanted.config is not None:
        return True
    if configuration is None or not _is_own(ignore, configuration):
        return False
    section = next((s for s in configuration.sections if ignore in s.layer.values.get("ignore", ())), None)
    if any(task.remote for task in mine):
        return section is not None and not any(c in glob for glob in section.globs for c in "*?[")
    root = str(Path(configuration.path).absolute().parent)
    seen = tuple(task.folder for task in mine)
    if _inside(root, seen):
        return True
    if root not in walked:
        found, complete = folders_with_weights(Path(root))
        walked[root] = found if complete else None
    folders = walked[root]
    return folders is not None and all(
        _inside(folder, seen) or not (section is None or section.covers(folder)) for folder in folders
    )


def _inside(folder: str, seen: Iterable[str]) -> bool:
    return any(folder == s or folder.startswith(s.rstrip(os.sep) + os.sep) for s in seen)


def _is_own(ignore: Ignore, configuration: Configuration) -> bool:
    return Path(ignore.file).absolute() == Path(configuration.path).absolute()
