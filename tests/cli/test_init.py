"""`tensorlint init` writes what fits the repository it stands in, and never over what is there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tensorlint import __version__
from tensorlint.cli import main
from tensorlint.settings.files import load

from .conftest import checkpoint

ENTRY = {
    "repo": "https://github.com/tensorlint/tensorlint",
    "rev": f"v{__version__}",
    "hooks": [{"id": "tensorlint"}, {"id": "tensorlint-full"}],
}


@pytest.fixture
def repo(tmp_path: Path, monkeypatch) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], check=True)
    monkeypatch.chdir(tmp_path / "repo")
    return tmp_path / "repo"


def init(capsys, *args: str) -> str:
    code = main(["init", *args])
    out = capsys.readouterr()
    assert (code, out.err) == (0, "")
    return out.out


def test_a_fresh_repository_gets_all_three(repo, capsys):
    checkpoint(repo / "model")
    out = init(capsys)
    assert load(repo / "tensorlint.toml").top.values == {"fail-on": "error"}
    assert yaml.safe_load((repo / ".pre-commit-config.yaml").read_text()) == {"repos": [ENTRY]}
    workflow = yaml.safe_load((repo / ".github/workflows/tensorlint.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["tensorlint"]["steps"][-1]["uses"] == f"tensorlint/tensorlint@v{__version__}"
    assert out.count("wrote ") == 3
    assert "checkpoints here: model\n" in out
    assert "next: tensorlint check .\n" in out
    assert "pre-commit install" in out
    assert main(["check", "."]) == 0
    assert sorted(p.name for p in repo.rglob("*") if p.is_file() and ".git/" not in str(p)) == [
        ".pre-commit-config.yaml", "model.safetensors", "tensorlint.toml", "tensorlint.yml",
    ]  # fmt: skip


def test_every_line_of_the_configuration_is_right_when_it_is_used(repo, capsys):
    checkpoint(repo / "a")
    checkpoint(repo / "b")
    init(capsys)
    text = (repo / "tensorlint.toml").read_text()
    rows = [row.removeprefix("# ") if "=" in row or row.startswith("# [") else row for row in text.split("\n")]
    (repo / "all.toml").write_text("\n".join(rows).replace("depth = ", "# depth = ", 1))
    main(["check", "a", "--config", "all.toml", "--show-settings"])
    out, err = capsys.readouterr()
    assert err == ""
    assert "limit = 0.05" in out
    assert 'depth = "headers"' in out
    assert "clipped on purpose" in out


def test_a_second_time_nothing_is_written(repo, capsys):
    init(capsys)
    before = {p: p.read_bytes() for p in repo.rglob("*") if p.is_file()}
    out = init(capsys)
    assert {p: p.read_bytes() for p in repo.rglob("*") if p.is_file()} == before
    assert "wrote" not in out
    assert out.count("--force") == 2
    assert "has the hooks already" in out


def test_force_replaces_the_configuration_and_the_workflow(repo, capsys):
    (repo / "tensorlint.toml").write_text("depth = 'full'\n")
    assert "tensorlint.toml is there already" in init(capsys)
    assert (repo / "tensorlint.toml").read_text() == "depth = 'full'\n"
    assert "wrote tensorlint.toml" in init(capsys, "--force")
    assert "#:schema" in (repo / "tensorlint.toml").read_text()


def test_a_pyproject_with_settings_is_enough(repo, capsys):
    (repo / "pyproject.toml").write_text("[tool.tensorlint]\ndepth = 'full'\n")
    assert "pyproject.toml holds for this folder already" in init(capsys)
    assert not (repo / "tensorlint.toml").exists()


@pytest.mark.parametrize(
    "text",
    [
        "repos:\n- repo: local\n  hooks: []\n",
        "repos:\n  - repo: local\n    hooks: []",
        "# ours\ndefault_stages: [pre-commit]\nrepos:\n    - repo: local\n      hooks: []\n\n\n",
    ],
)
def test_hooks_are_added_at_the_end_of_what_is_there(repo, capsys, text):
    path = repo / ".pre-commit-config.yaml"
    path.write_text(text)
    path.chmod(0o640)
    assert "added at the end" in init(capsys)
    assert yaml.safe_load(path.read_text())["repos"] == [{"repo": "local", "hooks": []}, ENTRY]
    assert path.read_text().startswith(text.rstrip("\n"))
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "text",
    [
        "repos: [{repo: local, hooks: []}]\n",
        "repos:\n- repo: local\n  hooks: []\nexclude: x\n",
        "repos: 3\n",
        "repos: [\n",
        "",
        "repos:\n- repo: local\n  hooks: []\n...\n",
    ],
)
def test_what_cannot_be_extended_safely_is_shown_instead(repo, capsys, text):
    path = repo / ".pre-commit-config.yaml"
    path.write_text(text)
    out = init(capsys)
    assert path.read_text() == text
    shown = out.partition("add to its `repos`:\n")[2].partition("wrote")[0]
    assert yaml.safe_load(shown) == [ENTRY]


def test_in_a_folder_of_a_repository_hooks_go_to_its_root(repo, capsys, monkeypatch):
    (repo / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(repo / "deep" / "er")
    out = init(capsys)
    assert (repo / "deep" / "er" / "tensorlint.toml").is_file()
    assert (repo / ".pre-commit-config.yaml").is_file()
    assert "wrote ../../.pre-commit-config.yaml" in out


def test_outside_of_git_there_is_only_a_configuration(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = init(capsys)
    assert "no git repository" in out
    assert "pre-commit" not in out
    assert [p.name for p in tmp_path.iterdir()] == ["tensorlint.toml"]


def test_a_model_repository_of_the_hub_gets_no_workflow(repo, capsys):
    subprocess.run(["git", "remote", "add", "origin", "https://huggingface.co/org/model"], check=True)
    assert "pushed to the Hub" in init(capsys)
    assert not (repo / ".github").exists()


def test_links_and_odd_files_are_not_followed(repo, tmp_path, capsys):
    (repo / "tensorlint.toml").symlink_to(tmp_path / "elsewhere")
    assert "is there already" in init(capsys)
    assert not (tmp_path / "elsewhere").exists()
    (repo / ".pre-commit-config.yaml").unlink()
    os.mkfifo(repo / ".pre-commit-config.yaml")
    assert main(["init"]) == 2
    assert "no file that can be extended" in capsys.readouterr().err
