"""Strict reader of a safetensors header: tensors on one side, every oddity as a fact on the other.

Never raises for what a file holds. The rules are those of the safetensors crate (`safetensors/src/tensor.rs`:
`read_metadata`, `Metadata::validate`) and of the format text in its README; where the two differ (duplicate keys,
leading whitespace, extra fields, entries as lists: the crate accepts them, the text forbids them) the fact says which.
All arithmetic is on Python's unbounded integers; nothing is allocated before its size was checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..dtypes import DTYPE_BITS
from ..facts import Fact, FactKind
from ..files import HEADER_CAP
from ..sources.interface import File
from ..sources.sniff import sniff
from .entry import FIELDS, bits_of, nearest_dtype, problem_of, usual
from .jsontext import MAX_DEPTH, JsonError, Pairs, json_type, nesting, parse

STATES: Mapping[str, FactKind] = {
    "too-small": FactKind("The file is too small to hold a header length.", ("size",)),
    "bad-header-length": FactKind("The header length is impossible.", ("declared", "size", "problem")),
    "header-not-utf8": FactKind("The header is not UTF-8 text.", ("position", "byte")),
    "header-not-json": FactKind("The header is not JSON.", ("reason", "near")),
    "header-not-object": FactKind("The header is JSON, but not an object.", ("found",)),
    "bad-entry": FactKind("A tensor's entry in the header cannot be used.", ("problem",)),
    "bad-metadata": FactKind("`__metadata__` is not a map from text to text.", ("problem",)),
    "unknown-dtype": FactKind("A tensor has a dtype the format does not know.", ("dtype", "near")),
    "duplicate-key": FactKind("A key stands twice in the header.", ("key", "where")),
    "size-overflow": FactKind("A tensor's size overflows 64 bits.", ("shape", "dtype")),
    "partial-byte": FactKind("A tensor of a packed dtype does not end on a byte.", ("shape", "dtype", "bits")),
    "span-mismatch": FactKind(
        "A tensor's byte range does not fit its dtype and shape.", ("span", "needed", "shape", "dtype")
    ),
    "offsets-reversed": FactKind("A tensor ends before it begins.", ("begin", "end")),
    "hole": FactKind("Bytes between two tensors belong to none.", ("bytes", "begin", "end")),
    "overlap": FactKind("Two tensors share bytes.", ("bytes", "other", "begin", "end")),
    "truncated": FactKind("The file ends before its last tensor.", ("missing", "needed", "size", "tensors", "of")),
    "trailing-bytes": FactKind("Bytes follow the last tensor.", ("bytes", "size", "end")),
    "misaligned": FactKind(
        "Tensors do not start on a multiple of their element size.", ("tensors", "of", "header_bytes", "bytes")
    ),
    "leading-space": FactKind("The header does not begin with `{`.", ("start",)),
    "unknown-field": FactKind("A tensor's entry has fields the format does not know.", ("fields",)),
    "odd-name": FactKind("A tensor name is empty or has control characters.", ("name",)),
}

MAX_FACTS = 10_000  # per header
_MAX_GUESSES = 100  # of dtypes that were meant; a header may hold a million different ones


class TensorInfo(NamedTuple):
    """One tensor of a shard; `begin` and `end` are byte offsets in the file, `shape` counts elements of `dtype`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    shard: str
    begin: int
    end: int

    @property
    def nbytes(self) -> int:
        """Size on disk in bytes."""
        return self.end - self.begin

    @property
    def elements(self) -> int:
        """Number of elements."""
        n = 1
        for size in self.shape:
            n *= size
        return n


@dataclass(frozen=True)
class Header:
    """What a header says.

    `readable` is False when no tensor could be taken from the file; `data_start` is the offset of the first data byte.
    """

    tensors: tuple[TensorInfo, ...]
    metadata: Mapping[str, str]
    facts: tuple[Fact, ...]
    readable: bool
    data_start: int
    size: int
    unusable: frozenset[str] = frozenset()  # names that stand in the header but whose bytes cannot be used


class _Bounded(list[Fact]):
    """Facts up to a number that nobody reads to the end: a hostile header can state millions."""

    def append(self, fact: Fact) -> None:
        """Keep a fact, unless there are too many."""
        if len(self) < MAX_FACTS:
            super().append(fact)


def read_header(file: File) -> Header:
    """Read the header of one shard.

    Raises UnfinishedError only if the file vanishes or cannot be read.
    """
    size = file.size
    head = file.read(0, min(size, 1024))
    facts: list[Fact] = _Bounded()

    def unreadable(fact: Fact) -> Header:
        placed = Fact(fact.kind, file.name, fact.tensor, fact.offset, fact.values)
        return Header((), {}, (placed,), False, 0, size)

    def fact(kind: str, offset: int | None = None, tensor: str = "", **values: Any) -> Fact:
        return Fact(kind, file.name, tensor, offset, values)

    alien = sniff(head, size)
    if alien is not None:
        return unreadable(alien)
    if size < 8:
        return unreadable(fact("too-small", 0, size=size))
    length = int.from_bytes(head[:8], "little")
    problem = (
        "is zero" if length == 0
        else f"is over the limit of {HEADER_CAP:,} bytes" if length > HEADER_CAP
        else f"is more than the {size - 8:,} bytes that follow it" if 8 + length > size
        else ""
    )  # fmt: skip
    if problem:
        return unreadable(fact("bad-header-length", 0, declared=length, size=size, problem=problem))
    first = head[8:].lstrip(b" \t\r\n")[:1]
    if first and first < b" ":  # most damage shows here, before up to 100 MB are read and parsed
        start = head.index(first, 8)
        return unreadable(fact("header-not-json", start, reason=f"it begins with byte 0x{first.hex()}", near=""))
    raw = file.read(8, length)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return unreadable(fact("header-not-utf8", 8 + error.start, position=error.start, byte=raw[error.start]))
    try:
        top = parse(text)
    except JsonError as error:
        at = error.position
        near = "" if at is None else text[max(0, at - 20) : at + 20]
        offset = 8 + (0 if at is None else len(text[:at].encode("utf-8")))
        return unreadable(fact("header-not-json", offset, reason=str(error), near=near))
    if not isinstance(top, Pairs):
        return unreadable(fact("header-not-object", 8, found=json_type(top)))
    if not text.startswith("{"):
        facts.append(fact("leading-space", 8, start=raw[:4].hex(" ")))
    for key in top.repeated:
        if key == "__metadata__":
            facts.append(fact("bad-metadata", problem="it is given twice"))
        else:
            facts.append(fact("duplicate-key", tensor=key, key=key, where="in the header"))
    names = frozenset(top) - {"__metadata__"}
    metadata = _metadata(top.pop("__metadata__", None), file.name, facts)
    tensors, odd = _entries(top, file.name, 8 + length, facts)
    if odd and nesting(text) > MAX_DEPTH:  # elsewhere such depth is an error of its own
        return unreadable(fact("header-not-json", 8, reason=f"it is nested deeper than {MAX_DEPTH} levels", near=""))
    _layout(tensors, file, 8 + length, length, facts)
    whole = tuple(t for t in tensors if 8 + length <= t.begin <= t.end <= size)
    unusable = names.difference(t.name for t in whole) if len(whole) < len(names) else frozenset()
    return Header(whole, metadata, tuple(facts), True, 8 + length, size, unusable)


def _metadata(value: Any, shard: str, facts: list[Fact]) -> dict[str, str]:
    def bad(problem: str) -> None:
        facts.append(Fact("bad-metadata", shard, values={"problem": problem}))

    if value is None:
        return {}
    if not isinstance(value, Pairs):
        bad(f"it is a {json_type(value)}, not an object")
        return {}
    for key in value.repeated:
        facts.append(Fact("duplicate-key", shard, values={"key": key, "where": "in __metadata__"}))
    for key, item in value.items():
        if not isinstance(item, str):
            bad(f"the value of `{key[:80]}` is a {json_type(item)}, not text")
    return {k: v for k, v in value.items() if isinstance(v, str)}


def _entries(top: Pairs, shard: str, data_start: int, facts: list[Fact]) -> tuple[list[TensorInfo], bool]:
    """Tensors that claim bytes, those with a wrong span with an empty dtype; and whether an entry has odd fields."""
    tensors: list[TensorInfo] = []
    odd_fields: dict[str, str] = {}
    unknown_dtypes: dict[str, str] = {}
    for name, given in top.items():
        entry, odd = usual(given)
        problem = problem_of(entry)
        if problem:
            facts.append(Fact("bad-entry", shard, name, values={"problem": problem}))
            continue
        if odd:
            odd_fields.setdefault(odd, name)
        if len(entry) > 3:
            odd_fields.update({field: name for field in entry if field not in FIELDS and field not in odd_fields})
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not name or not name.isprintable():
            facts.append(Fact("odd-name", shard, name, values={"name": ascii(name)}))
        bits = DTYPE_BITS.get(dtype)
        if bits is None:
            if dtype not in unknown_dtypes:
                unknown_dtypes[dtype] = nearest_dtype(dtype) if len(unknown_dtypes) < _MAX_GUESSES else ""
            near = unknown_dtypes[dtype]
            values = {"dtype": dtype[:40], "near": near}
            facts.append(Fact("unknown-dtype", shard, name, values=values))
            continue
        total = bits_of(shape, bits)
        if end < begin:
            facts.append(Fact("offsets-reversed", shard, name, values={"begin": begin, "end": end}))
        elif total is None:
            facts.append(Fact("size-overflow", shard, name, values={"shape": shape, "dtype": dtype}))
        elif total % 8:
            facts.append(Fact("partial-byte", shard, name, values={"shape": shape, "dtype": dtype, "bits": total}))
        elif total // 8 != end - begin:
            values = {"span": end - begin, "needed": total // 8, "shape": shape, "dtype": dtype}
            facts.append(Fact("span-mismatch", shard, name, values=values))
            # The bytes are still claimed: keep them for the layout check, not for measuring.
            tensors.append(TensorInfo(name, "", tuple(shape), shard, data_start + begin, data_start + end))
        else:
            tensors.append(TensorInfo(name, dtype, tuple(shape), shard, data_start + begin, data_start + end))
    if odd_fields:
        facts.append(
            Fact(
                "unknown-field",
                shard,
                next(iter(odd_fields.values())),
                values={"fields": sorted(field or '""' for field in odd_fields)},
            )
        )
    return tensors, bool(odd_fields)


def _layout(tensors: list[TensorInfo], file: File, start: int, length: int, facts: list[Fact]) -> None:
    """State holes, overlaps, truncation, trailing bytes and misalignment; drops broken spans from `tensors`."""
    at, last = start, ""
    size = file.size
    beyond: list[TensorInfo] = []
    unclaimed = any(f.kind in _LEAVES_BYTES_UNCLAIMED for f in facts)
    crooked = crooked_bytes = 0
    for t in sorted(tensors, key=lambda t: (t.begin, t.end)):
        values = {"begin": t.begin, "end": t.end}
        if t.begin > at and not unclaimed:
            facts.append(Fact("hole", file.name, t.name, at, {"bytes": t.begin - at, "begin": at, "end": t.begin}))
        elif t.begin < at:
            shared = min(at, t.end) - t.begin  # 0 for an empty tensor inside another, which the crate refuses too
            facts.append(Fact("overlap", file.name, t.name, t.begin, {**values, "bytes": shared, "other": last}))
        if t.end > size:
            beyond.append(t)
        if t.dtype and t.begin % max(1, DTYPE_BITS[t.dtype] // 8) and t.end > t.begin:
            crooked += 1
            crooked_bytes += t.nbytes
        if t.end >= at:
            at, last = t.end, t.name
    count = len(tensors)
    if beyond:
        values = {"missing": at - size, "needed": at, "size": size, "tensors": len(beyond), "of": count}
        facts.append(Fact("truncated", file.name, beyond[0].name, size, values))
    elif at < size and not unclaimed:
        facts.append(Fact("trailing-bytes", file.name, "", at, {"bytes": size - at, "size": size, "end": at}))
    if crooked:
        values = {"tensors": crooked, "of": count, "header_bytes": length, "bytes": crooked_bytes}
        facts.append(Fact("misaligned", file.name, "", start, values))
    tensors[:] = [t for t in tensors if t.dtype]


# Entries that could not be used leave their bytes unclaimed: what follows from that is not a second defect.
_LEAVES_BYTES_UNCLAIMED = frozenset({"bad-entry", "unknown-dtype", "size-overflow", "partial-byte", "offsets-reversed"})
