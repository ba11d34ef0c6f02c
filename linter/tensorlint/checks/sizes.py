"""Modules that are wired together have to fit: the hidden size runs through all of them, an MLP's sizes agree.

The hidden size and the sizes of attention need a witness, another module of the same role that does fit: a model family
whose modules are wired in another way than the usual decoder is then never taken for a damaged one. A bias and what the
families say is equal need none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..facts import Fact, FactKind
from ..names import pattern_of
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "size-contradiction": FactKind(
        "A module's size does not fit the modules it is wired to.",
        ("module", "side", "found", "expected", "why", "shape"),
    ),
}


_PAIR = 2


@dataclass(frozen=True)
class _Side:
    """One side of a module and its size."""

    module: Module
    side: str
    size: int


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about modules whose size contradicts that of their neighbours."""
    if not view.checkpoint.whole or view.known is not None:  # the architecture says more
        return
    said: set[str] = set()
    decoder = (*_hidden(view), *_attention(view)) if view.layers else ()
    # Without a config.json nobody knows whose matrices are stored on their side, or how wide packed codes are.
    told = bool(view.checkpoint.config("config.json"))
    alone = list(_biases(view)) if told else []
    blamed = {odd.module.name.rpartition(".")[0] for odd, _, _ in alone}
    wired = (found for found in _wired(view) if found[0].module.name.rpartition(".")[0] not in blamed)
    for odd, expected, why in (*alone, *(wired if told else ()), *decoder):
        name = odd.module.name
        if name in said:
            continue
        said.add(name)
        tensor = odd.module.parts.get("weight") or next(iter(odd.module.parts.values()))
        values = {
            "module": name,
            "side": odd.side,
            "found": odd.size,
            "expected": expected,
            "why": why,
            "shape": list(tensor.shape),
        }
        yield Fact("size-contradiction", tensor.shard, tensor.name, values=values)


_Odd = tuple[_Side, int, str]


def _inner(view: View) -> Iterator[Module]:
    """Sound modules of the decoder's layers, those of multi-token prediction left out."""
    counted = view.anatomy.count(view.model_config, "layers")
    prefix = view.layers[0].prefix + "."
    for module in view.modules.values():
        if module.name.startswith(prefix) and not module.problems:
            number = module.name[len(prefix) :].partition(".")[0]
            if number.isdigit() and (counted is None or int(number) < counted[1]):
                yield module


def _side(view: View, module: Module, side: str) -> _Side | None:
    shape = module.shape
    return None if shape is None or not view.settled(module) else _Side(module, side, shape[side == "columns"])


def _hidden(view: View) -> Iterator[_Odd]:
    """Modules that read or write the hidden state in another width than the embedding and config.json give it."""
    stated = view.anatomy.count(view.model_config, "hidden")
    embedding = view.end("embedding")
    wide = embedding.shape if embedding is not None else None
    if stated is None or wide is None or wide[1] != stated[1]:
        return
    hidden = stated[1]
    rows: dict[str, list[_Side]] = defaultdict(list)
    for module in _inner(view):
        side = _at_hidden(view, module)
        if side is not None:
            rows[pattern_of(module.name)].append(side)
    fits = False
    for sides in rows.values():
        wrong = [s for s in sides if s.size != hidden]
        fits = fits or len(wrong) < len(sides)
        if wrong and len(wrong) * 2 <= len(sides):
            yield from ((s, hidden, f"{stated[0]} is {hidden}") for s in wrong)
    if not fits:
        return
    head = view.end("head")
    if head is not None and not head.problems and (side := _side(view, head, "columns")) and side.size != hidden:
        yield side, hidden, f"{stated[0]} is {hidden}"
    norm = view.end("final_norm")
    elements = _elements(norm) if norm is not None else None
    if elements is not None and elements.size != hidden:
        yield elements, hidden, f"{stated[0]} is {hidden}"


def _at_hidden(view: View, module: Module) -> _Side | None:
    """The side of a module that is as wide as the hidden state, where it reads or writes that."""
    roles = view.anatomy.roles(module.name)
    if roles.isdisjoint(("reads", "writes")):
        return None
    if "norm" in roles:
        return _elements(module)
    return _side(view, module, "columns" if "reads" in roles else "rows")


def _elements(norm: Module) -> _Side | None:
    weight = norm.parts.get("weight")
    return _Side(norm, "elements", weight.shape[0]) if weight is not None and len(weight.shape) == 1 else None


def _children(view: View) -> Mapping[str, dict[str, Module]]:
    found: dict[str, dict[str, Module]] = defaultdict(dict)
    for module in _inner(view):
        parent, _, leaf = module.name.rpartition(".")
        found[parent][leaf] = module
    return found


def _biases(view: View) -> Iterator[_Odd]:
    """Linear layers whose bias has another length than their weight has rows: what tells that all layers are wrong."""
    for module in view.modules.values():
        bias = module.parts.get("bias") or view.checkpoint.tensors.get(f"{module.name}.bias")
        if bias is None or len(bias.shape) != 1 or module.problems:
            continue
        roles = view.anatomy.roles(module.name)
        side = _side(view, module, "columns" if "transposed" in roles and not module.scheme.quantized else "rows")
        if side is not None and side.size != bias.shape[0] and "router" not in roles:
            yield side, bias.shape[0], f"its bias has {bias.shape[0]}"


def _wired(view: View) -> Iterator[_Odd]:
    """Modules of a block whose sizes do not fit each other: of what feeds and what is fed, of what reads the same.

    Where blocks of the same kind do fit, they are the witness. Without one, only blocks inside of numbered layers are
    judged, and two sizes of which one is twice the other are taken for a gate and its values in one matrix.
    """
    rows = view.anatomy.wired("equal")
    leaves: dict[str, list[tuple[int, str]]] = defaultdict(list)  # by last component: (row, name in the row)
    for number, row in enumerate(rows):
        for name in row:
            leaves[name.rpartition(".")[2]].append((number, name))
    blocks: dict[tuple[int, str], dict[str, Module]] = defaultdict(dict)
    for module in view.modules.values():
        for number, name in leaves.get(module.name.rpartition(".")[2], ()):
            if not module.problems and (module.name == name or module.name.endswith("." + name)):
                blocks[number, module.name[: len(module.name) - len(name)].rstrip(".")][name] = module
    sound: set[tuple[int, str]] = set()
    broken: dict[tuple[int, str], list[_Side]] = {}
    for (number, parent), children in blocks.items():
        row = rows[number]
        sides = [s for name, m in children.items() if (s := _side(view, m, row[name])) is not None]
        alike = len(set(row.values())) == 1  # what reads the same: two of three may be another block's
        if len(sides) < (len(row) if alike else _PAIR) or (alike and _crossed(view, children)):
            continue
        if len({s.size for s in sides}) == 1:
            sound.add((number, pattern_of(parent)))
        else:
            broken[number, parent] = sides
    for (number, parent), sides in broken.items():
        pattern = pattern_of(parent)
        if (number, pattern) not in sound and ("*" not in pattern or _gated(sides)):
            continue
        usual = _usual(view, sides)
        for side in sides:
            if side.size != usual:
                others = " and ".join(s.module.name.rpartition(".")[2] for s in sides if s.size == usual)
                yield side, usual, f"{others} have {usual}" if others else "as its neighbours have"


def _crossed(view: View, children: Mapping[str, Module]) -> bool:
    """Whether what reads here may read from different places, as in cross attention."""
    return any("cross" in view.anatomy.roles(module.name) for module in children.values())


def _gated(sides: list[_Side]) -> bool:
    """Whether one matrix may hold a gate and its values, of which the next one is fed half."""
    wide = [s.size for s in sides if s.side == "rows"]
    narrow = [s.size for s in sides if s.side == "columns"]
    return len(wide) == len(narrow) == 1 and wide[0] == 2 * narrow[0]


def _usual(view: View, sides: list[_Side]) -> int:
    """The size that most of a few sides have; between equals, the one their siblings have."""
    counted = Counter(s.size for s in sides)
    best = counted.most_common()
    if len(best) == 1 or best[0][1] > best[1][1]:
        return best[0][0]
    votes = Counter(
        other.size
        for s in sides
        for m in view.siblings.get(s.module.pattern, ())
        if m is not s.module and (other := _side(view, m, s.side)) is not None and other.size in counted
    )
    return votes.most_common(1)[0][0] if votes else best[0][0]


def _attention(view: View) -> Iterator[_Odd]:
    """Attention blocks in which the ratio of two sizes is not that of the other layers."""
    for wired in view.anatomy.wired("in_ratio"):
        (first, first_side), (second, second_side), *_ = wired.items()
        # Blocks with other projections are another kind of attention (linear attention beside full attention).
        rows: dict[tuple[str, frozenset[str]], list[tuple[_Side, _Side]]] = defaultdict(list)
        for parent, children in _children(view).items():
            if first in children and second in children:
                one, two = _side(view, children[first], first_side), _side(view, children[second], second_side)
                if one is not None and two is not None and one.size and two.size:
                    rows[pattern_of(parent), frozenset(children)].append((one, two))
        for pairs in rows.values():
            # Between equals an equal size wins.
            ratios = Counter(one.size / two.size for one, two in pairs)
            usual = max(ratios, key=lambda r: (ratios[r], r == 1.0))
            if ratios[usual] * 2 < len(pairs) or (ratios[usual] * 2 == len(pairs) and usual != 1.0):
                continue
            for one, two in pairs:
                if one.size / two.size == usual:
                    continue
                elsewhere = {s.size for pair in pairs for s in pair if pair[0] is not one}
                odd, other = (one, two) if one.size not in elsewhere or two.size in elsewhere else (two, one)
                expected = round(other.size * usual) if odd is one else round(other.size / usual)
                yield odd, expected, f"{other.module.name.rpartition('.')[2]} has {other.size} {other.side}"


CHECKS = (Check(STATES, run),)
