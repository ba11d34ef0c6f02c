"""Checkpoints on disk, and the command run as people run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tensorlint.cli import main
from tensorlint.rulebook.examples import write_shard

FP8 = bytes(range(0x30, 0x40)) * 4


def checkpoint(folder: Path, scale: float = 0.1, name: str = "a.q_proj") -> Path:
    """An FP8 module with one scale; NaN makes it an error."""
    import struct

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{name}.weight": ("F8_E4M3", (8, 8), FP8),
        f"{name}.weight_scale": ("F32", (), struct.pack("<f", scale)),
    }
    (folder / "model.safetensors").write_bytes(write_shard(tensors))
    return folder


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return checkpoint(tmp_path / "clean")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return checkpoint(tmp_path / "broken", float("nan"))


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def process(tmp_path: Path) -> Run:
    """The command in a process of its own, for what concerns streams, encodings and imports."""

    def call(*args: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        full = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")} | (env or {})
        command = [sys.executable, "-m", "tensorlint", *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, env=full, cwd=tmp_path, timeout=60)

    return call


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """The same in this process, which spares a start each time."""

    def call(*args: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            for name in ("NO_COLOR", "COLUMNS"):
                patch.delenv(name, raising=False)
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            code = main([*map(str, args)])
        return subprocess.CompletedProcess(args, code, *capsys.readouterr())

    return call
