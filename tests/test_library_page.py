"""docs/library.md names everything that is public, and its examples, and that of docs/report.md, run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tensorlint
import tensorlint.gate
from hubserver import Hub

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "llama-nvfp4-nan"
LIBRARY = (ROOT / "docs" / "library.md").read_text()
EXPORTERS = ("modelopt", "llmcompressor")  # what cannot be run without them


def examples() -> Iterator[object]:
    """The Python of the pages, less what needs an exporter."""
    for name, text in (("library", LIBRARY), ("report", (ROOT / "docs" / "report.in.md").read_text())):
        for number, code in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL)):
            if not any(f"import {e}" in code or f"from {e}" in code for e in EXPORTERS):
                yield pytest.param(code, id=f"{name}-{number}")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        server.user("t", "user", ["org/model"])
        server.create("org/model", {f.name: f.read_bytes() for f in EXAMPLE.iterdir() if f.suffix != ".md"})
        yield server


@pytest.mark.parametrize("code", [*examples()])
def test_an_example_runs(code: str, hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    command = Path(sys.executable).parent
    env = {
        **{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and "TENSORLINT" not in k},
        "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": "t",
        "PATH": f"{command}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    for line, said in re.findall(r"^ *(print\(.*\))  # ([<\w].*)$", code, re.MULTILINE):
        if said[0] == "<" or "no rule" in said:  # what is printed, as it stands
            assert said in done.stdout, line
    assert not hub.log.matching("/commit/")  # the gate let nothing through


def test_every_public_name_is_on_the_page() -> None:
    said = set(re.findall(r"\b\w+\b", LIBRARY))
    assert {*tensorlint.__all__, *tensorlint.gate.__all__} <= said


def test_most_examples_run() -> None:
    assert len(list(examples())) >= 10
    assert LIBRARY.count("```python") - len(list(examples())) <= 1
