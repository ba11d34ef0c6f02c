"""Of which ignores it can be said that they match nothing: all that they could be meant for has been checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorlint.run.reach import final_ignores
from tensorlint.settings.tasks import Task, task_for, tasks_for, wanted

PLAIN = 'ignore = [{rule = "scales/nan", reason = "r"}]\n'
OF_A = '[[target]]\npath = "a"\nignore = [{rule = "scales/nan", reason = "r"}]\n'
OF_GLOB = OF_A.replace('"a"', '"a*"')
MODELS = ("a", "b", "c/d")


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three models, and further on one beside it."""
    for name in (*MODELS, "../beside"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"")
        (folder / "model-2.safetensors").write_bytes(b"")
    monkeypatch.chdir(tmp_path / "models")
    return tmp_path / "models"


def final(tasks: tuple[Task, ...], number: int, **asked: object) -> set[str]:
    return {ignore.rule.pattern for ignore in final_ignores(tasks, number, wanted(**asked))}  # type: ignore[arg-type]


def tasks(*targets: str, **asked: object) -> tuple[Task, ...]:
    return tuple(task for target in targets for task in tasks_for(target, wanted(**asked)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("configuration", "targets", "said"),
    [
        pytest.param(PLAIN, (".",), True, id="everything below the configuration"),
        pytest.param(PLAIN, MODELS, True, id="every model below it by name"),
        pytest.param(PLAIN, ("a", "b", "c"), True, id="folders around the models"),
        pytest.param(PLAIN, ("a", "b"), False, id="one model is left out"),
        pytest.param(PLAIN, ("a/model.safetensors", "b", "c"), False, id="of one model only a shard"),
        pytest.param(OF_A, ("a",), True, id="the only model that its table is about"),
        pytest.param(OF_GLOB, ("a",), True, id="the only one that the glob of its table is about"),
        pytest.param(OF_A, ("b",), None, id="a model that its table is not about"),
    ],
)
def test_all_that_an_ignore_could_be_meant_for_has_been_checked(
    configuration: str, targets: tuple[str, ...], said: bool | None
) -> None:
    Path("tensorlint.toml").write_text(configuration)
    made = tasks(*targets)
    has = [n for n, task in enumerate(made) if task.settings.ignores]
    assert bool(has) is (said is not None)
    assert [final(made, n) for n in range(len(made))] == [
        {"scales/nan"} if said and n == has[-1] else set() for n in range(len(made))
    ], "it is said once, behind the last target that has it"


def test_a_folder_of_a_similar_name_is_another_one() -> None:
    Path("tensorlint.toml").write_text(PLAIN)
    Path("ab").mkdir()
    Path("ab/model.safetensors").write_bytes(b"")
    assert final(tasks(*MODELS), 2) == set()
    assert final(tasks(*MODELS, "ab"), 3) == {"scales/nan"}


def test_a_configuration_that_is_named_speaks_for_the_targets_that_it_is_named_with(models: Path) -> None:
    named = models / "own.toml"
    named.write_text(PLAIN)
    assert final(tasks("a", config=named), 0, config=named) == {"scales/nan"}
    assert final(tasks("a/model.safetensors", config=named), 0, config=named) == set()


def test_an_ignore_of_a_file_that_others_extend_is_not_judged_by_one_of_them(models: Path) -> None:
    (models.parent / "base.toml").write_text(PLAIN)
    Path("tensorlint.toml").write_text('extend = "../base.toml"\n')
    made = tasks(".")
    assert made[0].settings.ignores
    assert final(made, 0) == set()


def test_a_folder_of_too_many_entries_is_not_looked_through(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tensorlint.toml").write_text(PLAIN)
    made = tasks(*MODELS)
    monkeypatch.setattr("tensorlint.run.reach.folders_with_weights", lambda root: ((str(models / "a"),), False))
    assert final(made, 2) == set()
    monkeypatch.setattr("tensorlint.run.reach.folders_with_weights", lambda root: ((str(models / "a"),), True))
    assert final(made, 2) == {"scales/nan"}


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        pytest.param(PLAIN, False, id="it could be meant for any model"),
        pytest.param(OF_A.replace('"a"', '"org/model"'), True, id="its table names the model"),
        pytest.param(OF_A.replace('"a"', '"org/*"'), False, id="its table is about several"),
        pytest.param(
            OF_A.replace('"a"', '"org/mode?"'), False, id="its table is about several that differ in a letter"
        ),
        pytest.param(OF_A.replace('"a"', '"org/mode[l]"'), False, id="its table has a set of letters"),
    ],
)
def test_a_model_on_the_hub_is_all_that_a_table_of_its_name_is_about(configuration: str, said: bool) -> None:
    Path("tensorlint.toml").write_text(configuration)
    task = task_for("hf://org/model", wanted())
    assert task.settings.ignores
    assert final((task,), 0) == ({"scales/nan"} if said else set())
