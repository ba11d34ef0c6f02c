"""What a push would publish, and the check of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import NoCheckpointError, UsageError
from ...files import belongs, folder_of, makes, may_belong
from ...measures.scan import Progress
from ...report.findings import Report
from ...run.run import Run
from ...settings.files import discover
from ...settings.ruleset import Ruleset, ruleset
from ...settings.settings import settings_for
from ...settings.tasks import apart
from ...sources.git import Repo
from ...sources.gittree import GitTree
from ...sources.part import PartOf
from .parts import NOT_HERE, left_out, touched

Watch = Callable[[int, str], AbstractContextManager[Progress | None]]  # of the bytes ahead and a label


@dataclass(frozen=True)
class Update:
    """One line that git gives a pre-push hook; a sha of zeros is a ref that does not exist."""

    local_ref: str
    local_sha: str
    remote_ref: str
    remote_sha: str


@dataclass(frozen=True)
class Change:
    """A commit to be pushed: the files that it changes for the remote (None: all), and blobs new to the remote.

    The files are those that may belong to a checkpoint.
    """

    ref: str
    commit: str
    files: frozenset[str] | None
    new_blobs: frozenset[str]


def updates(text: str) -> Iterator[Update]:
    """The lines of git's input. Raises UsageError for anything else."""
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) != 4:
            raise UsageError(f"`{line[:80]}` is no line of a pre-push hook", "git calls this; see `git help githooks`")
        yield Update(*words)


def changes(repo: Repo, remote: str, wanted: Iterable[Update]) -> Iterator[Change]:
    """What each update publishes, each commit once; deleted refs and tags of no commit publish nothing."""
    seen: set[tuple[str, str | None]] = set()
    for update in wanted:
        commit = repo.commit(update.local_sha) if update.local_sha.strip("0") else None
        if commit is None:
            continue
        base = _base(repo, remote, update, commit)
        if (commit, base) in seen:
            continue
        seen.add((commit, base))
        files: frozenset[str] | None = None
        if base is not None:
            rows = repo.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", base, commit).split(b"\0")
            files = frozenset(filter(may_belong, map(os.fsdecode, rows)))
        yield Change(update.remote_ref, commit, files, _new_blobs(repo, remote, base, commit))


def _base(repo: Repo, remote: str, update: Update, commit: str) -> str | None:
    """A commit that the remote has: the ref's own, else where the commit left the remote's default branch."""
    if update.remote_sha.strip("0"):
        there = repo.commit(update.remote_sha)
        if there is not None:
            return there
    for branch in ("HEAD", "main", "master"):
        tip = repo.commit(f"refs/remotes/{remote}/{branch}")
        if tip is not None:
            return repo.ask("merge-base", tip, commit)
    return None


def _new_blobs(repo: Repo, remote: str, base: str | None, commit: str) -> frozenset[str]:
    """Blobs of the commits that the remote does not have, other than those of the base's tree.

    Commits and not trees are compared, as a merge of two branches of the remote adds nothing to it.
    """
    known = [base] if base else []
    rows = repo.run(
        "-c", "log.showRoot=true", "log", "--format=", "--raw", "-c", "--no-abbrev", "--no-renames",
        commit, "--not", *known, f"--remotes={remote}",
    )  # fmt: skip
    found = {row.partition(b"\t")[0].split()[-2].decode() for row in rows.splitlines() if row.startswith(b":")}
    if base and found:
        found -= {b.sha for b in GitTree(repo, base, base).blobs.values()}
    return frozenset(found)


def lint(repo: Repo, change: Change, watch: Watch) -> Iterator[tuple[Report, Ruleset]]:
    """Reports on the checkpoints that a change touches: one, or one for each folder that is configured apart.

    Each comes with what it is under; the configuration is that of the work tree.

    A file of which only the pointer is here is a gap when the remote has it, a finding when it does not. Raises
    UnfinishedError when git cannot read the commit.
    """
    if change.files is not None and not change.files:
        return
    source = GitTree(repo, change.commit, f"{change.ref} at {change.commit[:10]}")
    root = repo.folder.absolute()
    try:
        folders = {folder_of(name) for name in (*source.files(), *source.broken_links()) if makes(name)}
        if change.files is not None:
            change = replace(change, files=frozenset(n for n in change.files if folder_of(n) in folders))
            if not change.files:
                return
        configuration = discover(root)
        for folder, without in apart(configuration, root, source.files()):
            # What leaves is read, whatever is enough on the desk.
            settings = replace(settings_for(str(root / folder), configuration), depth="full")
            rules = ruleset(settings, configuration)
            report = _lint(PartOf(source, without, folder), root, rules, change, watch)
            if report is not None:
                yield report, rules
    finally:
        source.close()


def _lint(source: PartOf, root: Path, rules: Ruleset, change: Change, watch: Watch) -> Report | None:
    files = change.files
    if files is not None:
        files = frozenset(name for name in files if belongs(name, rules.book.configs))
        if not files:
            return None
    try:
        run = touched(Run.of(source, rules, root=root), files)
    except NoCheckpointError:
        return None
    if run is None:
        return None
    with watch(run.bytes, source.target) as advance:
        report = run.report(advance)
    folders = {job.view.checkpoint.folder for job in run.jobs}
    here = {n: sha for n, sha in source.absent.items() if folder_of(n) in folders and belongs(n, rules.book.configs)}
    absent = {n: sha in change.new_blobs for n, sha in here.items()}
    return _with_gaps(report, absent)


def _with_gaps(report: Report, absent: dict[str, bool]) -> Report:
    """Without what was found in pointers whose content the remote has; the gaps say what is not here."""
    old = sorted(n for n, new in absent.items() if not new)
    unread = {f"{n} could not be read" for n in absent}
    gaps = [g for g in report.gaps if g not in unread]
    gaps += [f"{n}: {NOT_HERE}, and new to the remote" for n in sorted(absent) if absent[n]]
    return left_out(replace(report, gaps=tuple(gaps)), old, f"{NOT_HERE}, and the remote has it already", True)
