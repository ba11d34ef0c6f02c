"""What has to be read: for every checkpoint of a source the tensors and measures that rules and checks ask for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from ..checks import CHECKS
from ..checks.check import Check
from ..container.checkpoint import find_checkpoints
from ..errors import NoCheckpointError
from ..measures.plan import DEPTHS, Depth, Need, Plan, make_plan
from ..rulebook.library import Book
from ..rulebook.model import Rule
from ..schemes.view import TensorUnit, View
from ..sources.interface import Source
from .select import Selected, Selection


@dataclass(frozen=True)
class Job:
    """One checkpoint with what the rules need of it."""

    view: View
    plan: Plan
    checks: tuple[Check, ...]

    @property
    def shards(self) -> Collection[str]:
        """The names of its shards."""
        return self.view.checkpoint.shards

    def reading(self, shards: Collection[str]) -> Job:
        """The job with no other shards to read than these."""
        plan = Plan({shard: needs for shard, needs in self.plan.by_shard.items() if shard in shards})
        return replace(self, plan=plan)

    def without_own_reading(self) -> Job:
        """The job without the checks that read bytes on their own, outside of the plan."""
        return replace(self, checks=tuple(c for c in self.checks if c.on_headers or _has_needs(c, self.view)))


def _has_needs(check: Check, view: View) -> bool:
    return check.needs is not None and any(True for _ in check.needs(view))


def jobs_for(source: Source, book: Book, rules: Iterable[Rule], depth: Depth) -> tuple[list[Job], dict[str, str]]:
    """Jobs for every checkpoint of the source, and the rules that this depth leaves out, with the reason.

    Raises NoCheckpointError when there is nothing to check.
    """
    rules = tuple(rules)
    jobs: list[Job] = []
    skipped: dict[str, str] = {}
    for checkpoint in find_checkpoints(source, book.configs):
        view = View(checkpoint, book)
        needs = [*_tensor_needs(rules, view, depth, skipped), *_module_needs(rules, view, depth, skipped)]
        checks = tuple(_checks(rules, depth, skipped))
        for check in checks:
            needs.extend(check.needs(view) if check.needs is not None else ())
        jobs.append(Job(view, make_plan(needs), checks))
    if not jobs:
        raise NoCheckpointError(
            f"there is no .safetensors file or index at {source.target}",
            "name a folder, a .safetensors file or an index",
        )
    return jobs, skipped


def _reason(depth: Depth) -> str:
    return f"needs {'the scales' if depth == 'scales' else 'the weights'} (--depth {depth})"


def _in_reach(unit: TensorUnit, depth: Depth) -> bool:
    return depth == "full" or (depth == "scales" and unit.scale_like)


def _tensor_needs(rules: Iterable[Rule], view: View, depth: Depth, skipped: dict[str, str]) -> Iterator[Need]:
    selection = Selection(r for r in rules if r.words)
    left_out: dict[tuple[Selected, bool], None] = {}  # alike units once, the one seen last at the end
    for unit in view.units:
        if not unit.tensor.nbytes:
            continue
        selected = selection.of(unit)
        if not selected.rules:
            continue
        if _in_reach(unit, depth):
            yield Need(unit.tensor, unit.encoding, selected.words)
        else:
            alike = selected, unit.scale_like
            left_out.pop(alike, None)
            left_out[alike] = None
    for selected, scale_like in left_out:
        reason = _reason("scales" if scale_like else "full")
        skipped.update((rule.id, reason) for rule in selected.rules)


def _module_needs(rules: Iterable[Rule], view: View, depth: Depth, skipped: dict[str, str]) -> Iterator[Need]:
    wanted: dict[str, list[tuple[Rule, frozenset[str]]]] = {}  # by part
    for rule in rules:
        if rule.each == "module":
            for part, words in rule.words.items():
                wanted.setdefault(part, []).append((rule, words))
    left_out: set[tuple[str, bool]] = set()
    for module in view.modules.values() if wanted else ():
        for part in wanted.keys() & module.parts.keys():
            unit = view.unit_of[module.parts[part].name]
            if _in_reach(unit, depth):
                yield from (Need(unit.tensor, unit.encoding, words) for _, words in wanted[part])
            else:
                left_out.add((part, unit.scale_like))
    for part, scale_like in sorted(left_out, key=lambda one: not one[1]):  # the deepest need is what stays said
        skipped.update((rule.id, _reason("scales" if scale_like else "full")) for rule, _ in wanted[part])


def _checks(rules: Iterable[Rule], depth: Depth, skipped: dict[str, str]) -> Iterator[Check]:
    """The checks whose facts any rule speaks of; several rules may speak of one fact."""
    spoken = [rule for rule in rules if rule.fact]
    for check in CHECKS:
        wanted = [rule.id for rule in spoken if rule.fact in check.states]
        if not wanted:
            continue
        if DEPTHS.index(check.depth) > DEPTHS.index(depth):
            skipped.update({rule: _reason(check.depth) for rule in wanted})
        else:
            yield check
