"""Speed and memory of `tensorlint check`, each as a ratio to a baseline of the same run.

    python benchmarks/run.py                        everything, with checkpoints of 4 GB (20 GB of disk, some minutes)
    python benchmarks/run.py full --size 1e9        every byte, page-cached: by format and threads
    python benchmarks/run.py cold                   the same with the page cache dropped before each run
    python benchmarks/run.py today                  against what people do today: load and isnan, sha256sum
    python benchmarks/run.py again                  start-up, and a second run of an unchanged checkpoint
    python benchmarks/run.py headers                up to 300,000 tensors, headers only

The read limit is np.max over a memory map of the page-cached file by one thread: all bytes go through the processor
once, and as little as possible is done with them. Numbers are medians of runs that take turns with their baseline.
Seconds are those after start-up (imports, loading rules), which is a line of its own; rows with torch are left out
where torch is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from make_checkpoint import FORMATS, make_dense, make_moe
from watching import LINT, Usage, alternately, drop, median, watch

_LIMIT = """
import sys, time, numpy
started = time.perf_counter()
numpy.max(numpy.memmap(sys.argv[1], numpy.uint8, "r"))
print(time.perf_counter() - started)
"""
_READ = """
import os, sys, time
started = time.perf_counter()
buffer, file, at = memoryview(bytearray(4 << 20)), os.open(sys.argv[1], os.O_RDONLY), 0
while got := os.preadv(file, [buffer], at):
    at += got
print(time.perf_counter() - started)
"""
_ISNAN = """
import sys, time, torch
from safetensors.torch import load_file
started = time.perf_counter()
for name, tensor in load_file(sys.argv[1]).items():
    if tensor.is_floating_point() and torch.isnan(tensor).any():
        print(name)
print(time.perf_counter() - started)
"""
_PARSE = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
json.loads((folder / "model.safetensors.index.json").read_bytes())
for path in sorted(folder.glob("*.safetensors")):
    with path.open("rb") as file:
        json.loads(file.read(int.from_bytes(file.read(8), "little")))
"""
Row = tuple[str, ...]


def script(text: str, *arguments: object) -> Callable[[], Usage]:
    """An action that runs a script."""
    return partial(watch, [sys.executable, "-c", text, *map(str, arguments)])


def lint(*arguments: object, cache: Path | None = None) -> Callable[[], Usage]:
    """An action that checks, with a cache of its own or without one."""
    environment = {"TENSORLINT_CACHE_DIR": str(cache)} if cache else {"TENSORLINT_NO_CACHE": "1"}
    return partial(watch, [*LINT, *map(str, arguments)], environment)


def full(folder: Path, size: int, repeat: int) -> Iterator[Row]:
    """Every byte of page-cached checkpoints."""
    yield "full depth, page-cached", "threads", "GB/s", "of the read limit", "anonymous"
    cores = len(os.sched_getaffinity(0))
    for format_ in FORMATS:
        target, exact = dense(folder, format_, size)
        threads = sorted({1, cores})
        actions = [script(_LIMIT, target / "model.safetensors"), *(lint(target, "--jobs", n) for n in threads)]
        limit, *runs = alternately(repeat, *actions)
        yield f"{format_}: read limit", "1", f"{exact / median(limit) / 1e9:.1f}", "", ""
        for number, usages in zip(threads, runs, strict=True):
            yield (
                f"{format_}: check", str(number), f"{exact / median(usages) / 1e9:.1f}",
                f"{median(limit) / median(usages):.2f}", f"{max(u.anonymous for u in usages) / 1e6:.0f} MB",
            )  # fmt: skip
    target, exact = dense(folder, "nvfp4", size)
    limit, scales = alternately(repeat, script(_LIMIT, target / "model.safetensors"), lint(target, "--depth", "scales"))
    yield (
        "nvfp4: check --depth scales",
        str(cores),
        f"{exact / median(scales) / 1e9:.1f}",
        f"{median(limit) / median(scales):.2f}",
        "",
    )


def cold(folder: Path, size: int, repeat: int) -> Iterator[Row]:
    """Every byte of a checkpoint that is not in the page cache."""
    yield "full depth, from the disk", "seconds", "GB/s", "of reading alone"
    target, exact = dense(folder, "nvfp4", size)

    def dropped(action: Callable[[], Usage]) -> Usage:
        drop(target)
        return action()

    actions = (script(_READ, target / "model.safetensors"), lint(target))
    reading, checking = alternately(repeat, *(partial(dropped, action) for action in actions))
    for name, usages in (("reading alone, one thread", reading), ("check", checking)):
        seconds = median(usages)
        yield name, f"{seconds:.2f}", f"{exact / seconds / 1e9:.2f}", f"{median(reading) / seconds:.2f}"


def today(folder: Path, size: int, repeat: int) -> Iterator[Row]:
    """What people do today."""
    yield "page-cached, all threads", "seconds", "GB/s", "check is", "peak RSS"
    target, exact = dense(folder, "fp8", min(size, 1 << 30))
    path = target / "model.safetensors"
    actions: dict[str, Callable[[], Usage]] = {"check": lint(target)}
    if importlib.util.find_spec("torch"):
        actions["safetensors.torch.load_file and torch.isnan"] = script(_ISNAN, path)
    if shutil.which("sha256sum"):
        actions["sha256sum"] = partial(watch, ["sha256sum", str(path)])
    runs = alternately(repeat, *actions.values())
    for name, usages in zip(actions, runs, strict=True):
        faster = median(usages) / median(runs[0])
        yield (
            f"fp8: {name}", f"{median(usages):.2f}", f"{exact / median(usages) / 1e9:.2f}",
            "" if name == "check" else f"{faster:.0f} times as fast", f"{max(u.rss for u in usages) / 1e6:.0f} MB",
        )  # fmt: skip


def again(folder: Path, size: int, repeat: int) -> Iterator[Row]:
    """Whole commands, start-up included."""
    yield "whole command", "seconds"
    small = folder / "small"
    make_moe(small, 800, 1, 4)
    large, exact = dense(folder, "nvfp4", size)
    cache = folder / "cache"
    lint(large, cache=cache)()
    runs = alternately(
        repeat, partial(watch, [sys.executable, "-c", "import numpy"]), lint(small), lint(large, cache=cache)
    )
    names = (
        "python -c 'import numpy'",
        f"check of {sum(p.stat().st_size for p in small.iterdir()) / 1e6:.1f} MB",
        f"second check of the same {exact / 1e9:.1f} GB",
    )
    for name, usages in zip(names, runs, strict=True):
        yield name, f"{median(usages, lambda u: u.wall):.2f}"


def headers(folder: Path, size: int, repeat: int, counts: Sequence[int] = (100_000, 300_000)) -> Iterator[Row]:
    """Many tensors, headers only."""
    yield "headers only, 64 shards", "seconds", "us/tensor", "times json.loads", "peak RSS"
    for wanted in counts:
        target = folder / f"moe-{wanted}"
        count = make_moe(target, wanted, 64)
        checking, parsing = alternately(repeat, lint(target, "--depth", "headers"), script(_PARSE, target))
        wall = median(checking, lambda u: u.wall)
        yield (
            f"{count:,} tensors", f"{wall:.1f}", f"{wall / count * 1e6:.0f}",
            f"{wall / median(parsing, lambda u: u.wall):.0f}", f"{max(u.rss for u in checking) / 1e6:.0f} MB",
        )  # fmt: skip


def dense(folder: Path, format_: str, size: int) -> tuple[Path, int]:
    """A checkpoint in one format and its size; made once."""
    target = folder / f"{format_}-{size}"
    path = target / "model.safetensors"
    return target, path.stat().st_size if path.exists() else make_dense(target, format_, size)


def show(rows: Iterator[Row]) -> None:
    """Print a table, its first column to the left."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip(), flush=True)
    print(flush=True)


TABLES = {"full": full, "cold": cold, "today": today, "again": again, "headers": headers}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*TABLES, []], help="default: all of them")
    parser.add_argument("--size", type=float, default=4e9, help="bytes of a checkpoint")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make the checkpoints here and leave them")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.keep or Path(name)
        for what in given.what or TABLES:
            show(TABLES[what](folder, int(given.size), given.repeat))


if __name__ == "__main__":
    main()
