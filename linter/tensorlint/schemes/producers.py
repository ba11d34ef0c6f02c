"""Exporters and the versions of them that are known for a defect, as read from `rules/producers/*.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..text.yamltext import Item, text_of
from .declared import Declared

# The keys of a producer file and of a defect; the JSON Schema is made of them too.
KEYS = ("summary", "producer", "defects", "see")
REQUIRED = ("producer", "defects")
DEFECT_KEYS = ("rules", "before", "says")
DEFECT_REQUIRED = ("rules", "says")


@dataclass(frozen=True)
class Defect:
    """Versions before `before` (all, when empty) of a producer, the rules that see the defect, and what to say."""

    rules: tuple[str, ...]
    before: tuple[int, ...]
    says: str


@dataclass(frozen=True)
class Producer:
    """One exporter by the name it writes into its files."""

    name: str
    defects: tuple[Defect, ...]

    def says(self, version: str, rule: str) -> str:
        """What is known of this version and rule, or nothing."""
        for defect in self.defects:
            if rule in defect.rules and (not defect.before or () < numbers(version) < defect.before):
                return defect.says.replace("{version}", version)
        return ""


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: `0.44.0rc1` -> (0, 44, 0)."""
    found = re.match(r"\d{1,6}(?:\.\d{1,6})*", version)
    return tuple(int(n) for n in found.group().split(".")) if found else ()


def load_producer(top: Item, name: str) -> Producer:
    """A producer from the top value of its file; raises RuleFileError."""
    keys = top.mapping("the producer", KEYS, REQUIRED)
    text_of(keys)
    return Producer(
        keys["producer"].string("`producer`"), tuple(_defect(i) for i in keys["defects"].sequence("`defects`"))
    )


def _defect(item: Item) -> Defect:
    keys = item.mapping("a defect", DEFECT_KEYS, DEFECT_REQUIRED)
    before = numbers(keys["before"].string("`before`")) if "before" in keys else ()
    return Defect(keys["rules"].strings("`rules`"), before, " ".join(keys["says"].string("`says`").split()))


def known_defect(declared: Declared, producers: Iterable[Producer], rule: str) -> str:
    """A sentence about the exporter that wrote a checkpoint, if its version is known for this rule's defect."""
    for declaration in declared.all:
        stated = declaration.get("producer")
        if not isinstance(stated, dict):
            continue
        for producer in producers:
            if stated.get("name") == producer.name:
                said = producer.says(str(stated.get("version", ""))[:40], rule)
                if said:
                    return said
    return ""
