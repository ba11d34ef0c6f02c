"""Run a command in a process of its own and see what it takes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

LINT = [sys.executable, "-m", "tensorlint", "check", "--no-progress", "--fail-on", "never", "-f", "json"]


@dataclass(frozen=True)
class Usage:
    """What one process took: `wall` seconds from start to end, `seconds` as it says itself, highest memory in bytes."""

    wall: float
    seconds: float
    rss: int
    anonymous: int


def watch(command: Sequence[str], environment: dict[str, str] | None = None) -> Usage:
    """Run a command to its end; raises SystemExit when it fails.

    It may say its own seconds as its last line, or as a report of tensorlint. Memory is the highest VmHWM and RssAnon
    seen in /proc/PID/status (Linux); not ru_maxrss, which also counts the parent that a child was forked from.
    """
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
    peak = anonymous = 0
    while child.poll() is None:
        memory = _memory(child.pid)
        peak, anonymous = max(peak, memory.get("VmHWM", 0)), max(anonymous, memory.get("RssAnon", 0))
        time.sleep(0.01)  # it takes a processor from the child while it looks
    wall = time.perf_counter() - started
    assert child.stdout is not None
    said = child.stdout.read()
    if child.returncode:
        raise SystemExit(f"{' '.join(command[:6])} ... ended with {child.returncode}")
    return Usage(wall, _own_seconds(said, wall), peak, anonymous)


def _own_seconds(said: str, wall: float) -> float:
    if said.startswith("{"):
        return float(json.loads(said)["seconds"])
    last = said.strip().rpartition("\n")[2]
    try:
        return float(last)
    except ValueError:
        return wall


def _memory(pid: int) -> dict[str, int]:
    """Bytes by name from /proc/PID/status; empty on other systems and for a process that just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in (x.partition(":") for x in lines) if "kB" in rest}


def alternately(repeat: int, *actions: Callable[[], Usage]) -> list[list[Usage]]:
    """All runs of each action; they take turns, so that whatever else runs here slows down all of them."""
    runs = [[action() for action in actions] for _ in range(repeat)]
    return [list(column) for column in zip(*runs, strict=True)]


def median(runs: Sequence[Usage], of: Callable[[Usage], float] = lambda u: u.seconds) -> float:
    """The median of one number of several runs."""
    return statistics.median(map(of, runs))


def drop(folder: Path) -> None:
    """Make the page cache forget the files of a folder."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
