"""Names of devices, what is said when there is no such device, and when `auto` takes a GPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from test_scan import need

from tensorlint.errors import UsageError
from tensorlint.measures.device import choice
from tensorlint.measures.device.choice import checked, scanner_for
from tensorlint.measures.device.scanner import DeviceScanner
from tensorlint.measures.plan import make_plan
from tensorlint.measures.scan import on_cpu
from tensorlint.sources.local import LocalSource
from tensorlint.sources.memory import MemorySource


def fake_torch(version: str = "2.6.0", cuda: int = 0, built: str | None = "12.4") -> Any:
    """A torch that sees so many CUDA devices and nothing else."""
    none = SimpleNamespace(is_available=lambda: False)
    return SimpleNamespace(
        __version__=version,
        version=SimpleNamespace(cuda=built),
        cuda=SimpleNamespace(is_available=lambda: cuda > 0, device_count=lambda: cuda),
        backends=SimpleNamespace(mps=none),
        xpu=none,
        device=torch.device,
    )


def with_torch(monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    monkeypatch.setattr(choice.importlib, "import_module", lambda _: module)


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CUDA", "cpu:0", "mps:0", "", "cuda:-1", "cuda:0000"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(UsageError, match="there is no device") as caught:
        checked(name)
    assert "auto, cpu, cuda, cuda:N, mps, xpu" in caught.value.hint


@pytest.mark.parametrize(
    "name, module, sentence",
    [
        ("cuda", fake_torch(), "torch 2.6.0 sees no cuda device"),
        ("cuda", fake_torch("2.6.0+cpu", built=None), "it is built without CUDA"),
        ("cuda:2", fake_torch(cuda=2), "there is no cuda:2: torch 2.6.0 sees cuda:0, cuda:1"),
        ("mps", fake_torch(), "sees no mps device"),
        ("xpu:1", fake_torch(), "sees no xpu device"),
        ("cuda", fake_torch("2.3.1", cuda=1), "torch 2.3.1 is too old for devices, 2.4 is the oldest"),
        ("cuda", fake_torch("1.13.0", cuda=1), "too old"),
    ],
)
def test_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch, name: str, module: Any, sentence: str) -> None:
    with_torch(monkeypatch, module)
    with pytest.raises(UsageError) as caught:
        checked(name)
    assert sentence in caught.value.message
    assert caught.value.hint


def test_torch_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="not installed") as caught:
        checked("cuda")
    assert "pip install 'tensorlint[gpu]'" in caught.value.hint


def test_torch_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> Any:
        raise OSError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr(choice.importlib, "import_module", broken)
    with pytest.raises(UsageError, match=r"cannot be imported: libcudart\.so\.12"):
        checked("cuda")


@pytest.mark.parametrize(
    "name, found", [("cuda", ["cuda:0", "cuda:1"]), ("cuda:1", ["cuda:1"]), ("torch-cpu", ["cpu"])]
)
def test_devices_a_name_stands_for(monkeypatch: pytest.MonkeyPatch, name: str, found: list[str]) -> None:
    with_torch(monkeypatch, fake_torch("2.10.0", cuda=2))
    assert [str(d) for d in choice._devices(checked(name))] == found


def test_what_measures() -> None:
    assert scanner_for("cpu", MemorySource({}), []) is on_cpu
    assert isinstance(scanner_for("torch-cpu", MemorySource({}), []), DeviceScanner)


@pytest.mark.parametrize(
    "amount, cores, pays",
    [(90 << 30, 1, True), (60 << 30, 1, False), (600 << 30, 2, True), (200 << 30, 2, False), (1 << 40, 16, False)],
)
def test_when_auto_would_pay(monkeypatch: pytest.MonkeyPatch, amount: int, cores: int, pays: bool) -> None:
    monkeypatch.setattr(choice, "available", lambda: cores)
    assert choice._pays(amount) is pays


@pytest.mark.parametrize("pays, in_memory, cuda", [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
def test_auto_takes_a_gpu_only_where_all_is_for_it(
    monkeypatch: pytest.MonkeyPatch, pays: int, in_memory: int, cuda: int
) -> None:
    with_torch(monkeypatch, fake_torch(cuda=cuda))
    monkeypatch.setattr(choice, "_pays", lambda _: bool(pays))
    monkeypatch.setattr(choice, "_in_memory", lambda *_: bool(in_memory))
    scanner = scanner_for("auto", MemorySource({}), [])
    assert isinstance(scanner, DeviceScanner) if pays and in_memory and cuda else scanner is on_cpu


def test_only_local_files_can_be_in_memory() -> None:
    assert not choice._in_memory(MemorySource({"s": bytes(100)}), [make_plan([need("x", "uint8", 0, 100)])])


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="this system does not say what is in its page cache")
def test_a_file_just_read_is_in_memory_and_samples_are_spread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(bytes(64_000))
    asked: list[int] = []
    real = choice._cached

    def cached(path: Any, places: Any) -> bool:
        asked.extend(places)
        return real(path, places)

    monkeypatch.setattr(choice, "_cached", cached)
    plan = make_plan([need("x", "uint8", 0, 100), need("y", "uint8", 100, 150), need("z", "uint8", 150, 64_000)])
    answer = choice._in_memory(LocalSource(tmp_path, "x"), [plan])
    assert answer or not real(tmp_path / "s", [0])  # some file systems never tell
    assert asked == list(range(0, 64_000, 1000))


def test_cpu_and_auto_import_no_torch() -> None:
    code = """
import sys
from tensorlint.measures.device.choice import checked, scanner_for
from tensorlint.sources.memory import MemorySource
for name in ("auto", "cpu"):
    scanner_for(checked(name), MemorySource({}), [])
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
