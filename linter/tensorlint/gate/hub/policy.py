"""How strict the gate is, and for whom: a whole process, or the context of `with guard():`. Standard library only."""

from __future__ import annotations

import fnmatch
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from .errors import GateError

MODES = ("enforce", "warn", "off")
MODE_VARIABLE = "TENSORLINT_GATE"
COVERAGE = "coverage"  # accepted like a rule: something could not be looked at, and a configuration does not want that
ACCEPT_VARIABLE = "TENSORLINT_ACCEPT"


@dataclass(frozen=True)
class Policy:
    """What happens to a broken checkpoint.

    `enforce` blocks it, `warn` says so and lets it pass, `off` does not look. `accept` are (rule, reason) pairs whose
    findings do not block; a rule may be a glob or a folder of rules. `buckets` also checks uploads to buckets.
    """

    mode: str = "enforce"
    accept: tuple[tuple[str, str], ...] = ()
    buckets: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise GateError(f"there is no mode `{self.mode}` of the gate", "one of: " + ", ".join(MODES))

    def reason(self, rule: str, was: Iterable[str] = ()) -> str | None:
        """Why findings of a rule are accepted, or None; `was` are names that it had earlier."""
        for pattern, reason in self.accept:
            if fnmatch.fnmatchcase(rule, pattern) or rule.startswith(pattern.rstrip("/") + "/") or pattern in was:
                return reason
        return None


def from_environment(policy: Policy, environment: Mapping[str, str] | None = None) -> Policy:
    """The policy with TENSORLINT_GATE and TENSORLINT_ACCEPT applied; raises GateError for values that mean nothing."""
    env = os.environ if environment is None else environment
    mode = env.get(MODE_VARIABLE, "").strip().lower()
    if mode in ("", "on", "1"):
        mode = policy.mode
    elif mode not in MODES:
        raise GateError(f"{MODE_VARIABLE}={mode} means nothing", "use off, warn or enforce")
    return replace(policy, mode=mode, accept=(*policy.accept, *accepted(env.get(ACCEPT_VARIABLE, ""))))


def accepted(text: str) -> Iterator[tuple[str, str]]:
    """The (rule, reason) pairs of `rule: reason; rule: reason`; raises GateError where the reason is missing."""
    for entry in text.replace("\n", ";").split(";"):
        if not entry.strip():
            continue
        rule, colon, reason = entry.partition(":")
        if not colon or not rule.strip() or not reason.strip():
            raise GateError(
                f"{ACCEPT_VARIABLE} has `{entry.strip()}` without a reason", f'write {ACCEPT_VARIABLE}="rule: reason"'
            )
        yield rule.strip(), reason.strip()


_context: ContextVar[Policy | None] = ContextVar("tensorlint_gate", default=None)
_process: list[Policy] = []


def set_process(policy: Policy) -> None:
    """The policy of every thread that is in no `with guard():`."""
    _process[:] = [policy]


@contextmanager
def in_context(policy: Policy | None) -> Iterator[None]:
    """The policy of this context, and of what is submitted from it through `run_as_future`."""
    token = _context.set(policy)
    try:
        yield
    finally:
        _context.reset(token)


def captured() -> Policy | None:
    """The policy of this context alone, to be set again in a thread that does not inherit it."""
    return _context.get()


@dataclass(frozen=True)
class Cover:
    """An upload that is under way: threads that work for it may have no policy of their own."""

    policy: Policy
    lines: tuple[str, ...]


_covers: dict[str, list[Cover]] = {}
_lock = threading.Lock()


@contextmanager
def covering(repo: str, cover: Cover) -> Iterator[None]:
    """Let every thread that uploads to a repository meanwhile be under this policy."""
    with _lock:
        _covers.setdefault(repo, []).append(cover)
    try:
        yield
    finally:
        with _lock:
            _covers[repo].remove(cover)
            if not _covers[repo]:
                del _covers[repo]


def cover_of(repo: str) -> Cover | None:
    """The upload to a repository that is under way, or None."""
    with _lock:
        covers = _covers.get(repo)
        return covers[-1] if covers else None


def policy_for(repo: str) -> Policy | None:
    """The policy for an upload to a repository from here, or None where the gate is not armed."""
    policy = _context.get()
    if policy is None:
        cover = cover_of(repo)
        if cover is not None:
            return cover.policy
        policy = _process[0] if _process else None
    return None if policy is None else from_environment(policy)
