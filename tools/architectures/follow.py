"""Further classes of a type: the main class under other prefixes, less some of its tensors, and some of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .build import Stored
from .fit import Case, Fit, Line
from .lang import UNKNOWN, compiled, truth

MAX_OWN = 40  # a class with more tensors of its own is fitted by itself


@dataclass(frozen=True)
class Main:
    """The main class in one spelling: its samples by what they are, names to patterns, and lines."""

    tensors: dict[str, dict[str, Stored]]
    fit: Fit
    lines: dict[str, Line]
    ties: list[str]


def followed(
    main: Main,
    own: dict[str, dict[str, Stored]],
    ties: dict[str, list[tuple[str, ...]]],
    env: dict[str, dict[str, Any]],
) -> tuple[dict[str, Line], list[str]] | None:
    """Lines and ties of a class, by what it has in common with the main one; None where that is too little.

    `own` and `ties` are by sample, as are the environments.
    """
    base = next(iter(own))
    rename = _prefixes(main.tensors[base], own[base])
    if rename is None:
        return None
    lines: dict[str, Line] = {}
    explained: dict[str, set[str]] = {what: set() for what in own}
    pattern_of: dict[str, str] = {}
    for pattern, line in main.lines.items():
        there: list[bool] = []
        for what, tensors in own.items():
            for name in _instances(main, what).get(pattern, ()):
                new = _renamed(name, rename)
                same = tensors.get(new) == main.tensors[what][name]
                there.append(same)
                if same:
                    explained[what].add(new)
                    pattern_of[new] = _renamed(pattern, rename)
        if there and all(there):
            lines[_renamed(pattern, rename)] = line
        elif any(there):
            return None
    left = {what: {n: s for n, s in tensors.items() if n not in explained[what]} for what, tensors in own.items()}
    names = dict.fromkeys(n for tensors in left.values() for n in tensors)
    if len(names) > MAX_OWN:
        return None
    for name in names:
        lines[name] = _line([(env[what], left[what].get(name)) for what in own])
    return lines, list(_ties(ties, main, rename, pattern_of, env))


def _instances(main: Main, what: str) -> dict[str, list[str]]:
    cache: dict[str, dict[str, list[str]]] = main.fit.__dict__.setdefault("instances", {})
    if what not in cache:
        found: dict[str, list[str]] = {}
        for name in main.tensors[what]:
            found.setdefault(main.fit.pattern(name), []).append(name)
        cache[what] = found
    return cache[what]


def _prefixes(theirs: dict[str, Stored], mine: dict[str, Stored]) -> dict[str, str] | None:
    """The prefixes whose replacement turns most names into those of the other class."""
    by_end: dict[str, list[str]] = {}
    for name in theirs:
        tokens = name.split(".")
        for i in range(1, len(tokens)):
            by_end.setdefault(".".join(tokens[i:]), []).append(".".join(tokens[:i]) + ".")
    votes: dict[tuple[str, str], int] = {}
    for name, stored in mine.items():
        if theirs.get(name) == stored:
            continue
        tokens = name.split(".")
        for i in range(len(tokens) - 1):
            end = ".".join(tokens[i:])
            new = ".".join(tokens[:i]) + "." if i else ""
            olds = [
                old
                for old in (["", *by_end.get(end, ())] if i else by_end.get(end, ()))
                if theirs.get(old + end) == stored
            ]
            if "" in olds and end not in theirs:
                olds.remove("")
            for old in olds:
                if not any(c.isdigit() for c in old.split(".") + new.split(".")):
                    votes[old, new] = votes.get((old, new), 0) + 1
            if olds:
                break
    rename: dict[str, str] = {}
    for (old, new), count in sorted(votes.items(), key=lambda kv: (-kv[1], kv[0])):
        if old not in rename and count > 1 and len(rename) < 4:
            rename[old] = new
    hits = sum(mine.get(_renamed(n, rename)) == s for n, s in theirs.items())
    plain = sum(mine.get(n) == s for n, s in theirs.items())
    if plain >= hits:
        rename, hits = {}, plain
    return rename if hits * 2 > len(mine) else None


def _renamed(name: str, rename: dict[str, str]) -> str:
    prefix = max((p for p in rename if name.startswith(p)), key=len, default=None)
    return name if prefix is None else rename[prefix] + name[len(prefix) :]


def _line(rows: list[tuple[dict[str, Any], Stored | None]]) -> Line:
    """A tensor of the class's own: each size a constant or one key, in all samples; else any."""
    there = [(env, stored) for env, stored in rows if stored is not None]
    maybe = None if len(there) == len(rows) else ""
    first = there[0][1]
    if len({len(stored.shape) for _, stored in there}) > 1:
        return Line(first.words, [Case(("_",) * len(first.shape), "", "")])
    dims = []
    for j in range(len(first.shape)):
        sizes = [stored.shape[j] for _, stored in there]
        keys = [
            k
            for k in there[0][0]
            if all(type(e.get(k)) is int and e[k] == s for (e, _), s in zip(there, sizes, strict=True))
        ]
        if len(set(sizes)) > 1 and all(
            len(e.get("id2label") or ()) == s for (e, _), s in zip(there, sizes, strict=True)
        ):
            dims.append("len(id2label)")
        elif keys and (len(set(sizes)) > 1 or sizes[0] > 8):
            wide = [k for k in keys if len(set(sizes)) > 1]
            dims.append(min(wide, key=lambda k: ("hidden" not in k and "d_model" not in k, len(k))) if wide else "_")
        else:
            dims.append(str(sizes[0]) if len(set(sizes)) == 1 and len(there) > 2 else "_")
    return Line(first.words, [Case(tuple(dims), "", maybe)])


def _ties(
    ties: dict[str, list[tuple[str, ...]]],
    main: Main,
    rename: dict[str, str],
    pattern_of: dict[str, str],
    env: dict[str, dict[str, Any]],
) -> Iterator[str]:
    """Ties of the class, with the condition of the main class where that tells in which samples they are."""
    known: dict[str, str] = {}
    for tie in main.ties:
        names, _, condition = tie.partition(" if ")
        known.setdefault(" = ".join(_renamed(n, rename) for n in names.split(" = ")), condition)
    seen: dict[str, set[str]] = {}
    for what, sets in ties.items():
        for names in sets:
            patterns = list(dict.fromkeys(pattern_of.get(n, n) for n in names))
            if len(patterns) > 1:
                seen.setdefault(" = ".join(patterns), set()).add(what)
    for text, tied in seen.items():
        condition = known.get(text, "")
        yield f"{text} if {condition}" if condition and _tells(condition, tied, env) else text
    for text, condition in known.items():
        if text not in seen and all(n in pattern_of.values() for n in text.split(" = ")):
            yield f"{text} if {condition}" if condition else text


def _tells(condition: str, tied: set[str], env: dict[str, dict[str, Any]]) -> bool:
    """Whether a condition holds in these samples and in no others."""
    value = compiled(condition)
    return all(truth(value(lambda key, e=e: e.get(key, UNKNOWN), {})) == (what in tied) for what, e in env.items())
