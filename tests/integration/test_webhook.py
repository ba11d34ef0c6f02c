"""The example of a webhook: what it reads of a payload, and the comment it writes to a Hub."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cli.conftest import checkpoint
from hubserver import Hub

from .conftest import PROJECT

SCRIPT = PROJECT / "examples" / "webhook" / "comment.py"


def payload(
    scope: str = "repo.content", action: str = "update", kind: str = "model", **more: object
) -> dict[str, object]:
    """What the Hub sends, as far as huggingface_hub's WebhookPayload describes it."""
    repo = {"id": "1", "owner": {"id": "2"}, "name": "org/model", "private": False, "type": kind}
    return {"event": {"action": action, "scope": scope}, "repo": repo, "webhook": {"id": "3", "version": 3}, **more}


def pull(number: int, new: str | None = "f" * 40) -> dict[str, object]:
    return {"ref": f"refs/pr/{number}", "oldSha": None, "newSha": new}


DISCUSSION = {"id": "4", "num": 7, "isPullRequest": True, "status": "open"}


@pytest.mark.parametrize(
    ("event", "numbers"),
    [
        (payload(updatedRefs=[pull(3), pull(2), pull(3)]), [2, 3]),
        (payload(updatedRefs=[pull(3, None)]), []),
        (payload(updatedRefs=[{"ref": "refs/heads/main", "newSha": "f" * 40}]), []),
        (payload(updatedRefs=None), []),
        (payload("discussion", "create", discussion=DISCUSSION), [7]),
        (payload("discussion", "create", discussion={**DISCUSSION, "isPullRequest": False}), []),
        (payload("discussion.comment", "create", discussion=DISCUSSION), []),
        (payload(kind="dataset", updatedRefs=[pull(3)]), []),
    ],
)
def test_which_pull_requests_an_event_is_about(event, numbers):
    spec = importlib.util.spec_from_file_location("comment", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.pull_requests(event) == numbers


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        yield server


@pytest.mark.parametrize(("scale", "says"), [(0.1, "fp8"), (float("nan"), "scales/nan")])
def test_the_verdict_is_written_below_the_pull_request(hub, tmp_path, scale, says):
    folder = checkpoint(tmp_path / "m", scale)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    repo = hub.create("org/model", {"README.md": b"#"})
    hub.commit(repo, files, "refs/pr/1")
    hub.user("hf_x", repos=["org/model"])
    env = {
        **os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_x",
        "WEBHOOK_PAYLOAD": json.dumps(payload(updatedRefs=[pull(1)])), "HF_HUB_DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    done = subprocess.run([sys.executable, str(SCRIPT)], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (written,) = hub.log.matching("/discussions/1/comment")
    assert says in json.loads(written.body)["comment"]


def test_the_first_run_of_the_job_does_nothing():
    env = {**os.environ, "WEBHOOK_PAYLOAD": "{}", "HF_ENDPOINT": "http://127.0.0.1:9"}
    assert subprocess.run([sys.executable, str(SCRIPT)], env=env, timeout=60).returncode == 0
