"""The fake Hub is believed by the real client: otherwise tests on it prove nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hubserver import Fault, Hub
from hubserver.record import Log, Record


@pytest.fixture
def client(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Runs a script with a real huggingface_hub, in a process of its own that knows only the fake Hub."""

    def run(hub: Hub, script: str, token: str = "hf_user", **settings: str) -> str:
        hub.user("hf_user")
        home = tmp_path / "home"
        settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_TOKEN": token, "NO_PROXY": "*", **settings}
        quiet = dict.fromkeys(("TELEMETRY", "PROGRESS_BARS", "UPDATE_CHECK", "IMPLICIT_TOKEN_WARNING"), "1")
        settings.update({f"HF_HUB_DISABLE_{k}": v for k, v in quiet.items()})
        head = "import os, sys, huggingface_hub as h\nfrom huggingface_hub import HfApi, errors\napi = HfApi()\n"
        done = subprocess.run(
            [sys.executable, "-c", head + textwrap.dedent(script)],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert not hub.problems, hub.problems
        return done.stdout

    return run


def test_info_tree_and_downloads(client) -> None:  # type: ignore[no-untyped-def]
    with Hub() as hub:
        hub.page = 2
        files = {"config.json": b"{}", "sub/model.safetensors": b"weights" * 100, "a.txt": b"a", "b.txt": b"b"}
        repo = hub.create("org/model", files)
        out = client(
            hub,
            """
            info = api.model_info("org/model")
            print(info.sha)
            print(sorted(f.path for f in api.list_repo_tree("org/model", recursive=True)))
            print(api.get_paths_info("org/model", ["sub/model.safetensors"])[0].lfs.size)
            print(open(h.hf_hub_download("org/model", "sub/model.safetensors"), "rb").read()[:7])
            print(open(h.hf_hub_download("org/model", "config.json"), "rb").read())
            """,
            HF_HUB_DISABLE_XET="1",
        ).splitlines()
        assert out[0] == repo.branches["main"][-1].sha
        assert out[1] == "['a.txt', 'b.txt', 'config.json', 'sub', 'sub/model.safetensors']"
        assert out[2:] == ["700", "b'weights'", "b'{}'"]
        assert {r.token for r in hub.log if r.host == "localhost"} == {None}


@pytest.mark.parametrize(
    ("name", "token", "error"),
    [
        ("org/none", "hf_user", "RepositoryNotFoundError"),
        ("org/none", "", "HfHubHTTPError"),  # 401; the client takes that for "not found" over https only
        ("org/private", "hf_user", "RepositoryNotFoundError"),
        ("org/gated", "hf_user", "GatedRepoError"),
        ("org/gated", "", "GatedRepoError"),
        ("org/open", "hf_wrong", "HfHubHTTPError"),
        ("org/open@nope", "", "RevisionNotFoundError"),
    ],
)
def test_refusals_become_the_errors_of_the_client(client, name: str, token: str, error: str) -> None:  # type: ignore[no-untyped-def]
    with Hub() as hub:
        hub.create("org/private", {"config.json": b"{}"}, private=True)
        hub.create("org/gated", {"config.json": b"{}"}, gated=True)
        hub.create("org/open", {"config.json": b"{}"})
        repo, _, revision = name.partition("@")
        out = client(
            hub,
            f"""
            from huggingface_hub.utils import hf_raise_for_status, build_hf_headers, get_session
            url = h.hf_hub_url({repo!r}, "config.json", revision={revision or "main"!r})
            try:
                hf_raise_for_status(get_session().get(url, headers=build_hf_headers()))
            except errors.HfHubHTTPError as error:
                print(type(error).__name__)
            """,
            token=token,
        )
        assert out.strip() == error


@pytest.mark.parametrize("xet", ["", "http"])
def test_uploads_and_what_left_the_machine(client, tmp_path: Path, xet: str) -> None:  # type: ignore[no-untyped-def]
    with Hub(xet=xet) as hub:
        folder = tmp_path / "upload"
        folder.mkdir()
        content = os.urandom(3000)
        (folder / "model.safetensors").write_bytes(content)
        (folder / "config.json").write_bytes(b'{"a": 1}')
        out = client(
            hub,
            f"""
            api.create_repo("user/new")
            api.upload_folder(repo_id="user/new", folder_path={str(folder)!r})
            print(api.list_repo_files("user/new"))
            api.upload_file(repo_id="user/new", path_in_repo="x.txt", path_or_fileobj=b"hello", create_pr=True)
            print(api.list_repo_files("user/new", revision="refs/pr/1"))
            api.delete_file("config.json", repo_id="user/new")
            print(api.list_repo_files("user/new"))
            """,
            HF_HUB_DISABLE_XET="" if xet else "1",
        ).splitlines()
        assert out[0] == "['config.json', 'model.safetensors']"
        assert out[1] == "['config.json', 'model.safetensors', 'x.txt']"
        assert out[2] == "['model.safetensors']"
        assert hub.log.holds(content[:300]), "the first bytes leave with preupload, in base64"
        assert hub.log.holds(content[1000:1300]), "and all of them to storage"
        assert not hub.log.holds(os.urandom(16))


def test_faults_strike_in_order_and_as_often_as_they_say() -> None:
    with Hub() as hub:
        hub.faults.add(Fault("status", "GET /a", 2, after=1), Fault("status", "/b"))
        struck = [
            hub.faults.take(line) is not None for line in ("GET /a", "GET /a", "PUT /a", "GET /a", "GET /a", "PUT /b")
        ]
        assert struck == [False, True, False, True, False, True]


def test_bytes_that_hf_xet_regrouped_are_seen_too() -> None:
    """Every fourth byte together, as hf_xet sends a chunk that is smaller that way."""
    content, log = os.urandom(24), Log()
    body = b"".join((b"head" + content + b"tail")[start::4] for start in range(4))
    log.add(Record("POST", "/_cas/v1/xorbs/default/1", "", "", {}, body))
    log.add(Record("POST", "/_cas/v1/xorbs/default/2", "", "", {}, body[:-8]))
    assert [r.path for r in log.holds(content)] == ["/_cas/v1/xorbs/default/1"]
