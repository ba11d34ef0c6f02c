"""How many processors this process may use."""

from __future__ import annotations

import os
from pathlib import Path

MOST = 16  # more threads than this wait for memory, and for each other


def available() -> int:
    """Processors left by affinity, by the quota of a container, and by TENSORLINT's own limit; at least 1."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, min(count, MOST, _quota()))


def _quota(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Processors that the control group may keep busy, rounded up; MOST where there is no limit.

    cgroup v2 writes `cpu.max` as "QUOTA PERIOD" in microseconds, or "max PERIOD" (Linux Documentation/admin-guide/
    cgroup-v2.rst); v1 has two files, with -1 for no limit.
    """
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota, period = ((root / f"cpu/cpu.cfs_{part}_us").read_text() for part in ("quota", "period"))
        return MOST if quota == "max" or int(quota) <= 0 else -(-int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return MOST
