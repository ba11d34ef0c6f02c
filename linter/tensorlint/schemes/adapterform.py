"""How a library writes adapters: the keys of its configuration and the names of its parameters, as a dialect says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..text.yamltext import Item

# Our words for the keys of a configuration.
WORDS: Mapping[str, str] = {
    "kind": "the kind of adapter; a configuration without it is another library's",
    "rank": "the rank of every module",
    "ranks": "ranks of single modules, by pattern",
    "strengths": "factors of single modules, by pattern",
    "targets": "the modules that are adapted: ends of names, or an expression",
    "parameters": "parameters that are adapted without being a module",
    "left_out": "modules that are not adapted although they are targets",
    "only_layers": "the layers that are adapted",
    "saved": "modules that are saved whole",
    "biases": "which biases are saved",
    "purpose": "what the base model is for",
    "base": "the name of the base model",
    "started": "how the parameters began",
}
# The keys of `adapter`: what each holds.
LISTS = (
    "ranked", "shared", "tokens", "every_target", "inner", "usual_start", "nonzero_start", "ends",
    "headed", "routed",
)  # fmt: skip
TABLES = ("kinds", "heads")
TEXTS = ("weights", "prefix")
SAYS: Mapping[str, str] = {
    "unfound": "what it leads to that names are not those that are looked for",
    "unwrap": "what to do about names that a wrapper gave",
    "once": "what to do about a prefix that stands there twice",
}
KEYS = (*TEXTS, "keys", *LISTS, *TABLES, "wrappers", "says")
REQUIRED = ("weights", "prefix", "keys", "kinds")


@dataclass(frozen=True)
class AdapterForm:
    """One way of writing adapters.

    `weights` is what the file of weights is called, without its suffix, and `prefix` what every name of an adapted
    module begins with; `keys` are those of the configuration by our words. `kinds` says for each kind how the names of
    its parameters begin, and `ranked` names those with a rank. `shared` are parameters beside the base model, `tokens`
    the names of rows of embeddings. `every_target` stands for all linear layers; `inner` are names of a module inside
    of its wrapper; `wrappers` are parts of names that somebody leaves there who does not unwrap. `usual_start` are
    values of `started` after which one half is zero and the other as a linear layer begins, `nonzero_start` those after
    which neither is zero. `ends` are modules before and behind the layers that may be saved without a word; `heads`
    those that are added to `saved`, by purpose; models with one of the purposes in `headed` have their layers inside of
    a base model; `routed` are names of base models whose experts may be stored as parameters. `says` are effects and
    remedies for rules that speak of other checkpoints too.
    """

    weights: str
    prefix: str
    keys: Mapping[str, str]
    kinds: Mapping[str, tuple[str, ...]]
    heads: Mapping[str, tuple[str, ...]]
    wrappers: Mapping[str, str]
    says: Mapping[str, str]
    ranked: frozenset[str]
    shared: frozenset[str]
    tokens: frozenset[str]
    every_target: frozenset[str]
    inner: frozenset[str]
    usual_start: tuple[Any, ...]
    nonzero_start: tuple[Any, ...]
    ends: frozenset[str]
    headed: frozenset[str]
    routed: tuple[str, ...]


def load_form(item: Item) -> AdapterForm:
    """The `adapter` of a dialect file; raises RuleFileError."""
    keys = item.mapping("`adapter`", KEYS, REQUIRED)

    def listed(key: str) -> frozenset[str]:
        return frozenset(keys[key].strings(f"`{key}`")) if key in keys else frozenset()

    def values(key: str) -> tuple[Any, ...]:
        return tuple(one.plain() for one in keys[key].one_or_more()) if key in keys else ()

    def table(key: str) -> dict[str, tuple[str, ...]]:
        rows = keys[key].mapping(f"`{key}`").items() if key in keys else ()
        return {k: v.strings(f"`{k}`") for k, v in rows}

    def words(key: str, allowed: Collection[str] | None = None) -> dict[str, str]:
        rows = keys[key].mapping(f"`{key}`", allowed).items() if key in keys else ()
        return {k: v.string(f"`{k}`") for k, v in rows}

    return AdapterForm(
        weights=keys["weights"].string("`weights`"),
        prefix=keys["prefix"].string("`prefix`"),
        keys={k: v.string(f"`{k}`") for k, v in keys["keys"].mapping("`keys`", WORDS, ("kind",)).items()},
        kinds=table("kinds"),
        heads=table("heads"),
        wrappers=words("wrappers"),
        says=words("says", SAYS),
        ranked=listed("ranked"),
        shared=listed("shared"),
        tokens=listed("tokens"),
        every_target=listed("every_target"),
        inner=listed("inner"),
        usual_start=values("usual_start"),
        nonzero_start=values("nonzero_start"),
        ends=listed("ends"),
        headed=listed("headed"),
        routed=keys["routed"].strings("`routed`") if "routed" in keys else (),
    )
