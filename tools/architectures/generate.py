"""One file: the classes of a model type, their samples, what fits them all, and layouts made of each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .build import APART, LOADED, MEMORY, SAVED, Built, Stored, opened
from .fit import Fit, Known, Line, Observed
from .follow import Main, followed
from .lang import TOKENS
from .samples import HEAD_DIM, Sample, Sampler, leaves, made, replaced, same


@dataclass
class Layout:
    """One spelling of one class or of several."""

    name: str
    classes: list[str]
    written: list[str]
    lines: dict[str, Line]
    ties: list[str]
    ignored: tuple[str, ...]
    assumes: list[str] = field(default_factory=list)
    like: str = ""
    rename: dict[str, str] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)

    def same(self, other: Layout) -> bool:
        """Whether two say the same of tensors."""
        mine, theirs = ({k: str(v) for k, v in x.lines.items()} for x in (self, other))
        return (
            mine == theirs
            and self.ties == other.ties
            and (self.ignored, self.assumes) == (other.ignored, other.assumes)
        )


@dataclass
class Architecture:
    """What a file says."""

    type: str
    config: str
    aliases: dict[str, str]
    defaults: dict[str, Any]
    indices: dict[str, str]
    layouts: list[Layout]
    counts: dict[str, int] = field(default_factory=dict)


def environment(config: dict[str, Any]) -> dict[str, Any]:
    """Keys with dots and their values; dictionaries that have a length too."""
    env = dict(leaves(config))
    if isinstance(config.get("id2label"), dict):
        env = {k: v for k, v in env.items() if not k.startswith(("id2label", "label2id"))}
        env["id2label"] = list(config["id2label"].values())
    return env


def observed(samples: list[Sample], spelling: str) -> list[Observed]:
    """The samples in one spelling; the ones that do not have it are in memory as they are saved."""
    found: list[Observed] = []
    at: dict[str, int] = {}
    for sample in samples:
        for name in {APART: (APART, MEMORY, SAVED), LOADED: (LOADED, SAVED)}.get(spelling, (spelling, SAVED)):
            if name in sample.built.spellings:
                env = environment(sample.built.config)
                beside = at.get(sample.beside) if sample.beside else None
                at.setdefault(sample.what, len(found))
                found.append(
                    Observed(
                        env,
                        sample.built.spellings[name],
                        sample.built.ties[name],
                        sample.what,
                        sample.changed == ("*",),
                        beside,
                    )
                )
                break
    return found


def architecture(config_class: Any, classes: list[type]) -> Architecture:
    """The file of a type; the first class is the main one. Raises ValueError where nothing builds."""
    words: dict[str, str] = {}
    layouts: list[Layout] = []
    found = Architecture(config_class.model_type, config_class.__name__, {}, {}, words, layouts)
    given: list[Sample] = []
    errors: list[str] = []
    base: Sample | None = None
    mains: dict[str, Main] = {}
    known = Known()
    fallbacks = 2
    for klass in classes:
        sampler = Sampler(config_class, klass)
        new: list[Layout] | None
        if base is None:
            base = sampler.base()
            if base is None:
                errors += sampler.errors[:1]
                continue
            singles = list(sampler.singles(base))
            given = [base, *singles, *sampler.richer(base, singles)]
            whats = {s.what for s in given}
            given += [s for s in sampler.reshaped(base, singles) if s.what not in whats]
            given += sampler.others(base)
            quiet = sampler.quiet
            known.quiet, known.stuck = set(quiet), sampler.stuck
            new = list(_layouts(klass, config_class, given, found, known, mains))
        else:
            new = _follow(sampler, given, quiet, mains, all_spellings=len(layouts) < 4)
            if new is None and fallbacks:
                fallbacks -= 1
                samples = [x for x in (sampler.build(s.what, s.changed, s.given, s.beside) for s in _fewer(given)) if x]
                if samples and samples[0].what == base.what:
                    samples += [
                        x for x in (sampler.build(s.what, s.changed, s.given, s.beside) for s in _labels(base)) if x
                    ]
                    samples += _quiet(sampler, samples[0], quiet)
                    new = list(_layouts(klass, config_class, samples, found, known, {}))[: 3 if len(layouts) < 4 else 1]
        for layout in new or ():
            twin = next((x for x in layouts if x.same(layout)), None)
            if twin is None:
                layouts.append(layout)
            elif klass.__name__ not in twin.classes:
                twin.classes.append(klass.__name__)
    if not layouts:
        raise ValueError("; ".join(errors)[:300] or "no class")
    found.counts["samples"] = len(given)
    used = _used(found)
    found.defaults = _defaults(config_class, given, used)
    attributes = getattr(config_class, "attribute_map", None) or {}
    found.aliases = {k: v for k, v in sorted(attributes.items()) if v in used}
    for number, layout in enumerate(layouts):
        _derive(layout, layouts[:number])
    return found


def _fewer(samples: list[Sample]) -> Iterator[Sample]:
    """What the further classes are built with: one change of each number that has an effect, flags, and other sizes."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for sample in samples:
        if sample.beside:
            kind = (sample.beside, sample.changed)
            number = type(dict(leaves(sample.given)).get(sample.changed[0])) is int
            if same(sample.built, _of(samples, sample.beside)) or (number and kind in seen):
                continue
            seen.add(kind)
        yield sample


def _of(samples: list[Sample], what: str) -> Any:
    return next(s.built for s in samples if s.what == what)


def _quiet(sampler: Sampler, base: Sample, quiet: dict[str, Any]) -> Iterator[Sample]:
    """Changes without effect on the main class that have one on this class."""
    together = sampler.build("quiet", tuple(quiet), replaced(base.given, quiet))
    if together is not None and same(together.built, base.built):
        return
    for key, change in quiet.items():
        mine = sampler.build(f"{key}={change}", (key,), replaced(base.given, {key: change}), base.what)
        if mine is not None and not same(mine.built, base.built):
            yield mine


def _labels(base: Sample) -> Iterator[Sample]:
    for number in (3, 7):
        yield Sample(f"labels {number}", ("num_labels",), {**base.given, "num_labels": number}, base.built, base.what)


def _follow(
    sampler: Sampler, given: list[Sample], quiet: dict[str, Any], mains: dict[str, Main], all_spellings: bool
) -> list[Layout] | None:
    """The layouts of a further class, from few builds; None where it has too little in common with the main one."""
    base = given[0]
    wanted = [base, *[s for s in given if s.changed == ("*",)], *_labels(base)]
    seen = _patterns(wanted)
    for sample in given:
        if len(wanted) < 12 and (new := _patterns([sample]) - seen):
            wanted.append(sample)
            seen |= new
    if quiet:
        wanted.append(Sample("quiet", tuple(quiet), replaced(base.given, quiet), base.built))
    samples = {}
    for sample in wanted:
        mine = sampler.build(sample.what, sample.changed, sample.given)
        if mine is not None:
            samples[sample.what] = mine
    if base.what not in samples or len(samples) < 3:
        return None
    others = {s.what: s for s in wanted}
    layouts = []
    for spelling, main in mains.items():
        if not any(spelling in s.built.spellings for s in samples.values()) and spelling != SAVED:
            continue
        if spelling != SAVED and not all_spellings:
            continue
        tensors = {what: _spelled(s, spelling) for what, s in samples.items()}
        for what in tensors:
            main.tensors.setdefault(what, _spelled(others[what], spelling))
        ties = {what: s.built.ties.get(spelling, s.built.ties[SAVED]) for what, s in samples.items()}
        env = {what: environment(s.built.config) for what, s in samples.items()}
        found = followed(main, tensors, ties, env)
        if found is None:
            if spelling == SAVED:
                return None
            continue
        name = sampler.klass.__name__ if spelling == SAVED else f"{sampler.klass.__name__}/{spelling}"
        mine = samples[base.what].built
        assumes = _assumes(sampler.config_class, mine, spelling)
        layouts.append(Layout(name, [sampler.klass.__name__], [spelling], *found, mine.ignored, assumes))
    return layouts


def _assumes(config_class: Any, built: Built, spelling: str) -> list[str]:
    """What of which type the samples had inside, where a configuration may name any type."""
    found = []
    inside = built.inside.get(spelling, built.inside.get(SAVED, {}))
    for key, kind in sorted((getattr(config_class, "sub_configs", None) or {}).items()):
        sub = built.config.get(key)
        if kind.__name__ != "AutoConfig" or not isinstance(sub, dict) or "model_type" not in sub:
            continue
        named = f'{key}.model_type == "{sub["model_type"]}"'
        prefixes = [p for p, k in inside.items() if k == sub["model_type"]]
        found += [f"{p}: {named}" for p in prefixes] or [named]
    return found


def _patterns(samples: list[Sample]) -> set[str]:
    return {opened(name)[0] for s in samples for name in s.built.spellings[SAVED]}


def _spelled(sample: Sample, spelling: str) -> dict[str, Stored]:
    order = {APART: (APART, MEMORY, SAVED), LOADED: (LOADED, SAVED)}.get(spelling, (spelling, SAVED))
    return next(sample.built.spellings[name] for name in order if name in sample.built.spellings)


def _layouts(
    klass: type, type_of: Any, samples: list[Sample], found: Architecture, known: Known, mains: dict[str, Main]
) -> Iterator[Layout]:
    """The layouts of a class that is fitted by itself; fills in `mains`."""
    ignored, counts = samples[0].built.ignored, found.counts
    for spelling in (SAVED, LOADED, MEMORY, APART):
        if not any(spelling in s.built.spellings for s in samples):
            continue
        own = observed(samples, spelling)
        fit = Fit(own, found.indices, known)
        fitted = fit.run()
        sums = {
            "dims": fitted.dims,
            "open dims": fitted.open_dims,
            "maybe": fitted.maybes,
            "patterns": len(fitted.lines),
        }
        for key, number in sums.items():
            counts[key] = counts.get(key, 0) + number
        mains[spelling] = Main({s.what: _spelled(s, spelling) for s in samples}, fit, fitted.lines, fitted.ties)
        name = klass.__name__ if spelling == SAVED else f"{klass.__name__}/{spelling}"
        assumes = _assumes(type_of, samples[0].built, spelling)
        yield Layout(name, [klass.__name__], [spelling], fitted.lines, fitted.ties, ignored, assumes)


def words_of(text: str) -> set[str]:
    """Keys and indices that an expression names."""
    return {m["word"] for m in TOKENS.finditer(text) if m["word"]}


def expressions(found: Architecture) -> Iterator[str]:
    """Every expression of a file."""
    for count in found.indices.values():
        yield from (part for part in count.split(" .. ") if part != "?")
    for layout in found.layouts:
        for line in layout.lines.values():
            for case in line.cases:
                yield from (d for d in case.shape if d not in ("_", "...") and not d.startswith("?"))
                yield from [case.condition] if case.condition else []
        yield from (text.partition(": ")[2] for text in layout.assumes)
        yield from (tie.partition(" if ")[2] for tie in layout.ties if " if " in tie)


def _used(found: Architecture) -> list[str]:
    words = {word for text in expressions(found) for word in words_of(text)}
    known = {"and", "or", "not", "in", "true", "false", "null", "len", "ceil", "int", "min", "max", *found.indices}
    return sorted(words - known)


def _defaults(config_class: Any, samples: list[Sample], used: list[str]) -> dict[str, Any]:
    """What each key is where config.json lacks it: a constant, or made of others; left out where neither holds."""
    try:
        default = environment(config_class().to_dict())
    except Exception:  # a type without a default configuration has no defaults to tell
        return {}
    bases = [samples[0], *[s for s in samples if s.changed == ("*",)][:2]]
    more = [s for s in samples if s.changed and s.changed[0] in used][:12]
    found: dict[str, Any] = {}
    for key in used:
        if key.rpartition(".")[2] == HEAD_DIM and default.get(key) is None:
            # Where the class asks for it without having it, the samples hold what it is without.
            prefix = key.removesuffix(HEAD_DIM)
            found[key] = Text(f"{prefix}hidden_size // {prefix}num_attention_heads")
            continue
        if key not in default:
            continue
        got = list(_unset(config_class, bases, key))
        if all(env[key] == default[key] for env in got):
            found[key] = default[key]
            continue
        text = _derived(key, [*got, *_unset(config_class, more, key), default])
        if text:
            found[key] = text
    return {k: v for k, v in found.items() if v is None or isinstance(v, (bool, int, float, str, list, Text))}


def _unset(config_class: Any, samples: list[Sample], key: str) -> Iterator[dict[str, Any]]:
    """Configurations that were made without the key."""
    for sample in samples:
        given = _without(sample.given, key)
        if given is None:
            continue
        try:
            env = environment(made(config_class, given).to_dict())
        except Exception:  # the class needs the key with these others
            continue
        if key in env:
            yield env


class Text(str):
    """A default that is an expression, not a text."""


def _derived(key: str, envs: list[dict[str, Any]]) -> Text | None:
    parent = key.rpartition(".")[0]
    near = [k for k in envs[0] if k != key and k.rpartition(".")[0] == parent and type(envs[0][k]) is int]
    values = [env[key] for env in envs]
    if any(type(v) is not int for v in values):
        return None
    for other in near:
        if all(env.get(other) == v for env, v in zip(envs, values, strict=True)):
            return Text(other)
    for a in near:
        for factor in (2, 3, 4):
            if all(type(env.get(a)) is int and env[a] * factor == v for env, v in zip(envs, values, strict=True)):
                return Text(f"{factor} * {a}")
        for b in near:
            if a != b and all(
                type(env.get(a)) is int and type(env.get(b)) is int and env[b] and env[a] // env[b] == v
                for env, v in zip(envs, values, strict=True)
            ):
                return Text(f"{a} // {b}")
    return None


def _without(given: dict[str, Any], key: str) -> dict[str, Any] | None:
    head, _, rest = key.partition(".")
    if head not in given:
        return None
    if not rest:
        return {k: v for k, v in given.items() if k != head}
    inner = _without(given[head], rest) if isinstance(given[head], dict) else None
    return None if inner is None else {**given, head: inner}


# -- layouts made of others -------------------------------------------------------------------------------------------


def _derive(layout: Layout, before: list[Layout]) -> None:
    """Say the layout in terms of an earlier one, where that is shorter."""
    best: tuple[int, Layout, dict[str, str], list[str], dict[str, Line]] | None = None
    for other in before:
        if _depth(other, before) >= 3:
            continue
        rename, without, own = _difference(layout, other)
        cost = 2 + len(rename) + len(without) / 4 + len(own) * 2
        if best is None or cost < best[0]:
            best = (int(cost), other, rename, without, own)
    if best is None or best[0] >= 2 * len(layout.lines):
        return
    _, other, layout.rename, layout.without, layout.own = best  # type: ignore[attr-defined]
    layout.like = other.name
    layout.inherits = other  # type: ignore[attr-defined]


def _depth(layout: Layout, before: list[Layout]) -> int:
    if not layout.like:
        return 0
    return 1 + _depth(next(x for x in before if x.name == layout.like), before)


def _difference(layout: Layout, other: Layout) -> tuple[dict[str, str], list[str], dict[str, Line]]:
    """Prefixes to replace in another layout, names to leave out of it, and lines to add."""
    wanted = {name: str(line) for name, line in layout.lines.items()}
    theirs = {name: str(line) for name, line in other.lines.items()}
    by_text: dict[str, list[str]] = {}
    for name, text in theirs.items():
        by_text.setdefault(text, []).append(name)
    votes: dict[tuple[str, str], set[str]] = {}
    for name, text in wanted.items():
        if theirs.get(name) == text:
            continue
        for source in by_text.get(text, ()):
            if wanted.get(source) == theirs[source]:
                continue
            a, b = source.split("."), name.split(".")
            while len(a) > 1 and len(b) > 1 and a[-1] == b[-1]:
                a.pop()
                b.pop()
            if a[-1] == b[-1]:  # one is the end of the other
                a.pop()
                b.pop()
            old = "".join(x + "." for x in a)
            new = "".join(x + "." for x in b)
            if len(source.split(".")) > len(a):
                votes.setdefault((old, new), set()).add(name)
    rename: dict[str, str] = {}
    done: set[str] = {name for name, text in wanted.items() if theirs.get(name) == text}
    for (old, new), names in sorted(votes.items(), key=lambda kv: (-len(kv[1]), kv[0])):
        if old in rename or len(names - done) < 2:
            continue
        rename[old] = new
        done |= names
    made: dict[str, str] = {}
    origin: dict[str, str] = {}
    clash = []
    for name, text in theirs.items():
        prefix = max((p for p in rename if name.startswith(p)), key=len, default=None)
        new = name if prefix is None else rename[prefix] + name[len(prefix) :]
        if wanted.get(new) == text and new not in made:
            made[new], origin[new] = text, name
        else:
            clash.append(name)
    own = {name: layout.lines[name] for name in wanted if made.get(name) != wanted[name]}
    # A line that an own one takes the place of need not be left out.
    without = []
    for name in clash:
        prefix = max((p for p in rename if name.startswith(p)), key=len, default=None)
        new = name if prefix is None else rename[prefix] + name[len(prefix) :]
        if new not in own:
            without.append(name)
    return rename, _globs(without, theirs), own


def _globs(without: list[str], names: Iterable[str]) -> list[str]:
    """The same with `PREFIX.*` for three names or more where all that begin so are left out."""
    left, found = set(without), []
    prefixes = {n[: i + 1] for n in without for i, c in enumerate(n) if c == "."}
    for prefix in sorted(prefixes, key=len):
        inside = [n for n in names if n.startswith(prefix)]
        if len(inside) > 2 and all(n in without for n in inside) and left.intersection(inside):
            found.append(prefix + "*")
            left.difference_update(inside)
    return [*found, *(n for n in without if n in left)]


def left_out(name: str, without: list[str]) -> bool:
    """Whether a list of names and globs has the name."""
    return any(name.startswith(w[:-1]) if w.endswith("*") else name == w for w in without)


def renamed(text: str, rename: dict[str, str]) -> str:
    """A name with its longest prefix of these replaced."""
    prefix = max((p for p in rename if text.startswith(p)), key=len, default=None)
    return text if prefix is None else rename[prefix] + text[len(prefix) :]


def tie_names(tie: str) -> list[str]:
    """The names in a tie."""
    return re.split(r" = ", tie.partition(" if ")[0])
