"""What a target means."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorlint.errors import NoCheckpointError, UsageError
from tensorlint.sources.targets import RemoteTarget, bare_name, choose, remote_target

EXPLICIT = {
    "hf://org/model": RemoteTarget("org/model"),
    "hf://models/org/model": RemoteTarget("org/model"),
    "hf://org/model@v1.0": RemoteTarget("org/model", "v1.0"),
    "hf://org/model@refs/pr/3": RemoteTarget("org/model", "refs/pr/3"),
    "hf://org/model@refs/pr/3/sub/a.safetensors": RemoteTarget("org/model", "refs/pr/3", "sub/a.safetensors"),
    "hf://org/model@feature%2Fx/sub": RemoteTarget("org/model", "feature/x", "sub"),
    "hf://org/model/sub/": RemoteTarget("org/model", "main", "sub"),
    "hf://org/Model-1.5_B": RemoteTarget("org/Model-1.5_B"),
    "https://huggingface.co/org/model": RemoteTarget("org/model"),
    "https://huggingface.co/org/model/": RemoteTarget("org/model"),
    "https://huggingface.co/org/model/tree/main": RemoteTarget("org/model"),
    "https://huggingface.co/org/model/tree/refs/pr/7": RemoteTarget("org/model", "refs/pr/7"),
    "https://huggingface.co/org/model/blob/v2/a%20b.safetensors?x=1": RemoteTarget(
        "org/model", "v2", "a b.safetensors"
    ),
}
BARE = {
    "org/model": RemoteTarget("org/model"),
    "org/model@v1": RemoteTarget("org/model", "v1"),
    "org/model@refs/pr/3": RemoteTarget("org/model", "refs/pr/3"),
    "org/model@feature/x": RemoteTarget("org/model", "feature/x"),
}
WRONG = [
    "hf://datasets/org/data", "hf://spaces/org/app", "hf://", "hf://org", "hf://org/", "hf:///org/model", "hf://org/mo--del",
    "hf://org/model/../other", "hf://org/model@", "https://example.org/org/model", "https://huggingface.co/org",
    "https://huggingface.co/datasets/org/data/tree/main", "hf://" + "o" * 60 + "/" + "m" * 60,
]  # fmt: skip


@pytest.mark.parametrize("target", EXPLICIT)
def test_explicit_targets(target: str) -> None:
    assert remote_target(target) == EXPLICIT[target]


@pytest.mark.parametrize("target", WRONG)
def test_malformed_targets_are_usage_errors(target: str) -> None:
    with pytest.raises(UsageError):
        choose(target)


@pytest.mark.parametrize("target", BARE)
def test_bare_names(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert choose(target) == BARE[target]


@pytest.mark.parametrize(
    "target",
    ["model", "./org/model", "/org/model", "a/b/c", "org/model/", "org/x.safetensors", "org/a.json", "~/m", "o/.m", ""],
)
def test_what_is_no_name(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert bare_name(target) is None
    if target:
        with pytest.raises(NoCheckpointError, match="nothing at"):
            choose(target)


def test_a_local_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "model").mkdir(parents=True)
    assert choose("org/model") == Path("org/model")
    assert choose("hf://org/model") == RemoteTarget("org/model")


def test_a_slip_beside_local_models_does_not_ask_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org").mkdir()
    with pytest.raises(NoCheckpointError) as caught:
        choose("org/model@v1")
    assert caught.value.hint == "for the model on the Hub write hf://org/model@v1"


@pytest.mark.parametrize("target", EXPLICIT.values())
def test_targets_are_written_so_that_they_can_be_read(target: RemoteTarget) -> None:
    assert remote_target(str(target)) == target
