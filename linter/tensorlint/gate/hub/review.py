"""The decision: what is checked again, what is printed, what is blocked. Standard library only."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from ...files import belongs, folder_of
from . import policy as policies
from .change import Addition, Change, Content, Said, Stamp, Verdict, stamp
from .errors import UploadBlocked, blocked
from .policy import ACCEPT_VARIABLE, MODE_VARIABLE, Cover, Policy

Linter = Callable[[Change], Verdict]
_REMEMBERED = 100_000  # approvals

_Key = tuple[str, str, str, Stamp, Policy]


class Approvals:
    """Files that passed, by repository, path, stamp and policy, with what the commit should say about them."""

    def __init__(self) -> None:
        self._passed: OrderedDict[_Key, tuple[str, ...]] = OrderedDict()
        self._freed: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def add(self, change: Change, name: str, mark: Stamp, policy: Policy, lines: tuple[str, ...]) -> None:
        """Remember that a file passed."""
        with self._lock:
            self._passed[change.endpoint, change.repo, name, mark, policy] = lines
            self._freed[change.endpoint, change.repo, name] = lines
            while len(self._passed) > _REMEMBERED:
                (endpoint, repo, name, *_), _ = self._passed.popitem(last=False)
                self._freed.pop((endpoint, repo, name), None)

    def find(self, change: Change, name: str, mark: Stamp, policy: Policy) -> tuple[str, ...] | None:
        """The lines of a file that passed as it is, or None."""
        with self._lock:
            return self._passed.get((change.endpoint, change.repo, name, mark, policy))

    def freed(self, change: Change, name: str) -> tuple[str, ...] | None:
        """The lines of a file that passed and whose content has been dropped since, or None."""
        with self._lock:
            return self._freed.get((change.endpoint, change.repo, name))


APPROVALS = Approvals()
_linter: list[Linter] = []
_blocked: list[UploadBlocked] = []


def use(linter: Linter) -> None:
    """Set who lints."""
    _linter[:] = [linter]


def history() -> tuple[UploadBlocked, ...]:
    """Every upload that was blocked in this process; a future that nobody asks for its result hides its exception."""
    return tuple(_blocked)


def say(text: str) -> None:
    """Print on stderr at once."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def entered(change: Change, files: dict[str, Content], gone: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Around a whole upload: checks it first, then yields lines for the commit description.

    Raises UploadBlocked before anything is sent. Inside an upload to the same repository only files that did not pass
    yet are checked.
    """
    outer = policies.cover_of(change.repo)
    policy = policies.policy_for(change.repo)
    if policy is None or not (gone or any(map(belongs, files))):
        yield outer.lines if outer else ()
        return
    lines = admit(change, files, gone, policy, again=outer is not None)
    if outer is not None:
        yield tuple(dict.fromkeys((*outer.lines, *lines)))
        return
    with policies.covering(change.repo, Cover(policy, lines)):
        yield lines


def admit(
    change: Change, files: dict[str, Content], gone: tuple[str, ...], policy: Policy, again: bool
) -> tuple[str, ...]:
    """Check an upload and return lines for the commit description; raises UploadBlocked.

    With `again`, nothing is done where every file passed before.

    Which files are gated is known here without any rule file, so it is the usual ones. What rule files of the user name
    besides goes along where it lies beside a gated file, for the linter to read; alone it is not checked.
    """
    gated = {name: content for name, content in files.items() if belongs(name)}
    folders = set(map(folder_of, gated))
    beside = {name: content for name, content in files.items() if name not in gated and folder_of(name) in folders}
    if policy.mode == "off":
        if not again:
            say(f"tensorlint: {MODE_VARIABLE}=off, the upload to {change.repo} is not checked")
        return (f"tensorlint: not checked ({MODE_VARIABLE}=off)",)
    lines: list[str] = []
    unknown: list[str] = []
    for name in gone:
        known = APPROVALS.freed(change, name)
        if known is None:
            unknown.append(name)
        lines.extend(known or ())
    try:
        marks = {name: stamp(content) for name, content in gated.items()}
    except OSError as error:
        return _refuse(policy, change, f"cannot read {error.filename}: {error.strerror or error}")
    passed = {name: APPROVALS.find(change, name, mark, policy) for name, mark in marks.items()}
    for earlier in passed.values():
        lines.extend(earlier or ())
    if unknown:
        lines.extend(_refuse(policy, change, f"{unknown[0]} was uploaded before the gate was armed and cannot be read"))
    if again and None not in passed.values():
        return tuple(dict.fromkeys(lines))
    additions = tuple(Addition(name, content, passed[name] is not None) for name, content in gated.items())
    additions += tuple(Addition(name, content, approved=True) for name, content in beside.items())
    new = _judge(replace(change, additions=additions, unseen=(*change.unseen, *gone)), policy, again)
    for name, mark in marks.items():
        if passed[name] is None:
            APPROVALS.add(change, name, mark, policy, new)
    return tuple(dict.fromkeys((*lines, *new)))


def _judge(change: Change, policy: Policy, again: bool) -> tuple[str, ...]:
    try:
        verdict = _linter[0](change)
    except Exception as error:  # whatever breaks in the linter must not let a file through
        verdict = Verdict(stopped=f"the check failed ({type(error).__name__}: {error})")
    if verdict.text:
        say(verdict.text.rstrip("\n"))
    if verdict.stopped:
        return _refuse(policy, change, verdict.stopped)
    lines: list[str] = []
    bad: list[Said] = []
    for said in verdict.findings:
        if said.severity != "error":
            continue
        reason = said.accepted or policy.reason(said.rule, said.was)
        if reason is None:
            bad.append(said)
            continue
        lines.append(f"tensorlint: accepted {said.rule}: {reason}")
        by = "" if said.accepted else f" ({ACCEPT_VARIABLE})"
        say(f"tensorlint: {said.rule} is accepted: {reason}{by}")
    if not bad:
        return tuple(lines)
    rules = ", ".join(dict.fromkeys(s.rule for s in bad))
    count = "1 error" if len(bad) == 1 else f"{len(bad)} errors"
    hint = f'to upload it anyway: {ACCEPT_VARIABLE}="{bad[0].rule}: why this is fine"'
    sent = "the rest was not sent" if again else "nothing was sent"
    return (*lines, *_refuse(policy, change, f"{count} ({rules}); {sent}", hint))


def _refuse(policy: Policy, change: Change, why: str, hint: str = "") -> tuple[str, ...]:
    """Raise UploadBlocked, or, where the policy only warns, say what would have been and return lines."""
    if policy.mode != "warn":
        error = blocked(f"upload to {change.repo} blocked: {why}", hint)
        _blocked.append(error)
        if hint:
            say(f"tensorlint: {hint}")
        if threading.current_thread() is not threading.main_thread():
            say(f"tensorlint: {error.message}")  # a future or a worker may keep its exception to itself
        raise error
    why = why.partition(";")[0]
    say(f"tensorlint: {MODE_VARIABLE}=warn, the upload to {change.repo} goes on in spite of: {why}")
    return (f"tensorlint: uploaded in spite of {why} ({MODE_VARIABLE}=warn)",)
