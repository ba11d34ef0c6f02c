"""Which device measures: the names of `--device`, what is said when there is no such device, and the rule of `auto`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
from collections.abc import Sequence
from typing import Any

from ...errors import UsageError
from ...sources.interface import Source
from ..cores import available
from ..plan import Plan
from ..scan import Scanner, on_cpu

NAMES = "auto, cpu, cuda, cuda:N, mps, xpu"
_TESTING = "torch-cpu"  # the code for devices on torch's own CPU, for tests and benchmarks; slower than `cpu`
_KNOWN = re.compile(rf"auto|cpu|{_TESTING}|mps|(cuda|xpu)(:\d{{1,3}})?")
_OLDEST = (2, 4)

# What `auto` reckons with; estimates from data sheets and from our CPU figures, no GPU has confirmed them.
_START = 6.0  # seconds: importing torch, starting CUDA, pinning buffers
_BUS = 20e9  # bytes/s to the device: a 16-lane PCIe 4 bus, or what threads copy into pinned buffers
_CORE = 8e9  # bytes/s that one core measures, the file being in memory
_SAMPLES = 64  # places at which is looked whether a file is in memory


def checked(name: str) -> str:
    """The name of a device, once it is sure that it exists; `auto` and `cpu` are not looked at and import nothing.

    Raises UsageError for a name that is not known, where torch is missing or older than 2.4, and for a device that
    torch does not see.
    """
    if not _KNOWN.fullmatch(name):
        raise UsageError(f"there is no device `{name}`", f"one of: {NAMES}")
    if name not in ("auto", "cpu"):
        _devices(name)
    return name


def scanner_for(name: str, source: Source, plans: Sequence[Plan], host: Scanner = on_cpu) -> Scanner:
    """What measures on a device whose name was `checked`; `host` where that is the CPU.

    `auto` decides by what the plans are going to read.

    The rule of `auto`: CUDA devices, where torch sees any, if the bytes are local files that are in memory already and
    so many that reading them through the bus and starting CUDA is quicker than measuring them on the cores that this
    process may use. From a disk or a network the cores keep up with what arrives. Other devices are used only by name:
    they share the memory of the cores, or are slower to reach.
    """
    if name == "auto":
        name = "cuda" if _pays(sum(plan.bytes for plan in plans)) and _in_memory(source, plans) and _cuda() else "cpu"
    if name == "cpu":
        return host
    from .scanner import DeviceScanner

    # On torch's CPU what is computed on the way should stay in the cache.
    return DeviceScanner(_devices(name), chunk=1 << 20) if name == _TESTING else DeviceScanner(_devices(name))


def _pays(amount: int) -> bool:
    """Whether a GPU is quicker for bytes that are in memory, by the estimates above."""
    return _START + amount / _BUS < amount / (_CORE * available())


def _cuda() -> bool:
    try:
        _devices("cuda")
    except UsageError:
        return False
    return True


def need_torch() -> Any:
    """The torch module; raises UsageError when there is none that can be used."""
    hint = "pip install 'tensorlint[gpu]'"
    if importlib.util.find_spec("torch") is None:
        raise UsageError("this needs torch, which is not installed here", hint)
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        raise UsageError(f"torch is installed but cannot be imported: {error}", "--device cpu needs none") from error
    version = tuple(int(n) for n in re.findall(r"\d+", torch.__version__)[:2])
    if version < _OLDEST:
        raise UsageError(f"torch {torch.__version__} is too old for devices, 2.4 is the oldest", hint)
    return torch


def _devices(name: str) -> list[Any]:
    """The devices of torch that a name stands for: all of a kind, or the one with a number."""
    torch = need_torch()
    if name == _TESTING:
        return [torch.device("cpu")]
    kind, _, number = name.partition(":")
    back_end = getattr(torch.backends, kind) if kind == "mps" else getattr(torch, kind, None)
    if back_end is None or not back_end.is_available():
        why = "; it is built without CUDA" if kind == "cuda" and torch.version.cuda is None else ""
        raise UsageError(f"torch {torch.__version__} sees no {kind} device{why}", "use --device cpu, or leave it out")
    count = 1 if kind == "mps" else back_end.device_count()
    if number and int(number) >= count:
        seen = ", ".join(f"{kind}:{i}" for i in range(count))
        raise UsageError(f"there is no {name}: torch {torch.__version__} sees {seen}", f"use --device {kind}:0")
    return [torch.device(kind, i) for i in ([int(number)] if number else range(count))]


def _in_memory(source: Source, plans: Sequence[Plan]) -> bool:
    """Whether samples of what will be read are in the page cache; False where the system does not tell (not Linux)."""
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    step, skip = max(1, sum(plan.bytes for plan in plans) // _SAMPLES), 0
    for plan in plans:
        for shard, needs in plan.by_shard.items():
            places: list[int] = []
            for need in needs:
                places.extend(range(need.tensor.begin + skip, need.tensor.end, step))
                skip = (skip - need.tensor.nbytes) % step if need.tensor.nbytes > skip else skip - need.tensor.nbytes
            path = getattr(source.open(shard), "path", None)
            if path is None or not _cached(path, places):
                return False
    return True


def _cached(path: str | os.PathLike[str], places: Sequence[int]) -> bool:
    probe = bytearray(1)
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return all(os.preadv(descriptor, [probe], place, os.RWF_NOWAIT) == 1 for place in places)
        finally:
            os.close(descriptor)
    except OSError:  # not in memory (EAGAIN), or the file system does not tell
        return False
