"""Which configuration is found, what it builds on, and which of its parts speak of a target."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tensorlint.errors import RuleFileError, UsageError
from tensorlint.settings.files import discover, load
from tensorlint.settings.settings import Settings, settings_for
from tensorlint.text.toml import parse_toml


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def found(folder: Path) -> str | None:
    configuration = discover(folder)
    return configuration and str(Path(configuration.path).relative_to(folder.parents[1]))


def test_the_nearest_one_is_found(tmp_path):
    model = tmp_path / "repo" / "models" / "a"
    model.mkdir(parents=True)
    assert discover(model) is None or not str(discover(model).path).startswith(str(tmp_path))
    put(tmp_path / "repo" / "pyproject.toml", "[tool.tensorlint]\ndepth = 'scales'\n")
    assert found(model) == "pyproject.toml"
    put(tmp_path / "repo" / "tensorlint.toml", "")
    assert found(model) == "tensorlint.toml"
    put(model.parent / "pyproject.toml", "[tool.ruff]\n# not tensorlint\n")
    assert found(model) == "tensorlint.toml"
    put(model.parent / "pyproject.toml", "[tool.tensorlint]\n")
    assert found(model) == "models/pyproject.toml"
    put(model / "tensorlint.toml", "")
    assert found(model) == "models/a/tensorlint.toml"


@pytest.mark.parametrize("text", ["tool = 3\n# tensorlint", "[tool]\nx = 'tensorlint'", "# tensorlint\n"])
def test_a_pyproject_that_only_mentions_it_is_passed_over(tmp_path, text):
    put(tmp_path / "tensorlint.toml", "")
    put(tmp_path / "a" / "pyproject.toml", text)
    assert discover(tmp_path / "a").path == str(tmp_path / "tensorlint.toml")


def test_a_pyproject_says_the_same(tmp_path):
    path = put(
        tmp_path / "pyproject.toml",
        "[tool.tensorlint]\ndepth = 'scales'\n[[tool.tensorlint.ignore]]\nrule = 'a'\nreason = 'b'\n",
    )
    settings = settings_for("/m", load(path))
    assert (settings.depth, settings.ignores[0].reason, settings.ignores[0].line) == ("scales", "b", 3)
    with pytest.raises(UsageError, match=r"no \[tool.tensorlint\]"):
        load(put(tmp_path / "b" / "pyproject.toml", "[tool.ruff]\n"))
    with pytest.raises(RuleFileError, match=r"unknown key `dpth` of \[tool.tensorlint\]"):
        load(put(tmp_path / "c" / "pyproject.toml", "[tool.tensorlint]\ndpth = 'scales'\n"))


def test_extend_comes_first_and_lists_add_up(tmp_path):
    put(tmp_path / "org" / "base.toml", "depth = 'full'\nignore = ['a']\nselect = ['x']\n[severity]\n'b' = 'note'\n")
    put(tmp_path / "org" / "more.toml", "depth = 'headers'\njobs = 2\n")
    path = put(
        tmp_path / "repo" / "tensorlint.toml",
        "extend = ['../org/base.toml', '../org/more.toml']\nselect = ['y']\nignore = ['c']\n[severity]\n'b' = 'off'\n",
    )
    settings = settings_for("/m", load(path))
    assert (settings.depth, settings.jobs) == ("headers", 2)
    assert [s.pattern for s in settings.select] == ["y"]
    assert [s.pattern for s in settings.ignore] == ["a", "c"]
    assert [s.severity for s in settings.severity] == ["note", "off"]
    assert [Path(f).name for f in settings.files] == ["base.toml", "more.toml", "tensorlint.toml"]
    assert [p.rpartition("/")[2] for p in settings.places["ignore"]] == ["base.toml:2", "tensorlint.toml:3"]


def test_a_circle_of_configurations_is_an_error_with_a_place(tmp_path):
    put(tmp_path / "a.toml", "extend = 'b.toml'\n")
    put(tmp_path / "b.toml", "depth = 'full'\nextend = ['a.toml']\n")
    with pytest.raises(RuleFileError, match=r"b\.toml:2:11") as caught:
        load(tmp_path / "a.toml")
    assert "builds on this file" in str(caught.value)
    with pytest.raises(RuleFileError, match="builds on this file"):
        load(put(tmp_path / "self.toml", "extend = 'self.toml'"))


def test_a_base_that_two_others_share_is_no_circle(tmp_path):
    put(tmp_path / "base.toml", "depth = 'full'\n")
    put(tmp_path / "b.toml", "extend = 'base.toml'\n")
    put(tmp_path / "c.toml", "extend = 'base.toml'\n")
    assert settings_for("/m", load(put(tmp_path / "a.toml", "extend = ['b.toml', 'c.toml']\n"))).depth == "full"


def test_a_family_tree_without_end_is_cut(tmp_path):
    for level in range(12):
        put(tmp_path / f"{level}.toml", f"extend = ['{level + 1}.toml', '{level + 1}.toml', '{level + 1}.toml']\n")
    put(tmp_path / "12.toml", "")
    with pytest.raises(RuleFileError, match="at most 32 files"):
        load(tmp_path / "0.toml")


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    put(tmp_path / "repo" / "rules" / "a.yaml", "")
    put(tmp_path / "repo" / "old.json", "{}")
    path = put(tmp_path / "repo" / "tensorlint.toml", "rules = 'rules'\nbaseline = 'old.json'\n")
    monkeypatch.chdir("/")
    settings = settings_for("/m", load(path))
    assert settings.rules == (str(tmp_path / "repo" / "rules"),)
    assert settings.baseline == str(tmp_path / "repo" / "old.json")


SECTIONS = """
depth = "full"
[[target]]
path = "models/*"
depth = "scales"
[[target]]
path = ["models/b", "org/*"]
fail-on = "note"
[[target]]
path = "."
jobs = 3
"""


@pytest.mark.parametrize(
    ("folder", "depth", "fail_on", "jobs"),
    [
        ("", "full", "error", 3),
        ("models/a", "scales", "error", None),
        ("models/a/deep/er", "scales", "error", None),
        ("models/b", "scales", "note", None),
        ("models", "full", "error", None),
        ("modelsx/b", "full", "error", None),
    ],
)
def test_sections_speak_of_folders_and_what_is_below(tmp_path, folder, depth, fail_on, jobs):
    configuration = load(put(tmp_path / "tensorlint.toml", SECTIONS))
    settings = settings_for(str(tmp_path / folder) if folder else str(tmp_path), configuration)
    assert (settings.depth, settings.fail_on, settings.jobs) == (depth, fail_on, jobs)


def test_sections_speak_of_models_on_the_hub(tmp_path):
    configuration = load(put(tmp_path / "tensorlint.toml", SECTIONS))
    assert settings_for("org/model", configuration).fail_on == "note"
    assert settings_for("other/model", configuration) == Settings(
        depth="full", files=configuration.files, places={"depth": (f"{configuration.path}:2",)}
    )


def test_what_is_no_file_is_refused_and_never_read(tmp_path):
    os.mkfifo(tmp_path / "tensorlint.toml")
    with pytest.raises(UsageError, match="not a file"):
        discover(tmp_path)
    with pytest.raises(UsageError, match="not a file"):
        load(Path("/dev/zero"))
    os.mkfifo(tmp_path / "base.toml")
    with pytest.raises(UsageError, match="not a file"):
        load(put(tmp_path / "a.toml", "extend = 'base.toml'"))
    os.mkfifo(tmp_path / "pyproject.toml")
    (tmp_path / "tensorlint.toml").unlink()
    configuration = discover(tmp_path)
    assert configuration is None or tmp_path not in Path(configuration.path).parents
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "tensorlint.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="cannot read"):
        discover(tmp_path / "sub")


@pytest.mark.parametrize(
    "text", [".".join("a" * 65) + " = 1", "[" + " . ".join(['"a"'] * 65) + "]", "x = {" + ".".join("a" * 9999) + "=1}"]
)
def test_names_that_would_take_for_ever_are_refused_before_they_are_read(text):
    with pytest.raises(RuleFileError, match="more than 64 parts"):
        parse_toml(text.encode(), "x")


def test_a_long_text_is_no_long_name():
    assert parse_toml(b'x = "' + b"a.b-c " * 500 + b'"', "x").data
    assert parse_toml(b'x = ["' + b'a.", ".b", "' * 500 + b'"]', "x").data


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("[tool.tensorlint]\n", True),
        ('[tool."tensorlint"]\n', True),
        ("[tool]\ntensorlint = {}\n", True),
        ("tool.tensorlint.depth = 'full'\n", True),
        ("[project]\ndependencies = ['tensorlint']\n" + "#" * 200_000, False),
        ("[project]\nx = 'tool for tensorlint'\n", False),
    ],
)
def test_when_a_pyproject_is_ours(tmp_path, text, ours):
    put(tmp_path / "pyproject.toml", text)
    put(tmp_path.parent / "tensorlint.toml", "")
    found = discover(tmp_path)
    (tmp_path.parent / "tensorlint.toml").unlink()
    assert (found.path == str(tmp_path / "pyproject.toml")) == ours


def test_a_hidden_name_will_do(tmp_path):
    put(tmp_path / ".tensorlint.toml", "depth = 'full'\n")
    assert discover(tmp_path).path.endswith("/.tensorlint.toml")
