"""Adapters against their own configuration: names, ranks, targets, and modules that are saved whole.

Facts about the format: huggingface/peft src/peft/utils/save_and_load.py (names are those of the wrapped model without
the adapter's own name; loading takes what matches and warns about the rest), src/peft/tuners/tuners_utils.py (targets),
src/peft/utils/other.py (patterns, modules that are saved).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from ..facts import Fact, FactKind
from ..schemes.adapter import Adapter
from ..schemes.architectures import Architecture, ArchitectureError, Line
from ..schemes.endings import all_endings, endings, texts
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "adapter-prefix": FactKind(
        "Parameters of an adapter do not begin with the prefix of the wrapped model.",
        ("prefix", "tensors", "of", "meant"),
    ),
    "adapter-headless": FactKind(
        "An adapter names the layers of a bare model, but was made for one with a head.",
        ("layers", "where", "purpose", "tensors"),
    ),
    "adapter-rank": FactKind(
        "A module of an adapter has another rank than declared.", ("module", "rank", "declared", "where")
    ),
    "target-lost": FactKind(
        "A target that the base model is known to have has no tensors.", ("target", "where", "model_type", "found")
    ),
    "target-unused": FactKind("A target has no tensors.", ("target", "where", "found")),
    "target-gap": FactKind("A target has tensors in nearly every layer.", ("module", "layer", "have", "of", "where")),
    "undeclared-target": FactKind("A module has an adapter, but is no target.", ("module", "where", "tensors")),
    "saved-module-missing": FactKind(
        "A module is declared to be saved whole, but has no tensors.", ("module", "where", "certain")
    ),
    "dead-setting": FactKind("A pattern for single modules covers none.", ("pattern", "where")),
    "base-weight": FactKind("A weight of the base model lies in the file of an adapter.", ("tensors", "bytes", "of")),
}
_NUMBERED = re.compile(r"([^.]+)\.\d+\.")
_ENDS = frozenset({"embedding", "head"})


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about an adapter; none about other checkpoints, and few about a kind that is not known."""
    adapter = view.adapter
    if adapter is None or not adapter.judged or not view.checkpoint.whole or not adapter.names:
        return
    yield from _prefix(view, adapter)
    yield from _headless(view, adapter)
    yield from _ranks(view, adapter)
    if adapter.modules:
        yield from _targets(view, adapter)
        yield from _gaps(view, adapter)
        yield from _undeclared(view, adapter)
        yield from _settings(adapter)
    yield from _saved(view, adapter)
    yield from _base_weights(view, adapter)


def _prefix(view: View, adapter: Adapter) -> Iterator[Fact]:
    """The library looks for names of the wrapped model; what has none of them is not loaded, and nothing stops."""
    owned = [name for module in adapter.modules for name in module.tensors]
    odd = [name for name in owned if not name.startswith(adapter.prefix)]
    for name in odd:
        rest = name.removeprefix(adapter.prefix.partition(".")[0] + ".")  # one half of the prefix may be there
        values = {
            "prefix": adapter.prefix, "tensors": len(odd), "of": len(owned), "meant": adapter.prefix + rest,
        }  # fmt: skip
        yield Fact("adapter-prefix", view.checkpoint.tensors[name].shard, name, values=values)


def _headless(view: View, adapter: Adapter) -> Iterator[Fact]:
    """Layers right behind the prefix, where the purpose says that the base model has a head beside them.

    In every such class of transformers the layers stand in an inner model, which has a name. Judged are modules of a
    decoder's usual layers alone, as other classes may name theirs as they like.
    """
    if not adapter.headed:
        return
    bare = []
    for module in adapter.modules:
        found = _NUMBERED.search(module.name)
        if found is None:
            continue
        usual = found.start() == 0 and found[1] in view.anatomy.layers
        if not usual or not view.anatomy.is_linear(module.name) or module.name.count(".") < _INSIDE:
            return
        bare.append((module, found[1]))
    for module, layers in bare:
        name = module.tensors[0]
        values = {
            "layers": adapter.prefix + layers, "where": adapter.key("purpose"), "purpose": str(adapter.get("purpose")),
            "tensors": len(adapter.names),
        }  # fmt: skip
        yield Fact("adapter-headless", view.checkpoint.tensors[name].shard, name, values=values)


_INSIDE = 3  # dots of `layers.0.block.module`


def _ranks(view: View, adapter: Adapter) -> Iterator[Fact]:
    """Ranks against what is declared; of a parameter that is no module the rank counts for each expert."""
    declared = adapter.get("rank")
    if not adapter.ranked or type(declared) is not int or declared < 1:
        return
    for module in view.modules.values():
        rank = module.env.get("r")
        if rank is None or module.scheme.quantized or any(p.kind == "shape" for p in module.problems):
            continue
        first = next(iter(module.parts.values()))
        owner = adapter.owner(first.name)
        if not owner:
            continue
        entry = adapter.ranks.find(owner)
        wanted = entry[1] if entry is not None else declared
        if type(wanted) is not int or wanted < 1 or rank == wanted:
            continue
        if adapter.get("parameters") and rank % wanted == 0:
            continue
        where = f"{adapter.key('ranks')}.{entry[0]}" if entry is not None else adapter.key("rank")
        values = {"module": owner, "rank": rank, "declared": wanted, "where": where}
        yield Fact("adapter-rank", first.shard, first.name, values=values)


def _targets(view: View, adapter: Adapter) -> Iterator[Fact]:
    """Entries of the list of targets without a tensor; lists often name what only other models have.

    Where modules are left out on purpose, all of an entry may be.
    """
    left_out = adapter.get("left_out")
    if left_out and not isinstance(left_out, list):
        return
    out = all_endings(texts(left_out))
    lost = [t for t in adapter.targets if t not in adapter.adapted and t not in out and not adapter.holds(t)]
    if not lost:
        return
    known = _base(view, adapter)
    names, certain = _Modules(known, always=False), _Modules(known, always=True)
    plain = {_plain(module.name) for module in adapter.modules}
    sure = known is not None and all(map(names.has, plain))
    found = sorted({module.name.rpartition(".")[2] for module in adapter.modules})[:_SHOWN]
    for target in lost:
        values = {"target": target, "where": adapter.key("targets"), "found": ", ".join(found)}
        if sure and known is not None and certain.has(_plain(target)):
            yield Fact("target-lost", adapter.file, values={**values, "model_type": known.type})
        else:
            yield Fact("target-unused", adapter.file, values=values)


_SHOWN = 12  # names in a message


def _base(view: View, adapter: Adapter) -> Architecture | None:
    """The architecture of the base model, by its type or its name; None where neither tells.

    The name of a repository begins with that of its architecture (Qwen/Qwen3-4B); the longest that is known counts.
    Where the name says that there are experts, it is not certain which of them are modules.
    """
    types: list[str] = [adapter.model_type] if adapter.model_type else []
    name = str(adapter.get("base") or "").replace("\\", "/").rstrip("/").rpartition("/")[2].lower()
    if not types and not any(fnmatchcase(name, glob) for glob in adapter.form.routed):
        words = [w for w in re.split(r"[^a-z0-9]+", name[:_LONGEST]) if w][:_WORDS]
        for start in range(min(len(words), 2)):
            for end in range(len(words), start, -1):
                types += dict.fromkeys(joint.join(words[start:end]) for joint in ("_", "-", ""))
    for model_type in types:
        try:
            found = view.knowledge.architecture(model_type)
        except ArchitectureError:
            continue
        if found is not None:
            return found
    return None


_LONGEST, _WORDS = 100, 5  # characters and words of a name that are looked at


class _Modules:
    """The linear modules of every class of a model type, numbers as `*`; those that it has `always`, or all."""

    def __init__(self, architecture: Architecture | None, always: bool) -> None:
        layouts = architecture.layouts.values() if architecture is not None else ()
        lines = (line for layout in layouts for line in layout.lines.values() if line.linear)
        self._names = frozenset(
            line.pattern.removesuffix(".weight") for line in lines if not always or _unconditional(line)
        )
        self._ends = all_endings(self._names)

    def has(self, name: str) -> bool:
        """Whether a name ends as one of the modules does, or one of them as the name."""
        return name in self._ends or not self._names.isdisjoint(endings(name))


def _unconditional(line: Line) -> bool:
    """Whether every model of the type has a tensor."""
    try:
        return line.cases[0].condition is None and not line.cases[0].maybe
    except ArchitectureError:
        return False


def _plain(name: str) -> str:
    return re.sub(r"(?<![^.])\d+(?![^.])", "*", name)


def _gaps(view: View, adapter: Adapter) -> Iterator[Fact]:
    """Modules that single layers lack, although others beside them in the block are there.

    A list of targets means them in every layer, unless it is said which layers are meant, or what is left out.
    """
    if not adapter.targets or adapter.get("left_out") or adapter.get("only_layers") is not None:
        return
    layers: dict[tuple[str, str], dict[str, set[int]]] = {}  # (before the number, block behind it) -> module -> layers
    for module in adapter.modules:
        found = _LAYER.fullmatch(module.name)
        if found is not None:
            rows = layers.setdefault((found[1], found[3] or ""), {})
            rows.setdefault(found[4], set()).add(int(found[2]))
    for (stack, block), rows in layers.items():
        every = set().union(*rows.values())
        for leaf, have in rows.items():
            lacking = sorted(every - have)
            lacking = [layer for layer in lacking if layer < max(have)]  # the last layers may share what others have
            if not lacking or len(have) < _MANY or len(lacking) * _SHARE > len(every):
                continue
            for layer in lacking:
                name, where = f"{stack}.{layer}.{block}{leaf}", adapter.key("targets")
                values = {"module": name, "layer": layer, "have": len(have), "of": len(every), "where": where}
                yield Fact("target-gap", adapter.file, values=values)


_LAYER = re.compile(r"([^\d]*?)\.(\d{1,6})\.((?:[^.]+\.)*)([^.]+)")
_MANY, _SHARE = 3, 4  # layers that have a module, and at most one of so many that lacks it


def _undeclared(view: View, adapter: Adapter) -> Iterator[Fact]:
    """Modules that no target covers: the library makes no place for them, and drops what it loads."""
    if adapter.get("parameters"):
        return
    odd = [module for module in adapter.modules if not adapter.is_target(module.name)]
    for module in odd:
        name = module.tensors[0]
        values = {"module": module.name, "where": adapter.key("targets"), "tensors": len(module.tensors)}
        yield Fact("undeclared-target", view.checkpoint.tensors[name].shard, name, values=values)


def _settings(adapter: Adapter) -> Iterator[Fact]:
    """Patterns for single modules that cover none of those that are there; those of parameters are for no module."""
    if adapter.get("parameters"):
        return
    for word, table in (("ranks", adapter.ranks), ("strengths", adapter.strengths)):
        for pattern in table.unused(module.name for module in adapter.modules):
            yield Fact("dead-setting", adapter.file, values={"pattern": pattern, "where": adapter.key(word)})


def _saved(view: View, adapter: Adapter) -> Iterator[Fact]:
    """Modules that are declared to be saved, and are not.

    The library refuses to make an adapter when it finds none of them in the base model, so that one at least was there;
    ends of the model are in nearly all. On loading it asks for the tensors of every one that is in the model.
    """

    lost = [entry for entry in adapter.saved if not adapter.holds(entry)]
    none = len(lost) == len(adapter.saved)
    for entry in lost:
        certain = none or not _ENDS.isdisjoint(view.anatomy.roles(entry))
        yield Fact("saved-module-missing", adapter.file, values=_missing(adapter, entry, certain))
    if adapter.heads and not adapter.saved and not any(map(adapter.holds, adapter.heads)):
        entry = " or ".join(adapter.heads)
        yield Fact("saved-module-missing", adapter.file, values=_missing(adapter, entry, True))


def _missing(adapter: Adapter, entry: str, certain: bool) -> dict[str, object]:
    return {"module": entry, "where": adapter.key("saved"), "certain": int(certain)}


def _base_weights(view: View, adapter: Adapter) -> Iterator[Fact]:
    """Tensors that no adapter of its kind has, of modules of the base model."""
    tensors = view.checkpoint.tensors
    odd = [name for name in adapter.names if not adapter.expected(name)]
    total = sum(tensors[name].nbytes for name in odd)
    for name in odd:
        values = {"tensors": len(odd), "bytes": total, "of": len(adapter.names)}
        yield Fact("base-weight", tensors[name].shard, name, values=values)


CHECKS = (Check(STATES, run),)
