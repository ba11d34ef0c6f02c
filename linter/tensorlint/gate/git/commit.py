"""What a commit would hold: the checkpoints whose files it changes, checked as they are staged."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...errors import NoCheckpointError
from ...files import WEIGHTS, belongs, folder_of, makes, may_belong
from ...measures.plan import Depth
from ...report.findings import Report
from ...run.run import Run
from ...settings.ruleset import ruleset
from ...settings.settings import settings_for
from ...settings.tasks import Wanted
from ...sources.git import Repo
from ...sources.gittree import GitTree
from ...sources.staged import StagedFolder
from .parts import NOT_HERE, left_out, touched
from .push import Watch

DEPTH: Depth = "scales"  # where neither the command line nor a configuration says another


@dataclass(frozen=True)
class Staged:
    """The index as a tree; names that changed, by folder ("" or with a slash at its end), None where all count.

    The names are those that may belong to a checkpoint.
    """

    tree: str
    folders: Mapping[str, frozenset[str] | None]


def staged(repo: Repo, named: Iterable[str], everything: bool, between: tuple[str, str] | None) -> Staged:
    """What is to be checked: files named from the current folder, and those that the change deletes or moves away.

    A hook is told of no deleted files, so git is asked: about the commit to be made, or the change `between` two
    commits. `everything` is every checkpoint of the repository. Raises UnfinishedError when git refuses, as for an
    index with conflicts.
    """
    tree = os.fsdecode(repo.run("write-tree")).strip()
    prefix = repo.ask("rev-parse", "--show-prefix") or ""
    if everything:
        names = [n for n in GitTree(repo, tree, "").blobs if makes(n) and n.startswith(prefix)]
        return Staged(tree, {folder_of(name): None for name in names})
    names = [posixpath.normpath(posixpath.join(prefix, name.replace(os.sep, "/"))) for name in named]
    names += [name for name in _deleted(repo, between) if name.startswith(prefix)]
    found: dict[str, set[str]] = {}
    for name in names:
        if may_belong(name) and not name.startswith(("../", "/")):
            folder = folder_of(name)
            found.setdefault(folder, set()).add(name[len(folder) :])
    return Staged(tree, {folder: frozenset(found[folder]) for folder in sorted(found)})


def _deleted(repo: Repo, between: tuple[str, str] | None) -> list[str]:
    how = ("diff", "--name-only", "--no-renames", "--no-ext-diff", "--diff-filter=D", "-z")
    if between is None:
        said = repo.ask(*how, "--cached")
    else:
        begin, end = between
        said = repo.ask(*how, f"{begin}...{end}") or repo.ask(*how, f"{begin}..{end}")
    return [name for name in (said or "").split("\0") if name]


def lint(
    repo: Repo, what: Staged, folder: str, wanted: Wanted, watch: Watch, require_content: bool = False
) -> Report | None:
    """The report on the checkpoints of one folder that the change touches, under its settings; None for none.

    Files of which only the pointer is here are a gap, with `require_content` findings. Raises UnfinishedError when git
    or the disk gives an error, UsageError for settings that are wrong.
    """
    names = what.folders[folder]
    source = StagedFolder(repo, what.tree, folder, names or ())
    if not any(makes(name) for name in (*source.files(), *source.broken_links())):
        return None
    # The folder may be in the index alone, where a target would have to exist.
    configuration = wanted.configuration(source.folder)
    settings = settings_for(str(source.folder), configuration, wanted.command_line)
    try:
        rules = ruleset(settings, configuration)
        configs = rules.book.configs
        if names is not None:
            names = frozenset(name for name in names if belongs(name, configs))
        if names is not None and not names:
            return None
        run = touched(Run.of(source, rules, depth=DEPTH, root=source.folder), names)
        if run is None:
            return None
        with watch(run.bytes, source.target) as advance:
            report = run.report(advance)
    except NoCheckpointError:
        return None
    finally:
        source.close()
    if not require_content:
        shards = {shard for job in run.jobs for shard in job.shards}
        others = (name for name in source.absent if belongs(name, configs) and not name.endswith(WEIGHTS))
        absent = [*(name for name in source.absent if name in shards), *others]
        report = left_out(report, absent, NOT_HERE)
    return report
