"""`tensorlint check` on models of the Hub: words, exit codes, downloads that are already here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import tensorlint
from hubserver import Fault, Hub
from tensorlint.cli import main

pytestmark = pytest.mark.usefixtures("quick")
Outcome = tuple[int, str, str]
Command = Callable[..., Outcome]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: str) -> Outcome:
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def report(outcome: Outcome) -> dict[str, Any]:
    found = json.loads(outcome[1])
    assert isinstance(found, dict)
    return found


def write(folder: Path, model: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, data in model.items():
        (folder / name).write_bytes(data)


def download(hub: Hub, tmp_path: Path, model: Mapping[str, bytes], leave_out: str = "") -> Path:
    """A snapshot as huggingface_hub leaves it: links from the commit's folder into blobs."""
    commit = hub.store.repos["models", "org/model"].branches["main"][-1]
    folder = tmp_path / "cache" / "models--org--model"
    snapshot = folder / "snapshots" / commit.sha
    snapshot.mkdir(parents=True)
    (folder / "blobs").mkdir()
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit.sha)
    for name, data in model.items():
        if name != leave_out:
            blob = folder / "blobs" / commit.files[name].blob
            blob.write_bytes(data)
            (snapshot / name).symlink_to(f"../../blobs/{blob.name}")
    return snapshot


def test_a_model_on_the_hub(hub: Hub, command: Command, model: Mapping[str, bytes]) -> None:
    commit = hub.create("org/model", model).branches["main"][-1].sha
    code, out, err = command("check", "org/model")
    assert code == 1
    assert "error[scales/nan]" in out
    assert f"from {hub.url}/org/model, revision main, commit {commit}" in " ".join(out.split())
    assert "headers and scales" in out
    assert err == ""
    found = report(command("org/model@main", "-f", "json"))
    assert found["target"] == "org/model@main"
    assert found["depth"] == "scales"
    assert commit in found["origin"]
    assert found["address"] == "hf://org/model"
    assert found["bytes_read"] < found["bytes_total"]


def test_the_depth_can_be_asked_for(hub: Hub, command: Command, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    assert report(command("hf://org/model", "--depth", "full", "-f", "json"))["depth"] == "full"
    assert report(command("hf://org/model", "--depth", "headers", "-f", "json"))["findings"] == []


def test_a_local_path_wins_and_the_report_says_so(hub: Hub, command: Command, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", {"model.safetensors": b"damaged"})
    write(Path("org/model"), model)
    code, out, _ = command("org/model")
    assert code == 1
    assert "error[scales/nan]" in out
    assert "from a local folder" in out
    assert "checked" in out and "on everything" in out
    assert not [r for r in hub.log if "/api/models" in r.path]
    assert report(command("./org/model", "-f", "json"))["origin"] is None
    assert report(command("org/model", "-f", "json"))["address"] is None
    assert "commit" in command("hf://org/model")[1]


def test_the_plan_reads_headers_only(hub: Hub, command: Command, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    code, out, _ = command("org/model", "--plan")
    assert code == 0
    assert "of headers and" in out
    assert len(hub.log.matching("/_cdn/")) == 4


def test_an_unknown_name_is_said_in_both_senses(hub: Hub, command: Command) -> None:
    code, out, err = command("org/nothing")
    assert (code, out) == (2, "")
    assert "there is no model org/nothing on the Hub, or it is private" in err
    assert "nothing of that name is here either" in err
    assert "hf auth login" in err


@pytest.mark.parametrize(
    ("settings", "message", "following"),
    [
        ({"gated": True}, "org/model is gated and no token was found", "hf auth login"),
        ({"private": True}, "no model org/model on the Hub, or it is private", "hf auth login"),
    ],
)
def test_no_access(
    hub: Hub, command: Command, model: Mapping[str, bytes], settings: dict[str, Any], message: str, following: str
) -> None:
    hub.create("org/model", model, **settings)
    code, out, err = command("org/model")
    assert (code, out) == (2, "")
    assert message in err
    assert following in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 2


def test_the_server_dies_half_way(hub: Hub, command: Command, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    hub.faults.add(Fault("status", "/_cdn/", 1 << 30, after=8, status=503))
    outcome = command("org/model", "-f", "json")
    assert outcome[0] == 4
    found = report(outcome)
    assert found["complete"] is False
    assert "answered 503" in found["stopped"]
    assert found["exit_code"] == 4
    hub.faults.clear()
    hub.faults.add(Fault("status", "/_cdn/", 1 << 30, after=8, status=503))
    code, out, _ = command("org/model")
    assert code == 4
    assert "not finished" in out


def test_nothing_answers(hub: Hub, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    code, out, err = command("org/model")
    assert (code, out) == (4, "")
    assert "cannot reach 127.0.0.1:9 for org/model" in err


def test_a_download_is_named_where_nothing_answers(
    hub: Hub, command: Command, model: Mapping[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.create("org/model", model)
    snapshot = download(hub, tmp_path, model)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    code, _, err = command("org/model")
    assert code == 4
    assert f"tensorlint check {snapshot}" in err
    assert command(str(snapshot))[0] == 1, "links into blobs are followed"


def test_a_complete_download_of_the_commit_is_preferred(
    hub: Hub, command: Command, model: Mapping[str, bytes], tmp_path: Path
) -> None:
    commit = hub.create("org/model", model).branches["main"][-1].sha
    download(hub, tmp_path, model)
    found = report(command("org/model", "-f", "json"))
    assert found["origin"] == f"the local download of org/model, revision main, commit {commit}"
    assert found["address"] == "hf://org/model"
    assert found["depth"] == "full"
    assert [f["rule"] for f in found["findings"]] == ["scales/nan"]
    assert hub.log.matching("/resolve/") == []


@pytest.mark.parametrize("name", ["model-00002-of-00004.safetensors", "config.json"])
def test_a_partial_download_is_not(
    hub: Hub, command: Command, model: Mapping[str, bytes], tmp_path: Path, name: str
) -> None:
    hub.create("org/model", model)
    download(hub, tmp_path, model, leave_out=name)
    found = report(command("org/model", "-f", "json"))
    assert hub.url in found["origin"]
    assert found["depth"] == "scales"


def test_a_cut_download_is_not(hub: Hub, command: Command, model: Mapping[str, bytes], tmp_path: Path) -> None:
    hub.create("org/model", model)
    snapshot = download(hub, tmp_path, model)
    with (snapshot / "config.json").resolve().open("r+b") as file:
        file.truncate(3)
    assert hub.url in report(command("org/model", "-f", "json"))["origin"]


def test_a_download_of_another_commit_is_not(
    hub: Hub, command: Command, model: Mapping[str, bytes], tmp_path: Path
) -> None:
    repo = hub.create("org/model", model)
    old = repo.branches["main"][-1].sha
    download(hub, tmp_path, model)
    hub.commit(repo, {"README.md": b"new"})
    assert hub.url in report(command("org/model", "-f", "json"))["origin"]
    assert "local download" in report(command(f"org/model@{old}", "-f", "json"))["origin"]


def test_a_file_of_a_download(hub: Hub, command: Command, model: Mapping[str, bytes], tmp_path: Path) -> None:
    hub.create("org/model", model)
    download(hub, tmp_path, model)
    found = report(command("hf://org/model/model-00004-of-00004.safetensors", "-f", "json"))
    assert found["shards"] == 1
    assert "local download" in found["origin"]


def test_the_library_takes_the_same_targets(hub: Hub, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    found = tensorlint.check("hf://org/model")
    assert [f.rule for f in found.findings] == ["scales/nan"]
    assert found.depth == "scales"


@pytest.mark.parametrize("target", ["examples/llama-nvfp4-nan", "nothing-here", "--help"])
def test_local_targets_import_no_http(target: str) -> None:
    code = (
        "import sys; from tensorlint.cli import main\n"
        f"main([{target!r}])\n"
        "assert not {'huggingface_hub', 'httpx', 'httpx2', 'requests', 'torch'} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env={**os.environ}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
