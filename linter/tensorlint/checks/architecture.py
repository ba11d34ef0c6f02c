"""Names against the architecture of the model type: what is missing, renamed, there twice, or not part of the model."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from ..facts import Fact, FactKind
from ..names import pattern_of
from ..schemes.bound import Place
from ..schemes.fitted import Fitted
from ..schemes.stored import Stored
from ..schemes.view import View
from .check import Check
from .completeness import STATES as GUESSED
from .expected import condition, shape_of
from .naming import STATES as NAMES
from .pairing import pairs, parted

STATES: Mapping[str, FactKind] = {
    "absent-tensor": FactKind("A tensor that models of the type have is not there.", ("type", "shape", "why")),
    "renamed-tensor": FactKind("A tensor has another name than in models of the type.", ("type", "meant")),
    "surplus-tensor": FactKind("Models of the type have no such tensor.", ("type", "why")),
    "second-model": FactKind("Tensors of the model are there under two prefixes.", ("prefix", "other", "tensors")),
    "moved-model": FactKind(
        "The tensors stand under another prefix than in models of the type.", ("prefix", "wanted", "tensors", "type")
    ),
    "repeated-segment": NAMES["repeated-segment"],
    "other-names": FactKind("The names are not those of the model type.", ("type", "known", "of")),
    **{kind: GUESSED[kind] for kind in ("missing-layer", "extra-layer", "missing-experts", "extra-experts")},
    **{kind: GUESSED[kind] for kind in ("missing-embedding", "missing-norm", "missing-head")},
}
_NAMED = 16  # layers or experts of those that are missing or too many
_NUMBER = re.compile(r"(?<![^.])\d+(?=\.)")


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about names, for checkpoints whose model type is known."""
    fit = view.fitted
    if fit is None:
        return
    names = _Names(view, fit)
    moved = list(names.moved())
    yield from moved
    if view.known is None:
        if not fit.fits and not moved:
            known = round(fit.share * len({pattern_of(one.name) for one in view.originals}))
            every = len({pattern_of(one.name) for one in view.originals})
            where = view.checkpoint.path("config.json")
            yield Fact("other-names", where, values={"type": fit.architecture.type, "known": known, "of": every})
        return
    yield from names.extra()
    if view.checkpoint.whole and fit.whole and not moved:
        yield from names.absent()
        yield from names.surplus()


class _Names:
    """What there is to say about the names of one checkpoint; what a cause explains is not said a second time."""

    def __init__(self, view: View, fit: Fitted) -> None:
        self.view, self.fit = view, fit
        self.where = view.checkpoint.path("config.json")
        self.explained: set[str] = set()  # names of surplus tensors

    # -- under two prefixes, or another one -------------------------------------------------------------------------

    def moved(self) -> Iterator[Fact]:
        """Tensors that have the names of the model behind another prefix: a second copy, or all there is."""
        odd: dict[str, list[Stored]] = defaultdict(list)
        for one in self.fit.surplus:
            odd[pattern_of(one.name)].append(one)
        change = _prefix(odd, self.fit.by_pattern)
        if change is None:
            return
        prefix, wanted = change
        mine = [one for one in self.fit.surplus if one.name.startswith(prefix)]
        meant = {one.name: wanted + one.name[len(prefix) :] for one in mine}
        meant = {name: new for name, new in meant.items() if pattern_of(new) in self.fit.by_pattern}
        there = {one.name for one, _ in self.fit.found}
        twice = [name for name, new in meant.items() if new in there]
        self.explained.update(meant)
        first = next(one for one in mine if one.name in meant)
        if len(twice) * 2 >= len(meant):
            values = {"prefix": prefix.rstrip("."), "other": wanted.rstrip(".") or "no prefix", "tensors": len(twice)}
            yield Fact("second-model", first.tensor.shard, first.tensor.name, values=values)
        elif step := _doubled(prefix, wanted, meant):
            if not self.view.anatomy.repeated.search(first.name):  # that is said of all models
                values = {"segment": step, "tensors": len(meant)}
                yield Fact("repeated-segment", first.tensor.shard, first.tensor.name, values=values)
        elif not self.view.anatomy.only_layers(self.fit.architecture.type):
            values = {
                "prefix": prefix.rstrip(".") or "no prefix", "wanted": wanted.rstrip(".") or "no prefix",
                "tensors": len(meant), "type": self.fit.architecture.type,
            }  # fmt: skip
            yield Fact("moved-model", first.tensor.shard, first.tensor.name, values=values)

    # -- too much ---------------------------------------------------------------------------------------------------

    def extra(self) -> Iterator[Fact]:
        """Layers and experts with numbers that the configuration does not count, but made like the others."""
        stacks: dict[tuple[str, str], dict[int, list[tuple[Stored, Place]]]] = defaultdict(lambda: defaultdict(list))
        for one, place in self.fit.beyond:
            for slot, hit in zip(place.bound.line.slots, _NUMBERS.finditer(one.name), strict=True):
                reach = place.bound.scope.range(slot, place.indices) if isinstance(slot, str) else None
                if reach is not None and not reach.first <= int(hit[0]) < reach.end:
                    stacks[one.name[: hit.start()], str(slot)][int(hit[0])].append((one, place))
                    break
        own = {name[: hit.end()] for name in self._odd for hit in _NUMBER.finditer(name)}
        for (start, index), members in stacks.items():
            ordinary = {n: rows for n, rows in members.items() if f"{start}{n}" not in own}
            if any("mtp" in self.view.anatomy.roles(row[0].owner) for rows in ordinary.values() for row in rows):
                continue
            if ordinary:
                yield self._extra(start, index, ordinary)

    def _extra(self, start: str, index: str, members: Mapping[int, list[tuple[Stored, Place]]]) -> Fact:
        first = min(members)
        _, place = members[first][0]
        reach = place.bound.scope.range(index, place.indices)
        count = reach.end if reach is not None else 0
        key = self._key(place, index)
        present = len(self._members(start) | members.keys())
        name = f"{start}{first}.*"
        if self.view.anatomy.expert(f"{start}{first}.weight") is not None:
            values = {"module": start.rstrip("."), "present": present, "count": count, "key": key}
            return Fact("extra-experts", self.where, name, values=values)
        values = {"layers": sorted(members)[:_NAMED], "present": present, "count": count, "key": key}
        return Fact("extra-layer", self.where, name, values=values)

    @cached_property
    def _odd(self) -> frozenset[str]:
        return frozenset(one.name for one in self.fit.surplus)

    def _key(self, place: Place, index: str) -> str:
        keys = place.bound.scope.counted(index)
        return " and ".join(place.bound.scope.stated(key) for key in keys) or "the model type"

    def _members(self, start: str) -> set[int]:
        """The numbers that stand behind a prefix in what is there."""
        return self._numbers.get(start, set())

    @cached_property
    def _numbers(self) -> Mapping[str, set[int]]:
        found: dict[str, set[int]] = defaultdict(set)
        for one in self.view.originals:
            for hit in _NUMBER.finditer(one.name):
                if len(hit[0]) < 7:
                    found[one.name[: hit.start()]].add(int(hit[0]))
        return found

    # -- too little -------------------------------------------------------------------------------------------------

    def absent(self) -> Iterator[Fact]:
        """Tensors that are missing, those that have another name first; whole layers and experts as such."""
        unreadable = self.view.checkpoint.unreadable_names
        lacking = [
            place
            for place in self.fit.missing
            if place.name not in unreadable
            and not self._tolerated(place)
            and not (self.view.anatomy.optional(place.name) and not place.bound.line.indices)
        ]
        ends = [one for one in lacking if not one.bound.line.indices and "vision" in self.view.anatomy.roles(one.name)]
        if len(ends) > 1:  # what stands around the layers of a tower differs from version to version
            lacking = [one for one in lacking if one not in ends]
        members: dict[tuple[str, str], dict[int, Place]] = defaultdict(dict)
        single: list[Place] = []
        for place in lacking:
            member = self._member(place)
            if member is None:
                single.append(place)
            else:
                start, index, number = member
                members[start, index][number] = place
        for (start, index), numbers in members.items():
            yield self._fewer(start, index, numbers)
        odd = [one for one in self.fit.surplus if one.name not in self.explained]
        found = pairs(odd, single)
        for one, place in found:
            self.explained.add(one.name)
            values = {"type": self.fit.architecture.type, "meant": place.name}
            yield Fact("renamed-tensor", one.tensor.shard, one.tensor.name, values=values)
        renamed = {place.name for _, place in found}
        left = [one for one in odd if one.name not in self.explained]
        single = [place for place in single if place.name not in renamed]
        joined, whole = parted(left, single, self.view.anatomy.fused)
        self.explained.update(whole)
        for place in single:
            if place.name not in joined:
                yield self._missing(place)

    def _member(self, place: Place) -> tuple[str, str, int] | None:
        """The layer or expert that a place is in, where nothing of it is there although there are others."""
        name = place.name
        for slot, hit in zip(place.bound.line.slots, _NUMBERS.finditer(name), strict=True):
            there = self._members(name[: hit.start()])
            if isinstance(slot, str) and name[hit.end() :].startswith(".") and there and int(hit[0]) not in there:
                return name[: hit.start()], slot, int(hit[0])
        return None

    def _fewer(self, start: str, index: str, numbers: Mapping[int, Place]) -> Fact:
        first = min(numbers)
        place = numbers[first]
        reach = place.bound.scope.range(index, place.indices)
        count, key = (reach.end if reach is not None else 0), self._key(place, index)
        present, name = len(self._members(start)), f"{start}{first}.*"
        if self.view.anatomy.expert(f"{start}{first}.weight") is not None:
            values = {
                "module": start.rstrip("."), "experts": sorted(numbers)[:_NAMED], "present": present, "count": count,
                "key": key,
            }  # fmt: skip
            return Fact("missing-experts", self.where, name, values=values)
        values = {"layers": sorted(numbers)[:_NAMED], "present": present, "count": count, "key": key}
        return Fact("missing-layer", self.where, name, values=values)

    def _missing(self, place: Place) -> Fact:
        name, line = place.name, place.bound.line
        role = line.role if not line.indices else ""
        if role == "head":
            return Fact("missing-head", self.where, name, values={"key": self.view.tied()[0]})
        shape = shape_of(place)
        if role == "embedding" and "embedding" in self.view.anatomy.roles(name.rpartition(".")[0]) and shape:
            return Fact("missing-embedding", self.where, name, values={"vocabulary": shape[0]})
        if role == "norm" and "final_norm" in self.view.anatomy.roles(name.rpartition(".")[0]) and self.view.layers:
            return Fact("missing-norm", self.where, name, values={"layers": len(self.view.layers)})
        values = {"type": self.fit.architecture.type, "shape": shape, "why": condition(place)}
        return Fact("absent-tensor", self.where, name, values=values)

    def _tolerated(self, place: Place) -> bool:
        """Whether it is of a whole tower, block of experts or draft model that this checkpoint does without."""
        line = place.bound.line
        if line.role == "bias" and "*" not in line.pattern:  # earlier versions wrote one of two names of a bias
            return True
        pattern = line.pattern
        root = self._root(pattern)
        if root is None:
            return False
        if "*" in pattern[len(root) :].split("."):
            return True
        roles = self.view.anatomy.roles(root)
        return "mtp" in roles or ("*" not in root and "vision" in roles and self._without_tower)

    @cached_property
    def _without_tower(self) -> bool:
        """Whether the numbered layers of a tower are gone altogether, be it that nobody counts them."""
        roots = ((pattern, self._root(pattern)) for pattern in {bound.line.pattern for bound in self.fit.bounds})
        return any(
            root is not None
            and "*" not in root
            and "*" in pattern[len(root) :].split(".")
            and "vision" in self.view.anatomy.roles(root)
            for pattern, root in roots
        )

    def _root(self, pattern: str) -> str | None:
        """The shortest beginning of a pattern that nothing has that is there; None where something has all of it."""
        steps = pattern.split(".")
        for end in range(1, len(steps) + 1):
            start = ".".join(steps[:end])
            if start not in self._beginnings:
                return start
        return None

    @cached_property
    def _beginnings(self) -> frozenset[str]:
        found: set[str] = set()
        for pattern in {pattern_of(one.name) for one in self.view.originals}:
            steps = pattern.split(".")
            found.update(".".join(steps[:end]) for end in range(1, len(steps) + 1))
        return frozenset(found)

    # -- the rest ---------------------------------------------------------------------------------------------------

    def surplus(self) -> Iterator[Fact]:
        """Tensors that are no part of the model, or not under this configuration."""
        kind = self.fit.architecture.type
        for one in self.fit.surplus:
            roles = self.view.anatomy.roles(one.owner)
            if one.name not in self.explained and roles.isdisjoint(("mtp", "calibration", "adapter", "position")):
                values = {"type": kind, "why": "no class of it has this name"}
                yield Fact("surplus-tensor", one.tensor.shard, one.tensor.name, values=values)
        for one, place in self.fit.denied:
            values = {"type": kind, "why": f"it has one only {condition(place)}"}
            yield Fact("surplus-tensor", one.tensor.shard, one.tensor.name, values=values)


_NUMBERS = re.compile(r"(?<![^._/])\d+(?![^._/])")  # those of patterns
_OUTER, _TAIL = 4, 3  # components of a prefix; those that a name has behind it at least


def _doubled(prefix: str, wanted: str, names: Iterable[str]) -> str:
    """The part of names that stands there twice, where that alone makes one prefix of the other; else empty."""
    step = prefix[len(wanted) :] if prefix.startswith(wanted) else ""
    return step.rstrip(".") if step and all(name[len(prefix) :].startswith(step) for name in names) else ""


def _prefix(odd: Iterable[str], known: Mapping[str, object]) -> tuple[str, str] | None:
    """(prefix, what it should be) for patterns most of which are known behind another prefix; None for others."""
    odd = tuple(odd)
    tails: dict[str, set[str]] = defaultdict(set)
    for pattern in known if odd else ():
        for prefix, tail in _cuts(pattern):
            tails[tail].add(prefix)
    votes: Counter[tuple[str, str]] = Counter()
    for pattern in odd:
        seen: set[tuple[str, str]] = set()
        for prefix, tail in _cuts(pattern):
            seen.update((prefix, wanted) for wanted in tails.get(tail, ()) if wanted != prefix)
        votes.update(_shortest(seen))
    if not votes:
        return None
    change, count = max(votes.items(), key=lambda kv: (kv[1], -len(kv[0][0])))
    return change if count * 2 >= len(odd) and "*" not in change[0] + change[1] else None


def _cuts(pattern: str) -> Iterator[tuple[str, str]]:
    steps = pattern.split(".")
    for at in range(min(_OUTER, len(steps) - _TAIL) + 1):
        yield "".join(f"{step}." for step in steps[:at]), ".".join(steps[at:])


def _shortest(changes: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The changes that are no longer form of another one (`a.b.` to `c.b.` beside `a.` to `c.`)."""
    for old, new in changes:
        longer = any(
            (old != o or new != n) and old.startswith(o) and new.startswith(n) and old[len(o) :] == new[len(n) :]
            for o, n in changes
        )
        if not longer:
            yield old, new


CHECKS = (Check(STATES, run),)
