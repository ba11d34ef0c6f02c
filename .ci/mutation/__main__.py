"""Mutation testing of one room of the package: `bash .ci/mutate ROOM [OPTION]...`.

Changes the code of a room in one small place at a time and runs the tests that execute that place, until one of them
fails. What survives is code that the tests do not hold: a missing test, code that nothing needs, or a change without
consequences, which then stands in `equivalent.yaml` with the reason and counts no more.

Why mutmut's operators with a runner of our own: mutmut 3.8 itself (0.5 s a mutant) cannot reach module-level constants
and decorated functions (properties, cached ones), a quarter of what it would change in `container`, and these hold the
numbers that separate a defect from a design; and it wants the package under `src/`. cosmic-ray 8.7 reaches them, but
starts Python and pytest for every mutant (3.2 s), and leaves the file changed when it is stopped.

A run is reproducible: hypothesis draws the same examples every time. Where the time does not allow all mutants,
`--sample` estimates the score; the interval is Wilson's, 95 %, with the correction for a finite number.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import random
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence, Set
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import arena
import yaml
from arena import Baseline, Outcome, Task
from mutants import Id, Mutant, mutants_of

CHECKOUT = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.yaml")
PROCESSES = 2
# Tests of the whole product that reach a room, beside those that mirror it; quick ones only.
WHOLE = ("tests/run/test_one_run.py", "tests/run/test_accept.py", "tests/test_traps.py", "tests/attacks")
# Tests of one room that live with what uses it: mistakes in files of the library, architectures beside checkpoints.
ELSEWHERE = {"schemes": ("tests/rulebook/test_mistakes.py", "tests/checks/test_architecture.py")}
OUT = {"measures": ("measures/device/",)}  # needs devices to be worth it: what torch's own CPU shows is not all


@dataclass(frozen=True)
class Equivalents:
    """Mutants that do not count."""

    ids: frozenset[tuple[str, str, str, str]]

    @classmethod
    def read(cls, room: str) -> Equivalents:
        """Those of a room; raises SystemExit for an entry without a reason."""
        found = set()
        for row in yaml.safe_load(EQUIVALENT.read_text()) or []:
            if set(row) != {"module", "in", "why", "mutants"} or not row["why"] or not row["mutants"]:
                raise SystemExit(f"{EQUIVALENT.name}: an entry has module, in, why and mutants: {row}")
            if row["module"].startswith(f"{room}/"):
                pairs = ((was.strip(), becomes.strip()) for was, becomes in row["mutants"])
                found |= {(row["module"], row["in"] or "", was, becomes) for was, becomes in pairs}
        return cls(frozenset(found))

    def without(self, mutants: Iterable[Mutant]) -> list[Mutant]:
        """The mutants that count; raises SystemExit for an entry that is none of them any more."""
        kept, used = [], set()
        for mutant in mutants:
            key = (mutant.id.module, mutant.id.where, mutant.id.was, mutant.id.becomes)
            if key in self.ids:
                used.add(key)
            else:
                kept.append(mutant)
        if stale := self.ids - used:
            raise SystemExit(f"{EQUIVALENT.name}: no such mutants any more:\n" + "\n".join(map(str, sorted(stale))))
        return kept


def main() -> None:
    """Run it."""
    asked = _arguments()
    every: list[Mutant] = []
    for path in sorted((CHECKOUT / arena.PACKAGE / asked.room).rglob("*.py")):
        name = path.relative_to(CHECKOUT / arena.PACKAGE).as_posix()
        if not name.startswith(OUT.get(asked.room, ("/",))):
            every += mutants_of(name, path.read_text())
    counted = Equivalents.read(asked.room).without(every)
    wanted = [m for m in counted if not asked.module or m.id.module.endswith(f"/{asked.module}.py")]
    print(f"{asked.room}: {len(every)} mutants, {len(every) - len(counted)} of them equivalent", flush=True)
    if asked.list:
        for m in wanted:
            print(m.id)
        return
    population = len(wanted)
    if asked.sample and asked.sample < population:
        wanted = random.Random(asked.seed).sample(wanted, asked.sample)
    known = _known(asked.results)
    again = ("survived", "untested") if asked.again else ()
    todo = [m for m in wanted if m.id not in known or known[m.id] in again]

    work = Path(tempfile.mkdtemp(prefix="tensorlint-mutation-"))
    try:
        copies = [work / str(n) for n in range(PROCESSES)]
        digest = arena.copy_checkout(CHECKOUT, copies[0])
        folder = Path(tempfile.gettempdir()) / "tensorlint-mutation"
        folder.mkdir(exist_ok=True)
        paths = [
            p
            for p in (f"tests/{asked.room}", *ELSEWHERE.get(asked.room, ()), *WHOLE, *asked.also)
            if (CHECKOUT / p).exists()
        ]
        left = [f"--ignore={p}" for p in ("tests/measures/device",)]
        baseline = arena.take_baseline(
            copies[0], asked.room, [*dict.fromkeys(paths), *left], folder / f"{asked.room}-{digest}.json"
        )
        if baseline.failed:
            print(f"not used (failed, skipped, or over {arena.SLOW} s of processor time): {', '.join(baseline.failed)}")
        for copy in copies[1:]:
            shutil.copytree(copies[0], copy)
        _unchanged(todo, asked.room, baseline, asked.budget, copies[0])
        tasks = [_task(n, m, asked.room, baseline, asked.budget) for n, m in enumerate(todo)]
        print(f"{len(tasks)} to be tried, with {len(baseline.seconds)} tests", flush=True)
        outcomes = _followed(_run(copies, tasks, baseline.tests_known), todo, asked.results)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _report(wanted, {**known, **{todo[o.number].id: o.how for o in outcomes}}, population)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=".ci/mutate", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("room", help="a folder of linter/tensorlint: container, measures, run, schemes, ...")
    parser.add_argument("--module", help="only this module of the room, without .py")
    parser.add_argument("--sample", type=int, metavar="N", help="only N mutants, drawn by chance")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the sample (default: 1)")
    parser.add_argument("--budget", type=float, default=15, metavar="SECONDS", help="of tests per mutant (default: 15)")
    parser.add_argument("--also", action="append", default=[], metavar="PATH", help="more tests; may be repeated")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="add every outcome to a file; what it knows is not tried again"
    )
    parser.add_argument("--again", action="store_true", help="of what --results knows, try again what survived")
    parser.add_argument("--list", action="store_true", help="show the mutants and run nothing")
    return parser.parse_args()


def _task(number: int, mutant: Mutant, room: str, baseline: Baseline, budget: float) -> Task:
    tests = baseline.tests(room, mutant.id.module, mutant.lines, budget)
    limit = 5 + 3 * sum(baseline.seconds[t] for t in tests)
    return Task(number, mutant.id.module, mutant.source, tuple(tests), limit)


def _unchanged(mutants: list[Mutant], room: str, baseline: Baseline, budget: float, copy: Path) -> None:
    """Every module as it is must survive: else something other than mutants makes tests fail."""
    modules = sorted({m.id.module for m in mutants})
    same = [Mutant(Id(m, "", "", ""), (1, 1), (copy / arena.PACKAGE / m).read_text()) for m in modules]
    tasks = [_task(n, m, room, baseline, budget) for n, m in enumerate(same)]
    for outcome in _run([copy], tasks, baseline.tests_known):
        if outcome.how not in ("survived", "untested"):
            raise SystemExit(f"tests fail without any change to {modules[outcome.number]}: {outcome.by or outcome.how}")


def _known(file: Path | None) -> dict[Id, str]:
    """The last outcome of every mutant in a file of results."""
    if file is None or not file.exists():
        return {}
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return {Id(**row["id"]): row["how"] for row in rows}


def _run(copies: Sequence[Path], tasks: list[Task], tests: Set[str]) -> Iterator[Outcome]:
    """Outcomes as they come, of one process per copy."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    for copy in copies:
        queue.put(copy)
    with ProcessPoolExecutor(len(copies), context, arena.begin, (queue, tests)) as pool:
        for future in as_completed([pool.submit(arena.attempt, task) for task in tasks]):
            yield future.result()


def _followed(outcomes: Iterable[Outcome], mutants: list[Mutant], results: Path | None) -> list[Outcome]:
    """The outcomes, told and written as they come."""
    seen: list[Outcome] = []
    for outcome in outcomes:
        seen.append(outcome)
        mutant = mutants[outcome.number]
        if outcome.how in ("survived", "untested"):
            print(f"{outcome.how}, line {mutant.lines[0]}: {mutant.id}", flush=True)
        if len(seen) % 50 == 0:
            killed = sum(o.how in ("killed", "timeout") for o in seen)
            print(f"... {killed} of {len(seen)} killed, {len(mutants) - len(seen)} to go", flush=True)
        if results:
            row = {"id": asdict(mutant.id), "how": outcome.how, "by": outcome.by, "s": round(outcome.seconds, 2)}
            with results.open("a") as file:
                file.write(json.dumps(row) + "\n")
    return seen


def _report(wanted: list[Mutant], how: dict[Id, str], population: int) -> None:
    rows: dict[str, list[bool]] = {}
    for mutant in wanted:
        rows.setdefault(mutant.id.module, []).append(how[mutant.id] in ("killed", "timeout"))
    print("\nmodule                        killed of mutants")
    for module, kills in sorted(rows.items()):
        print(f"{module:28}  {sum(kills):6} of {len(kills):<6} {sum(kills) / len(kills):7.1%}")
    killed, tried = sum(map(sum, rows.values())), len(wanted)
    hung = sum(how[m.id] == "timeout" for m in wanted)
    print(f"score {killed / max(1, tried):.1%}: {killed} of {tried} killed, {hung} of them by the time limit")
    if tried < population:
        low, high = _interval(killed, tried, population)
        print(f"a sample of {population} mutants: their score is {low:.1%} to {high:.1%} (95 %)")


def _interval(killed: int, tried: int, population: int) -> tuple[float, float]:
    """Wilson's interval for a share, of a sample without replacement."""
    n = tried * (population - 1) / (population - tried)
    z, p = 1.96, killed / tried
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


if __name__ == "__main__":
    sys.exit(main())
