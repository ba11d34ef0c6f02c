"""`*.safetensors.index.json`: which shard holds which tensor, and every way in which that is not so.

Facts: huggingface_hub and transformers write and need `metadata` and `weight_map`; vLLM needs `weight_map` only
(vllm/model_executor/model_loader/weight_utils.py). File names are relative and stay in the folder (huggingface_hub
`serialization/_torch.py` rejects others). `total_size` is the sum of tensor bytes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from ..facts import Fact, FactKind
from ..sources.interface import File
from ..sources.sniff import what_else
from ..text.wording import plural
from .header import Header
from .jsontext import JsonError, Pairs, parse

STATES: Mapping[str, FactKind] = {
    "index-unreadable": FactKind("The index cannot be used.", ("problem",)),
    "index-duplicate-key": FactKind("A tensor stands twice in the index.", ("key",)),
    "index-no-metadata": FactKind("The index has no `metadata`."),
    "path-escape": FactKind("The index names a file outside the checkpoint's folder.", ("shard", "tensors")),
    "missing-shard": FactKind("The index names a shard that is not there.", ("shard", "tensors", "of", "held")),
    "missing-tensor": FactKind("The index names a tensor that no shard holds.", ("shard", "instead")),
    "stale-index": FactKind(
        "The index names tensors that no shard holds, and the shards hold tensors that it does not name.",
        ("gone", "new", "first_gone", "first_new"),
    ),
    "wrong-shard": FactKind("The index names one shard, another one holds the tensor.", ("shard", "holder")),
    "unlisted-tensor": FactKind("A shard holds a tensor that the index does not name.", ("shard",)),
    "unlisted-shard": FactKind("A shard of the model is not in the index.", ("shard", "tensors", "bytes", "index")),
    "total-size": FactKind("`metadata.total_size` is not the sum of the tensors.", ("stated", "actual")),
}

MAX_INDEX = 256 << 20  # bytes


@dataclass(frozen=True)
class Index:
    """A parsed index; `weight_map` holds only entries that are text to text, none when it is not `readable`."""

    file: str
    weight_map: Mapping[str, str]
    metadata: Mapping[str, Any]
    facts: tuple[Fact, ...]
    readable: bool = True

    @cached_property
    def files(self) -> frozenset[str]:
        """Safe file names the index points at."""
        return frozenset(f for f in set(self.weight_map.values()) if not escapes(f))

    def check(self, folder: str, shards: Mapping[str, Header], present: Collection[str]) -> Iterator[Fact]:
        """Facts about the index against shard headers; `present` are all files of the source."""
        yield from self.facts
        if not self.readable:
            return
        by_file: dict[str, list[str]] = defaultdict(list)
        for tensor, file in self.weight_map.items():
            by_file[file].append(tensor)
        holders: dict[str, str] = {}
        for name, header in shards.items():
            for t in header.tensors:
                holders.setdefault(t.name, name)
        intact = True
        lost: list[tuple[str, str]] = []  # (tensor, the shard that should hold it)
        for file, tensors in sorted(by_file.items()):
            path = folder + file
            if escapes(file):
                intact = False
                values = {"shard": file[:200], "tensors": len(tensors)}
                yield Fact("path-escape", self.file, tensors[0], values=values)
            elif path not in present:
                intact = False
                held = _held(holders.get(t, "")[len(folder) :] for t in tensors)
                values = {"shard": file, "tensors": len(tensors), "of": len(self.weight_map), "held": held}
                yield Fact("missing-shard", self.file, tensors[0], values=values)
            elif path not in shards or not shards[path].readable:
                intact = False
            else:
                header = shards[path]
                own = {t.name for t in header.tensors} | header.unusable
                for tensor in (t for t in tensors if t not in own):
                    if tensor in holders:
                        values = {"shard": file, "holder": holders[tensor][len(folder) :]}
                        yield Fact("wrong-shard", self.file, tensor, values=values)
                    else:
                        lost.append((tensor, file))
        yield from self._strangers(lost, folder, shards)
        yield from self._total(folder, shards, intact)

    def _strangers(self, lost: list[tuple[str, str]], folder: str, shards: Mapping[str, Header]) -> Iterator[Fact]:
        """Tensors that only the index has, and tensors and shards that it does not have."""
        here = {file for file in self.files if folder + file in shards}
        away = {t for t, file in self.weight_map.items() if file not in here}
        unlisted: list[tuple[str, str]] = []
        for name, header in shards.items():
            base = name[len(folder) :]
            names = [t.name for t in header.tensors]
            if base in self.files:
                unlisted.extend((t, base) for t in names if t not in self.weight_map)
            elif away.isdisjoint(names):  # else it is what the index looks for elsewhere
                size = sum(t.nbytes for t in header.tensors)
                values = {"shard": base, "tensors": len(names), "bytes": size, "index": self.file}
                yield Fact("unlisted-shard", name, values=values)
        if lost and unlisted:
            counts = {"gone": len(lost), "new": len(unlisted)}
            both = {**counts, "first_gone": lost[0][0], "first_new": unlisted[0][0]}
            for tensor, _ in (*lost, *unlisted):
                yield Fact("stale-index", self.file, tensor, values=both)
            return
        for tensor, file in lost:
            instead = _copy_of(folder + file, shards)
            text = f"; {file} holds the tensors of {instead[len(folder) :]}" if instead else ""
            yield Fact("missing-tensor", self.file, tensor, values={"shard": file, "instead": text})
        for tensor, base in unlisted:
            yield Fact("unlisted-tensor", self.file, tensor, values={"shard": base})

    def _total(self, folder: str, shards: Mapping[str, Header], intact: bool) -> Iterator[Fact]:
        stated = self.metadata.get("total_size")
        if not intact or not isinstance(stated, (int, float)) or isinstance(stated, bool):
            return
        sizes: dict[str, int] = {}
        for name, header in shards.items():
            for t in header.tensors:
                if t.name not in sizes or self.weight_map.get(t.name) == name[len(folder) :]:
                    sizes[t.name] = t.nbytes
        actual = sum(sizes.values())
        if sizes.keys() == self.weight_map.keys() and stated != actual:
            yield Fact("total-size", self.file, values={"stated": int(stated), "actual": actual})


def _held(holders: Iterable[str]) -> str:
    """Where the tensors of a shard that is not there are instead, as the end of a sentence."""
    found = Counter(h for h in holders if h)
    if not found:
        return ""
    (most, _), *more = found.most_common()
    who = f"{most} and {plural(len(more), 'other shard')} hold" if more else f"{most} holds"
    return f"; {who} {sum(found.values())} of them"


def _copy_of(name: str, shards: Mapping[str, Header]) -> str:
    """An earlier shard that has all tensors of this one, if any."""
    own = {t.name for t in shards[name].tensors}
    return next((n for n, h in shards.items() if n != name and own and own <= {t.name for t in h.tensors}), "")


def escapes(file: str) -> bool:
    """Whether a file name leaves its folder: absolute, with a drive, with `..`, or with control characters."""
    posix, windows = PurePosixPath(file), PureWindowsPath(file)
    return (
        not file
        or posix.is_absolute()
        or bool(windows.drive or windows.root)
        or ".." in posix.parts
        or ".." in windows.parts
        or not file.isprintable()
    )


def read_index(file: File) -> Index:
    """Parse an index; whatever is wrong with it becomes facts."""

    def broken(problem: str, at: int | None = None) -> Index:
        fact = Fact("index-unreadable", file.name, offset=at, values={"problem": problem})
        return Index(file.name, {}, {}, (fact,), False)

    if file.size > MAX_INDEX:
        return broken(f"it has {file.size:,} bytes; the limit is {MAX_INDEX:,}")
    if not file.size:
        return broken("it is empty")
    raw = file.read(0, file.size)
    other = what_else(raw[:1024])
    if other:
        return broken(f"it is {other}")
    try:
        top = parse(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return broken(f"it is not UTF-8 text (byte {error.start})", error.start)
    except JsonError as error:
        return broken(f"it is not JSON: {error}", error.byte_in(raw))
    if not isinstance(top, Pairs):
        return broken("it is not a JSON object")
    weight_map = top.get("weight_map")
    if not isinstance(weight_map, Pairs):
        return broken("it has no `weight_map`")
    if not weight_map:
        return broken("its `weight_map` is empty")
    facts = [Fact("index-duplicate-key", file.name, values={"key": key}) for key in top.repeated]
    facts.extend(Fact("index-duplicate-key", file.name, key, values={"key": key}) for key in weight_map.repeated)
    wrong = [k for k, v in weight_map.items() if not isinstance(v, str)]
    if wrong:
        problem = f"`weight_map` gives no file name for `{wrong[0][:120]}`"
        facts.append(Fact("index-unreadable", file.name, wrong[0], values={"problem": problem}))
    metadata = top.get("metadata")
    if not isinstance(metadata, Pairs):
        facts.append(Fact("index-no-metadata", file.name))
    entries = {k: v for k, v in weight_map.items() if isinstance(v, str)}
    return Index(file.name, entries, metadata if isinstance(metadata, Pairs) else {}, tuple(facts))
