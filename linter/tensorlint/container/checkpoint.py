"""Checkpoints: shards, index and JSON files that belong together. Knows no quantization format."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ..facts import Fact, FactKind
from ..files import CONFIGS, INDEX, WEIGHTS
from ..sources.interface import ListedSource, Source, about
from ..sources.sniff import what_else
from . import numbered
from .header import Header, TensorInfo, read_header
from .index import Index, read_index
from .jsontext import JsonError, Pairs, parse

CONFIG_STATES: Mapping[str, FactKind] = {
    "config-unreadable": FactKind("A JSON file of the checkpoint cannot be used.", ("problem",)),
    "config-duplicate-key": FactKind("A key stands twice in a JSON file of the checkpoint.", ("key",)),
}
STATES: Mapping[str, FactKind] = {
    **numbered.STATES,
    "broken-link": FactKind("A shard is a symbolic link that points nowhere.", ("target",)),
}

MAX_JSON = 32 << 20  # bytes; config files are a few KiB, quantized_layers of a large MoE a few MiB


@dataclass(frozen=True)
class Shard:
    """One `.safetensors` file."""

    name: str
    header: Header


@dataclass(frozen=True)
class Checkpoint:
    """Shards, index and configs of one model.

    `folder` is "" for the target's own folder. `tensors` holds each name once, from the shard the index points at.
    `partial` is True when only some shards of the model were asked for; `primary` is False for further sets of weights
    in a folder, which its config.json need not describe; `not_downloaded` are shards that exist on the Hub only; `gaps`
    are numbers that neither shards nor index have, which is a defect only where tensors are missing too.
    """

    source: Source
    folder: str
    stem: str
    shards: Mapping[str, Shard]
    index: Index | None
    configs: Mapping[str, Mapping[str, Any]]
    texts: Mapping[str, str]
    facts: tuple[Fact, ...]
    partial: bool = False
    primary: bool = True
    not_downloaded: tuple[str, ...] = ()
    gaps: tuple[Fact, ...] = ()

    @property
    def name(self) -> str:
        """What it is called beside others of its target: folder and stem, empty for the only one of a folder."""
        return (self.folder + self.stem).strip("/")

    @cached_property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """Every readable tensor by name; where two shards hold a name, the index decides, else the later shard."""
        found: dict[str, TensorInfo] = {}
        where = self.index.weight_map if self.index else {}
        for shard in self.shards.values():
            for t in shard.header.tensors:
                if t.name in found and where.get(t.name) == found[t.name].shard:
                    continue
                found[t.name] = t
        return found

    @cached_property
    def copies(self) -> Mapping[str, tuple[TensorInfo, ...]]:
        """Names that more than one shard holds, with every copy."""
        found: dict[str, list[TensorInfo]] = defaultdict(list)
        if len(self.shards) > 1:
            for shard in self.shards.values():
                for t in shard.header.tensors:
                    found[t.name].append(t)
        return {name: tuple(ts) for name, ts in found.items() if len(ts) > 1}

    @cached_property
    def unreadable_names(self) -> frozenset[str]:
        """Names known from an index or a header whose bytes cannot be read: their absence is already reported."""
        names = set().union(*(s.header.unusable for s in self.shards.values())) if self.shards else set()
        if self.index:
            names.update(n for n in self.index.weight_map if n not in self.tensors)
        return frozenset(names)

    @property
    def whole(self) -> bool:
        """Whether every shard could be read and all of the model was asked for."""
        damaged = any(not s.header.readable or s.header.unusable for s in self.shards.values())
        kinds = {f.kind for f in self.facts}
        return not (
            self.partial
            or damaged
            or not self.primary
            or kinds & {"missing-shard", "path-escape", "shard-gap", "broken-link"}
        )

    def path(self, name: str) -> str:
        """A file name of this checkpoint as seen from the target."""
        return self.folder + name

    def config(self, name: str) -> Mapping[str, Any]:
        """A JSON file's top object, empty when it is not there."""
        return self.configs.get(name, {})


@dataclass
class _Family:
    """Shards of one folder that share a stem, while they are being sorted out."""

    stem: str
    index: Index | None = None
    shards: list[str] = field(default_factory=list)


def find_checkpoints(source: Source, configs: Iterable[str] = CONFIGS) -> Iterator[Checkpoint]:
    """Every checkpoint below the source's root, one per folder and family of shards, in name order.

    `configs` names the JSON files that are read from every folder; anything else is only listed.
    """
    wanted = tuple(configs)
    by_folder: dict[str, list[str]] = defaultdict(list)
    for name in sorted([*source.files(), *source.broken_links()]):
        folder, slash, _ = name.rpartition("/")
        by_folder[folder + slash].append(name)
    single = about(source).single
    for folder, names in sorted(by_folder.items()):
        shards = [n for n in names if n.endswith(WEIGHTS)]
        indexes = [n for n in names if n.endswith(INDEX)] if single is None else []
        if not shards and not indexes:
            continue
        found, texts, facts = _read_configs(source, folder, names, wanted)
        families = _families(folder, shards, indexes, source)
        built: list[Checkpoint] = []
        for family in sorted(families, key=_rank):
            checkpoint = _build(source, folder, family, found, texts, facts, single is not None, not built)
            facts = ()
            copies = tuple(_copies(checkpoint, built[0])) if built else ()
            if copies:
                every = {**built[0].shards, **checkpoint.shards}
                built[0] = replace(built[0], shards=every, facts=(*built[0].facts, *copies))
            else:
                built.append(checkpoint)
        yield from _joined(built)


def _joined(built: list[Checkpoint]) -> list[Checkpoint]:
    """The same, with files that are nothing but numbered as one where none of their tensors stands in two."""
    plain = {c.stem: c for c in built if c.index is None}
    parts = [plain[stem] for stem in numbered.in_a_row(plain)]
    names = [name for part in parts for name in part.tensors]
    if not names or len(set(names)) < len(names):
        return built
    whole = replace(
        parts[0],
        stem="",
        shards={name: shard for part in parts for name, shard in part.shards.items()},
        facts=tuple(fact for part in parts for fact in part.facts),
        primary=any(part.primary for part in parts),
    )
    others = [c for c in built if c.index is not None or c.stem not in {part.stem for part in parts}]
    return sorted([whole, *others], key=lambda c: not c.primary)


def _copies(other: Checkpoint, first: Checkpoint) -> Iterator[Fact]:
    """Facts about shards of another name that hold nothing but what an indexed checkpoint beside them has."""
    known = first.tensors
    if first.index is None or other.index is not None or not other.tensors:
        return
    if all(
        t.name in known and (t.dtype, t.shape) == (known[t.name].dtype, known[t.name].shape)
        for t in other.tensors.values()
    ):
        for name, shard in other.shards.items():
            values = {
                "shard": name[len(other.folder) :],
                "tensors": len(shard.header.tensors),
                "bytes": sum(t.nbytes for t in shard.header.tensors),
                "index": first.index.file,
            }
            yield Fact("unlisted-shard", name, values=values)


# What loaders look for first in a folder that holds several sets of weights.
_USUAL_STEMS = ("model", "pytorch_model", "diffusion_pytorch_model", "adapter_model")


def _rank(family: _Family) -> tuple[bool, int, str]:
    known = _USUAL_STEMS.index(family.stem) if family.stem in _USUAL_STEMS else len(_USUAL_STEMS)
    return (family.index is None, known, family.stem)


def _families(folder: str, shards: list[str], indexes: list[str], source: Source) -> list[_Family]:
    families: dict[str, _Family] = {}
    claimed: set[str] = set()
    for name in indexes:
        stem = name[len(folder) : -len(INDEX)]
        family = families.setdefault(stem, _Family(stem))
        file = source.open(name)
        try:
            family.index = read_index(file)
        finally:
            file.close()
        listed = {folder + f for f in family.index.files}
        for shard in shards:
            if shard in listed and shard not in claimed:
                claimed.add(shard)
                family.shards.append(shard)
    for shard in shards:
        if shard in claimed:
            continue
        stem = numbered.stem_of(shard[len(folder) :])
        families.setdefault(stem, _Family(stem)).shards.append(shard)
    return [families[stem] for stem in sorted(families)]


def _build(
    source: Source,
    folder: str,
    family: _Family,
    configs: Mapping[str, Mapping[str, Any]],
    texts: Mapping[str, str],
    config_facts: tuple[Fact, ...],
    partial: bool,
    primary: bool,
) -> Checkpoint:
    facts = list(config_facts)
    broken = set(source.broken_links())
    shards: dict[str, Shard] = {}
    for name in family.shards:
        if name in broken:
            facts.append(Fact("broken-link", name, values={"target": name}))
            continue
        file = source.open(name)
        try:
            header = read_header(file)
        finally:
            file.close()
        shards[name] = Shard(name, header)
        facts.extend(header.facts)
        if isinstance(source, ListedSource):
            facts.extend(source.facts(name))
    index = family.index
    elsewhere = about(source).not_downloaded
    away: tuple[str, ...] = ()
    if index is not None:
        away = tuple(sorted(folder + f for f in index.files if folder + f in elsewhere))
        facts.extend(index.check(folder, {n: s.header for n, s in shards.items()}, {*source.files(), *away}))
    here = [name[len(folder) :] for name in family.shards]
    gaps: tuple[Fact, ...] = ()
    if not partial and not elsewhere:
        gaps = numbered.numbering(family.shards[0], here, None if index is None else index.files) if here else ()
    facts.extend(gaps if index is None else ())
    return Checkpoint(
        source,
        folder,
        family.stem,
        shards,
        index,
        configs,
        texts,
        tuple(facts),
        (partial and any(map(numbered.is_one_of_several, here))) or bool(away),
        primary,
        away,
        gaps if index is not None else (),
    )


def _read_configs(
    source: Source, folder: str, names: list[str], wanted: Iterable[str]
) -> tuple[dict[str, Mapping[str, Any]], dict[str, str], tuple[Fact, ...]]:
    configs: dict[str, Mapping[str, Any]] = {}
    texts: dict[str, str] = {}
    facts: list[Fact] = []
    for base in wanted:
        name = folder + base
        if name not in names or name in set(source.broken_links()):
            continue
        file = source.open(name)
        try:
            raw = file.read(0, file.size) if file.size <= MAX_JSON else None
        finally:
            file.close()
        problem, at = "", None
        if raw is None:
            problem = f"it has {file.size:,} bytes; the limit is {MAX_JSON:,}"
        else:
            other = what_else(raw[:1024])
            try:
                text = raw.decode("utf-8-sig")
                value = parse(text)
                if isinstance(value, Pairs):
                    configs[base], texts[base] = value, text
                    facts.extend(Fact("config-duplicate-key", name, values={"key": k}) for k in _repeated(value))
                else:
                    problem = "it is not a JSON object"
            except UnicodeDecodeError as error:
                problem, at = f"it is not UTF-8 text (byte {error.start})", error.start
            except JsonError as error:
                problem, at = str(error), error.byte_in(raw)
            problem = f"it is {other}" if other else problem
        if problem:
            facts.append(Fact("config-unreadable", name, offset=at, values={"problem": problem}))
    return configs, texts, tuple(facts)


def _repeated(value: Any) -> Iterator[str]:
    """Keys given twice anywhere in a parsed JSON value."""
    rows = [value]
    while rows:
        row = rows.pop()
        if isinstance(row, Pairs):
            yield from row.repeated
            rows.extend(row.values())
        elif isinstance(row, list):
            rows.extend(row)
