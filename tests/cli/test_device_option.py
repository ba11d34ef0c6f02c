"""`check --device`: the same report from every device, and what is said where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tensorlint.cli import main

EXAMPLE = str(Path(__file__).parents[2] / "examples/llama-nvfp4-nan")


def test_the_report_does_not_depend_on_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    reports = []
    for name in ("cpu", "auto", "torch-cpu"):
        assert main(["check", EXAMPLE, "-f", "json", "--device", name]) == 1
        report = json.loads(capsys.readouterr().out)
        report.pop("seconds")
        reports.append(report)
    assert reports[0] == reports[1] == reports[2]


@pytest.mark.parametrize(
    "name, says, hint",
    [("gpu", "there is no device `gpu`", "one of: auto, cpu"), ("cuda:999", "cuda", "--device")],
)
def test_no_such_device(capsys: pytest.CaptureFixture[str], name: str, says: str, hint: str) -> None:
    assert main(["check", EXAMPLE, "--device", name]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert hint in err
