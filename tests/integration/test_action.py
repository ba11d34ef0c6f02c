"""The GitHub Action: its steps in bash as a runner starts them, and once under act."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from cli.conftest import checkpoint

from .conftest import PROJECT, program

NAN = float("nan")
ACTION = yaml.safe_load((PROJECT / "action.yml").read_text())


@dataclass(frozen=True)
class Done:
    """What a run of the action leaves behind."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str


@pytest.fixture(scope="session")
def runner_temp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all runs, so that tensorlint is installed once."""
    return tmp_path_factory.mktemp("runner")


@pytest.fixture
def act(offline: dict[str, str], published: Path, runner_temp: Path, tmp_path: Path) -> Callable[..., Done]:
    """Run all steps with inputs, in a workspace."""

    def call(**given: str) -> Done:
        inputs = {name: str(about.get("default", "")) for name, about in ACTION["inputs"].items()}
        inputs.update({name.replace("_", "-"): value for name, value in given.items()})
        assert inputs.keys() == ACTION["inputs"].keys()
        output, summary = tmp_path / "output", tmp_path / "summary"
        output.write_text("")
        summary.write_text("")
        fixed = {
            "GITHUB_ACTION_PATH": str(published), "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary),
            "RUNNER_TEMP": str(runner_temp), "GITHUB_WORKSPACE": str(tmp_path), "GITHUB_ACTIONS": "true", "HF_HUB_OFFLINE": "1",
        }  # fmt: skip
        log, code = "", 0
        for step in ACTION["runs"]["steps"]:
            env = {
                k: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: inputs[m[1]], v) for k, v in step["env"].items()
            }
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], cwd=tmp_path,
                env=offline | fixed | env, capture_output=True, text=True,
            )  # fmt: skip
            log, code = log + done.stdout + done.stderr, done.returncode
            if code:
                break
        pairs = [line.partition("=") for line in output.read_text().splitlines()]
        return Done(code, log, {name: value for name, _, value in pairs}, summary.read_text())

    return call


def test_a_clean_checkpoint(act, tmp_path):
    checkpoint(tmp_path / "m")
    done = act(path="m")
    assert done.code == 0, done.log
    assert done.outputs | {"report": ""} == {"verdict": "passed", "errors": "0", "warnings": "0", "report": ""}
    assert not re.search("^::error", done.log, re.MULTILINE)
    assert done.summary.startswith("## ")


def test_a_broken_checkpoint(act, tmp_path):
    checkpoint(tmp_path / "m", NAN)
    done = act(path="m", format="sarif, junit")
    assert done.code == 1
    assert (done.outputs["verdict"], done.outputs["errors"]) == ("failed", "1")
    assert re.search(r"^::error .*file=m/model\.safetensors.*scales/nan", done.log, re.MULTILINE)
    assert "error[scales/nan]" in done.log
    assert "scales/nan" in done.summary
    assert json.loads(Path(done.outputs["report"]).read_text())["exit_code"] == 1
    assert json.loads(Path(done.outputs["sarif"]).read_text())["version"] == "2.1.0"
    assert (Path(done.outputs["sarif"]).parent / "report.junit").is_file()


def test_several_paths_are_counted_together(act, tmp_path):
    checkpoint(tmp_path / "a b", NAN)
    checkpoint(tmp_path / "c", NAN)
    done = act(path="a b\n  c  \n", fail_on="never")
    assert (done.code, done.outputs["verdict"], done.outputs["errors"]) == (0, "passed", "2")


@pytest.mark.parametrize(
    ("inputs", "code", "says"),
    [
        ({"path": "gone"}, 3, ["tensorlint: nothing to check", "there is nothing at gone", "actions/checkout"]),
        ({"depth": "scale"}, 2, ["tensorlint: not started", "did you mean scales?"]),
        ({"rules": "no/such"}, 2, ["no rule file or folder at no/such"]),
        ({"config": "gone.toml"}, 2, ["gone.toml"]),
        ({"format": "sarf"}, 2, ["did you mean sarif?"]),
        ({"format": "../x"}, 2, ["no such format"]),
        ({"path": "m", "repo_id": "org/model"}, 2, ["exclude each other"]),
        ({"path": "m", "revision": "main"}, 2, ["belongs to repo-id"]),
        ({"repo_id": "org/model", "revision": "a/b"}, 4, ["tensorlint: not finished", "org/model"]),
    ],
)  # fmt: skip
def test_what_stops_it_says_what_to_do(act, tmp_path, inputs, code, says):
    checkpoint(tmp_path / "m")
    done = act(**{"path": "m", **inputs} if "repo_id" not in inputs else inputs)
    assert done.code == code
    said = next(line for line in done.log.splitlines() if line.startswith("::error title=tensorlint"))
    for text in says:
        assert text in said
    assert done.outputs["verdict"] == "error"
    assert "Traceback" not in done.log


@pytest.mark.parametrize("version", ["1.0; rm -rf /", "$(id)", "../x", "99.99"])
def test_a_version_that_is_none(act, runner_temp, version):
    venv = runner_temp / "tensorlint-venv"
    if venv.exists():
        shutil.move(venv, runner_temp / "kept")
    done = act(version=version)
    shutil.rmtree(venv, ignore_errors=True)
    if (runner_temp / "kept").exists():
        shutil.move(runner_temp / "kept", venv)
    assert done.code == 1
    assert len(re.findall("^::error title=tensorlint", done.log, re.MULTILINE)) == 1


def test_pointers_say_how_to_get_the_weights(act, tmp_path):
    (tmp_path / "m").mkdir()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    (tmp_path / "m" / "model.safetensors").write_text(pointer)
    done = act(path="m")
    assert done.code == 1
    assert "give actions/checkout `lfs: true`" in done.log


def test_names_of_strangers_are_no_commands(act, tmp_path):
    checkpoint(tmp_path / "m", NAN, name="x\n::set-output name=verdict::passed\n::add-mask::e")
    done = act(path="m")
    assert not [line for line in done.log.splitlines() if line.strip().startswith(("::set-output", "::add-mask"))]


WORKFLOW = """\
on: push
jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - id: clean
        uses: tensorlint/tensorlint@v1
        with: {path: clean}
      - id: broken
        uses: tensorlint/tensorlint@v1
        continue-on-error: true
        with: {path: broken, format: sarif}
      - env:
          SAID: ${{ toJSON(steps) }}
        run: printf '%s' "$SAID" > "$RESULT"
      - uses: tensorlint/tensorlint@v1
        with: {path: broken}
"""


def test_under_act(offline, published, tmp_path):
    work = tmp_path / "work"
    checkpoint(work / "clean")
    checkpoint(work / "broken", NAN)
    (work / ".github" / "workflows").mkdir(parents=True)
    (work / ".github" / "workflows" / "lint.yml").write_text(WORKFLOW)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *command], cwd=work, env=offline, check=True)
    result = tmp_path / "result.json"
    done = subprocess.run(
        [program("act"), "push", "-P", "ubuntu-latest=-self-hosted", "--action-offline-mode", "--local-repository",
         f"tensorlint/tensorlint@v1={published}", "--env", f"RESULT={result}"],
        cwd=work, env=offline, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    log = done.stdout + done.stderr
    assert done.returncode == 1, log
    steps = json.loads(result.read_text())
    assert steps["clean"]["outputs"]["verdict"] == "passed", log
    assert steps["broken"]["outputs"]["verdict"] == "failed"
    assert steps["broken"]["outputs"]["errors"] == "1"
    assert steps["broken"]["outcome"] == "failure"
    assert steps["broken"]["outputs"]["sarif"].endswith("report.sarif")
    assert "scales/nan" in log
