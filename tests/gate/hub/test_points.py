"""What is patched is verified first: a huggingface_hub that changed is refused, never guarded in part."""

from __future__ import annotations

import importlib

import huggingface_hub
import pytest

from tensorlint.gate import GateError, guard
from tensorlint.gate.hub import arming, points, wire
from tensorlint.gate.hub.points import Point


@pytest.mark.parametrize("version", ["0.33.5", "3.0.0", "strange"])
def test_a_version_that_nobody_looked_at_is_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(huggingface_hub, "__version__", version)
    with pytest.raises(GateError, match=version):
        points.version()


@pytest.mark.parametrize("version", ["0.34.0", "1.0.0.rc1", "2.99.0"])
def test_a_version_that_is_known_is_accepted(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(huggingface_hub, "__version__", version)
    assert points.version() == version


@pytest.mark.parametrize(
    "point",
    [
        Point("hf_api", "HfApi", "gone", ()),
        Point("gone", "", "gone", ()),
        Point("hf_api", "Gone", "create_commit", ()),
        Point("hf_api", "HfApi", "create_commit", ("gone",)),
        Point("_commit_api", "", "gone", (), optional=True),
    ],
    ids=["function", "module", "class", "parameter", "function of an optional module"],
)
def test_a_point_that_is_not_as_expected_is_refused(point: Point) -> None:
    with pytest.raises(GateError, match="cannot attach"):
        points.find(point)


def test_a_module_that_only_some_versions_have_may_be_missing() -> None:
    assert points.find(Point("gone", "", "gone", (), optional=True)) is None


def test_nothing_is_patched_where_one_point_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    hf_api = importlib.import_module("huggingface_hub.hf_api")
    before = hf_api.HfApi.create_commit, hf_api.HfApi.run_as_future
    monkeypatch.setattr(arming, "_attached", [])
    monkeypatch.setattr(arming, "_ENTRIES", (*arming._ENTRIES, (Point("hf_api", "HfApi", "gone", ()), lambda f: f)))
    with pytest.raises(GateError), guard():
        pass
    assert (hf_api.HfApi.create_commit, hf_api.HfApi.run_as_future) == before


def test_arming_twice_patches_once() -> None:
    with guard():
        before = importlib.import_module("huggingface_hub.hf_api").HfApi.create_commit
    with guard():
        assert importlib.import_module("huggingface_hub.hf_api").HfApi.create_commit is before


def test_every_module_that_took_the_function_by_name_has_the_new_one() -> None:
    with guard():
        pass
    current = importlib.import_module("huggingface_hub._commit_api")._fetch_upload_modes
    assert hasattr(current, "__wrapped__")
    for name in ("hf_api", "_upload_pipeline", "_upload_large_folder"):
        try:
            module = importlib.import_module(f"huggingface_hub.{name}")
        except ImportError:
            continue
        assert vars(module).get("_fetch_upload_modes", current) is current


def test_an_announcement_in_an_unknown_form_is_refused() -> None:
    with guard(), pytest.raises(Exception, match="was not checked"):
        wire.examine("POST", "http://h/api/models/org/m/preupload/main", lambda: b"\x00")


@pytest.mark.parametrize(
    "url", ["http://h/api/datasets/org/m/preupload/main", "http://h/api/models/org/m/commit/main", "http://h/"]
)
def test_other_requests_pass_the_wire(url: str) -> None:
    with guard():
        wire.examine("POST", url, lambda: pytest.fail("the body is not needed"))
