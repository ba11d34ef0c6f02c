"""Ignore lists against the tensors: what is plain although nothing excuses it, and entries that cover nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from fnmatch import fnmatchcase

from ..facts import Fact, FactKind
from ..names import lineage
from ..schemes.declared import Declaration, allows
from ..schemes.module import Module, Unknown
from ..schemes.view import View
from ..text.wording import plural
from .check import Check
from .configuration import say

STATES: Mapping[str, FactKind] = {
    "declaration-left": FactKind(
        "A file declares quantization, but nothing is quantized like that.",
        ("method", "where", "algorithm", "state", "mend"),
    ),
    "unquantized-not-ignored": FactKind(
        "A module is not quantized, but no ignore entry covers it.", ("module", "dtype", "scheme", "where", "siblings")
    ),
    "listed-but-unquantized": FactKind(
        "The table of quantized layers names a module that is not quantized.", ("module", "dtype", "declared", "where")
    ),
    "odd-one-out": FactKind(
        "One module is not quantized, but all others of its kind and of its layer are.",
        ("module", "dtype", "scheme", "siblings"),
    ),
    "head-not-ignored": FactKind(
        "The output head is not quantized, but no ignore entry covers it.", ("module", "dtype", "where")
    ),
    "dead-entry": FactKind("An ignore entry covers no module of the checkpoint.", ("entry", "where")),
    "mistaken-entry": FactKind(
        "An ignore entry covers no module, and it can be told what is wrong with it.", ("entry", "why", "where")
    ),
    "dead-group": FactKind("A group of a declaration covers no module.", ("group", "targets", "where")),
    "broken-pattern": FactKind("A pattern in a list cannot be evaluated.", ("entry", "problem", "where")),
}


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about the lists of the main declaration."""
    main = view.declared.main
    if view.checkpoint.whole and (main is None or main.dialect.lists == "none"):
        yield from _odd(view, main)
    if main is None:
        return
    if view.checkpoint.whole:
        yield from _unquantized(view, main)
    yield from _lists(view, main)


def _odd(view: View, main: Declaration | None) -> Iterator[Fact]:
    """The one module of a kind that is plain, in a layer whose other modules are quantized, where no list says so."""
    for siblings in view.siblings.values():
        plain = [m for m in siblings if not m.scheme.quantized]
        if len(plain) != 1 or len(siblings) < 2 or not view.is_linear(plain[0]):
            continue
        (module,) = plain
        weight = module.parts.get("weight")
        others = [m for m in siblings if m is not module]
        if weight is None or len(weight.shape) != 2 or (main and main.expect(module.name).quantized is False):
            continue
        layer = view.anatomy.layer_number.search(module.name)
        within = [m for n, m in view.modules.items() if layer and n.startswith(module.name[: layer.end()] + ".")]
        beside = [m for m in within if m is not module and view.is_linear(m)]
        if beside and all(m.scheme.quantized for m in beside):
            values = {
                "module": module.name, "dtype": weight.dtype, "scheme": others[0].scheme.name, "siblings": len(others),
            }  # fmt: skip
            yield Fact("odd-one-out", weight.shard, weight.name, values=values)


def _unquantized(view: View, main: Declaration) -> Iterator[Fact]:
    """Linear modules that are plain although the declaration makes loaders expect them quantized."""
    expected_any = found_any = False
    missed: list[Fact] = []
    has_quantized = {m.pattern for m in view.quantized}
    towers = _Towers(view, main)
    for module in view.modules.values():
        if module.scheme.quantized:
            found_any = True
            continue
        weight = module.parts.get("weight")
        if weight is None or len(weight.shape) != 2 or not _is_linear(view, module, towers):
            continue
        expected = main.expect(module.name, linear=True)
        if not expected.quantized or _covered_elsewhere(view, main, module.name):
            continue
        expected_any = True
        siblings = module.pattern in has_quantized
        named = main.dialect.overrides and expected.entry == module.name
        if main.dialect.lists == "none" and not named:
            continue
        if main.dialect.lists != "complete" and not siblings and not named and not towers.of(module.name):
            continue
        values = {
            "module": module.name,
            "dtype": weight.dtype,
            "where": main.where,
            "scheme": "",
            "siblings": siblings,
        }
        if main.layers is not None or named:
            kind = "listed-but-unquantized"
            values = {
                "module": module.name,
                "dtype": weight.dtype,
                "where": main.where,
                "declared": say(expected.values),
            }
        else:
            kind = "unquantized-not-ignored"
        missed.append(Fact(kind, main.file, weight.name, values=values))
    unknown = [u for u in view.recognised.unknown if main.expect(u.name).quantized] if not found_any else []
    if not found_any and main.quantizes and (unknown or expected_any or not view.modules):
        values = {"method": main.method, "where": main.where, "algorithm": say(main.base), **_state(unknown)}
        known = not unknown or any(
            allows(s, main.expect(unknown[0].name).values) for s in view.knowledge.schemes.values()
        )
        if (view.modules or unknown) and known:
            yield Fact("declaration-left", main.file, values=values)
        return
    yield from missed
    if found_any and main.dialect.names_head and main.layers is None:
        yield from _head(view, main)


def _state(unknown: Sequence[Unknown]) -> Mapping[str, str]:
    """What the modules are that are not in the declared format, and what to do about it."""
    if not unknown:
        mend = (
            "Remove the declaration if the model was dequantized or merged on purpose; else the quantization did not "
        )
        return {"state": "no module is quantized", "mend": mend + "happen, or its result was not saved: export again."}
    modules = f"{plural(len(unknown), 'module')} such as {unknown[0].name}"
    state = f"no module is: {modules} look quantized in another way ({unknown[0].signature})"
    mend = "Declare the format that the modules have, with the config.json of their export, or export again."
    return {"state": state, "mend": mend}


def _is_linear(view: View, module: Module, towers: _Towers) -> bool:
    """Whether quantizers take a module for a linear layer: by the architecture where that is known, else by its role.

    The head has a rule of its own; a tower counts where loaders expect it quantized.
    """
    place = view.known.by_module.get(module.name) if view.known is not None else None
    roles = view.anatomy.roles(module.name)
    if place is not None:
        line = place.bound.line
        found = line.linear and line.role not in ("head", "embedding", "router")  # exporters leave routers out of lists
        own = towers.named(module.name)
        return found and roles.isdisjoint(("mtp", "adapter")) and (not own or towers.expected(own))
    if "vision" not in roles:
        return view.anatomy.is_linear(module.name)
    return view.anatomy.is_linear(module.name) and towers.expected(towers.named(module.name))


class _Towers:
    """Towers beside the language model, and whether loaders expect them quantized: no entry of a list names them.

    A declaration inside the settings of the language model is for that alone.
    """

    def __init__(self, view: View, main: Declaration) -> None:
        self._roles = view.anatomy.roles
        self._judged = main.at == main.place.at and main.dialect.lists in ("complete", "towers")
        words = (word for entry in main.excuses.entries[:_MOST] for word in _WORD.findall(entry))
        self._words = frozenset(word for word in words if len(word) >= _WORTH)
        self._quantized = {name for m in view.quantized if (name := self.named(m.name))}
        self._expected: dict[str, bool] = {}
        self._outside = main.dialect.lists == "towers"

    def named(self, module: str) -> str:
        """The tower that a module stands in; empty for others."""
        end = module.find(".")
        while end > 0:
            if "vision" in self._roles(module[:end]):
                return module[:end]
            end = module.find(".", end + 1)
        return ""

    def expected(self, tower: str) -> bool:
        """Whether loaders expect the linear layers of a tower quantized."""
        if tower not in self._expected:
            last = tower.rpartition(".")[2]
            named = any(word in last or last in word for word in self._words)
            self._expected[tower] = self._judged and not named
        return self._expected[tower]

    def of(self, module: str) -> bool:
        """Whether a module is of a plain tower that loaders take for quantized: no list names it."""
        tower = self.named(module) if self._outside else ""
        return bool(tower) and tower not in self._quantized and self.expected(tower)


def _head(view: View, main: Declaration) -> Iterator[Fact]:
    """An output head in plain floats that loaders expect quantized."""
    for name, module in view.modules.items():
        weight = module.parts.get("weight")
        if view.anatomy.canonical(name) not in view.anatomy.ends("head") or module.scheme.quantized or weight is None:
            continue
        linear = "own_class" not in view.anatomy.roles(name)
        if main.expect(name, linear).quantized and not _covered_elsewhere(view, main, name):
            values = {"module": name, "dtype": weight.dtype, "where": main.where}
            yield Fact("head-not-ignored", main.file, weight.name, values=values)


def _covered_elsewhere(view: View, main: Declaration, module: str) -> bool:
    """Whether an entry means this module under another wrapper, such as `language_model.model.`."""
    if main.dialect.loose and main.excuses.covering(module, linear=False) is not None:
        return True
    canonical = view.anatomy.canonical
    plain = canonical(module)
    if plain == module:
        return any(
            canonical(e).rstrip("*.") and plain.startswith(canonical(e).rstrip("*."))
            for e in main.ignore.entries
            if e.endswith("*")
        )
    return main.ignore.covering(plain, linear=False) is not None or any(
        canonical(entry) == plain or (entry.endswith("*") and plain.startswith(canonical(entry).rstrip("*.")))
        for entry in main.ignore.entries
    )


def _lists(view: View, main: Declaration) -> Iterator[Fact]:
    for entry, problem in main.ignore.broken.items():
        values = {"entry": entry[:120], "problem": problem, "where": main.where}
        yield Fact("broken-pattern", main.file, values=values)
    for group in main.groups or ():
        for entry, problem in group.targets.broken.items():
            values = {"entry": entry[:120], "problem": problem, "where": f"{main.where}.{group.name}"}
            yield Fact("broken-pattern", main.file, values=values)
    if not view.checkpoint.whole or len(main.ignore.entries) > _MOST:
        return
    # A tied head and an embedding are named by exporters even where the file does not hold them.
    names = [*view.modules, *(t.name.rpartition(".")[0] for t in view.recognised.loose)]
    parents = dict.fromkeys(n for name in names for n in lineage(name))
    for group in main.groups or ():
        # Names of classes cannot be looked up in a checkpoint; a target may be a block, such as the attention.
        told = group.targets.entries and not any(e.isidentifier() and e[0].isupper() for e in group.targets.entries)
        if told and not any(group.targets.covering(name) for name in parents):
            values = {"group": group.name, "targets": ", ".join(group.targets.entries[:3]), "where": main.where}
            yield Fact("dead-group", main.file, values=values)
    for entry in main.ignore.entries:
        alone = type(main.ignore)((entry,), main.excuses.styles)
        if entry in parents or entry.removeprefix("re:") in parents or entry in main.ignore.broken:
            continue
        if any(alone.covering(name, linear=False) for name in parents):
            continue
        values = {"entry": entry[:200], "where": main.where}
        why = _mistake(view, main, entry, parents)
        if why:
            yield Fact("mistaken-entry", main.file, values={**values, "why": why})
        elif not view.anatomy.roles(entry.rstrip("*.")) & {"head", "embedding", "vision", "mtp"}:
            yield Fact("dead-entry", main.file, values=values)


_WORD = re.compile(r"\w+")
_WORTH = 4  # letters of a word that may be the name of a tower
# So many layers behind the counted ones may be those of multi-token prediction.
_AHEAD = 4
_MOST = 5000  # entries of a list that are looked up among all modules; a hostile list has millions
_ALIKE = 0.8  # of 1: how like a name an entry must be for a slip


def _mistake(view: View, main: Declaration, entry: str, names: Mapping[str, None]) -> str:
    """What is wrong with an entry that covers nothing, in words, where that can be told."""
    if "glob" not in main.ignore.styles and not entry.startswith("re:") and any(c in entry for c in "*?"):
        meant = sum(fnmatchcase(name, entry) for name in names)
        if meant:
            return f"globs are not known here; as a glob it would cover {meant} modules"
    counted = view.anatomy.count(view.model_config, "layers")
    numbered = view.anatomy.layer_number.search(entry)
    if counted and numbered and int(numbered[1]) >= counted[1] + _AHEAD:
        return f"there is no layer {numbered[1]}, {counted[0]} is {counted[1]}"
    parent, _, leaf = entry.rpartition(".")
    for name, module in view.modules.items():
        above, _, last = name.rpartition(".")
        if above != parent or module.scheme.quantized or main.excuses.covering(name, linear=False) is not None:
            continue
        if SequenceMatcher(None, leaf, last).ratio() >= _ALIKE:
            return f"{name} is not quantized, and no entry covers that"
    return ""


CHECKS = (Check(STATES, run),)
