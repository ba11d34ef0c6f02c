"""The example that ships with the project shows what the README says it shows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tensorlint.cli import main

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "llama-nvfp4-nan"


def test_the_seed_bug_is_one_error_that_names_everything() -> None:
    command = [sys.executable, "-m", "tensorlint", "check", str(EXAMPLE), "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    (finding,) = report["findings"]
    assert (done.returncode, report["exit_code"], report["complete"]) == (1, 1, True)
    assert (finding["rule"], finding["severity"], finding["count"]) == ("scales/nan", "error", 2)
    assert {place["tensor"] for place in finding["locations"]} == {
        f"model.layers.{i}.self_attn.o_proj.weight_scale" for i in (0, 1)
    }
    data = (EXAMPLE / "model.safetensors").read_bytes()
    assert all(data[place["byte_offset"]] == 0x7F and len(place["index"]) == 2 for place in finding["locations"])
    assert "0x7f is NaN in E4M3" in finding["evidence"]["note"]
    assert "NVIDIA/Model-Optimizer#1633" in finding["see"] and "#1633" in finding["note"]
    assert finding["effect"] and finding["remedy"]


def test_the_readme_shows_what_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["check", "examples/llama-nvfp4-nan"]) == 1
    varies = re.compile(r"\d+ rules|in \d+\.\d s")  # the number of rules grows
    printed = varies.sub("", capsys.readouterr().out).strip()
    assert printed in varies.sub("", (ROOT / "README.md").read_text())
