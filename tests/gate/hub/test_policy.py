"""Who is guarded, how strictly, and what an override leaves behind."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, CommitScheduler, HfApi

from hubserver import Hub
from tensorlint.gate import GateError, UploadBlocked, guard, history
from tensorlint.gate.hub.policy import Cover, Policy, accepted, covering, from_environment, policy_for

from .conftest import REPO
from .material import CONFIG, shard

NAME = "model.safetensors"
BAD = shard("model.w", bad=True)


def upload(api: HfApi, **more: object) -> object:
    return api.upload_file(path_or_fileobj=BAD.data, path_in_repo=NAME, repo_id=REPO, **more)


def description(hub: Hub) -> str:
    commit = hub.log.matching("/commit/")[-1]
    return str(json.loads(commit.body.splitlines()[0])["value"]["description"])


def test_outside_of_the_block_nothing_is_checked(hub: Hub, api: HfApi) -> None:
    with guard():
        pass
    upload(api)
    assert hub.log.holds(BAD.marker)


def test_a_future_that_the_block_leaves_behind_is_still_checked(hub: Hub, api: HfApi) -> None:
    go = threading.Event()
    with guard():
        api.run_as_future(go.wait)
        future = upload(api, run_as_future=True)
    go.set()
    with pytest.raises(UploadBlocked):
        future.result()  # type: ignore[attr-defined]
    assert not hub.log.holds(BAD.marker)
    assert history()[-1].message.startswith(f"upload to {REPO} blocked")


def test_a_future_says_on_stderr_that_it_was_blocked(api: HfApi, capfd: pytest.CaptureFixture[str]) -> None:
    with guard():
        upload(api, run_as_future=True).exception()  # type: ignore[attr-defined]
    assert f"tensorlint: upload to {REPO} blocked: 1 error (weights/nan); nothing was sent" in capfd.readouterr().err


def test_a_scheduler_keeps_the_policy_of_the_block_that_made_it(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    go = threading.Event()
    with guard():
        api.run_as_future(go.wait)
        scheduler = CommitScheduler(repo_id=REPO, folder_path=tmp_path, every=1000, hf_api=api)
    go.set()
    (tmp_path / NAME).write_bytes(BAD.data)
    with pytest.raises(UploadBlocked):
        scheduler.trigger().result()
    scheduler.stop()
    assert not hub.log.holds(BAD.marker)


def test_settings_of_the_inner_block_hold_inside_it(hub: Hub, api: HfApi) -> None:
    with guard(mode="off"):
        with guard(), pytest.raises(UploadBlocked):
            upload(api)
        upload(api)
    assert hub.log.holds(BAD.marker)


def test_a_lenient_upload_elsewhere_to_the_same_repository_softens_nothing(hub: Hub, api: HfApi) -> None:
    with covering(REPO, Cover(Policy("off"), ())), guard(), pytest.raises(UploadBlocked):
        upload(api)
    assert not hub.log.writes()


def test_threads_of_an_upload_are_under_its_policy(hub: Hub, api: HfApi) -> None:
    found: list[Policy | None] = []
    with covering(REPO, Cover(Policy("warn"), ())):
        thread = threading.Thread(target=lambda: found.append(policy_for(REPO)))
        thread.start()
        thread.join()
    assert found == [Policy("warn")]


def test_warn_lets_it_pass_and_says_so_twice(
    hub: Hub, api: HfApi, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TENSORLINT_GATE", "warn")
    with guard():
        upload(api, commit_description="from me")
    said = capfd.readouterr().err
    assert "error[weights/nan]" in said and "TENSORLINT_GATE=warn" in said
    assert description(hub) == (
        "from me\n\ntensorlint: uploaded in spite of 1 error (weights/nan) (TENSORLINT_GATE=warn)"
    )


def test_off_lets_it_pass_and_says_so_twice(
    hub: Hub, api: HfApi, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TENSORLINT_GATE", "off")
    with guard():
        upload(api)
    assert f"TENSORLINT_GATE=off, the upload to {REPO} is not checked" in capfd.readouterr().err
    assert description(hub) == "tensorlint: not checked (TENSORLINT_GATE=off)"


@pytest.mark.parametrize("rules", ["weights/nan", "weights", "weights/*"])
def test_an_accepted_rule_passes_with_its_reason_in_the_commit(
    hub: Hub, api: HfApi, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], rules: str
) -> None:
    monkeypatch.setenv("TENSORLINT_ACCEPT", f"{rules}: a test of readers")
    with guard():
        upload(api)
    assert "weights/nan is accepted: a test of readers" in capfd.readouterr().err
    assert description(hub) == "tensorlint: accepted weights/nan: a test of readers"


def test_what_was_accepted_ahead_of_the_commit_is_in_its_description(hub: Hub, api: HfApi) -> None:
    operation = CommitOperationAdd(NAME, BAD.data)
    with guard(accept=[("weights/nan", "known")]):
        api.preupload_lfs_files(REPO, additions=[operation])
        api.create_commit(REPO, [operation], commit_message="m")
    assert description(hub) == "tensorlint: accepted weights/nan: known"


def test_an_accepted_upload_folder_says_so_in_the_commit(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(BAD.data)
    with guard(accept=[("weights/nan", "known")]):
        api.upload_folder(folder_path=tmp_path, repo_id=REPO, commit_description="mine")
    assert description(hub) == "mine\n\ntensorlint: accepted weights/nan: known"


def test_another_rule_that_is_accepted_does_not_help(hub: Hub, api: HfApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORLINT_ACCEPT", "weights/inf: no")
    with guard(), pytest.raises(UploadBlocked):
        upload(api)
    assert not hub.log.writes()


def test_approval_under_a_milder_policy_does_not_count_under_a_strict_one(hub: Hub, api: HfApi) -> None:
    with guard(mode="warn"):
        upload(api)
    hub.log.clear()
    with guard(), pytest.raises(UploadBlocked):
        upload(api)
    assert not hub.log.writes()


@pytest.mark.parametrize("variables", [{"TENSORLINT_GATE": "maybe"}, {"TENSORLINT_ACCEPT": "weights/nan"}])
def test_a_setting_that_means_nothing_refuses_to_arm(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(GateError), guard():
        pass


def test_several_accepted_rules_are_separated_by_semicolons() -> None:
    assert list(accepted("a/b: one: two; c/d: three\n")) == [("a/b", "one: two"), ("c/d", "three")]


def test_the_environment_overrides_the_mode() -> None:
    assert from_environment(Policy("enforce"), {"TENSORLINT_GATE": "WARN"}).mode == "warn"
    assert from_environment(Policy("warn"), {"TENSORLINT_GATE": "on"}).mode == "warn"


def test_no_policy_is_left_behind_by_an_upload(api: HfApi) -> None:
    with guard(), pytest.raises(UploadBlocked):
        upload(api)
    assert policy_for(REPO) is None


def test_the_error_is_one_that_the_hf_command_prints_as_a_line(api: HfApi) -> None:
    errors = pytest.importorskip("huggingface_hub.errors")
    if not hasattr(errors, "CLIError"):
        pytest.skip("this huggingface_hub has no CLIError")
    with guard(), pytest.raises(errors.CLIError) as caught:
        upload(api)
    assert str(caught.value) == f"upload to {REPO} blocked: 1 error (weights/nan); nothing was sent"


def test_other_files_cost_no_request(hub: Hub, api: HfApi) -> None:
    with guard():
        api.upload_file(path_or_fileobj=b"text", path_in_repo="notes.txt", repo_id=REPO)
    assert not hub.log.matching("GET /api/models/org/model/tree")


def test_a_configuration_alone_passes(hub: Hub, api: HfApi) -> None:
    with guard():
        api.upload_file(path_or_fileobj=CONFIG, path_in_repo="config.json", repo_id=REPO)
    assert hub.log.matching("/commit/")
