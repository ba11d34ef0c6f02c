"""What measures faster: numpy on all cores, or torch on each device it sees.

    python benchmarks/devices.py                 1 GB for each dtype, on every device of torch
    python benchmarks/devices.py --size 20e9     for a GPU that deserves it

Every row is one shard of sound values at full depth, in the page cache, with the words that the rules ask of a weight.
`read` is what copying the file into one buffer takes, one thread, the limit of whatever reads files. The first run on a
device is left out: it starts the device. `torch-cpu` is the code for GPUs on torch's own CPU with one thread: it says
nothing about GPUs and is here to show that `--device cpu` is right not to use it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from tensorlint.container.header import TensorInfo
from tensorlint.dtypes import ENCODINGS
from tensorlint.errors import UsageError
from tensorlint.measures.device.choice import checked, scanner_for
from tensorlint.measures.plan import Need, make_plan
from tensorlint.measures.scan import CpuScanner, Scanner
from tensorlint.sources.local import LocalSource

_WORDS = frozenset({"nan", "inf", "all_zero", "ceiling", "uniform", "byte", "zero_pages"})
# Which bits may be set, so that random bytes hold no NaN or Inf: a sound tensor is the case that has to be fast.
_USUAL = {"fp4": 0xFF, "e4m3": 0x7E, "bf16": 0xBF, "f32": 0xBF}
_TENSOR = 64 << 20  # bytes


def rows(folder: Path, size: int, repeat: int) -> Iterator[tuple[str, ...]]:
    """A table: one row for each dtype, GB/s."""
    scanners: dict[str, Scanner] = {"numpy": CpuScanner()}
    for name in ("torch-cpu", "cuda", "mps", "xpu"):
        try:
            scanners[name] = scanner_for(checked(name), LocalSource(folder, "x"), [])
        except UsageError:
            continue
    yield "GB/s", "read", *scanners
    content = np.random.default_rng(0).integers(0, 256, _TENSOR, np.uint8)
    count = max(1, size // _TENSOR)
    for encoding, bits in _USUAL.items():
        with (folder / "x.safetensors").open("wb") as file:
            for _ in range(count):
                file.write(content & np.uint8(bits))
        needs = [
            Need(TensorInfo(f"t{i}", "U8", (_TENSOR,), "x.safetensors", i * _TENSOR, (i + 1) * _TENSOR),
                 ENCODINGS[encoding], _WORDS)
            for i in range(count)
        ]  # fmt: skip
        source, plan = LocalSource(folder, "x"), make_plan(needs)
        columns = [_best(repeat, lambda: _read(folder / "x.safetensors"))]
        columns += [_best(repeat, lambda s=s, source=source, plan=plan: s(source, plan)) for s in scanners.values()]
        yield encoding, *(f"{plan.bytes / seconds / 1e9:.1f}" for seconds in columns)


def _read(path: Path) -> None:
    buffer = bytearray(4 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def _best(repeat: int, action: Callable[[], object]) -> float:
    action()
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=float, default=1e9, help="bytes for each dtype")
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)  # its threads wait for each other, which on a busy machine takes longer than the work
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    print(f"torch {torch.__version__}, {', '.join(names) or 'no CUDA device'}")
    with tempfile.TemporaryDirectory() as name:
        for row in rows(Path(name), int(given.size), given.repeat):
            print(f"{row[0]:10}" + "".join(f"{cell:>11}" for cell in row[1:]), flush=True)


if __name__ == "__main__":
    main()
