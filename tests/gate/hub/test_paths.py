"""Every way to upload, with the gate armed: nothing of a broken checkpoint is sent, a sound one arrives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from .paths import KINDS, WAYS

PROGRAM = Path(__file__).with_name("paths.py")
UNTOUCHED = [name for name, kind in KINDS.items() if kind in ("dataset", "space")]
GATED = [name for name in WAYS if name not in UNTOUCHED]
STORES = {"lfs": "", "xet": "http"}


@cache
def outcome(mode: str, store: str) -> dict[str, Any]:
    """What every way did under `install()`, `with guard():`, or no gate."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TENSORLINT_"))}
    with TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        command = [sys.executable, str(PROGRAM), mode, STORES[store], str(result)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert result.exists(), done.stderr
        found: dict[str, Any] = json.loads(result.read_text())
    assert not found["problems"]
    return found


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("mode", ["install", "guard"])
@pytest.mark.parametrize("name", GATED)
def test_a_broken_checkpoint_is_blocked_before_any_of_its_bytes_is_sent(name: str, mode: str, store: str) -> None:
    found = outcome(mode, store)["ways"].get(name) or pytest.skip("needs xet")
    bad = found["bad"]
    if name == "hf_command" and bad["error"].startswith("SystemExit"):
        assert bad["error"] == "SystemExit: 1"
    else:
        assert bad["error"].startswith("UploadBlocked")
        assert "(weights/nan)" in bad["error"]
    assert not bad["leaks"]
    assert not bad["stored"]
    assert not [w for w in bad["writes"] if "preupload" not in w]  # a config.json that came first may be announced


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("mode", ["install", "guard"])
@pytest.mark.parametrize("name", GATED)
def test_a_sound_checkpoint_arrives_and_its_bytes_are_seen_on_the_wire(name: str, mode: str, store: str) -> None:
    found = outcome(mode, store)["ways"].get(name) or pytest.skip("needs xet")
    good = found["good"]
    assert good["error"] in ("", "SystemExit: 0")
    assert good["leaks"]
    assert good["stored"]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("name", UNTOUCHED)
def test_datasets_and_spaces_are_not_touched(name: str, store: str) -> None:
    found = outcome("install", store)["ways"][name]
    assert found["bad"]["error"] == "" and found["bad"]["stored"]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("name", GATED)
def test_without_the_gate_the_broken_checkpoint_would_have_been_published(name: str, store: str) -> None:
    found = outcome("none", store)["ways"].get(name) or pytest.skip("needs xet")
    assert found["bad"]["leaks"] and found["bad"]["stored"]


def test_every_blocked_upload_is_on_record_though_futures_hide_theirs() -> None:
    said = outcome("install", "xet")["history"]
    for name in ("upload_folder_future", "create_commit_future", "commit_scheduler"):
        assert any(f"org/{name}-bad " in message for message in said)
