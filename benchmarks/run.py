"""Time and memory of `tensorlint check`, each as a ratio to a baseline of the same run.

    python benchmarks/run.py                    everything (about two minutes, 200 MB of disk)
    python benchmarks/run.py headers            25,000 to 200,000 tensors in 64 shards, headers only
    python benchmarks/run.py full --size 10e9   every byte of one sparse shard
    python benchmarks/run.py kernel             the CPU kernel on random bytes in memory

Baselines: `headers`, json.loads of the index and of every header; `full`, pread of the file into one buffer and nothing
else; `kernel`, a histogram of 65,536 bins. Commands run in a process of their own, the fastest of `--repeat` counts.
Memory is the highest VmHWM and RssAnon seen in /proc/PID/status (Linux).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from make_checkpoint import make_moe, make_sparse

from tensorlint.dtypes import ENCODINGS
from tensorlint.measures.cpu import CpuKernel

_LINT = [sys.executable, "-m", "tensorlint", "check", "--no-progress", "--fail-on", "never", "-f", "json"]
_PARSE_HEADERS = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
json.loads((folder / "model.safetensors.index.json").read_bytes())
for path in sorted(folder.glob("*.safetensors")):
    with path.open("rb") as file:
        json.loads(file.read(int.from_bytes(file.read(8), "little")))
"""
_READ_ALL = """
import os, pathlib, sys
buffer = memoryview(bytearray(4 << 20))
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.safetensors")):
    file, at = os.open(path, os.O_RDONLY), 0
    while got := os.preadv(file, [buffer], at):
        at += got
"""
_WEIGHT = frozenset({"count", "nan", "inf", "zero", "ceiling", "uniform", "byte", "zero_pages"})
_SCALE = frozenset({"count", "nan", "inf", "zero", "negative", "ceiling", "floor", "smallest", "largest"})
_KERNEL: Sequence[tuple[str, str, frozenset[str]]] = (
    ("FP4 weight", "fp4", _WEIGHT),
    ("FP8 weight", "e4m3", _WEIGHT),
    ("BF16 weight", "bf16", frozenset({"count", "nan", "inf", "zero", "zero_pages"})),
    ("F32 weight", "f32", frozenset({"count", "nan", "inf", "zero", "zero_pages"})),
    ("FP8 scale", "e4m3", _SCALE),
    ("E8M0 scale", "e8m0", _SCALE),
)

# Which bits may be set, so that random bytes hold no NaN or Inf: a sound tensor is the case that has to be fast.
_USUAL = {"fp4": 0xFF, "e4m3": 0x7E, "bf16": 0xBF, "f32": 0xBF, "e8m0": 0x7F}


@dataclass(frozen=True)
class Usage:
    """What one process took: seconds, and its highest memory in bytes."""

    seconds: float
    rss: int
    anonymous: int


def watch(command: Sequence[str]) -> Usage:
    """Run a command to its end; raises when it fails."""
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = anonymous = 0
    while child.poll() is None:
        memory = _memory(child.pid)
        # VmHWM, because ru_maxrss of a child also counts the parent that it was forked from.
        peak, anonymous = max(peak, memory.get("VmHWM", 0)), max(anonymous, memory.get("RssAnon", 0))
        time.sleep(0.002)
    seconds = time.perf_counter() - started
    if child.returncode:
        raise SystemExit(f"{' '.join(command[:4])} ... ended with {child.returncode}")
    return Usage(seconds, peak, anonymous)


def _memory(pid: int) -> dict[str, int]:
    """Bytes by name from /proc/PID/status; empty on other systems and for a process that just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in (x.partition(":") for x in lines) if "kB" in rest}


def alternately(repeat: int, *commands: Sequence[str]) -> list[Usage]:
    """The fastest run of each command; they take turns, so that whatever else runs here slows down all of them."""
    runs = [[watch(command) for command in commands] for _ in range(repeat)]
    return [min(column, key=lambda usage: usage.seconds) for column in zip(*runs, strict=True)]


def headers(folder: Path, repeat: int, sizes: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """Rows about header depth."""
    yield "tensors", "shards", "seconds", "us/tensor", "json.loads", "ratio", "peak RSS"
    for size in sizes:
        target = folder / f"moe-{size}"
        count = make_moe(target, size, 64)
        parse = [sys.executable, "-c", _PARSE_HEADERS, str(target)]
        lint, base = alternately(repeat, [*_LINT, "--depth", "headers", str(target)], parse)
        yield (
            f"{count:,}", "64", f"{lint.seconds:.2f}", f"{lint.seconds / count * 1e6:.0f}", f"{base.seconds:.2f}",
            f"{lint.seconds / base.seconds:.1f}x", f"{lint.rss / 1e6:.0f} MB",
        )  # fmt: skip


def full(folder: Path, repeat: int, size: int) -> Iterator[tuple[str, ...]]:
    """Rows about full depth."""
    yield "one sparse shard", "seconds", "GB/s", "ratio", "peak RSS", "anonymous"
    target = folder / "sparse"
    exact = make_sparse(target, size)
    lint, base = alternately(
        repeat, [*_LINT, "--depth", "full", str(target)], [sys.executable, "-c", _READ_ALL, str(target)]
    )
    for name, usage in ((f"check, {exact / 1e9:.1f} GB", lint), ("pread into one buffer", base)):
        yield (
            name, f"{usage.seconds:.2f}", f"{exact / usage.seconds / 1e9:.1f}", f"{usage.seconds / base.seconds:.1f}x",
            f"{usage.rss / 1e6:.0f} MB", f"{usage.anonymous / 1e6:.0f} MB",
        )  # fmt: skip


def kernel(repeat: int) -> Iterator[tuple[str, ...]]:
    """Rows about the kernel alone."""
    yield "random bytes as", "GB/s", "histogram GB/s", "ratio"
    random = np.random.default_rng(0)
    for name, encoding, words in _KERNEL:
        data = np.frombuffer(random.bytes(8 << 20), np.uint8) & np.uint8(_USUAL[encoding])
        mine = _best(repeat, partial(CpuKernel().measure, data, ENCODINGS[encoding], words, 0, 0))
        base = _best(repeat, partial(np.bincount, data.view("<u2"), minlength=1 << 16))
        yield name, f"{len(data) / mine / 1e9:.1f}", f"{len(data) / base / 1e9:.1f}", f"{base / mine:.1f}x faster"


def _best(repeat: int, action: Callable[[], object]) -> float:
    times = []
    for _ in range(max(3, repeat)):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def show(rows: Iterator[tuple[str, ...]]) -> None:
    """Print a table, its first column to the left."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells), flush=True)
    print(flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=["headers", "full", "kernel", []], help="default: all three")
    parser.add_argument("--tensors", type=int, nargs="+", default=[25_000, 50_000, 100_000, 200_000])
    parser.add_argument("--size", type=float, default=10e9, help="bytes of the sparse shard")
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    wanted = given.what or ["headers", "full", "kernel"]
    with tempfile.TemporaryDirectory() as name:
        if "headers" in wanted:
            show(headers(Path(name), given.repeat, given.tensors))
        if "full" in wanted:
            show(full(Path(name), given.repeat, int(given.size)))
        if "kernel" in wanted:
            show(kernel(given.repeat))


if __name__ == "__main__":
    main()
