"""A Hub with an empty model repository, and an API that talks to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from huggingface_hub import HfApi, constants

from hubserver import Hub

REPO = "org/model"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for name in ("TENSORLINT_GATE", "TENSORLINT_ACCEPT"):
        monkeypatch.delenv(name, raising=False)
    with Hub(xet="http") as made:
        monkeypatch.setattr(constants, "ENDPOINT", made.url)  # 0.x takes addresses apart with it
        made.user("t", "user", [REPO])
        made.create(REPO, {})
        yield made
        assert not made.problems


@pytest.fixture
def api(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.url, token="t")
