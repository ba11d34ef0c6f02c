"""Modules against the contract of their scheme: missing parts, dtypes, shapes, orphans, and what fits no scheme."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..dtypes import PLAIN_FLOATS
from ..facts import Fact, FactKind
from ..names import lineage
from ..schemes.declared import Declaration
from ..schemes.model import Part
from ..schemes.module import Module, Problem
from ..schemes.shapes import Env, Shape, show
from ..schemes.view import View
from .check import Check
from .renamed import Renamed

STATES: Mapping[str, FactKind] = {
    "missing-part": FactKind(
        "A module lacks a part its scheme needs.",
        ("module", "part", "scheme", "suffix", "have", "of", "declared", "seen", "effect", "mend"),
    ),
    "activations-undeclared": FactKind(
        "Activation settings are declared, but no module has the scale for them.", ("part", "modules", "where")
    ),
    "part-nowhere": FactKind(
        "At least one module must have a part by what is declared, and none has it.",
        ("part", "modules", "where", "declared"),
    ),
    "wrong-dtype": FactKind(
        "A part has a dtype its scheme does not allow.", ("module", "part", "scheme", "found", "wanted")
    ),
    "wrong-shape": FactKind(
        "A part's shape does not fit the others.",
        ("module", "part", "scheme", "found", "wanted", "other", "other_shape", "hint", "effect", "mend"),
    ),
    "orphan-part": FactKind(
        "A scale or other part belongs to no quantized weight.", ("module", "part", "scheme", "weight_dtype")
    ),
    "unknown-scheme": FactKind("Modules look quantized but fit no known scheme.", ("signature", "module", "modules")),
    "ambiguous-scheme": FactKind("Modules fit several schemes equally well.", ("scheme", "rivals", "module")),
    "unknown-part": FactKind("A quantized module has a tensor that its scheme does not know.", ("module", "scheme")),
    "second-weight": FactKind(
        "A quantized module has a weight in plain floats as well.", ("module", "scheme", "dtype")
    ),
    "leaked-state": FactKind("State of a quantizer or observer was saved with the weights.", ("owner",)),
    "missing-companion": FactKind(
        "Modules are known by a tensor beside them all, and it is not there.", ("scheme", "beside", "modules")
    ),
}
_INPUT_SCALES = ("input_scale", "input_tensor_scale")


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about every module of a quantized scheme, its siblings giving the measure of what is needed."""
    known = view.checkpoint.unreadable_names
    renamed = Renamed(view)
    cut = frozenset(p for name in known for p in lineage(name))
    for module in view.recognised.modules:
        for problem in module.problems if module.name not in cut else ():
            if problem.kind != "missing" or module.name + module.scheme.parts[problem.part].suffix not in known:
                yield from _problem(view, renamed, module, problem)
        if not module.scheme.quantized:
            yield from _orphans(view, module) if module.name not in cut else ()
        else:
            for tensor in module.left_over:
                values = {"module": module.name, "scheme": module.scheme.name}
                plain = tensor.name == f"{module.name}.weight" and tensor.dtype in PLAIN_FLOATS
                if plain and len(tensor.shape) == 2 and "weight" in module.parts:
                    yield Fact("second-weight", tensor.shard, tensor.name, values={**values, "dtype": tensor.dtype})
                else:
                    yield Fact("unknown-part", tensor.shard, tensor.name, values=values)
        if module.rivals:
            named: dict[str, Any] = {
                "scheme": module.scheme.name,
                "rivals": list(module.rivals),
                "module": module.name,
            }
            yield Fact("ambiguous-scheme", _file(module), _any_tensor(module), values=named)
    yield from _together(view, renamed, known)
    yield from _sets(view, renamed, known)
    yield from _nowhere(view)
    yield from _leaked(view, renamed)
    yield from _alone(view)
    for unknown in view.recognised.unknown:
        if all(tensor.name in renamed.found for tensor in unknown.tensors):
            continue
        first = unknown.tensors[0]
        said = {"signature": unknown.signature, "module": unknown.name, "modules": 1}
        yield Fact("unknown-scheme", first.shard, first.name, values=said)


def _leaked(view: View, renamed: Renamed) -> Iterator[Fact]:
    """Tensors of observers and quantizers that no scheme knows: what calibration needed, not inference."""
    for tensor in view.checkpoint.tensors.values():
        if tensor.name in renamed.found:
            continue
        owner = tensor.name.rpartition(".")[0]
        if "calibration" in view.anatomy.roles(owner) and view.unit_of[tensor.name].part is None:
            yield Fact("leaked-state", tensor.shard, tensor.name, values={"owner": owner})


def _alone(view: View) -> Iterator[Fact]:
    """Modules that readers know by a tensor that stands beside them all, and is nowhere."""
    there = {m.scheme.name for m in view.companions}
    modules: dict[str, list[Module]] = {}
    for module in view.quantized:
        if module.scheme.beside and module.scheme.beside not in there:
            modules.setdefault(module.scheme.beside, []).append(module)
    for beside, found in modules.items() if view.checkpoint.whole else ():
        values = {"scheme": found[0].scheme.name, "beside": beside, "modules": len(found)}
        yield Fact("missing-companion", _file(found[0]), _any_tensor(found[0]), values=values)


def _file(module: Module) -> str:
    return next(iter(module.parts.values())).shard


def _any_tensor(module: Module) -> str:
    return next(iter(module.parts.values())).name


def _missing(view: View, renamed: Renamed, module: Module, part: Part, declared: str = "") -> Fact:
    """The fact that a module lacks a part, with how many modules of its kind have it, whatever these are stored as."""
    siblings = view.siblings.get(module.pattern, (module,))
    have = sum(sibling.name + part.suffix in view.checkpoint.tensors for sibling in siblings)
    other = renamed.other_name(module, part)
    name = module.name + part.suffix
    if other:
        seen, mend = f"{other} has its form", f"Rename {other} to {name}; nothing has to be computed again."
    else:
        seen = f"{have} of {len(siblings)} modules of its kind have it"
        calibration = " with calibration that reaches it" if part.name in _INPUT_SCALES else ""
        export = f"Export the module again{calibration}; a value copied from a sibling is a guess."
        mend = module.scheme.mend or export
    values = {
        "module": module.name, "part": part.name, "scheme": module.scheme.name, "suffix": part.suffix, "have": have,
        "of": len(siblings), "declared": declared, "seen": seen, "effect": module.scheme.effect, "mend": mend,
    }  # fmt: skip
    return Fact("missing-part", _file(module), name, values=values)


def _problem(view: View, renamed: Renamed, module: Module, problem: Problem) -> Iterator[Fact]:
    part = module.scheme.parts[problem.part]
    values: dict[str, Any] = {"module": module.name, "part": part.name, "scheme": module.scheme.name}
    if problem.kind == "missing":
        if part.name == "weight":
            scales = (p for p in module.parts if module.scheme.parts[p].scales == "weight")
            first = next(scales, next(iter(module.parts)))
            present = module.parts[first]
            found = {**values, "part": first, "weight_dtype": "missing"}
            yield Fact("orphan-part", present.shard, present.name, values=found)
        else:
            yield _missing(view, renamed, module, part)
        return
    tensor = module.parts[problem.part]
    if problem.kind == "dtype":
        if part.name == "weight" and tensor.dtype in ("BF16", "F16", "F32"):
            others = sorted(
                (p for p in module.parts if p != "weight"), key=lambda p: module.scheme.parts[p].scales != "weight"
            )
            if others:
                first = others[0]
                found = {**values, "part": first, "weight_dtype": tensor.dtype}
                yield Fact("orphan-part", module.parts[first].shard, module.parts[first].name, values=found)
                return
        values.update(found=tensor.dtype, wanted=" or ".join(part.dtypes))
        yield Fact("wrong-dtype", tensor.shard, tensor.name, values=values)
        return
    yield Fact(
        "wrong-shape",
        tensor.shard,
        tensor.name,
        values={**values, **_shape_values(view, module, part, problem.detail["env"])},
    )


def _shape_values(view: View, module: Module, part: Part, env: Env) -> Mapping[str, Any]:
    tensor = module.parts[part.name]
    known = [shape for shape in part.shapes if all(d.symbols <= env.keys() for d in shape)] or list(part.shapes)
    known = [shape for shape in known if len(shape) == len(tensor.shape)] or known
    usual = Counter(m.labels[part.name] for m in view.quantized if m.scheme is module.scheme and part.name in m.labels)
    if usual:
        # The kind of scale that the other modules have is the one that is meant.
        label = usual.most_common(1)[0][0]
        alike = [shape for shape, own in zip(part.shapes, part.labels, strict=True) if own == label and shape in known]
        known = alike or known
    wanted = " or ".join(dict.fromkeys(show(shape, env) for shape in known))
    other = part.scales or next((p for p in module.parts if p != part.name), part.name)
    other = other if other in module.parts else next(iter(module.parts))
    return {
        "found": list(tensor.shape),
        "wanted": wanted,
        "other": other,
        "other_shape": list(module.parts[other].shape),
        "hint": _shape_hint(tensor.shape, known, env),
        "effect": module.scheme.effect,
        "mend": module.scheme.mend,
    }


def _shape_hint(found: tuple[int, ...], wanted: Sequence[Shape], env: Env) -> str:
    """What a wrong shape looks like beside those that are wanted, in words."""
    for shape in wanted:
        sizes = tuple(d.value(env) if d.symbols <= env.keys() else None for d in shape)
        if len(found) == len(sizes):  # what nothing settles may be as it is
            sizes = tuple(f if size is None else size for f, size in zip(found, sizes, strict=True))
        if None in sizes:
            continue
        exact = tuple(s for s in sizes if s is not None)
        if found == exact[::-1] and len(exact) > 1:
            return "it is transposed"
        if len(found) == 1 and len(exact) > 1 and found[0] == _product(exact):
            return "it was flattened, as runtimes do after loading"
        if len(found) == len(exact):
            odd = [(f, e) for f, e in zip(found, exact, strict=True) if f != e]
            if len(odd) == 1 and odd[0][0] and odd[0][1]:
                f, e = odd[0]
                if e % f == 0:
                    return f"it has 1/{e // f} of the size it needs in one dimension"
                if f % e == 0:
                    return f"it has {f // e} times the size it needs in one dimension"
        if [f for f in found if f != 1] == [e for e in exact if e != 1]:
            return "only dimensions of size 1 differ"
    return "no known layout gives this shape"


def _product(sizes: tuple[int, ...]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


def _orphans(view: View, module: Module) -> Iterator[Fact]:
    """Scales and packed parts left over beside a weight that is not quantized."""
    weight = module.parts.get("weight")
    for tensor in module.left_over:
        leaf = tensor.name.rpartition(".")[2]
        if any(word in leaf for word in view.anatomy.left_over):
            values = {
                "module": module.name,
                "part": leaf,
                "scheme": module.scheme.name,
                "weight_dtype": weight.dtype if weight else "missing",
            }
            yield Fact("orphan-part", tensor.shard, tensor.name, values=values)


def _together(view: View, renamed: Renamed, known: frozenset[str]) -> Iterator[Fact]:
    """Parts that all modules of a kind have or none: missing where a sibling, or the declared activations, say so."""
    anywhere = {(m.scheme.name, p) for m in view.quantized for p in m.parts}
    undeclared: dict[str, list[Module]] = {}
    for siblings in view.siblings.values():
        for part_name in dict.fromkeys(
            p.name for m in siblings if m.scheme.quantized for p in m.scheme.parts.values() if p.needed == "together"
        ):
            owners = [m for m in siblings if m.scheme.quantized and part_name in m.scheme.parts]
            having = [m for m in owners if part_name in m.parts]
            lacking = [m for m in owners if part_name not in m.parts]
            if not lacking:
                continue
            for module in lacking:
                part = module.scheme.parts[part_name]
                name = module.name + part.suffix
                if name in known:
                    continue
                same_scheme = [m for m in having if m.scheme is module.scheme]
                # A scheme with both has them as two names of one thing.
                wanted = part.name in _INPUT_SCALES and module.parts.keys().isdisjoint(_INPUT_SCALES)
                declared = _declared_static(view, module) if wanted else ""
                if (
                    same_scheme
                    or _always_stored(view, module, part_name)
                    or (declared == "exact" and _first_alternative(module, part_name))
                    or (declared and (module.scheme.name, part_name) in anywhere)
                ):
                    words = "static activations are declared" if declared else ""
                    yield _missing(view, renamed, module, part, words)
                elif declared:
                    undeclared.setdefault(part_name, []).append(module)
    for part_name, modules in undeclared.items():
        main = view.declared.main
        values = {"part": part_name, "modules": len(modules), "where": main.where if main else ""}
        yield Fact("activations-undeclared", main.file if main else "", values=values)


def _sets(view: View, renamed: Renamed, known: frozenset[str]) -> Iterator[Fact]:
    """Parts of which a module has all or none: those missing beside others of the set."""
    for module in view.quantized:
        wanted = [p for p in module.scheme.parts.values() if p.needed == "set"]
        lacking = [p for p in wanted if p.name not in module.parts]
        if not wanted or not 0 < len(lacking) < len(wanted):
            continue
        for part in lacking:
            if module.name + part.suffix not in known:
                yield _missing(view, renamed, module, part)


def _nowhere(view: View) -> Iterator[Fact]:
    """Parts that exporters leave to some modules, and fold into the layers before others, which no module has."""
    main = view.declared.main
    if main is None or not view.checkpoint.whole:
        return
    for part, conditions in main.dialect.somewhere.items():
        able = [m for m in view.quantized if part in m.scheme.parts and _declared_so(main, m, conditions)]
        if able and not any(part in module.parts for module in view.quantized):
            declared = ", ".join(str(main.expect(able[0].name).values.get(field)) for field in conditions)
            values = {"part": part, "modules": len(able), "where": main.where, "declared": declared}
            yield Fact("part-nowhere", _file(able[0]), _any_tensor(able[0]), values=values)


def _declared_so(main: Declaration, module: Module, conditions: Mapping[str, tuple[Any, ...]]) -> bool:
    expected = main.expect(module.name)
    return bool(expected.quantized) and all(expected.values.get(k) in v for k, v in conditions.items())


def _declared_static(view: View, module: Module) -> str:
    """`exact` when a trusted declaration says that activation scales are stored, `loose` when another does."""
    main = view.declared.main
    if main is None:
        return ""
    expected = main.expect(module.name)
    if not expected.quantized or expected.values.get("activations") not in ("static", "local"):
        return ""
    return "exact" if main.dialect.trust_activations else "loose"


def _always_stored(view: View, module: Module, part_name: str) -> bool:
    """Whether the exporters of the declared method write this part for every module like this one."""
    main = view.declared.main
    conditions = main.dialect.stores.get(part_name) if main is not None else None
    return main is not None and conditions is not None and _declared_so(main, module, conditions)


def _first_alternative(module: Module, part_name: str) -> bool:
    """Whether this is the activation scale to expect when several names for it are possible."""
    return next(p for p in module.scheme.parts if p in _INPUT_SCALES) == part_name


CHECKS = (Check(STATES, run),)
