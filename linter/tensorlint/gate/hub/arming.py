"""Arming: patch huggingface_hub once, then only policies change. Standard library only."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from . import entries, points, wire
from .change import Change, Verdict
from .errors import GateError
from .points import Point
from .policy import Policy, from_environment, in_context, set_process
from .review import say, use

_ENTRIES: tuple[tuple[Point, Callable[[Any], Any]], ...] = (
    (points.COMMIT, entries.commit),
    (points.PREUPLOAD, entries.preupload),
    (points.PIPELINE, entries.pipeline),
    (points.LARGE, entries.large_folder),
    (points.BUCKET, entries.bucket),
    (points.MODES, entries.modes),
    (points.FUTURE, entries.future),
)
# Only a policy that belongs to a context needs them. They are apart because the bootstrap arms while hf_api is being
# imported, possibly by _commit_scheduler itself.
_SCHEDULING: tuple[tuple[Point, Callable[[Any], Any]], ...] = (
    (points.SCHEDULER, entries.scheduler),
    (points.PUSH, entries.push),
)
_lock = threading.RLock()
_attached: list[str] = []


def attach(linter: Callable[[Change], Verdict], scheduling: bool = True) -> tuple[str, ...]:
    """Patch what is not patched yet; returns the names of all points. Raises GateError before anything is changed."""
    with _lock:
        wanted = [*_ENTRIES, *(_SCHEDULING if scheduling else ())]
        wanted = [(point, make) for point, make in wanted if point.label not in _attached]
        if not wanted:
            return tuple(_attached)
        points.version()
        importlib.import_module("huggingface_hub.hf_api")
        present = [(point, make) for point, make in wanted if points.find(point) is not None]
        use(linter)
        if not _attached:
            _attached.append(wire.attach())
        for point, make in present:
            if points.wrap(point, make):
                _attached.append(point.label)
        _attached.extend(point.label for point, _ in wanted if point.label not in _attached and point.optional)
        return tuple(_attached)


def lint_here(change: Change) -> Verdict:
    """The verdict of the linter in this interpreter."""
    from .judge import judge

    return judge(change)


def ready(policy: Policy, linter: Callable[[Change], Verdict] = lint_here, scheduling: bool = True) -> None:
    """Attach for a policy; where that cannot be done, say so if TENSORLINT_GATE=off, else raise GateError."""
    off = from_environment(policy).mode == "off"
    try:
        attach(linter, scheduling)
    except GateError as error:
        if not off:
            raise
        say(f"tensorlint: the gate is off, uploads are not checked ({error.message})")


def install(*, mode: str = "enforce", accept: Iterable[tuple[str, str]] = (), buckets: bool = False) -> None:
    """Check every upload of this process from now on.

    `mode` is enforce, warn or off; `accept` are (rule, reason) pairs; `buckets` also checks uploads to buckets.
    TENSORLINT_GATE and TENSORLINT_ACCEPT come on top. Raises GateError where huggingface_hub is of an unknown version
    or a setting means nothing: then nothing is guarded. Uploads that would publish a broken checkpoint raise
    UploadBlocked.
    """
    policy = Policy(mode, tuple(accept), buckets)
    ready(policy)
    set_process(policy)


@contextmanager
def guard(*, mode: str = "enforce", accept: Iterable[tuple[str, str]] = (), buckets: bool = False) -> Iterator[None]:
    """Check uploads of this block, also those it leaves to `run_as_future` or a CommitScheduler.

    Settings and errors are those of `install`. Threads that the block starts itself are not included: use `install`.
    """
    policy = Policy(mode, tuple(accept), buckets)
    ready(policy)
    with in_context(policy):
        yield
