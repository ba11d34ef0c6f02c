"""docs/development.md: its example of a check works, and what it names is there."""

from __future__ import annotations

import re
import types
from pathlib import Path

import pytest

from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.run.plan import jobs_for
from tensorlint.sources.memory import MemorySource

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/development.md").read_text()
PACKAGE = ROOT / "linter/tensorlint"


def test_the_example_of_a_check_states_its_fact() -> None:
    source = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert source is not None
    module = types.ModuleType("tensorlint.checks.odd")
    module.__package__ = "tensorlint.checks"
    exec(compile(source[1], "odd.py", "exec"), module.__dict__)
    tensors = {"l.q_proj.weight": ("F8_E4M3", (3, 8), bytes(24)), "l.q_proj.weight_scale": ("F32", (), bytes(4))}
    jobs, _ = jobs_for(MemorySource({"model.safetensors": write_shard(tensors)}), load_book(), (), "headers")
    (check,) = module.CHECKS
    (fact,) = check.run(jobs[0].view, {})
    assert (fact.kind, fact.tensor, fact.values) == ("odd-rows", "l.q_proj.weight", {"module": "l.q_proj", "rows": 3})
    assert set(fact.values) == set(check.states[fact.kind].fields)


def rooms() -> set[str]:
    """Folders with modules in them."""
    found = {p.parent.relative_to(PACKAGE).parts[0] for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE}
    return {room for room in found if room != "rules"}


@pytest.mark.parametrize("room", sorted(rooms()))
def test_every_room_is_on_the_map(room: str) -> None:
    assert f"`{room}/" in TEXT


def test_no_more_than_five_modules_stand_beside_the_rooms() -> None:
    beside = {p.name for p in PACKAGE.glob("*.py") if not p.name.startswith("__")}
    assert len(beside) <= 5
    assert all(f"`{name}`" in TEXT for name in beside)


def named() -> list[str]:
    """Paths in the page: of modules, tests and scripts."""
    words = re.findall(r"`((?:linter|rules|tests|docs|benchmarks|[a-z]+)/[\w./-]+\.(?:py|yaml|md))`", TEXT)
    return sorted({w for w in words if "NAME" not in w})


@pytest.mark.parametrize("path", named())
def test_what_the_page_names_is_there(path: str) -> None:
    assert (ROOT / path).exists() or (PACKAGE / path).exists()
