"""Tensors -> modules -> schemes: what each module is, from names, dtypes and shapes.

A damaged module is still a module of its scheme. Tensors are grouped by name (`grouping`), every scheme whose parts
appear is a candidate at a cost (`candidates`), siblings and the configuration vote where no candidate is perfect
(`voting`), and last, modules agree on what all modules of a checkpoint share.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from ..container.header import TensorInfo
from .candidates import Candidates, Match, match, problems_of
from .declared import Declaration
from .grouping import Group, Grouping, Hints, describe
from .inside import of_module
from .model import Scheme
from .module import Module, Recognised, Unknown
from .shapes import solve
from .voting import choose
from .widths import NO_WIDTHS, Widths


class Recogniser:
    """Recognises modules for a fixed set of schemes; `hints` are words in names that hint at other ones."""

    def __init__(self, schemes: Iterable[Scheme], hints: Iterable[str]) -> None:
        schemes = tuple(variant for scheme in schemes for variant in scheme.variants)
        self._hints = Hints(tuple(hints))
        self.schemes = tuple(s for s in schemes if not s.companion)
        self.companions = tuple(s for s in schemes if s.companion)
        self._grouping = Grouping({p.suffix for s in (*self.schemes, *self.companions) for p in s.parts.values()})
        self._candidates = Candidates(self.schemes, self._hints)

    def recognise(
        self,
        tensors: Mapping[str, TensorInfo],
        declared: Declaration | None,
        beside: Sequence[Declaration] = (),
        widths: Widths | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Recognised:
        """Sort every tensor into modules.

        `declared` says what damaged modules are, settles ties and preferred values of symbols; declarations `beside`
        it state values that it does not; `widths` are the sizes of the architecture, `metadata` what headers hold.
        """
        groups = self._grouping.groups(tensors)
        modules: list[Module] = []
        for scheme in self.companions:
            modules.extend(_take_companions(scheme, groups, self._candidates))
        candidates = {
            name: self._candidates.of(
                group, name, declared, beside, widths.of(name, groups) if widths is not None else NO_WIDTHS
            )
            for name, group in groups.items()
        }
        if metadata:
            candidates = {name: self._described(name, matches, metadata) for name, matches in candidates.items()}
        chosen = choose(candidates, declared)
        unknown: list[Unknown] = []
        loose: list[TensorInfo] = []
        for name, group in groups.items():
            picked = chosen.get(name)
            if picked is None:
                if self._hints.looks_quantized(group):
                    unknown.append(Unknown(name, tuple(group.values()), describe(group)))
                else:
                    loose.extend(group.values())
                continue
            best, rivals = picked
            found = {part: group[suffix] for part, suffix in best.parts}
            left = tuple(group[s] for s in best.left_over)
            modules.append(Module(name, best.scheme, found, best.env, best.labels, best.problems, left, rivals))
        return Recognised(tuple(_agree_on_uniform(modules, self._hints)), tuple(unknown), tuple(loose))

    def _described(self, name: str, matches: tuple[Match, ...], metadata: Mapping[str, str]) -> tuple[Match, ...]:
        """The candidates without those that the metadata rules out, as it says that the module is another of them."""
        told = {m.scheme.name: d for m in matches if (d := m.scheme.described) is not None}
        if len(told) < 2:
            return matches
        able = {n for n, described in told.items() if of_module(metadata, name, described) in described.values}
        return tuple(m for m in matches if m.scheme.name not in told or m.scheme.name in able) if able else matches


@lru_cache(maxsize=4)
def recogniser_for(schemes: tuple[Scheme, ...], hints: tuple[str, ...]) -> Recogniser:
    """The recogniser for these schemes and hints, with what it knows of the checkpoints that it has seen."""
    return Recogniser(schemes, hints)


def _take_companions(scheme: Scheme, groups: dict[str, Group], others: Candidates) -> Iterator[Module]:
    """Take the parts of a companion scheme out of the groups that have some, unless they are another scheme's."""
    by_suffix = {p.suffix: p for p in scheme.parts.values()}
    for name in list(groups):
        group = groups[name]
        mine = [s for s in group if s in by_suffix]
        if not mine or others.own(mine, group):
            continue
        found = {by_suffix[s].name: group.pop(s) for s in mine}
        if not group:
            del groups[name]
        shapes = {p: scheme.parts[p].shapes for p in found if scheme.parts[p].shapes}
        solution = solve(shapes, {p: t.shape for p, t in found.items()}, {}, {})
        yield Module(name, scheme, found, solution.env, {}, problems_of(scheme, found, solution))


def _agree_on_uniform(modules: list[Module], hints: Hints) -> Iterator[Module]:
    """Give modules the value of a uniform symbol that most of them share; those it does not fit get a problem."""
    values: dict[str, dict[str, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    for module in modules:
        for symbol in module.scheme.symbols.values():
            if symbol.uniform and symbol.name in module.env and not module.problems:
                values[module.scheme.name][symbol.name][module.env[symbol.name]] += 1
    usual = {scheme: {s: n.most_common(1)[0][0] for s, n in counts.items()} for scheme, counts in values.items()}
    for module in modules:
        majority = usual.get(module.scheme.name, {})
        if all(module.env.get(s, v) == v for s, v in majority.items()):
            yield module
            continue
        group = {module.scheme.parts[p].suffix: t for p, t in module.parts.items()}
        again = match(module.scheme, group, hints, {}, majority)
        yield module if again is None else replace(module, env=again.env, labels=again.labels, problems=again.problems)
