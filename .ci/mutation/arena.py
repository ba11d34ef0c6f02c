"""Where mutants meet tests: copies of the checkout, what each test executes, and one forked process per mutant.

A process that has numpy, pytest and hypothesis loaded forks for every mutant; the child loads tensorlint from the
copy, with the mutant in its place, and runs tests until the first one fails. The checkout itself is never written to.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

PACKAGE = Path("linter/tensorlint")
SLOW = 10  # seconds of processor time that a test may take while its lines are recorded, a few times what it takes else
_MEMORY = 8 << 30  # bytes of address space that a mutant may take
_LOADED = ("pytest", "numpy", "hypothesis.strategies", "yaml", "regex", "click", "rich.console", "safetensors", "json")


def copy_checkout(checkout: Path, to: Path) -> str:
    """Copy every file that git knows or would take; returns a digest of those that tests depend on."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=checkout, check=True, capture_output=True,
    ).stdout.decode()  # fmt: skip
    digest = hashlib.sha256()
    for name in sorted(filter(None, listed.split("\0"))):
        source, target = checkout / name, to / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
            if name.startswith(("linter/", "rules/", "tests/", ".ci/mutation/arena.py")):
                digest.update(name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Baseline:
    """What the tests do without a mutant: processor seconds of each that passes, and which lines which of them run."""

    seconds: dict[str, float]
    lines: dict[str, dict[int, list[str]]]  # module -> line -> tests
    loaded: dict[str, frozenset[int]]  # module -> lines that run while tests are loaded, and so before any of them
    failed: list[str]

    @property
    def tests_known(self) -> frozenset[str]:
        """All that were run."""
        return frozenset((*self.seconds, *self.failed))

    def tests(self, room: str, module: str, lines: tuple[int, int], budget: float) -> list[str]:
        """Tests for a change of these lines: whoever executes them first, the mirrored before others, quick ones first.

        No more than take `budget` seconds together. Tests of the room itself may use a module without executing it
        (its constants, what it keeps from an earlier test): they come last. What runs while tests are loaded, such as
        the reading of a library that all of them share, is held by every test: those of the room, then others.
        """
        by_line = self.lines.get(module, {})
        hit = {test for line in range(lines[0], lines[1] + 1) for test in by_line.get(line, ())}
        touched = {test for tests in by_line.values() for test in tests}
        folder, name = f"tests/{room}/", f"test_{Path(module).stem}"
        near = {test for test in self.seconds if test.startswith(folder)}

        def rank(test: str) -> tuple[int, bool, bool, float]:
            mirrored = test.startswith(folder) and name in test.partition("::")[0]
            return 0 if test in hit else 1, not mirrored, test not in near, self.seconds[test]

        chosen, spent = [], 0.0
        candidates = hit | touched | {t for t in near if name in t.partition("::")[0]}
        if not self.loaded.get(module, frozenset()).isdisjoint(range(lines[0], lines[1] + 1)):
            candidates |= self.seconds.keys()
        for test in sorted(candidates, key=rank):
            if spent + self.seconds[test] <= budget:
                spent += self.seconds[test]
                chosen.append(test)
        return chosen


def take_baseline(copy: Path, room: str, paths: Sequence[str], into: Path) -> Baseline:
    """Run the tests of `paths` once with coverage of a room, or take what an earlier run of the same files found."""
    if not into.exists():
        command = [sys.executable, __file__, str(copy), room, str(into), *paths]
        subprocess.run(command, check=True, cwd=copy, env={**os.environ, **_environment(copy)})
    found = json.loads(into.read_text())
    names = found["tests"]
    lines = {
        module: {int(line): [names[i] for i in tests] for line, tests in rows.items()}
        for module, rows in found["lines"].items()
    }
    loaded = {module: frozenset(rows) for module, rows in found["loaded"].items()}
    return Baseline(found["seconds"], lines, loaded, found["failed"])


def _environment(copy: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(copy / "linter"), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _untimed_hypothesis() -> None:
    """The same examples in every run; a failing one is not made smaller. The profile of the tests inherits this."""
    from hypothesis import Phase, settings

    settings.register_profile("mutation", phases=[Phase.explicit, Phase.generate], derandomize=True, database=None)
    settings.load_profile("mutation")


def _pytest(arguments: Sequence[str], plugin: object) -> int:
    import pytest

    _untimed_hypothesis()
    return int(
        pytest.main(
            ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", "--no-summary", *arguments], plugins=[plugin]
        )
    )


class _TooSlowError(BaseException):
    """Ends a test; no Exception, lest hypothesis takes it for a failing example and tries again."""


def _too_slow(*_: object) -> None:
    raise _TooSlowError


class _Recorder:
    """The baseline as a plugin of pytest."""

    def __init__(self, coverage: Any) -> None:
        self.coverage = coverage
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.coverage.switch_context(nodeid)
        signal.setitimer(signal.ITIMER_PROF, SLOW)
        self._since = time.process_time()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        self.seconds[nodeid] = time.process_time() - self._since
        self.coverage.switch_context("")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if not report.passed:  # also the skipped ones: they find nothing
            self.failed.add(report.nodeid)


def _record(copy: Path, room: str, into: Path, paths: Sequence[str]) -> None:
    from coverage import Coverage

    os.chdir(copy)
    signal.signal(signal.SIGPROF, _too_slow)
    coverage = Coverage(data_file=None, include=[f"{copy / PACKAGE / room}/*"])
    coverage.start()
    recorder = _Recorder(coverage)
    _pytest(paths, recorder)
    coverage.stop()
    names = sorted(set(recorder.seconds) - recorder.failed)
    number = {name: i for i, name in enumerate(names)}
    data = coverage.get_data()
    lines: dict[str, dict[int, list[int]]] = {}
    loaded: dict[str, list[int]] = {}
    for file in data.measured_files():
        rows = data.contexts_by_lineno(file)
        module = Path(file).relative_to(copy / PACKAGE).as_posix()
        lines[module] = {n: sorted(number[c] for c in set(cs) if c in number) for n, cs in rows.items()}
        loaded[module] = sorted(n for n, cs in rows.items() if "" in cs)
    found = {
        "tests": names,
        "seconds": {name: recorder.seconds[name] for name in names},
        "failed": sorted(recorder.failed),
        "lines": lines,
        "loaded": loaded,
    }
    into.write_text(json.dumps(found))


@dataclass(frozen=True)
class Task:
    """A mutant to be tried: `tests` in their order, `limit` in seconds of processor time."""

    number: int
    module: str
    source: str
    tests: tuple[str, ...]
    limit: float


@dataclass(frozen=True)
class Outcome:
    """`how`: killed, timeout (it hung: killed, too), survived, untested (no test is near it); `by` is the test."""

    number: int
    how: str
    by: str
    seconds: float


class Arena:
    """One copy, in which mutants are tried one after the other."""

    def __init__(self, copy: Path, tests: Set[str]) -> None:
        self.copy = copy
        self.tests = tests  # all that there are
        os.environ.update(_environment(copy), PYTHONDONTWRITEBYTECODE="1")
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(copy / "linter"))
        os.chdir(copy)
        for name in _LOADED:
            with suppress(ImportError):
                importlib.import_module(name)

    def attempt(self, task: Task) -> Outcome:
        """Put a mutant in its place, run its tests, and put the original back."""
        if not task.tests:
            return Outcome(task.number, "untested", "", 0.0)
        file = self.copy / PACKAGE / task.module
        original = file.read_bytes()
        for compiled in file.parent.glob(f"__pycache__/{file.stem}.*.pyc"):  # may be as old and as long as the mutant
            compiled.unlink()
        started = time.monotonic()
        try:
            file.write_text(task.source)
            how, by = self._fork(task)
        finally:
            file.write_bytes(original)
        return Outcome(task.number, how, by, time.monotonic() - started)

    def _fork(self, task: Task) -> tuple[str, str]:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            _child(task, self.tests, writing)
        os.close(writing)
        end = time.monotonic() + 60 + 20 * task.limit  # for what hangs without computing; others share the machine
        status = None
        while status is None and time.monotonic() < end:
            ended, code = os.waitpid(child, os.WNOHANG)
            status = code if ended else None
            if status is None:
                time.sleep(0.01)
        with suppress(ProcessLookupError, PermissionError):  # its own session: whatever it started ends with it
            os.killpg(child, signal.SIGKILL)
        if status is None:
            os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as told:
            by = told.read().decode()
        if status is None or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
            return "timeout", by
        return ("survived" if status == 0 else "killed"), by


class _Chosen:
    """Tests in their order, as a plugin of pytest; tells the first that fails."""

    def __init__(self, tests: Sequence[str], known: Set[str], told: int) -> None:
        self._place = {test: i for i, test in enumerate(tests)}
        # A parameter that is a constant of the module changes with it, and so does the name of its test.
        self._renamed = {test.partition("[")[0]: i for i, test in enumerate(tests)}
        self._known = known
        self._told = told

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        places = {item.nodeid: self._placed(item.nodeid) for item in items}
        items[:] = sorted((i for i in items if places[i.nodeid] is not None), key=lambda i: places[i.nodeid])

    def _placed(self, test: str) -> int | None:
        if test in self._known:
            return self._place.get(test)
        return self._renamed.get(test.partition("[")[0])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            os.write(self._told, report.nodeid.encode()[:4096])


def _child(task: Task, known: Set[str], told: int) -> None:
    """Run the tests of a task and end the process: 0 when all of them pass."""
    code = 1
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(task.limit), math.ceil(task.limit) + 5))
        # The first file settles most mutants; the others are only loaded where it does not.
        files = list(dict.fromkeys(test.partition("::")[0] for test in task.tests))
        code = 0
        for some in (files[:1], files[1:]):
            if some and not code:
                code = _pytest(["-x", *some], _Chosen(task.tests, known, told))
    finally:
        os._exit(code)


_mine: Arena | None = None


def begin(copies: Queue[Path], tests: Set[str]) -> None:
    """Make the arena of this process, in a copy that no other process has."""
    global _mine
    _mine = Arena(copies.get(), tests)


def attempt(task: Task) -> Outcome:
    """Try a mutant in the arena of this process."""
    assert _mine is not None
    return _mine.attempt(task)


if __name__ == "__main__":
    _record(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
