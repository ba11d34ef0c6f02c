"""The plan: which bytes have to be read for the selected rules, in file order, and what that leaves out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ..container.header import TensorInfo
from ..dtypes import Encoding

Depth = Literal["headers", "scales", "full"]  # the JSON headers, also the scales, every byte
DEPTHS: tuple[Depth, ...] = get_args(Depth)


@dataclass(frozen=True)
class Need:
    """One tensor somebody wants measured: how its bytes are read, and which words are needed."""

    tensor: TensorInfo
    encoding: Encoding
    words: frozenset[str]


@dataclass(frozen=True)
class Plan:
    """Needs by shard, in file order; one need per tensor."""

    by_shard: Mapping[str, tuple[Need, ...]]

    @property
    def bytes(self) -> int:
        """Bytes that will be read, headers not counted."""
        return sum(need.tensor.nbytes for need in self.needs())

    def needs(self) -> Iterator[Need]:
        """Every need, shard by shard."""
        for needs in self.by_shard.values():
            yield from needs


def make_plan(needs: Iterable[Need]) -> Plan:
    """The union of needs: each tensor once, with all the words anybody wants of it."""
    merged: dict[tuple[str, str], Need] = {}
    for need in needs:
        key = (need.tensor.shard, need.tensor.name)
        known = merged.get(key)
        merged[key] = need if known is None else Need(known.tensor, known.encoding, known.words | need.words)
    by_shard: dict[str, list[Need]] = defaultdict(list)
    for need in merged.values():
        by_shard[need.tensor.shard].append(need)
    ordered = {s: tuple(sorted(by_shard[s], key=lambda n: n.tensor.begin)) for s in sorted(by_shard)}
    return Plan(ordered)
