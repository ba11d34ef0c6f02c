"""The repository as others use it: a clone that hook runners and the action install from, without leaving the machine.

TENSORLINT_WHEELS names a folder with wheels of tensorlint's dependencies and of hatchling; `.ci/wheels` makes it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gitclone import environment

PROJECT = Path(__file__).resolve().parents[2]
_PARTS = ("linter", "rules", "action", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml", "action.yml")


def program(name: str) -> str:
    """A program beside this Python or on the path; the test is skipped where it is not installed."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join([beside, os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"{name} is not installed: bash .ci/install .venv ci")
    return found


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which pip and uv find what they need in a folder, and nothing else can be reached."""
    wheels = os.environ.get("TENSORLINT_WHEELS")
    if not wheels:
        pytest.skip("TENSORLINT_WHEELS is not set: bash .ci/wheels FOLDER")
    home = tmp_path_factory.mktemp("home")
    nowhere = "http://127.0.0.1:9"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return environment(home) | {
        "PATH": path, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels, "UV_NO_CONFIG": "1",
        "UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": wheels, "UV_PYTHON_DOWNLOADS": "never",
        "UV_CACHE_DIR": str(home / "uv"), "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "NO_PROXY": "localhost,127.0.0.1",
        "PRE_COMMIT_HOME": str(home / "pre-commit"), "PREK_HOME": str(home / "prek"), "PRE_COMMIT_COLOR": "never",
    }  # fmt: skip


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, offline: dict[str, str]) -> Path:
    """A git repository with one commit of what hooks and the action are installed from."""
    folder = tmp_path_factory.mktemp("published")
    for name in _PARTS:
        place = PROJECT / name
        if place.is_dir():
            shutil.copytree(place, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(place, folder / name)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "release"], ["tag", "v1"]):
        subprocess.run(["git", *command], cwd=folder, env=offline, check=True)
    return folder
