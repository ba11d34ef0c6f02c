"""Names of shards that are numbered: `model-00001-of-00002.safetensors`, and `0.safetensors`, `1.safetensors` ..."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from ..facts import Fact, FactKind
from ..files import WEIGHTS

STATES: Mapping[str, FactKind] = {
    "shard-gap": FactKind(
        "Shards are numbered `-of-N`, but some numbers are missing.", ("missing", "present", "total")
    ),
    "no-index": FactKind("There are several numbered shards but no index.", ("shards",)),
}
NUMBERED = re.compile(r"^(?P<stem>.+?)[-_](?P<number>\d{2,6})-of-(?P<total>\d{2,6})(?P<tail>\.[\w.]+)?\.safetensors$")
_BARE = re.compile(r"0|[1-9]\d{0,3}", re.ASCII)


def stem_of(base: str) -> str:
    """What the shards of one model have in common."""
    numbered = NUMBERED.match(base)
    return numbered["stem"] + (numbered["tail"] or "") if numbered else base[: -len(WEIGHTS)]


def is_one_of_several(base: str) -> bool:
    """Whether the name says that there are further shards."""
    numbered = NUMBERED.match(base)
    return numbered is not None and int(numbered["total"]) > 1


def in_a_row(stems: Iterable[str]) -> tuple[str, ...]:
    """The stems that are nothing but numbers, in their order, where they are all numbers from 0 or 1 on."""
    found = sorted((stem for stem in stems if _BARE.fullmatch(stem)), key=int)
    numbers = [int(stem) for stem in found]
    whole = len(found) > 1 and numbers[0] <= 1 and numbers == list(range(numbers[0], numbers[0] + len(found)))
    return tuple(found) if whole else ()


def numbering(first: str, here: Collection[str], listed: Collection[str] | None) -> tuple[Fact, ...]:
    """Facts about numbered shards that are neither `here` nor in the index, or that have no index (None)."""
    sets: dict[int, set[int]] = defaultdict(set)
    for name in sorted({*here, *(listed or ())}):
        numbered = NUMBERED.match(name)
        if numbered:
            sets[int(numbered["total"])].add(int(numbered["number"]))
    facts = []
    ours = [name for name in here if listed is None or name in listed]  # no leftovers, nor those of a stale index
    for total in sorted({int(m["total"]) for m in map(NUMBERED.match, ours) if m}):
        start = 0 if 0 in sets[total] else 1
        missing = [n for n in range(start, min(total, 100_000) + start) if n not in sets[total]]
        if missing:
            values = {"missing": missing[:8], "present": len(sets[total]), "total": total}
            facts.append(Fact("shard-gap", first, values=values))
        elif total > 1 and listed is None:
            facts.append(Fact("no-index", first, values={"shards": total}))
    return tuple(facts)
