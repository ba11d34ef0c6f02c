"""Models on the Hub: what is read, from where, with which token, and what a check says about it."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from hubserver import Fault, Hub
from remote_models import QUICK, Opener, sharded
from tensorlint.errors import AccessError, NoCheckpointError, UnfinishedError
from tensorlint.measures.interface import PAGE
from tensorlint.report.findings import Finding, Report
from tensorlint.rulebook.examples import write_shard
from tensorlint.sources.interface import RemoteSource
from tensorlint.sources.memory import MemorySource

Run = Callable[..., Report]
SHARD = "model-00001-of-00004.safetensors"


def essence(findings: tuple[Finding, ...]) -> list[tuple[Any, ...]]:
    return [(f.rule, f.message, f.count, f.evidence, f.locations) for f in findings]


@pytest.mark.parametrize("depth", ["headers", "scales", "full"])
def test_a_remote_check_says_what_a_local_one_says(
    hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes], depth: str
) -> None:
    hub.create("org/model", model)
    local = run(MemorySource(model), depth)
    report = run(remote(), depth)
    assert essence(report.findings) == essence(local.findings)
    assert report.schemes == local.schemes
    assert report.tensors == local.tensors
    assert report.bytes_total == local.bytes_total
    assert not report.stopped
    assert bool(report.findings) == (depth != "headers")


def test_scales_are_read_with_little_more_than_the_plan(hub: Hub, remote: Opener, run: Run) -> None:
    files = sharded(2, 2048, 1024, 12)
    hub.create("org/big", files)
    report = run(remote("org/big"))
    heads = sum(8 + struct.unpack("<Q", d[:8])[0] for n, d in files.items() if n.endswith(".safetensors"))
    texts = sum(len(d) for n, d in files.items() if n.endswith(".json"))
    scales = 2 * 24 * (2048 * 64 + 8)
    assert scales + heads < hub.log.sent("/_cdn/") <= 1.05 * (scales + heads)
    assert report.bytes_read == hub.log.sent("/_cdn/") + hub.log.sent("/resolve/")
    assert report.bytes_read <= 1.05 * (scales + heads + texts)
    assert hub.log.sent("/_cdn/") < 0.15 * sum(map(len, files.values()))


def test_neighbouring_scales_come_in_one_request(hub: Hub, remote: Opener, run: Run) -> None:
    hub.create("org/big", sharded(1, 2048, 1024, 12))
    run(remote("org/big"))
    # 96 planned tensors: block scale, tensor scale and the next module's input scale lie side by side.
    assert len(hub.log.matching("/_cdn/")) <= 1 + 25


def test_a_full_check_reads_every_byte_once(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    report = run(remote(), "full")
    whole = sum(len(d) for n, d in model.items() if n.endswith(".safetensors"))
    evidence = 100  # a few bytes around the finding are read again, and the bad scale for its chart
    charts = sum(f.distribution.elements for f in report.findings if f.distribution)
    ends = PAGE * sum(n.endswith(".safetensors") for n in model)  # whether the end of a shard is zero
    assert whole <= hub.log.sent("/_cdn/") <= whole + evidence + charts + ends
    assert report.bytes_read >= whole


def test_the_revision_is_resolved_once(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    repo = hub.create("org/model", model)
    first = repo.branches["main"][-1].sha
    source = remote()
    hub.commit(repo, {SHARD: b"something else"})  # the branch moves on while the check runs
    assert not run(source).stopped
    assert source.commit == first
    assert len(hub.log.matching("/revision/")) == 1
    others = [r for r in hub.log if "/tree/" in r.path or "/resolve/" in r.path]
    assert len(others) > 5
    assert all(f"/{first}" in r.path for r in others)


def test_each_file_is_resolved_once(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    run(remote())
    resolved = [r.path for r in hub.log.matching("/resolve/")]
    assert sorted(resolved) == sorted(set(resolved))
    assert len(resolved) == len(model)


@pytest.mark.parametrize("how", ["branch", "tag", "sha", "short sha", "pull request"])
def test_every_kind_of_revision(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes], how: str) -> None:
    repo = hub.create("org/model", {"README.md": b"nothing yet"})
    branch = "refs/pr/3" if how == "pull request" else "release"
    commit = hub.commit(repo, model, branch)
    repo.tags["v1"] = commit.sha
    revision = {"branch": "release", "tag": "v1", "sha": commit.sha, "short sha": commit.sha[:10]}.get(how, branch)
    assert remote(revision=revision).commit == commit.sha
    assert [f.rule for f in run(remote(revision=revision)).findings] == ["scales/nan"]
    with pytest.raises(NoCheckpointError):
        run(remote())  # `main` has no weights


def test_a_folder_or_file_of_a_repository(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", {**{f"nvfp4/{n}": d for n, d in model.items()}, "other.safetensors": b"damaged"})
    assert [f.rule for f in run(remote(path="nvfp4")).findings] == ["scales/nan"]
    one = run(remote(path="nvfp4/model-00004-of-00004.safetensors"))
    assert one.shards == 1
    assert "scales/nan" in {f.rule for f in one.findings}
    by_index = remote(path="nvfp4/model.safetensors.index.json")
    assert set(by_index.files()) == set(model)
    with pytest.raises(NoCheckpointError, match="nothing at"):
        remote(path="elsewhere")


def test_a_long_listing_comes_in_pages(hub: Hub, remote: Opener, model: Mapping[str, bytes]) -> None:
    hub.page = 3
    hub.create("org/model", {**model, **{f"notes/{n}.txt": b"" for n in range(20)}})
    assert len(remote().files()) == len(model) + 20
    assert len(hub.log.matching("/tree/")) > 5


def test_the_token_goes_to_the_hub_and_nowhere_else(
    hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.user("hf_secret", repos=["org/model"])
    hub.create("org/model", model, private=True)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.signer.uses = 2  # so that addresses are renewed too
    assert [f.rule for f in run(remote()).findings] == ["scales/nan"]
    hosts = {(r.host, r.token) for r in hub.log if "/api/agent" not in r.path}
    assert hosts == {("127.0.0.1", "hf_secret"), ("localhost", None)}
    assert all("hf_secret" not in f"{r.headers} {r.query}" for r in hub.log if r.host == "localhost")


def test_the_token_of_hf_auth_login_is_found(
    hub: Hub, remote: Opener, model: Mapping[str, bytes], tmp_path: Any
) -> None:
    hub.user("hf_file", repos=["org/model"])
    hub.create("org/model", model, private=True)
    (tmp_path / "token").write_text("hf_file")
    assert remote().files()


REFUSALS: dict[str, tuple[str, dict[str, Any], str, str, str]] = {
    "missing without a token": ("org/none", {}, "", "no model org/none on the Hub, or it is private", "hf auth login"),
    "missing with a token": ("org/none", {}, "hf_known", "or your account may not see it", "hf auth whoami"),
    "private without a token": ("org/model", {"private": True}, "", "or it is private", "hf auth login"),
    "private with a token": ("org/model", {"private": True}, "hf_known", "may not see it", "hf auth whoami"),
    "gated without a token": ("org/model", {"gated": True}, "", "is gated and no token was found", "hf auth login"),
    "gated with a token": ("org/model", {"gated": True}, "hf_known", "your account has no access", "ask for it at"),
    "disabled": ("org/model", {"disabled": True}, "", "refuses access to org/model: Access to this", "settings/tokens"),
    "a wrong token": ("org/model", {}, "hf_wrong", "does not accept your token", "hf auth login"),
    "no revision": ("org/model@nope", {}, "", "org/model has no revision nope", "/org/model/tree/main"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_one_sentence_and_the_next_command(
    hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    name, settings, token, message, hint = REFUSALS[case]
    hub.create("org/model", model, **settings)
    hub.user("hf_known")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    repo, _, revision = name.partition("@")
    with pytest.raises(AccessError) as caught:
        run(remote(repo, revision or "main"))
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2
    refused = [r for r in hub.log if r.status in (401, 403, 404) and "/api/agent" not in r.path]
    assert len({r.path for r in refused}) == len(refused), "a refusal is not asked for twice"


def test_offline_mode_is_said(hub: Hub, remote: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorlint.sources import transport

    class OfflineModeIsEnabled(ConnectionError):
        pass

    def refuse(*_: Any) -> Any:
        raise OfflineModeIsEnabled("offline")

    monkeypatch.setattr(transport, "get", refuse)
    with pytest.raises(UnfinishedError, match="offline mode is on") as caught:
        remote()
    assert "HF_HUB_OFFLINE" in caught.value.hint


def test_no_network(hub: Hub, remote: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UnfinishedError, match=r"cannot reach 127\.0\.0\.1:9 for org/model") as caught:
        remote()
    assert caught.value.exit_code == 4
    assert "HF_ENDPOINT" in caught.value.hint


def test_a_login_page_instead_of_json(hub: Hub, remote: Opener) -> None:
    hub.faults.add(Fault("status", "/api/models/", status=200, body=b"<html>log in</html>"))
    with pytest.raises(UnfinishedError, match="not JSON"):
        remote()


@pytest.mark.parametrize("what", ["lfs_size", "size"])
def test_content_of_another_size_than_stated(
    hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes], what: str
) -> None:
    repo = hub.create("org/model", model)
    hub.store.misstate(repo, SHARD, **{what: 12345})
    report = run(remote())
    found = {f.rule: f for f in report.findings}
    assert set(found) == {"scales/nan", "container/stored-size"}
    message = found["container/stored-size"].message
    assert f"{len(model[SHARD]):,} bytes in storage" in message
    assert "12,345" in message
    assert ("LFS pointer" in message) == (what == "lfs_size")
    assert found["container/stored-size"].locations[0].file == SHARD


def test_a_cut_upload(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    repo = hub.create("org/model", model)
    entry = repo.branches["main"][-1].files[SHARD]
    hub.store.blobs[str(entry.lfs)] = model[SHARD][:200_000]
    rules = {f.rule for f in run(remote()).findings}
    assert {"container/stored-size", "container/truncated", "scales/nan"} <= rules


def test_damaged_files_are_findings(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    files = {
        "empty.safetensors": b"",
        "page.safetensors": b"<!doctype html><title>404</title>",
        "huge.safetensors": struct.pack("<Q", 90 << 20) + b"{" + b" " * 5000,
        "config.json": b"",
    }
    hub.create("org/model", files)
    assert essence(run(remote()).findings) == essence(run(MemorySource(files)).findings)


def test_headers_longer_than_the_first_read(
    hub: Hub, remote: Opener, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensorlint.sources.hub.LONG_HEAD", 200 << 10)
    tensors: dict[str, Any] = {f"layer.{n:06}.weight": ("F32", (1,), b"\0\0\x80?") for n in range(4000)}
    files = {"a.safetensors": write_shard(dict(list(tensors.items())[:1500])), "b.safetensors": write_shard(tensors)}
    assert 64 << 10 < len(files["a.safetensors"]) < 200 << 10 < len(files["b.safetensors"])
    hub.create("org/model", files)
    report = run(remote(), "headers", ("container",))
    assert report.tensors == 5500
    assert len(hub.log.matching("/_cdn/")) == 4
    assert hub.log.sent("/_cdn/") < sum(map(len, files.values()))


def test_a_renamed_repository(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    hub.create("new/model", model)
    hub.store.repos["models", "new/model"] = hub.store.repos["models", "org/model"]
    hub.renamed["org/model"] = "new/model"
    assert [f.rule for f in run(remote()).findings] == ["scales/nan"]


def test_names_are_quoted_in_addresses(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", {f"q 4?#%/{n}": d for n, d in model.items()})
    assert [f.rule for f in run(remote(path="q 4?#%")).findings] == ["scales/nan"]


def test_it_is_a_remote_source(hub: Hub, remote: Opener, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    source = remote()
    assert isinstance(source, RemoteSource)
    assert not isinstance(MemorySource({}), RemoteSource)


def test_reads_without_a_plan(hub: Hub, remote: Opener, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", {**model, "notes.bin": bytes(range(256)) * 1000})
    source = remote(patience=replace(QUICK, attempts=1))
    for name, begin, length in ((SHARD, 0, 10), (SHARD, 65_530, 20), (SHARD, 300_000, 7), ("notes.bin", 1000, 5000)):
        data = model.get(name, bytes(range(256)) * 1000)
        assert source.open(name).read(begin, length) == data[begin : begin + length]
    end = len(model[SHARD])
    with pytest.raises(UnfinishedError, match=re.escape(f"{end:,} bytes in storage")):
        source.open(SHARD).read(end - 5, 6)
