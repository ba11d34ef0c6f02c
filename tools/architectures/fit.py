"""What many builds of one class have in common: patterns of names, sizes and conditions over the configuration."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import isfinite
from typing import Any

import numpy as np

from .build import Stored
from .lang import FUNCTIONS, UNKNOWN, compiled, truth

Numbers = tuple[int, ...]
COUNTS = re.compile(r"layer|depth|blocks")
LAYERS = re.compile(r"(^|\.)(h|layers?|blocks?|stages?)$")
MAX_SPLITS = 40
MAX_SUMS = 6
MAX_LITERAL = 12  # so many entries of a stack whose size never changed are written out
# Factors that classes write themselves; a larger one is more likely what two keys happen to be to each other.
NICE = {Fraction(n, d) for n in (*range(1, 9), 12, 16) for d in (1, 2, 3, 4, 8)} | {
    Fraction(1, n) for n in (16, 32, 64)
}


@dataclass
class Observed:
    """One sample as the fit sees it: values of keys, what it changed, and the tensors by name."""

    env: dict[str, Any]
    tensors: dict[str, Stored]
    ties: list[tuple[str, ...]]
    what: str
    sizes: bool  # in other sizes than the first sample
    beside: int | None  # the sample that it differs from in one key, so that what differs is an effect of it

    def get(self, key: str) -> Any:
        """The value of a key; UNKNOWN where the configuration does not have it."""
        return self.env.get(key, UNKNOWN)


@dataclass(frozen=True)
class Case:
    """A shape, as expressions, with the condition under which the tensor is there."""

    shape: tuple[str, ...]
    condition: str = ""
    maybe: str | None = None  # "" or the name of a group

    def __str__(self) -> str:
        text = f"[{', '.join(self.shape)}]"
        text += f" if {self.condition}" if self.condition else ""
        return text if self.maybe is None else f"{text} maybe {self.maybe}".rstrip()


@dataclass
class Line:
    """A pattern of names with its words and cases."""

    words: str
    cases: list[Case]

    def __str__(self) -> str:
        return f"{self.words} " + " | ".join(map(str, self.cases))


@dataclass
class Stack:
    """A numbered list of modules: where it is, what its number is called, and how many there are."""

    path: str  # ends in the open number
    index: str
    count: str = "?"
    seen: list[dict[Numbers, set[int]]] = field(default_factory=list)  # by sample: numbers below outer numbers


@dataclass
class Fitted:
    """Lines by pattern, and the stacks that they stand in."""

    lines: dict[str, Line]
    stacks: dict[str, Stack]  # by path
    ties: list[str]
    dims: int = 0
    open_dims: int = 0
    maybes: int = 0


@dataclass
class Known:
    """What layouts of one file share: expressions that were found, and names of sizes that were not explained."""

    numbers: dict[Any, str | None] = field(default_factory=dict)
    symbols: list[tuple[dict[str, int], str]] = field(default_factory=list)
    stuck: dict[str, int] = field(default_factory=dict)  # keys that could not be changed
    quiet: set[str] = field(default_factory=set)  # keys that alone change nothing


class Fit:
    """Fits one class in one spelling; the first sample is the one that the others differ from."""

    def __init__(self, samples: Sequence[Observed], words: dict[str, str], known: Known) -> None:
        self.samples = samples
        self.known = known
        self.index_words = words  # count by index, shared by the layouts of a file
        self.stacks: dict[str, Stack] = {}
        self.rows: dict[str, list[dict[Numbers, Stored]]] = {}
        self.paths: dict[str, tuple[str, ...]] = {}
        self.cache: dict[tuple[str, str], Any] = {}
        self.groups: dict[tuple[Any, ...], list[tuple[str, int]]] = defaultdict(list)
        self.differs = [frozenset() if s.beside is None else _differing(s.env, samples[s.beside].env) for s in samples]

    def run(self) -> Fitted:
        """The patterns of the class."""
        entries = [
            (i, name.split("."), (), stored)
            for i, sample in enumerate(self.samples)
            for name, stored in sample.tensors.items()
        ]
        self._walk("", (), entries)
        for stack in sorted(self.stacks.values(), key=lambda s: s.path.count("{}")):
            self._count(stack)
            self._name(stack)
        self.loose = self._loose()
        lines = {}
        result = Fitted({}, self.stacks, [])
        for path, rows in self.rows.items():
            name = self._named(path)
            lines[name] = self._line(path, rows, result)
        self._finish_groups(lines)
        result.lines = lines
        result.ties = self._ties()
        return result

    # -- names ------------------------------------------------------------------------------------------------------

    def _walk(self, path: str, stacks: tuple[str, ...], entries: list[tuple[int, list[str], Numbers, Stored]]) -> None:
        ends = [e for e in entries if not e[1]]
        if ends:
            rows: list[dict[Numbers, Stored]] = [{} for _ in self.samples]
            for i, _, at, stored in ends:
                rows[i][at] = stored
            self.rows[path], self.paths[path] = rows, stacks
        numbered = [e for e in entries if e[1] and e[1][0].isdigit()]
        if numbered and self._is_open(path, numbered):
            below = f"{path}.{{}}" if path else "{}"
            seen: list[dict[Numbers, set[int]]] = [defaultdict(set) for _ in self.samples]
            for i, tokens, at, _ in numbered:
                seen[i][at].add(int(tokens[0]))
            self.stacks[below] = Stack(below, "", seen=seen)
            self._walk(below, (*stacks, below), [(i, t[1:], (*at, int(t[0])), s) for i, t, at, s in numbered])
            numbered = []
        words: dict[str, list[tuple[int, list[str], Numbers, Stored]]] = defaultdict(list)
        for entry in entries:
            if entry[1] and (not entry[1][0].isdigit() or numbered):
                words[entry[1][0]].append(entry)
        for word, inside in words.items():
            self._walk(f"{path}.{word}" if path else word, stacks, [(i, t[1:], at, s) for i, t, at, s in inside])

    def _is_open(self, path: str, entries: list[tuple[int, list[str], Numbers, Stored]]) -> bool:
        seen: dict[tuple[int, Numbers], set[int]] = defaultdict(set)
        for i, tokens, at, _ in entries:
            seen[i, at].add(int(tokens[0]))
        sets = {frozenset(numbers) for numbers in seen.values()}
        (first, *_) = sets
        stuck = any(n == len(first) and COUNTS.search(key) for key, n in self.known.stuck.items())
        return len(sets) > 1 or len(first) > MAX_LITERAL or (stuck and bool(LAYERS.search(path)))

    def _named(self, path: str) -> str:
        out, at = [], ""
        for token in path.split("."):
            at = f"{at}.{token}" if at else token
            out.append(f"{{{self.stacks[at].index}}}" if token == "{}" else token)
        return ".".join(out)

    def _name(self, stack: Stack) -> None:
        """A word for the number of a stack; one word has one count in a file."""
        words = [w for w in stack.path.split(".")[:-1] if w != "{}" and not w.isdigit()] or ["entry"]
        word = _singular(words[-1])
        inside = {self.stacks[s].index for s in self._outer(stack.path)}
        if stack.count != "?":
            for name, count in self.index_words.items():
                if count == stack.count and name not in inside and (name == word or name.endswith(f"_{word}")):
                    stack.index = name
                    return
        for depth in range(len(words) + 99):
            longer = "_".join([*words[-1 - depth : -1], word]) if depth < len(words) else f"{word}{depth}"
            name = re.sub(r"\W", "_", longer)
            if name in inside or name in FUNCTIONS or any(name in s.env for s in self.samples):
                continue
            if self.index_words.setdefault(name, stack.count) == stack.count:
                stack.index = name
                return

    def _count(self, stack: Stack) -> None:
        rows = []
        lows = set()
        contiguous = True
        for i, seen in enumerate(stack.seen):
            for at, numbers in seen.items():
                low, high = min(numbers), max(numbers) + 1
                lows.add(low)
                contiguous &= len(numbers) == high - low or low == 0
                rows.append((i, at, high))
        outer = self._outer(stack.path)
        if len({high for _, _, high in rows}) == 1 and rows[0][2] in self.known.stuck.values():
            stack.count = "?"
            return
        high = self._number(rows, outer)
        if lows == {0}:
            stack.count = high or "?"
        elif len(lows) > 1 or lows:
            rows_low = [(i, at, min(numbers)) for i, seen in enumerate(stack.seen) for at, numbers in seen.items()]
            low_text = self._number(rows_low, outer)
            stack.count = f"{low_text} .. {high}" if low_text and high else "?"

    def _outer(self, path: str) -> tuple[str, ...]:
        """Open stacks around a path, from outside; names of indices are not known yet, so paths stand for them."""
        return tuple(s for s in self.stacks if path != s and path.startswith(s + "."))

    # -- lines ------------------------------------------------------------------------------------------------------

    def _universe(self, stacks: tuple[str, ...], i: int) -> list[Numbers]:
        """Every tuple of numbers that a pattern in these stacks could have in a sample."""
        found: list[Numbers] = [()]
        for path in stacks:
            stack = self.stacks[path]
            deeper: list[Numbers] = []
            for at in found:
                for number in self._range(stack, i, at):
                    deeper.append((*at, number))
            found = deeper
        return found

    def _range(self, stack: Stack, i: int, at: Numbers) -> Iterable[int]:
        if stack.count == "?":
            return sorted(stack.seen[i].get(at, ()))
        low, _, high = stack.count.rpartition(" .. ")
        names = dict(zip(self._index_names(stack.path), at, strict=False))
        end = compiled(high)(self.samples[i].get, names)
        start = compiled(low)(self.samples[i].get, names) if low else 0
        return (
            range(start, end) if isinstance(start, int) and isinstance(end, int) else sorted(stack.seen[i].get(at, ()))
        )

    def _index_names(self, path: str) -> tuple[str, ...]:
        return tuple(self.stacks[s].index or f"i{n}" for n, s in enumerate(self._outer(path)))

    def _line(self, path: str, rows: list[dict[Numbers, Stored]], result: Fitted) -> Line:
        stacks = self.paths[path]
        words = next(stored.words for row in rows for stored in row.values())
        universe = self._all(stacks)
        present = np.array([at in rows[i] for i, at in universe])
        maybe: str | None = "" if self._named(path) in self.loose else None
        condition = "" if present.all() else self._condition(stacks, universe, present, rows)
        if condition is None:
            maybe, condition = "", ""
            result.maybes += 1
            signature = (stacks, present.tobytes())
            self.groups[signature].append((self._named(path), 0))
        there = [(i, at, rows[i][at].shape) for i, at in universe if at in rows[i]]
        cases = self._shapes(stacks, there)
        out = []
        for shape, own in cases:
            both = " and ".join(f"({c})" if " or " in c and condition and own else c for c in (condition, own) if c)
            out.append(Case(shape, both, maybe))
        for shape, _ in cases:
            result.dims += len(shape)
            result.open_dims += sum(d in ("_", "...") or d.startswith("?") for d in shape)
        return Line(words, out)

    def _all(self, stacks: tuple[str, ...]) -> list[tuple[int, Numbers]]:
        key = ("all", "|".join(stacks))
        if key not in self.cache:
            self.cache[key] = [(i, at) for i in range(len(self.samples)) for at in self._universe(stacks, i)]
        return self.cache[key]  # type: ignore[no-any-return]

    def _finish_groups(self, lines: dict[str, Line]) -> None:
        number = 0
        for members in self.groups.values():
            if len(members) < 2:
                continue
            number += 1
            for name, _ in members:
                lines[name].cases = [Case(c.shape, c.condition, f"g{number}") for c in lines[name].cases]

    # -- conditions -------------------------------------------------------------------------------------------------

    def _names(self, stacks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.stacks[s].index or f"i{n}" for n, s in enumerate(stacks))

    def _presence_support(self, rows: list[dict[Numbers, Stored]], universe: list[tuple[int, Numbers]]) -> list[str]:
        by_sample: dict[int, list[Numbers]] = defaultdict(list)
        for i, at in universe:
            by_sample[i].append(at)
        counts: dict[str, int] = {}
        for i, sample in enumerate(self.samples):
            if sample.beside is None:
                continue
            first = set(by_sample[sample.beside])
            if any((at in rows[sample.beside]) != (at in rows[i]) for at in by_sample[i] if at in first):
                for key in self.differs[i]:
                    counts[key] = min(counts.get(key, 99), len(self.differs[i]))
        return sorted(counts, key=lambda k: (counts[k], k))[:14]

    def _atoms(self, stacks: tuple[str, ...], support: Sequence[str]) -> list[str]:
        names = self._names(stacks)
        found: list[str] = []
        env = self.samples[0].env
        lists = (
            [k for k, v in env.items() if isinstance(v, list) and v and isinstance(v[0], (str, bool))] if names else []
        )
        for key in dict.fromkeys([*support, *lists]):
            values = [s.env[key] for s in self.samples if key in s.env]
            kinds = {type(v) for v in values}
            texts = sorted({v for v in values if isinstance(v, str)})
            found += [f'{key} == "{t}"' for t in texts]
            if (kinds & {bool, int, type(None), float} or list in kinds) and key in support:
                found.append(key)
                found += [f"{key} == null"] if type(None) in kinds else []
            if int in kinds and key in support:
                ints = sorted({v for v in values if type(v) is int})
                found += [f"{key} > {n}" for n in ints[:3]] + [f"{key} == {n}" for n in ints[:4]]
                for name in names:
                    found += [
                        f"{name} < {key}", f"{name} % {key} == 0", f"({name} + 1) % {key} == 0", f"{name} == {key}",
                    ]  # fmt: skip
                for other in support:
                    if other != key and any(type(s.env.get(other)) is int for s in self.samples):
                        found += [f"{name} % {key} == {other}" for name in names]
                        found.append(f"{key} == {other}")
            if list in kinds:
                flat = {x for v in values if isinstance(v, list) for x in v if isinstance(x, str)}
                bools = any(isinstance(x, bool) for v in values if isinstance(v, list) for x in v)
                for name in names:
                    found += [f'{key}[{name}] == "{t}"' for t in sorted(flat)]
                    found += [f"{key}[{name}]"] if bools or (key in support and not flat) else []
                    if key in support and not flat and not bools:
                        found.append(
                            f"{key} != null and {name} in {key}" if type(None) in kinds else f"{name} in {key}"
                        )
        for name, path in zip(names, stacks, strict=True):
            found += [f"{name} == 0", f"{name} % 2 == 0"]
            count = self.stacks[path].count
            if count != "?" and ".." not in count:
                found.append(f"{name} == {count} - 1")
        return list(dict.fromkeys(found))

    def _vector(self, stacks: tuple[str, ...], atom: str, universe: list[tuple[int, Numbers]]) -> Any:
        key = ("|".join(stacks), atom)
        if key not in self.cache:
            names = self._names(stacks)
            value = compiled(atom)
            out = np.zeros(len(universe), dtype=np.int8)
            for n, (i, at) in enumerate(universe):
                got = value(self.samples[i].get, dict(zip(names, at, strict=True)))
                out[n] = -1 if got is UNKNOWN else truth(got)
            self.cache[key] = out
        return self.cache[key]

    def _condition(
        self,
        stacks: tuple[str, ...],
        universe: list[tuple[int, Numbers]],
        wanted: Any,
        rows: list[dict[Numbers, Stored]],
        support: Sequence[str] | None = None,
    ) -> str | None:
        """The shortest condition that holds exactly where `wanted` does, in all samples."""
        support = self._presence_support(rows, universe) if support is None else support
        literals: list[tuple[str, Any]] = []
        for atom in self._atoms(stacks, support):
            vector = self._vector(stacks, atom, universe)
            if (vector < 0).any():
                continue
            on = vector.astype(bool)
            if on.all() or not on.any():
                continue
            literals += [(atom, on), (_negated(atom), ~on)]
        for text, on in literals:
            if (on == wanted).all():
                return text
        # Each side of `and` has to hold wherever the tensor is there; each side of `or` only there.
        wide = [(t, on) for t, on in literals if on[wanted].all()]
        tight = [(t, on) for t, on in literals if not on[~wanted].any()]
        for (a, x), (b, y) in itertools.combinations(wide, 2):
            if ((x & y) == wanted).all():
                return f"{a} and {b}"
        for (a, x), (b, y) in itertools.combinations(tight, 2):
            if ((x | y) == wanted).all():
                return f"{a} or {b}"
        if len(wide) <= 40:
            for (a, x), (b, y), (c, z) in itertools.combinations(wide, 3):
                if ((x & y & z) == wanted).all():
                    return f"{a} and {b} and {c}"
        if len(tight) <= 40:
            for (a, x), (b, y), (c, z) in itertools.combinations(tight, 3):
                if ((x | y | z) == wanted).all():
                    return f"{a} or {b} or {c}"
        if len(literals) <= 60:
            for (a, x), (b, y), (c, z) in itertools.permutations(literals, 3):
                if (b < c) and ((x & (y | z)) == wanted).all():
                    return f"{a} and ({b} or {c})"
                if (b < c) and ((x | (y & z)) == wanted).all():
                    return f"{a} or {b} and {c}"
        return None

    # -- sizes ------------------------------------------------------------------------------------------------------

    def _shapes(
        self, stacks: tuple[str, ...], there: list[tuple[int, Numbers, tuple[int, ...]]]
    ) -> list[tuple[tuple[str, ...], str]]:
        """Shapes with the conditions between them; the last has none."""
        ranks = {len(shape) for _, _, shape in there}
        whole: list[str | None] = []
        if len(ranks) == 1:
            whole = self._shape(stacks, there)
            if all(d is not None for d in whole):
                return [(tuple(map(str, whole)), "")]
        split = self._split(stacks, there, whole)
        if split:
            return split
        if len(ranks) > 1:
            return [(("...",), "")]
        return [(tuple(d if d is not None else self._symbol(there, j) for j, d in enumerate(whole)), "")]

    def _shape(
        self,
        stacks: tuple[str, ...],
        there: list[tuple[int, Numbers, tuple[int, ...]]],
        quick: bool = False,
        known: Sequence[str | None] = (),
    ) -> list[str | None]:
        names = self._names(stacks)
        return [
            (known[j] if known else None)
            or self._number([(i, at, shape[j]) for i, at, shape in there], stacks, names, quick)
            for j in range(len(there[0][2]))
        ]

    def _split(
        self,
        stacks: tuple[str, ...],
        there: list[tuple[int, Numbers, tuple[int, ...]]],
        known: Sequence[str | None] = (),
    ) -> list[tuple[tuple[str, ...], str]] | None:
        """Two kinds of shape, told apart by a condition; dimensions that are `known` are the same in both."""
        support = sorted(
            {
                k
                for j in range(len(there[0][2]))
                for k in self._support([(i, at, s[j] if j < len(s) else -1) for i, at, s in there])
            }
        )
        atoms = self._atoms(stacks, support)[:MAX_SPLITS]
        # Sums of products cost much: they are looked for only where nothing simpler is found.
        tries = [(atom, True) for atom in atoms] + [(atom, False) for atom in atoms[:MAX_SUMS]]
        for atom, quick in tries:
            found = self._split_at(atom, stacks, there, known, quick)
            if found:
                return found
        return None

    def _split_at(
        self,
        atom: str,
        stacks: tuple[str, ...],
        there: list[tuple[int, Numbers, tuple[int, ...]]],
        known: Sequence[str | None],
        quick: bool,
    ) -> list[tuple[tuple[str, ...], str]] | None:
        names, value = self._names(stacks), compiled(atom)
        got = [value(self.samples[i].get, dict(zip(names, at, strict=True))) for i, at, _ in there]
        if any(g is UNKNOWN for g in got):
            return None
        one = [t for t, g in zip(there, got, strict=True) if truth(g)]
        two = [t for t, g in zip(there, got, strict=True) if not truth(g)]
        if not one or not two or any(len({len(s) for _, _, s in part}) > 1 for part in (one, two)):
            return None
        # The same conditions for both, so the second is fitted only where the first is.
        first = self._shape(stacks, one, quick, known)
        if any(d is None for d in first):
            return None
        second = self._shape(stacks, two, quick, known)
        if all(d is not None for d in second):
            return [(tuple(map(str, first)), atom), (tuple(map(str, second)), "")]
        more = self._split(stacks, two, known) if ' == "' in atom and quick else None
        return [(tuple(map(str, first)), atom), *more] if more and len(more) == 2 else None

    def _symbol(self, there: list[tuple[int, Numbers, tuple[int, ...]]], j: int) -> str:
        """A name for a size that was not explained, shared by all that agree with it in every sample."""
        per: dict[str, set[int]] = defaultdict(set)
        for i, _, shape in there:
            per[self.samples[i].what].add(shape[j])
        if any(len(v) > 1 for v in per.values()) or len(per) < len({s.what for s in self.samples}):
            return "_"
        own = {what: min(values) for what, values in per.items()}
        for values, name in self.known.symbols:
            both = values.keys() & own.keys()
            if len(both) > 5 and all(values[what] == own[what] for what in both):
                return name
        name = f"?{_letters(len(self.known.symbols))}"
        self.known.symbols.append((own, name))
        return name

    def _support(self, rows: list[tuple[int, Numbers, int]]) -> list[str]:
        """Keys that alone change the size."""
        by: dict[int, dict[Numbers, int]] = defaultdict(dict)
        for i, at, value in rows:
            by[i][at] = value
        counts: dict[str, int] = {}
        for i, own in by.items():
            beside = self.samples[i].beside
            first = by.get(beside, {}) if beside is not None else {}
            if any(own[at] != first[at] for at in own if at in first):
                for key in self.differs[i]:
                    counts[key] = min(counts.get(key, 99), len(self.differs[i]))
        # a key that was changed alone, and without effect then, has none where it was changed with others
        alone = {next(iter(d)) for d in self.differs if len(d) == 1} | self.known.quiet
        found = [k for k, n in counts.items() if n == 1 or k not in alone]
        return sorted(found, key=lambda k: (counts[k], len(k), k))

    def _number(
        self,
        rows: list[tuple[int, Numbers, int]],
        stacks: tuple[str, ...],
        names: tuple[str, ...] | None = None,
        quick: bool = False,
    ) -> str | None:
        """An expression that gives the value in every row."""
        names = self._names(stacks) if names is None else names
        key = (names, quick, tuple((self.samples[i].what, at, value) for i, at, value in rows))
        if key not in self.known.numbers:
            self.known.numbers[key] = self._fitted(rows, names, quick)
        return self.known.numbers[key]

    def _fitted(self, rows: list[tuple[int, Numbers, int]], names: tuple[str, ...], quick: bool) -> str | None:
        values = {v for _, _, v in rows}
        support = self._support(rows)
        if len(values) == 1 and not support:
            value = next(iter(values))
            return str(value) if self._constant(value, {i for i, _, _ in rows}) else None
        per: dict[int, set[int]] = defaultdict(set)
        for i, _, value in rows:
            per[i].add(value)
        indexed = any(len(v) > 1 for v in per.values())
        if not indexed:  # one row for each sample is enough
            rows = list({row[0]: row for row in reversed(rows)}.values())[::-1]
        wanted, where = [v for _, _, v in rows], [(i, at) for i, at, _ in rows]
        own = names if indexed else ()
        found = _expression(self._terms(support, own, where), wanted, quick)
        if found is None and len(values) > 2:
            # Keys that could not be changed alone are in it as far as samples of other sizes tell.
            more = [k for k in self.known.stuck if len({self.samples[i].env.get(k) for i, _, _ in rows}) > 1]
            if more:
                found = _expression(self._terms([*support[:7], *more[:4]], own, where, 12), wanted, True)
        if found is None and len(values) > 1 and not indexed:
            # What a key is in every sample needs no other proof where there are three values, or it was what changed.
            envs = [(self.samples[i].env, value) for i, _, value in rows]
            same = [k for k in envs[0][0] if all(type(env.get(k)) is int and env[k] == value for env, value in envs)]
            same = [k for k in same if len(values) > 2 or all(k in self.differs[i] for i, _, _ in rows)]
            found = min(same, key=lambda k: (len(k), k), default=None)
        return found

    def _constant(self, value: int, used: set[int]) -> bool:
        """Whether it is certain that a size is the same whatever the configuration says.

        Not where few keys were changed in the samples that have it, nor where a key that never changed may be in it.
        """
        if value <= 1:
            return True
        changed = {frozenset(self.differs[i]) for i in used if self.differs[i]}
        sizes = [self.samples[i].env for i in used if self.samples[i].sizes]
        if len(changed) < 4 and not sizes:
            return False
        return not any(
            stuck > 1 and value % stuck == 0 and not any(env.get(key) not in (stuck, None) for env in sizes)
            for key, stuck in self.known.stuck.items()
        )

    def _terms(
        self, support: list[str], names: tuple[str, ...], where: list[tuple[int, Numbers]], most: int = 8
    ) -> dict[str, list[Fraction]]:
        """Values of what an expression may be made of, in every row."""
        texts: list[str] = []
        used = sorted({i for i, _ in where})
        for key in support[:most]:
            values = [self.samples[i].env[key] for i in used if key in self.samples[i].env]
            if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
                texts.append(key)
            elif any(isinstance(v, list) for v in values):
                if names:
                    texts += [t for n in names for t in (f"{key}[{n}]", f"{key}[{n} + 1]", f"{key}[{n} - 1]")]
                else:
                    shortest = min(len(v) for v in values if isinstance(v, list))
                    texts += [f"{key}[{i}]" for i in range(min(shortest, 8))] + [
                        f"{key}[len({key}) - 1]",
                        f"len({key})",
                    ]
            elif any(isinstance(v, dict) for v in values):
                texts.append(f"len({key})")
        texts.sort(key=lambda t: "len(" in t)  # a number that counts says more than the length of a list
        texts += [t for n in names for t in (f"2 ** {n}", f"({n} + 1)")]
        found = {}
        for text in texts:
            value = compiled(text)
            got = [value(self.samples[i].get, dict(zip(names, at, strict=False)) if names else {}) for i, at in where]
            if all(isinstance(v, (int, float, Fraction)) and not isinstance(v, bool) and isfinite(v) for v in got):
                found[text] = [Fraction(v).limit_denominator(10**6) for v in got]
        return found

    def _loose(self) -> set[str]:
        """Patterns of which several tensors are one, so that a checkpoint may have any of them."""
        found: set[str] = set()
        for sample in self.samples:
            for names in sample.ties:
                patterns = [self.pattern(n) for n in names]
                numbers = {tuple(t for t in n.split(".") if t.isdigit()) for n in names}
                if len(set(patterns)) < len(patterns) or (len(numbers) > 1 and any("{" in p for p in patterns)):
                    found |= {p for p in patterns if "{" in p}
        return found

    # -- ties -------------------------------------------------------------------------------------------------------

    def _ties(self) -> list[str]:
        """Sets of names that are one tensor, each with its condition."""
        sets: dict[tuple[str, ...], set[int]] = defaultdict(set)
        exists: dict[tuple[str, ...], set[int]] = defaultdict(set)
        for i, sample in enumerate(self.samples):
            for names in sample.ties:
                patterns = tuple(dict.fromkeys(self.pattern(n) for n in names))
                if len(patterns) > 1:
                    sets[patterns].add(i)
        for patterns in sets:
            for i in range(len(self.samples)):
                paths = [p for p in self.rows if self._named(p) in patterns]
                if sum(bool(self.rows[p][i]) for p in paths) > 1:
                    exists[patterns].add(i)
        found = []
        for patterns, tied in sets.items():
            text = " = ".join(patterns)
            universe = [(i, ()) for i in sorted(exists[patterns] | tied)]
            wanted = np.array([i in tied for i, _ in universe])
            if not wanted.all():
                support = sorted(
                    {
                        k
                        for i, _ in universe
                        if (beside := self.samples[i].beside) is not None and (i in tied) != (beside in tied)
                        for k in self.differs[i]
                    }
                )[:8]
                self.cache = {k: v for k, v in self.cache.items() if k[0] != ""}
                condition = self._condition((), universe, wanted, [], support)
                self.cache = {k: v for k, v in self.cache.items() if k[0] != ""}
                if condition is None:
                    condition = "null == null"  # tied in some samples: never say that both have to be there
                    text += ""
                else:
                    text += f" if {condition}"
            found.append(text)
        return found

    def pattern(self, name: str) -> str:
        """The pattern of a name in the samples."""
        out, at = [], ""
        for token in name.split("."):
            number = f"{at}.{{}}" if at else "{}"
            if token.isdigit() and number in self.stacks:
                at = number
                out.append(f"{{{self.stacks[number].index}}}")
            else:
                at = f"{at}.{token}" if at else token
                out.append(token)
        return ".".join(out)


def _differing(env: dict[str, Any], base: dict[str, Any]) -> frozenset[str]:
    return frozenset(k for k, v in env.items() if base.get(k, UNKNOWN) != v) | frozenset(
        k for k in base if k not in env
    )


def _singular(word: str) -> str:
    special = {
        "h": "layer",
        "layers": "layer",
        "blocks": "block",
        "stages": "stage",
        "experts": "expert",
        "resblocks": "block",
    }
    if word in special:
        return special[word]
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 2 else word


def _letters(n: int) -> str:
    return (_letters(n // 26 - 1) if n >= 26 else "") + "abcdefghijklmnopqrstuvwxyz"[n % 26]


def _negated(atom: str) -> str:
    if " and " in atom:
        return f"not ({atom})"
    for sign, other in ((" == ", " != "), (" not in ", " in "), (" in ", " not in "), (" < ", " >= "), (" > ", " <= ")):
        if sign in atom:
            return atom.replace(sign, other, 1)
    return f"not {atom}"


def _expression(terms: dict[str, list[Fraction]], values: list[int], quick: bool) -> str | None:
    """The simplest expression over the terms that gives every value."""
    wanted = [Fraction(v) for v in values]
    for text, got in terms.items():
        if got == wanted:
            return text
    product = _product(terms, wanted)
    if product:
        return product
    for text, got in terms.items():
        for shift in (1, -1, 2, 3, 4, -2, 5, 8, 16):
            if all(g + shift == w for g, w in zip(got, wanted, strict=True)):
                return f"{text} {'+' if shift > 0 else '-'} {abs(shift)}"
        for n in (2, 3, 4, 8, 16, 32, 64):
            if all(g.denominator == 1 and g // n == w for g, w in zip(got, wanted, strict=True)):
                return f"{text} // {n}"
            if all(g.denominator == 1 and -(-g // n) == w for g, w in zip(got, wanted, strict=True)):
                return f"ceil({text}, {n})"
            if all(g.denominator == 1 and -(-g // n) * n == w for g, w in zip(got, wanted, strict=True)):
                return f"ceil({text}, {n}) * {n}"
    for (a, x), (b, y) in itertools.permutations(terms.items(), 2):
        pairs = list(zip(x, y, wanted, strict=True))
        if a < b and all(int(p * q) == w for p, q, w in pairs):
            return f"int({a} * {b})"
        if all(q and p // q == w for p, q, w in pairs):
            return f"{a} // {b}"
        if all(q and -(-p // q) == w for p, q, w in pairs):
            return f"ceil({a}, {b})"
        for c, z in terms.items():  # so many heads of a size that is rounded down
            if c != a and all(q and p // q * r == w for (p, q, w), r in zip(pairs, z, strict=True)):
                return f"{a} // {b} * {c}"
        if a < b and all(max(p, q) == w for p, q, w in pairs):
            return f"max({a}, {b})"
        if a < b and all(min(p, q) == w for p, q, w in pairs):
            return f"min({a}, {b})"
        for shift in (0, 1, 2):
            if all(q and (p // q) ** 2 + shift == w for p, q, w in pairs):
                return f"({a} // {b}) ** 2" + (f" + {shift}" if shift else "")
        for n in (2, 3, 4):
            if a < b and all(n * int(p * q) == w for p, q, w in pairs):
                return f"{n} * int({a} * {b})"
    return None if quick else _sum(terms, wanted)


def _product(terms: dict[str, list[Fraction]], wanted: list[Fraction]) -> str | None:
    usable = {t: v for t, v in terms.items() if all(v)}
    if not all(wanted):
        return None
    for size in range(1, min(4, len(usable)) + 1):
        for chosen in itertools.combinations(usable, size):
            for powers in itertools.product((1, -1) if size > 2 else (1, -1, 2), repeat=size):
                if all(p < 0 for p in powers):
                    continue
                factor: Fraction | None = None
                for row, value in enumerate(wanted):
                    whole = Fraction(1)
                    for text, power in zip(chosen, powers, strict=True):
                        whole *= usable[text][row] ** power
                    own = value / whole
                    if factor is None:
                        factor = own
                    if own != factor:
                        break
                else:
                    if factor in NICE:
                        return _written(factor, chosen, powers)
    return None


def _written(factor: Fraction, chosen: Sequence[str], powers: Sequence[int]) -> str:
    above = [t for t, p in zip(chosen, powers, strict=True) for _ in range(p) if p > 0]
    below = [t for t, p in zip(chosen, powers, strict=True) if p < 0]
    if factor.numerator != 1 or not above:
        above.insert(0, str(factor.numerator))
    if factor.denominator != 1:
        below.append(str(factor.denominator))
    return " * ".join(above) + "".join(f" / {t}" for t in below)


def _sum(terms: dict[str, list[Fraction]], wanted: list[Fraction]) -> str | None:
    """Two or three products of terms, with small factors, added up."""
    names = list(terms)[:6]
    goal = np.array([float(w) for w in wanted])
    rows = range(len(wanted))

    def products(size: int) -> list[tuple[str, list[float]]]:
        return [
            (" * ".join(chosen), [float(np.prod([float(terms[t][r]) for t in chosen])) for r in rows])
            for chosen in itertools.combinations(names, size)
        ]

    one = ("1", [1.0] * len(wanted))
    ratios: list[tuple[str, list[float]]] = []
    for a, b in itertools.permutations(names, 2):
        if all(terms[b]):
            ratios.append((f"{a} / {b}", [float(x / y) for x, y in zip(terms[a], terms[b], strict=True)]))
            for c in names:
                if c > a and c != b:
                    both = zip(terms[a], terms[b], terms[c], strict=True)
                    ratios.append((f"{a} * {c} / {b}", [float(x * z / y) for x, y, z in both]))
    few = [*products(1), *products(2), one]
    return (
        _combined([*products(1), one], goal, 2)
        or _combined(few, goal, 2)
        or _combined(few, goal, 3)
        or _combined([*few, *products(3), *ratios], goal, 2)
    )


def _combined(parts: list[tuple[str, list[float]]], goal: Any, size: int) -> str | None:
    """So many parts with small factors that add up to the goal."""
    if len(parts) > (26 if size == 3 else 70) or len(goal) < size + 2:
        return None
    columns = np.array([column for _, column in parts]).T
    for chosen in itertools.combinations(range(len(parts)), size):
        own = columns[:, chosen]
        solved, _, rank, _ = np.linalg.lstsq(own, goal, rcond=None)
        if rank < size or np.abs(own @ solved - goal).max() > 1e-6 * max(1.0, np.abs(goal).max()):
            continue
        factors = [Fraction(float(x)).limit_denominator(8) for x in solved]
        if any(f == 0 or (abs(f) > 8 and parts[c][0] != "1") for f, c in zip(factors, chosen, strict=True)):
            continue
        if np.abs(own @ np.array([float(f) for f in factors]) - goal).max() > 1e-6:
            continue
        text = ""
        for n in sorted(range(size), key=lambda n: factors[n] < 0):
            factor, name = factors[n], parts[chosen[n]][0]
            amount = str(abs(factor.numerator))
            whole = amount if name == "1" else name if amount == "1" else f"{amount} * {name}"
            whole += f" / {factor.denominator}" if factor.denominator != 1 else ""
            text += (" - " if factor < 0 else " + " if text else "") + whole
        return text
    return None
