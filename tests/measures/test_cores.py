"""How many threads are started where nobody says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tensorlint.measures import cores


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, cores.MOST),
        ({"cpu.max": "max 100000"}, cores.MOST),
        ({"cpu.max": "200000 100000"}, 2),
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "10000 100000"}, 1),
        ({"cpu.max": "nonsense"}, cores.MOST),
        ({"cpu.max": "100000 0"}, cores.MOST),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, cores.MOST),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
    ],
)
def test_the_quota_of_a_container(files: dict[str, str], count: int, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert cores._quota(tmp_path) == count


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen here")
def test_affinity_is_respected() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert cores.available() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("text", "count"),
    [("1 100000", 1), ("0 100000", cores.MOST), ("100000 100000", 1), ("100001 100000", 2), ("6400000 100000", 64)],
)
def test_a_quota_is_rounded_up(text: str, count: int, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert cores._quota(tmp_path) == count


@pytest.mark.parametrize(
    ("affinity", "processors", "quota", "count"),
    [
        (3, 64, 16, 3),
        (15, 64, 16, 15),
        (64, 64, 64, 16),
        (64, 64, 2, 2),
        (64, 64, 0, 1),
        (None, 5, 16, 5),
        (None, None, 16, 1),
    ],
)
def test_the_least_of_affinity_quota_and_16(
    affinity: int | None, processors: int | None, quota: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if affinity is None:
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    else:
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(affinity)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    monkeypatch.setattr(cores, "_quota", lambda: quota)
    assert cores.available() == count
