"""`tensorlint test FILE`: what the hook for rule files runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorlint.cli import main
from tensorlint.rulebook.shipped import shipped_folder

NAN = (shipped_folder() / "scales" / "nan.yaml").read_text()
SCHEME = (shipped_folder() / "schemes" / "nvfp4-modelopt.yaml").read_text()
BAD = NAN.replace("severity: error", "severity: eror")
DEAD = NAN.replace("nan: 0", "nan: {at_most: 1000000000}")

CASES = {
    "a file of its own": ({"nan.yaml": NAN}, ["nan.yaml"], 0, "0 failed"),
    "in the usual folder": ({"tensorlint-rules/scales/nan.yaml": NAN}, ["tensorlint-rules/scales/nan.yaml"], 0, "0 failed"),
    "in a folder that is configured": (
        {"mine/a/nan.yaml": NAN, "tensorlint.toml": 'rules = ["mine"]\n'}, ["mine/a/nan.yaml"], 0, "0 failed",
    ),
    "a mistake": ({"nan.yaml": BAD}, ["nan.yaml"], 2, "did you mean `error`"),
    "a mistake beside it": (
        {"tensorlint-rules/a.yaml": NAN, "tensorlint-rules/b.yaml": BAD}, ["tensorlint-rules/a.yaml"], 2, "b.yaml:",
    ),
    "an example that fails": ({"nan.yaml": DEAD}, ["nan.yaml"], 1, "FAIL nan"),
    "a scheme": ({"nvfp4-modelopt.yaml": SCHEME.replace('summary: "', 'summary: "My ')}, ["nvfp4-modelopt.yaml"], 0, "0 failed"),
    "a configuration": ({"tensorlint.toml": 'fail-on = "warning"\n'}, ["tensorlint.toml"], 0, ""),
    "a mistake in a configuration": ({"tensorlint.toml": 'fail-on = "eror"\n'}, ["tensorlint.toml"], 2, "did you mean `error`"),
    "a rule that a configuration gets wrong": (
        {"tensorlint.toml": 'ignore = ["scale/nan"]\n'}, ["tensorlint.toml"], 2, "did you mean `scales/nan`",
    ),
    "a project without configuration": ({"pyproject.toml": '[project]\nname = "x"\n'}, ["pyproject.toml"], 0, ""),
    "a project with one": ({"pyproject.toml": '[tool.tensorlint]\nfail-on = "eror"\n'}, ["pyproject.toml"], 2, "did you mean"),
    "a file that is not there": ({}, ["gone.yaml"], 2, "there is no file gone.yaml"),
}  # fmt: skip


@pytest.mark.parametrize(("files", "named", "code", "says"), CASES.values(), ids=CASES)
def test_files(files, named, code, says, tmp_path, monkeypatch, capsys):
    for name, text in files.items():
        path = tmp_path / Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    assert main(["test", *named]) == code
    out = capsys.readouterr()
    assert says in out.out + out.err


def test_only_what_is_named_is_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "nan.yaml").write_text(NAN)
    monkeypatch.chdir(tmp_path)
    assert main(["test", "nan.yaml"]) == 0
    few = int(capsys.readouterr().out.split()[0])
    assert 0 < few < 20


def test_a_scheme_is_run_by_its_name(capsys):
    assert main(["test", "nvfp4-modelopt"]) == 0
    assert 0 < int(capsys.readouterr().out.split()[0]) < 40


def test_the_file_of_a_shipped_scheme_is_not_silently_left_out(capsys):
    assert main(["test", str(shipped_folder() / "schemes" / "gptq.yaml")]) == 2
    assert "the name of a scheme" in capsys.readouterr().err
