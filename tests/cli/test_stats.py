"""`tensorlint stats` as it is run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tensorlint.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(["stats", *arguments])
    except SystemExit as error:  # pragma: no cover
        code = int(error.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_sizes_are_read_from_headers_alone(clean: Path, capsys) -> None:
    code, out, _ = run(capsys, str(clean))
    assert code == 0
    assert "64 parameters in 68 B, 8.50 bits per weight; 2 tensors, 1 shard" in out
    assert "(headers)" in out


def test_a_broken_checkpoint_is_described_not_judged(broken: Path, capsys) -> None:
    code, out, _ = run(capsys, str(broken), "a.q_proj*")
    assert code == 0
    assert "weight_scale" in out
    assert "(headers and values)" in out


def test_json_to_a_file(clean: Path, tmp_path: Path, capsys) -> None:
    code, out, _ = run(capsys, str(clean), "-f", "json", "--tensors", "-o", str(tmp_path / "s.json"))
    assert (code, out) == (0, "")
    whole = json.loads((tmp_path / "s.json").read_text())
    assert whole["depth"] == "full"
    assert whole["tensors"][0]["count"] == 64


def test_headers_only_leaves_values_out(clean: Path, capsys) -> None:
    _, out, _ = run(capsys, str(clean), "-f", "csv", "--depth", "headers")
    assert out.splitlines()[1].endswith(",,,,,,,,,,,,")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], 3, "there is nothing at nowhere"),
        (["{clean}", "a.q_prj"], 2, "did you mean `a.q_proj`"),
        (["{clean}", "-f", "parquet"], 2, "add -o FILE.parquet"),
        (["{clean}", "--dept", "full"], 2, "did you mean --depth"),
    ],
)
def test_what_is_wrong_is_said(clean: Path, arguments: list[str], code: int, said: str, capsys) -> None:
    found, out, err = run(capsys, *(a.replace("{clean}", str(clean)) for a in arguments))
    assert (found, out) == (code, "")
    assert said in err


def test_a_truncated_shard_is_a_gap(clean: Path, capsys) -> None:
    shard = clean / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:40])
    code, out, _ = run(capsys, str(clean))
    assert code == 0
    assert "not read: model.safetensors could not be read" in out
