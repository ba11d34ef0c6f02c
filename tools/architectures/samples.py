"""Configurations of one model type: one to start from, and ones that differ from it in one key, or in many."""

from __future__ import annotations

import copy
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from .build import SAVED, Built, Slow, Stored, built, limited, opened
from .shrink import TOKEN, WAYS, shrunk

NEEDS = Path(__file__).with_name("needs.yaml")
SKIPPED = re.compile(
    r"^(_|transformers_version|architectures|dtype|torch_dtype|id2label|label2id|model_type|problem_type|use_cache"
    r"|output_attentions|output_hidden_states|return_dict|chunk_size_feed_forward|is_decoder|initializer_range)|"
    r"(^|\.)(model_type|dtype|_attn_implementation.*|transformers_version|output_attentions|output_hidden_states"
    r"|return_dict|chunk_size_feed_forward|architectures|id2label|label2id|problem_type|_name_or_path"
    r"|gradient_checkpointing|initializer_range)$|dropout|rope_theta|(^|\.)(bos|eos|pad|sep|cls|mask)_token_id$|_eps$"
)
EFFECTIVE = re.compile(
    r"hidden_size|d_model|n_embd|embed|(^|[._])dim|layers|depth|heads|experts|vocab|intermediate|ffn|inner|rank|_dim"
    r"|width|patch|image_size|bias|tie|channels|state|conv|types|positions"
)
HEAD_DIM = "head_dim"
COUNTING = re.compile(r"layer|depth|num_|n_|blocks|stage")
FRACTION = re.compile(r"ratio|factor|expand|mult|fraction|scale")


@dataclass(frozen=True)
class Sample:
    """A configuration that builds, what it differs in from the first one, and what was built."""

    what: str
    changed: tuple[str, ...]
    given: dict[str, Any] = field(repr=False)
    built: Built = field(repr=False)
    beside: str = ""  # what the sample was that it differs from in `changed`


@lru_cache(maxsize=1)
def _needs() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(NEEDS.read_text())
    return found


def default_of(config_class: Any) -> dict[str, Any]:
    """The configuration that a class makes without any keys, with those that its models do not build without."""
    return _merged(config_class().to_dict(), _needs().get(config_class.model_type, {}))


def _merged(config: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    both = {
        k: _merged(config[k], v) for k, v in more.items() if isinstance(v, dict) and isinstance(config.get(k), dict)
    }
    return {**config, **more, **both}


def made(config_class: type, given: dict[str, Any]) -> Any:
    """A configuration of these keys; leaves keys out that the class refuses."""
    given = copy.deepcopy(given)
    given.pop("model_type", None)
    for _ in range(12):
        try:
            config = config_class(**given)
        except Exception as error:
            text = str(error)
            named = re.search(
                r"property '(\w+)' of|unexpected keyword argument '(\w+)'|[Vv]alidation error for field '(\w+)'", text
            )
            key = next((g for g in named.groups() if g), None) if named else None
            if key in given:
                given.pop(key)
            elif "layer_types" in given and "layer" in text:
                given.pop("layer_types")
            else:
                raise
            continue
        _padding(config)
        return config
    raise ValueError("no configuration")


def _padding(config: Any) -> None:
    if not hasattr(config, "pad_token_id"):
        config.pad_token_id = 0
    for name in getattr(config, "sub_configs", None) or ():
        sub = getattr(config, name, None)
        if (
            sub is not None
            and not isinstance(sub, dict)
            and hasattr(sub, "vocab_size")
            and not hasattr(sub, "pad_token_id")
        ):
            sub.pad_token_id = 0


def leaves(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Keys with dots, and their values; lists are values."""
    for key, value in config.items():
        if isinstance(value, dict) and value and all(isinstance(k, str) for k in value):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + str(key), value


def replaced(config: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A copy with these dotted keys set."""
    new = copy.deepcopy(config)
    for key, value in values.items():
        *path, last = key.split(".")
        at = new
        for step in path:
            at = at[step]
        at[last] = value
    return new


@lru_cache(maxsize=500)
def _source(module: str) -> str:
    try:
        return inspect.getsource(sys.modules[module])
    except (OSError, TypeError, KeyError):
        return ""


def compared_texts(modules: Iterable[str]) -> dict[str, set[str]]:
    """Texts that the sources of modules compare a key with: what that key may be, by its last word."""
    found: dict[str, set[str]] = {}
    for source in map(_source, modules):
        for key, text in re.findall(r"\.(\w+)(?:\[\w+\])? *[!=]= *[\"'](\w+)[\"']", source):
            found.setdefault(key, set()).add(text)
        for key, texts in re.findall(r"\.(\w+)(?:\[\w+\])? +(?:not )?in +[\[({]((?: *[\"']\w+[\"'],?)+)", source):
            found.setdefault(key, set()).update(re.findall(r"\w+", texts))
    return found


def can_be_none(modules: Iterable[str]) -> set[str]:
    """Keys, by their last word, that the sources ask whether they are None or set."""
    found: set[str] = set()
    for source in map(_source, modules):
        found.update(re.findall(r"\.(\w+) is (?:not )?None", source))
        found.update(re.findall(r"if (?:not )?(?:self\.)?config\.(\w+)(?: *[:)]| >| and| or| else)", source))
    return found


def asks_head_dim(modules: Iterable[str]) -> bool:
    """Whether a source reads `head_dim` where there may be none."""
    return any(re.search(r"getattr\((?:self\.)?config, \"head_dim\"", source) for source in map(_source, modules))


class Sampler:
    """Builds a class of a type under many configurations."""

    def __init__(self, config_class: type, klass: type) -> None:
        self.config_class, self.klass = config_class, klass
        self.errors: list[str] = []
        self._read_sources({klass.__module__})
        self.stuck: dict[str, int] = {}  # keys that could not be changed
        self.quiet: dict[str, Any] = {}  # keys without effect, each with another value

    def _read_sources(self, modules: Iterable[str]) -> None:
        modules = sorted(modules)
        self.texts = compared_texts(modules)
        self.optional = can_be_none(modules)
        self.asks_head_dim = asks_head_dim(modules)

    def build(self, what: str, changed: tuple[str, ...], given: dict[str, Any], beside: str = "") -> Sample | None:
        """A sample, or None where the class does not build."""
        try:
            with limited():
                config = made(self.config_class, given)
            return Sample(what, changed, given, built(self.klass, config), beside)
        except (Exception, Slow) as error:
            self.errors.append(f"{what}: {type(error).__name__}: {str(error)[:120]}")
            return None

    def base(self) -> Sample | None:
        """The first configuration that builds; every key is given in it."""
        try:
            default = default_of(self.config_class)
        except Exception as error:
            self.errors.append(f"default: {type(error).__name__}: {str(error)[:120]}")
            return None
        for way in WAYS:
            try:
                given = shrunk(default, way)
            except Exception as error:
                self.errors.append(f"{way}: {type(error).__name__}: {str(error)[:120]}")
                continue
            sample = self.build(way, (), given)
            if sample is not None:
                self._read_sources({self.klass.__module__, *sample.built.sources})
                full = {**sample.built.config}
                for key in (
                    "transformers_version",
                    "architectures",
                    "model_type",
                    "_name_or_path",
                    "torch_dtype",
                    "dtype",
                ):
                    full.pop(key, None)
                full = self._with_head_dim(full)
                again = self.build(way, (), full)
                if again is not None and same(again.built, sample.built):
                    return again
                return sample
        return None

    def _with_head_dim(self, given: dict[str, Any]) -> dict[str, Any]:
        """With `head_dim` where the source asks for it and the configuration class does not have it."""
        if not self.asks_head_dim:
            return given
        new = {
            k: self._with_head_dim(v) if isinstance(v, dict) and k.endswith("_config") else v for k, v in given.items()
        }
        width, heads = new.get("hidden_size"), new.get("num_attention_heads")
        if new.get(HEAD_DIM) is None and type(width) is int and type(heads) is int and heads:
            new[HEAD_DIM] = width // heads
        return new

    def others(self, base: Sample) -> Iterator[Sample]:
        """The same type in two other sizes: what was learnt has to hold there too."""
        found = 0
        default = default_of(self.config_class)
        for way in WAYS:
            if way == base.what:
                continue
            try:
                given = self._with_head_dim(shrunk(default, way))
            except Exception:  # the shrinker meets shapes of configurations that it does not know
                continue
            sample = self.build(way, ("*",), given) if found < 2 else None
            if sample is not None:
                found += 1
                yield sample

    def singles(self, base: Sample) -> Iterator[Sample]:
        """One key changed at a time; where that does not build, all keys of the same value together.

        A change without effect is there once for each key: it says that the key is not needed.
        """
        keys = {k: v for k, v in leaves(base.given) if not SKIPPED.search(k) and not TOKEN.search(k)}
        quiet = self._quiet(base, {k: v for k, v in keys.items() if not EFFECTIVE.search(k)})
        self.quiet = dict(quiet.items())
        failed: dict[str, int] = {}
        for key, value in keys.items():
            if key in quiet:
                continue
            tried, effect = 0, False
            for change in self._changes(key, value):
                # One larger value shows that a key has no effect, two what effect it has.
                enough = tried > 1 or (tried and not effect)
                if enough and type(value) is int and type(change) is int and change > value > 0:
                    continue
                if change is True and value is None and effect:
                    continue  # it is a number
                sample = self.build(f"{key}={change}", (key,), replaced(base.given, {key: change}), base.what)
                if sample is None:
                    continue
                tried += 1
                if not same(sample.built, base.built):
                    effect = True
                    yield sample
            if tried and not effect:
                self.quiet[key] = next(iter(self._changes(key, value)))
            if not tried and type(value) is int and value > 1:
                failed[key] = value
        yield from self._pairs(base, {k: v for k, v in keys.items() if type(v) is int and v > 1}, failed)
        self.stuck = failed
        for value in sorted(set(failed.values())):
            group = {k: v for k, v in keys.items() if type(v) is int and v == value}
            for factor in (2, 3):
                given = replaced(base.given, {k: v * factor for k, v in group.items()})
                sample = self.build(f"all {value} x{factor}", tuple(group), given, base.what)
                if sample is not None:
                    self.stuck = {k: v for k, v in self.stuck.items() if k not in group}
                    yield sample
        yield from self._lengths(base)

    def _pairs(self, base: Sample, keys: dict[str, int], failed: dict[str, int]) -> Iterator[Sample]:
        """Keys that cannot change alone, each with the first other key that lets it; takes them out of `failed`."""
        for key in [k for k in failed if EFFECTIVE.search(k)][:6]:
            parent = key.rpartition(".")[0]
            near = [k for k in keys if k != key and k.rpartition(".")[0] == parent]
            near.sort(key=lambda k: (k not in failed, not EFFECTIVE.search(k)))
            for other in near[:14]:
                found = [s for s in self._together(base, keys, key, other) if not same(s.built, base.built)]
                yield from found
                if found:
                    failed.pop(key, None)
                    break

    def _together(self, base: Sample, keys: dict[str, int], key: str, other: str) -> Iterator[Sample]:
        """Both keys larger; where that does not build, one larger and the other smaller."""
        for factor in (2, 3):
            change = {key: keys[key] * factor, other: keys[other] * factor}
            sample = self.build(f"{key}+{other} x{factor}", (key, other), replaced(base.given, change), base.what)
            if sample is None:
                break
            yield sample
        else:
            return
        for change in ({key: keys[key] * 2, other: keys[other] // 2}, {key: keys[key] // 2, other: keys[other] * 2}):
            sample = self.build(f"{change}", (key, other), replaced(base.given, change), base.what)
            if sample is not None:
                yield sample

    def _quiet(self, base: Sample, keys: dict[str, Any]) -> dict[str, Any]:
        """Keys that have no effect, found many at a time; the other value of each."""
        firsts = {}
        for key, value in keys.items():
            changes = list(self._changes(key, value))
            if (len(changes) > 3 and type(value) is not int) or any(c is None or c == 0 for c in changes[2:]):
                continue  # more than sizes to look at
            if changes:
                firsts[key] = changes[0]
        found: dict[str, Any] = {}
        todo = [list(firsts)]
        while todo:
            some = todo.pop()
            if len(some) < 2:
                continue
            given = replaced(base.given, {k: firsts[k] for k in some})
            sample = self.build("quiet", tuple(some), given, base.what)
            if sample is not None and same(sample.built, base.built):
                found.update({key: firsts[key] for key in some})
            elif len(some) > 3:
                todo += [some[: len(some) // 2], some[len(some) // 2 :]]
        return found

    def _lengths(self, base: Sample) -> Iterator[Sample]:
        """Lists that are as long as each other, and the number that counts them, made shorter and longer together."""
        groups: dict[tuple[str, int], list[str]] = {}
        keys = dict(leaves(base.given))
        for key, value in keys.items():
            if isinstance(value, list) and len(value) > 1:
                groups.setdefault((key.rpartition(".")[0], len(value)), []).append(key)
        for (parent, length), lists in groups.items():
            counts = [
                k
                for k, v in keys.items()
                if type(v) is int and v == length and k.rpartition(".")[0] == parent and COUNTING.search(k)
                if not TOKEN.search(k)
            ]
            for chosen in dict.fromkeys([(*lists, *counts), *((one, *counts) for one in lists)]):
                found = False
                for by in (-1, 1, 2):
                    change: dict[str, Any] = {k: keys[k] + by for k in chosen if k in counts}
                    for k in lists:
                        if k in chosen:
                            change[k] = keys[k][:by] if by < 0 else keys[k] + keys[k][-1:] * by
                    sample = self.build(
                        f"{'+'.join(change)} {by:+}", tuple(change), replaced(base.given, change), base.what
                    )
                    if sample is not None and not same(sample.built, base.built):
                        found = True
                        yield sample
                if found:
                    break

    def richer(self, base: Sample, singles: list[Sample]) -> Iterator[Sample]:
        """What is only there when a flag is set: that flag set, and then one number changed at a time."""
        seen = _patterns(base)
        flags = []
        for sample in singles:
            key = sample.changed[0] if len(sample.changed) == 1 else ""
            value = dict(leaves(sample.given)).get(key)
            if (
                key
                and (type(value) is not int or dict(leaves(base.given)).get(key) in (0, None))
                and _patterns(sample) - seen
            ):
                flags.append(sample)
        first = dict(leaves(base.given))
        numbers = list(dict.fromkeys(s.changed for s in singles if type(first.get(s.changed[0])) is int))
        for _ in range(4):
            if not flags:
                return
            rich, new = flags[0], _patterns(flags[0]) - seen
            left = []
            for flag in flags[1:]:
                key = flag.changed[0]
                given = replaced(rich.given, {key: dict(leaves(flag.given))[key]})
                more = self.build(f"{rich.what}, {flag.what}", (*rich.changed, key), given)
                if more is not None and new | (_patterns(flag) - seen) <= _patterns(more):
                    rich, new = more, new | (_patterns(flag) - seen)
                else:
                    left.append(flag)
            flags = [flag for flag in left if (_patterns(flag) - seen) - new]
            seen |= new
            yield rich
            now = dict(leaves(rich.given))
            silent = {
                k: now[k] * 2
                for k, v in self.quiet.items()
                if type(v) is int and type(now.get(k)) is int and now[k] > 1
            }
            together = self.build(f"{rich.what}, quiet", tuple(silent), replaced(rich.given, silent), rich.what)
            more = [] if together is None or same(together.built, rich.built) else [(k,) for k in silent]
            for keys in [*numbers, *more]:
                for factor in (2, 3):
                    values = {k: now[k] * factor for k in keys if type(now.get(k)) is int}
                    sample = self.build(
                        f"{rich.what}, {'+'.join(keys)} x{factor}", keys, replaced(rich.given, values), rich.what
                    )
                    if sample is None or same(sample.built, rich.built):
                        break
                    yield sample

    def reshaped(self, base: Sample, singles: list[Sample]) -> Iterator[Sample]:
        """What has another shape when a flag is set: that flag set, and then each number changed that is in it."""
        first = dict(leaves(base.given))
        theirs = base.built.spellings[SAVED]
        flags = []
        for sample in singles:
            key = sample.changed[0] if len(sample.changed) == 1 else ""
            if key and isinstance(first.get(key), (bool, str)) and (names := _resized(theirs, sample)):
                flags.append((sample, names))
        numbers = {s.changed: _resized(theirs, s) for s in singles if type(first.get(s.changed[0])) is int}
        for flag, names in flags[:4]:
            now = dict(leaves(flag.given))
            for keys, changed in numbers.items():
                for factor in (2, 3) if changed & names else ():
                    values = {k: now[k] * factor for k in keys if type(now.get(k)) is int}
                    what = f"{flag.what}, {'+'.join(keys)} x{factor}"
                    sample = self.build(what, keys, replaced(flag.given, values), flag.what)
                    if sample is not None and not same(sample.built, flag.built):
                        yield sample

    def _changes(self, key: str, value: Any) -> Iterator[Any]:
        last = key.rpartition(".")[2]
        if isinstance(value, bool):
            yield not value
        elif isinstance(value, int):
            yield from (value * 2, value * 3, value + 1) if value > 0 else (1, 2) if value == 0 else ()
            if last in self.optional:
                yield from (0, None) if value > 0 else (None,)
        elif isinstance(value, float):
            if FRACTION.search(last):
                yield from (value * 2, value / 2)
        elif isinstance(value, str):
            yield from sorted(self.texts.get(last, set()) - {value})
        elif value is None:
            if re.search(r"layers|indices|layer_ids", last):
                yield from ([1], [0])
            if last in self.optional or re.search(r"size|dim|num_|heads|rank", last):
                yield from (8, 16, True)
            yield from sorted(self.texts.get(last, set()))
        elif isinstance(value, list):
            yield from self._lists(last, value)

    def _lists(self, last: str, value: list[Any]) -> Iterator[list[Any]]:
        if value and all(type(x) is int for x in value):
            if re.search(r"(indices|indexes|layers|layer|idx)$", last):
                yield [x + 1 for x in value]
                yield value[:-1]
                yield [0, *value] if value[0] != 0 else value[1:]
            for i in range(min(len(value), 5)):
                yield [x * 2 if i == j else x for j, x in enumerate(value)]
                yield [x + 1 if i == j else x for j, x in enumerate(value)]
            yield [x * 2 for x in value]
        elif value and all(isinstance(x, (str, bool)) for x in value):
            kinds = list(dict.fromkeys(value))
            if len(kinds) > 1:
                yield value[1:] + value[:1]
                yield value[::-1]
                yield from ([kind] * len(value) for kind in kinds)
            others = sorted(self.texts.get(last, set()) - set(kinds)) if isinstance(kinds[0], str) else [not kinds[0]]
            for other in others:
                yield [other, *value[1:]]
                yield [*value[:-1], other]
        elif not value and re.search(r"layers|layer|indices", last):
            yield [1]
            yield [0]


def _patterns(sample: Sample) -> set[str]:
    return {opened(name)[0] for tensors in sample.built.spellings.values() for name in tensors}


def _resized(base: dict[str, Stored], sample: Sample) -> frozenset[str]:
    """Tensors of another shape than in the first sample."""
    own = sample.built.spellings[SAVED]
    return frozenset(n for n, stored in base.items() if n in own and own[n].shape != stored.shape)


def same(one: Built, other: Built) -> bool:
    """Whether two configurations made the same checkpoint."""
    return one.spellings == other.spellings and one.ties == other.ties
