"""A fake Hub for each test, settings of the user's own kept out, and no socket to anywhere else."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hubserver import Hub
from linted import check, rules_of
from remote_models import QUICK, Opener, sharded
from tensorlint.report.findings import Report
from tensorlint.rulebook.library import Book, load_book
from tensorlint.sources.client import Client, Patience
from tensorlint.sources.hub import HubSource, connect
from tensorlint.sources.targets import RemoteTarget

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOOPBACK:
            raise AssertionError(f"a test wanted to connect to {address}")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        yield server
        assert not server.problems, server.problems
    if hasattr(_http, "close_session"):
        _http.close_session()


@pytest.fixture(scope="session")
def book() -> Book:
    return load_book()


@pytest.fixture(scope="session")
def model() -> Mapping[str, bytes]:
    """A model of 4 shards whose heads do not cover the files, with a NaN in the last shard."""
    return sharded(4, 512, 1024, 1, nan=3)


@pytest.fixture
def remote(hub: Hub) -> Iterator[Opener]:
    """Opens a model of the fake Hub with little patience."""
    opened: list[HubSource] = []

    def open_(repo: str = "org/model", revision: str = "main", path: str = "", patience: Patience = QUICK) -> HubSource:
        where = RemoteTarget(repo, revision, path)
        client, listing = connect(where, patience)
        opened.append(HubSource(str(where), where, client, listing))
        return opened[-1]

    yield open_
    for source in opened:
        source.close()


@pytest.fixture
def run(book: Book) -> Callable[..., Report]:
    """Checks a source with every rule."""

    def run_(source: Any, depth: str = "scales", select: tuple[str, ...] = ()) -> Report:
        return check(source, book, rules_of(book, select), depth)

    return run_


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little patience for everything that opens a target itself."""
    real = Client.__init__

    def init(self: Client, endpoint: str, headers: Mapping[str, str], patience: Patience | None = None) -> None:
        real(self, endpoint, headers, patience or QUICK)

    monkeypatch.setattr(Client, "__init__", init)
