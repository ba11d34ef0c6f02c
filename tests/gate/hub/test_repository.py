"""The repository as it would be: what stays in it counts, what is still to come does not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub import _commit_api as commit_api

from hubserver import Fault, Hub
from tensorlint.gate import UploadBlocked, guard
from tensorlint.gate.hub import review

from .conftest import REPO
from .material import CONFIG, index, shard

FIRST, SECOND, INDEX = (
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
)


def send(api: HfApi, name: str, data: bytes, **more: object) -> None:
    with guard():
        api.upload_file(path_or_fileobj=data, path_in_repo=name, repo_id=REPO, **more)


def both() -> bytes:
    return index(model__00001__of__00002=("a.w", "a.w.marker"), model__00002__of__00002=("b.w", "b.w.marker"))


def files(hub: Hub) -> set[str]:
    repo = hub.store.repo("models", REPO)
    assert repo is not None
    return set(repo.branches["main"][-1].files)


@pytest.mark.parametrize("order", [(FIRST, SECOND, INDEX), (INDEX, SECOND, FIRST), (SECOND, INDEX, FIRST)])
def test_a_model_may_come_shard_by_shard_in_any_order(hub: Hub, api: HfApi, order: tuple[str, ...]) -> None:
    content = {FIRST: shard("a.w").data, SECOND: shard("b.w").data, INDEX: both()}
    for name in order:
        send(api, name, content[name])
    assert files(hub) == set(order)


def test_a_missing_shard_is_a_warning_that_says_why_it_does_not_block(
    api: HfApi, capfd: pytest.CaptureFixture[str]
) -> None:
    send(api, FIRST, shard("a.w").data)
    said = capfd.readouterr().err
    assert "warning[index/shard-gap]" in said and "a later upload may complete it" in said


def test_a_shard_that_contradicts_the_index_in_the_repository_is_blocked(hub: Hub, api: HfApi) -> None:
    repo = hub.create(REPO, {FIRST: shard("a.w").data, SECOND: shard("b.w").data, INDEX: both()})
    assert repo
    with pytest.raises(UploadBlocked, match="index/"):
        send(api, SECOND, shard("c.w").data)
    assert not hub.log.writes()


def test_an_index_that_contradicts_the_shards_in_the_repository_is_blocked(hub: Hub, api: HfApi) -> None:
    hub.create(REPO, {FIRST: shard("a.w").data, SECOND: shard("b.w").data})
    wrong = index(model__00001__of__00002=("a.w", "a.w.marker", "x.w"), model__00002__of__00002=("b.w", "b.w.marker"))
    with pytest.raises(UploadBlocked, match="index/missing-tensor"):
        send(api, INDEX, wrong)
    assert not hub.log.writes()


def test_only_headers_of_what_stays_are_read(hub: Hub, api: HfApi) -> None:
    big = {f"t{i}.w": None for i in range(300)}
    hub.create(REPO, {FIRST: shard(*big).data, "other/model.safetensors": shard("o.w").data})
    hub.log.clear()
    send(api, SECOND, shard("b.w").data)
    assert not [r for r in hub.log if "other/model" in r.path]
    assert hub.log.sent("/_cdn/") <= 2 * (64 << 10)


def test_a_defect_that_the_repository_has_already_does_not_block(hub: Hub, api: HfApi) -> None:
    broken = index(model__00001__of__00002=("a.w", "a.w.marker", "x.w"), model__00002__of__00002=("b.w", "b.w.marker"))
    hub.create(REPO, {FIRST: shard("a.w").data, SECOND: shard("b.w").data, INDEX: broken})
    send(api, SECOND, shard("b.w").data)
    send(api, "config.json", CONFIG)
    assert "config.json" in files(hub)


def test_deleted_files_are_not_in_the_repository_any_more(hub: Hub, api: HfApi) -> None:
    hub.create(REPO, {FIRST: shard("a.w").data, SECOND: shard("b.w").data, INDEX: both()})
    operations = [
        CommitOperationDelete(FIRST),
        CommitOperationDelete(SECOND),
        CommitOperationDelete(INDEX),
        CommitOperationAdd("model.safetensors", shard("z.w").data),
    ]
    with guard():
        api.create_commit(REPO, operations, commit_message="m")
    assert files(hub) == {"model.safetensors"}


def test_a_pull_request_is_judged_against_main(hub: Hub, api: HfApi) -> None:
    hub.create(REPO, {FIRST: shard("a.w").data, SECOND: shard("b.w").data, INDEX: both()})
    with pytest.raises(UploadBlocked):
        send(api, SECOND, shard("c.w").data, create_pr=True)


def test_a_repository_that_cannot_be_read_leaves_the_upload_itself_checked(hub: Hub, api: HfApi) -> None:
    hub.faults.add(Fault("status", match="GET /api/models/org/model/tree", times=99, status=403))
    send(api, "model.safetensors", shard("a.w").data)
    with pytest.raises(UploadBlocked):
        send(api, "model.safetensors", shard("a.w", bad=True).data)


def test_a_file_that_is_rewritten_after_the_check_is_checked_again(
    hub: Hub, api: HfApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, bad = tmp_path / "model.safetensors", shard("a.w", bad=True)
    path.write_bytes(shard("a.w").data)
    before = path.stat()

    def rewrite(*args: object, **kwargs: object) -> None:  # runs between the two checks
        path.write_bytes(bad.data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))

    monkeypatch.setattr(HfApi, "_validate_yaml", rewrite)
    operations = [CommitOperationAdd("README.md", b"---\n---\n"), CommitOperationAdd(path.name, str(path))]
    with guard(), pytest.raises(UploadBlocked):
        api.create_commit(REPO, operations, commit_message="m")
    assert not hub.log.holds(bad.marker)
    assert not hub.log.writes()


def test_an_unchanged_file_is_read_once_for_all_checks(
    api: HfApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    linter = review._linter[0]
    monkeypatch.setattr(review, "_linter", [lambda change: asked.append(change) or linter(change)])
    (tmp_path / "model.safetensors").write_bytes(shard("a.w").data)
    with guard():
        api.upload_folder(folder_path=tmp_path, repo_id=REPO)
    assert len(asked) == 1


def test_a_linter_that_breaks_blocks(hub: Hub, api: HfApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "_linter", [lambda change: 1 / 0])
    with pytest.raises(UploadBlocked, match="the check failed"):
        send(api, "model.safetensors", shard("a.w").data)
    assert not hub.log.writes()


def test_an_announcement_that_nobody_checked_is_refused_by_the_http_client(hub: Hub, api: HfApi) -> None:
    bad = shard("a.w", bad=True)
    operation = CommitOperationAdd("model.safetensors", bad.data)
    unpatched = commit_api._fetch_upload_modes
    while getattr(unpatched, "__module__", "") and hasattr(unpatched, "__wrapped__"):
        unpatched = unpatched.__wrapped__
    arguments = {"repo_type": "model", "repo_id": REPO, "revision": "main", "endpoint": hub.url}
    with guard(), pytest.raises(UploadBlocked, match="was not checked"):
        unpatched(additions=[operation], headers=api._build_hf_headers(), **arguments)
    assert not hub.log.writes()


def test_content_that_was_dropped_before_the_gate_was_armed_is_unknown_and_blocked(hub: Hub, api: HfApi) -> None:
    operation = CommitOperationAdd("model.safetensors", shard("a.w").data)
    api.preupload_lfs_files(REPO, additions=[operation], free_memory=True)
    with guard(), pytest.raises(UploadBlocked, match="before the gate was armed"):
        api.create_commit(REPO, [operation], commit_message="m")
    assert not hub.log.matching("/commit/")


def test_an_open_file_is_left_at_its_position(api: HfApi, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(shard("a.w").data)
    with path.open("rb") as file, guard(), pytest.raises(UploadBlocked):
        operation = CommitOperationAdd("model.safetensors", file)
        path.write_bytes(shard("a.w", bad=True).data)
        file.seek(7)
        try:
            api.create_commit(REPO, [operation], commit_message="m")
        finally:
            assert file.tell() == 7


def test_the_token_of_the_caller_reads_the_repository(hub: Hub) -> None:
    hub.create(REPO, {INDEX: json.dumps({"weight_map": {"x": FIRST, "x.marker": FIRST}}).encode()}, private=True)
    hub.log.clear()
    send(HfApi(endpoint=hub.url, token="t"), FIRST, shard("x").data)
    assert {r.token for r in hub.log.matching("GET /api/models")} == {"t"}
