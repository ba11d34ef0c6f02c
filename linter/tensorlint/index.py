"""`*.safetensors.index.json`: which shard holds which tensor, and every way in which that is not so.

Facts: huggingface_hub and transformers write and need `metadata` and `weight_map`; vLLM needs `weight_map` only
(vllm/model_executor/model_loader/weight_utils.py). File names are relative and stay in the folder (huggingface_hub
`serialization/_torch.py` rejects others). `total_size` is the sum of tensor bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from .facts import Fact
from .header import Header
from .jsontext import JsonError, Pairs, parse
from .sources.interface import File

SUFFIX = ".safetensors.index.json"
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
        for file, tensors in sorted(by_file.items()):
            path = folder + file
            if escapes(file):
                intact = False
                yield Fact(
                    "path-escape",
                    self.file,
                    tensors[0],
                    values={"shard": file[:200], "tensors": len(tensors)},
                )
            elif path not in present:
                intact = False
                values = {"shard": file, "tensors": len(tensors), "of": len(self.weight_map)}
                yield Fact("missing-shard", self.file, tensors[0], values=values)
            elif path not in shards or not shards[path].readable:
                intact = False
            else:
                header = shards[path]
                held = {t.name for t in header.tensors} | header.unusable
                for tensor in tensors:
                    if tensor in held:
                        continue
                    if tensor in holders:
                        values = {"shard": file, "holder": holders[tensor][len(folder) :]}
                        yield Fact("wrong-shard", self.file, tensor, values=values)
                    else:
                        yield Fact("missing-tensor", self.file, tensor, values={"shard": file})
        yield from self._unlisted(folder, shards)
        yield from self._total(folder, shards, intact)

    def _unlisted(self, folder: str, shards: Mapping[str, Header]) -> Iterator[Fact]:
        for name, header in shards.items():
            base = name[len(folder) :]
            if base not in self.files:
                size = sum(t.nbytes for t in header.tensors)
                values = {"shard": base, "tensors": len(header.tensors), "bytes": size, "index": self.file}
                yield Fact("unlisted-shard", name, values=values)
                continue
            for t in header.tensors:
                if t.name not in self.weight_map:
                    yield Fact("unlisted-tensor", self.file, t.name, values={"shard": base})

    def _total(self, folder: str, shards: Mapping[str, Header], intact: bool) -> Iterator[Fact]:
        stated = self.metadata.get("total_size")
        if not intact or not isinstance(stated, (int, float)) or isinstance(stated, bool):
            return
        listed = {(file, tensor) for tensor, file in self.weight_map.items()}
        sizes = {(name[len(folder) :], t.name): t.nbytes for name, header in shards.items() for t in header.tensors}
        actual = sum(size for key, size in sizes.items() if key in listed)
        every = {tensor for _, tensor in sizes} == set(self.weight_map)
        if every and stated != actual:
            yield Fact("total-size", self.file, values={"stated": int(stated), "actual": actual})


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
