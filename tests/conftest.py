"""What all tests share. Its place makes `tests/` importable, for `hubserver`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something about the machine, not about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def _same_everywhere() -> Iterator[None]:
    """Nothing that a test sees depends on what this user has measured before, or on the width of a terminal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "TENSORLINT_NO_CACHE", "1")
        patch.setitem(os.environ, "COLUMNS", "120")
        yield


@pytest.fixture
def no_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model type has an architecture: what siblings and families tell is all there is."""
    monkeypatch.setattr("tensorlint.rulebook.library.load_architecture", lambda _folder, _model_type: None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `device` runs on torch's own CPU, and with the marker `gpu` on every kind of GPU there is."""
    if "device" not in metafunc.fixturenames:
        return
    import torch

    seen = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "xpu": torch.xpu.is_available(),
    }
    gpus = [kind for kind, there in seen.items() if there]
    rows = [pytest.param(torch.device(kind, 0), marks=pytest.mark.gpu, id=kind) for kind in gpus]
    metafunc.parametrize("device", [pytest.param(torch.device("cpu"), id="cpu"), *rows])
