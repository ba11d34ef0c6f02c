"""`tensorlint run` and `tensorlint upload` as people call them: in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

import tensorlint
from hubserver import Hub

from .material import CONFIG, File, shard

REPO = "org/model"
NAME = "model.safetensors"
# Upload the first argument's folder.
SCRIPT = """
import sys
from huggingface_hub import upload_folder
upload_folder(folder_path=sys.argv[1], repo_id="org/model")
"""
# What the gate itself must not need in the environment of the command.
ABSENT = ("tensorlint", "numpy", "regex", "safetensors", "rich", "ml_dtypes")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as made:
        made.user("t", "user", [REPO])
        made.create(REPO, {})
        yield made
        assert not made.problems


@pytest.fixture
def env(hub: Hub, tmp_path: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TENSORLINT_", "PYTHONPATH"))}
    return {
        **kept,
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": "t",
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


@pytest.fixture
def foreign(tmp_path: Path) -> tuple[str, str]:
    """(python, PYTHONPATH) of an environment with huggingface_hub and without tensorlint and what it needs."""
    place, packages = tmp_path / "foreign", tmp_path / "packages"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    packages.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        name = entry.name.lower()
        if not name.startswith(ABSENT) and not name.endswith((".pth", ".so")) and name != "__pycache__":
            (packages / entry.name).symlink_to(entry)
    return str(place / "bin" / "python"), str(packages)


def folder(tmp_path: Path, bad: bool) -> tuple[Path, File]:
    made = tmp_path / "model"
    made.mkdir()
    file = shard("model.w", bad=bad)
    (made / "config.json").write_bytes(CONFIG)
    (made / NAME).write_bytes(file.data)
    return made, file


def tensorlint_(*words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tensorlint", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def assert_blocked(done: subprocess.CompletedProcess[str], hub: Hub, file: File) -> None:
    said = done.stderr + done.stdout
    assert done.returncode == 1, said
    assert "Traceback" not in said
    assert "error[weights/nan]" in said
    assert f"upload to {REPO} blocked: 1 error (weights/nan); nothing was sent" in said
    assert said.index("error[weights/nan]") < said.index("blocked: 1 error")
    assert not hub.log.holds(file.marker)
    assert not hub.log.matching("/preupload/") and not hub.log.matching("/commit/")


def assert_arrived(done: subprocess.CompletedProcess[str], hub: Hub, file: File) -> None:
    assert done.returncode == 0, done.stderr
    assert hub.log.holds(file.marker)
    repo = hub.store.repo("models", REPO)
    assert repo is not None and NAME in repo.branches["main"][-1].files


def hf() -> str:
    return str(Path(sys.executable).parent / "hf")


@pytest.mark.parametrize("bad", [True, False])
def test_a_script_uploads_only_what_is_sound(hub: Hub, env: dict[str, str], tmp_path: Path, bad: bool) -> None:
    place, file = folder(tmp_path, bad)
    done = tensorlint_("run", "--", sys.executable, "-c", SCRIPT, str(place), env=env)
    (assert_blocked if bad else assert_arrived)(done, hub, file)


@pytest.mark.parametrize("bad", [True, False])
def test_the_hf_command_uploads_only_what_is_sound(hub: Hub, env: dict[str, str], tmp_path: Path, bad: bool) -> None:
    place, file = folder(tmp_path, bad)
    done = tensorlint_("run", "--", hf(), "upload", REPO, str(place), env=env)
    (assert_blocked if bad else assert_arrived)(done, hub, file)


def test_the_child_of_a_child_is_guarded(hub: Hub, env: dict[str, str], tmp_path: Path) -> None:
    place, file = folder(tmp_path, bad=True)
    inner = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {SCRIPT!r}, sys.argv[1]]))"
    done = tensorlint_("run", "--", "sh", "-c", f'exec {sys.executable} -c "$0" "$1"', inner, str(place), env=env)
    assert_blocked(done, hub, file)


@pytest.mark.parametrize("bad", [True, False])
def test_an_environment_without_tensorlint_is_guarded_too(
    hub: Hub, env: dict[str, str], tmp_path: Path, foreign: tuple[str, str], bad: bool
) -> None:
    python, packages = foreign
    env["PYTHONPATH"] = packages
    missing = subprocess.run([python, "-c", "import tensorlint"], env=env, capture_output=True, check=False)
    assert missing.returncode == 1
    place, file = folder(tmp_path, bad)
    done = tensorlint_("run", "--", python, "-c", SCRIPT, str(place), env=env)
    (assert_blocked if bad else assert_arrived)(done, hub, file)


def test_bytes_of_an_environment_without_tensorlint_are_checked(
    hub: Hub, env: dict[str, str], foreign: tuple[str, str]
) -> None:
    python, packages = foreign
    file = shard("model.w", bad=True)
    script = f"""
import io
from huggingface_hub import upload_file
upload_file(path_or_fileobj=io.BytesIO({file.data!r}), path_in_repo={NAME!r}, repo_id="org/model")
"""
    done = tensorlint_("run", "--", python, "-c", script, env={**env, "PYTHONPATH": packages})
    assert_blocked(done, hub, file)


def test_a_folder_named_tensorlint_beside_the_command_is_not_the_linter(
    hub: Hub, env: dict[str, str], tmp_path: Path, foreign: tuple[str, str]
) -> None:
    python, packages = foreign
    place, file = folder(tmp_path, bad=True)
    here = tmp_path / "work"
    (here / "tensorlint").mkdir(parents=True)
    (here / "tensorlint" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    script = "import os, sys; os.chdir(sys.argv[2])" + SCRIPT
    done = tensorlint_("run", "--", python, "-c", script, str(place), str(here), env={**env, "PYTHONPATH": packages})
    assert_blocked(done, hub, file)


def test_a_linter_that_cannot_be_called_blocks(
    hub: Hub, env: dict[str, str], tmp_path: Path, foreign: tuple[str, str]
) -> None:
    python, packages = foreign
    place, file = folder(tmp_path, bad=False)
    script = "import os; os.environ['TENSORLINT_RUN_PYTHON'] = '/nowhere/python'" + SCRIPT
    done = tensorlint_("run", "--", python, "-c", script, str(place), env={**env, "PYTHONPATH": packages})
    assert done.returncode == 1
    assert "blocked: the check failed" in done.stderr
    assert not hub.log.holds(file.marker)


@pytest.mark.parametrize("code", [0, 3, 77])
def test_the_exit_code_is_that_of_the_command(env: dict[str, str], code: int) -> None:
    assert tensorlint_("run", "--", "sh", "-c", f"exit {code}", env=env).returncode == code


def test_options_of_the_command_are_its_own(env: dict[str, str]) -> None:
    done = tensorlint_("run", "--", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--help", "-f", env=env)
    assert done.stdout.strip() == "['--help', '-f']"


def test_a_program_that_is_not_there_is_a_usage_error(env: dict[str, str]) -> None:
    done = tensorlint_("run", "--", "no-such-program", env=env)
    assert done.returncode == 2
    assert "there is no program `no-such-program`" in done.stderr


def test_the_next_sitecustomize_runs_once_and_stays(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; print('mine runs', sys.argv)\nvalue = 5\n")
    script = "import sitecustomize; print(sitecustomize.value)"
    done = tensorlint_("run", "--", sys.executable, "-c", script, env={**env, "PYTHONPATH": str(tmp_path)})
    rows = done.stdout.splitlines()
    assert len(rows) == 3  # tensorlint's own start, the command's, and what the command prints
    assert rows[1].startswith("mine runs") and rows[2] == "5"


def test_a_gate_in_a_gate_is_one_gate(hub: Hub, env: dict[str, str], tmp_path: Path) -> None:
    place, file = folder(tmp_path, bad=True)
    words = [sys.executable, "-m", "tensorlint", "run", "--", sys.executable, "-c", SCRIPT, str(place)]
    done = tensorlint_("run", "--", *words, env=env)
    assert_blocked(done, hub, file)
    assert done.stderr.count("error[weights/nan]") == 1


def test_install_in_a_guarded_script_changes_nothing(hub: Hub, env: dict[str, str], tmp_path: Path) -> None:
    place, file = folder(tmp_path, bad=True)
    script = "import tensorlint.gate; tensorlint.gate.install()" + SCRIPT
    done = tensorlint_("run", "--", sys.executable, "-c", script, str(place), env=env)
    assert_blocked(done, hub, file)


def test_any_part_of_huggingface_hub_may_be_imported_first(hub: Hub, env: dict[str, str]) -> None:
    for part in ("_commit_scheduler", "_commit_api", "hf_file_system", "cli.hf", "utils._http"):
        script = f"import huggingface_hub.{part}, huggingface_hub.hf_api as h; print(h.HfApi.create_commit.__module__)"
        done = tensorlint_("run", "--", sys.executable, "-c", script, env=env)
        assert done.returncode == 0, done.stderr


def test_an_unknown_version_of_huggingface_hub_is_not_used_unguarded(env: dict[str, str]) -> None:
    script = "import huggingface_hub; huggingface_hub.__version__ = '9.1'; import huggingface_hub.hf_api"
    done = tensorlint_("run", "--", sys.executable, "-c", script, env=env)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "does not know huggingface_hub 9.1" in done.stderr
    off = tensorlint_("run", "--", sys.executable, "-c", script, env={**env, "TENSORLINT_GATE": "off"})
    assert off.returncode == 0
    assert "uploads are not checked" in off.stderr


def test_a_python_that_uploads_nothing_imports_nothing_of_the_gate(env: dict[str, str]) -> None:
    script = "import sys; print([m for m in sys.modules if 'tensorlint' in m or m.startswith('huggingface')])"
    assert tensorlint_("run", "--", sys.executable, "-c", script, env=env).stdout.strip() == "[]"


@pytest.mark.parametrize("bad", [True, False])
def test_tensorlint_upload_sends_only_what_is_sound(hub: Hub, env: dict[str, str], tmp_path: Path, bad: bool) -> None:
    place, file = folder(tmp_path, bad)
    done = tensorlint_("upload", str(place), REPO, "--commit-message", "from a test", env=env)
    (assert_blocked if bad else assert_arrived)(done, hub, file)
    if not bad:
        assert b"from a test" in hub.log.matching("/commit/")[-1].body


def test_tensorlint_upload_explains_the_order_of_its_arguments(env: dict[str, str], tmp_path: Path) -> None:
    place, _ = folder(tmp_path, bad=False)
    done = tensorlint_("upload", REPO, str(place), env=env)
    assert done.returncode == 2
    assert f"the order is DIR REPO: tensorlint upload {place} {REPO}" in done.stderr


def test_tensorlint_upload_without_arguments_says_what_it_needs(env: dict[str, str]) -> None:
    done = tensorlint_("upload", env=env)
    assert done.returncode == 2
    assert "tensorlint upload DIR REPO" in done.stderr


@pytest.mark.parametrize(
    "words",
    [["--help"], ["run", "--help"], ["upload", "--help"], ["git-hook", "--help"], ["rules"], ["explain", "scales/nan"]],
)
def test_commands_that_talk_to_nobody_import_no_huggingface_hub(words: list[str], env: dict[str, str]) -> None:
    script = (
        "import sys; from tensorlint.cli import main\n"
        f"main({words!r})\n"
        "bad = {'huggingface_hub', 'torch'} & set(sys.modules); assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_gate_alone_needs_the_standard_library_only() -> None:
    package = Path(tensorlint.__file__).parent
    needs_more = {"judge", "base", "overlay", "pushed", "worker", "__init__"}
    names = [p.stem for p in sorted((package / "gate").glob("*.py")) if p.stem not in needs_more]
    script = (
        f"import sys; sys.path.insert(0, {str(package.parent)!r}); import importlib\n"
        f"for name in {names!r}: importlib.import_module('tensorlint.gate.' + name)\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names) - {'tensorlint'}))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['__main__']"
