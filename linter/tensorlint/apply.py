"""Rules applied to units: what a unit's words mean, drafts of findings, and their grouping into findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .dtypes import Encoding, code_table
from .facts import Fact
from .findings import MAX_LOCATIONS, Evidence, Finding, Location
from .measures.interface import COUNTED, WORDS, Measures, total
from .names import short
from .producers import known_defect
from .rulebook import message
from .rulebook.model import Rule
from .schemes.recognise import Module
from .selection import Selection
from .sources.interface import Source
from .view import TensorUnit, View

Measured = Mapping[tuple[str, str], Measures]


@dataclass(frozen=True)
class Draft:
    """One unit that a rule objects to; drafts of one rule and checkpoint become one finding."""

    rule: Rule
    checkpoint: str
    location: Location
    lookup: Callable[[str], Any]
    measures: Measures | None = None
    unit: TensorUnit | None = None
    view: View | None = None


def apply_facts(rules: Iterable[Rule], facts: Iterable[Fact], view: View, checkpoint: str) -> Iterator[Draft]:
    """Facts that a rule turns into findings."""
    by_fact: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.fact:
            by_fact.setdefault(rule.fact, []).append(rule)
    for fact in facts:
        for rule in by_fact.get(fact.kind, ()):
            lookup = _fact_lookup(fact, rule)
            if all(test(lookup) for test in rule.when):
                location = Location(fact.file, fact.tensor, None, fact.offset)
                yield Draft(rule, checkpoint, location, lookup, view=view)


def _fact_lookup(fact: Fact, rule: Rule) -> Callable[[str], Any]:
    def lookup(name: str) -> Any:
        if name in fact.values:
            return fact.values[name]
        own = {"file": fact.file, "tensor": fact.tensor, "offset": fact.offset}
        return own[name] if name in own else rule.params.get(name)

    return lookup


def tensor_lookup(unit: TensorUnit, measures: Measures | None, params: Mapping[str, float]) -> Callable[[str], Any]:
    """Words and fields of one tensor."""
    tensor = unit.tensor

    def lookup(name: str) -> Any:
        if name.endswith("_share") and measures is not None and name[:-6] in COUNTED:
            return getattr(measures, name[:-6]) / measures.count if measures.count else 0.0
        if name in WORDS and name not in params and measures is not None:
            return measures.value(name)
        own = {
            "tensor": tensor.name,
            "file": tensor.shard,
            "part": unit.part.name if unit.part else "tensor",
            "module": unit.module.name if unit.module else tensor.name.rpartition(".")[0],
            "scheme": unit.module.scheme.name if unit.module else "none",
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "tensors": 1,
        }
        if name in own:
            return own[name]
        if name in params:
            return params[name]
        return measures.value(name) if measures is not None else None

    return lookup


def apply_tensors(rules: Iterable[Rule], view: View, measured: Measured, checkpoint: str) -> Iterator[Draft]:
    """Tensors that do not meet a rule."""
    selection = Selection(rules)
    for unit in view.units:
        found = measured.get((unit.tensor.shard, unit.tensor.name))
        for rule in selection.of(unit).rules:
            if rule.words and (found is None or not found.count):
                continue
            lookup = tensor_lookup(unit, found, rule.params)
            if all(t(lookup) for t in rule.when) and not all(t(lookup) for t in rule.require):
                location = _place(unit, found, rule.points_at)
                yield Draft(rule, checkpoint, location, lookup, found, unit, view)


def _place(unit: TensorUnit, found: Measures | None, word: str) -> Location:
    tensor = unit.tensor
    at = found.positions.get(word) if found is not None else None
    if at is None:
        return Location(tensor.shard, tensor.name, None, tensor.begin)
    width = max(1, unit.encoding.bits // 8)
    stored = tensor.nbytes // width
    index: tuple[int, ...] | None = None
    if stored == tensor.elements:
        index = tuple(int(i) for i in np.unravel_index(at, tensor.shape)) if tensor.shape else ()
    return Location(tensor.shard, tensor.name, index, tensor.begin + at * width)


def _module_lookup(module: Module, view: View, measured: Measured, params: Mapping[str, float]) -> Callable[[str], Any]:
    def lookup(name: str) -> Any:
        if name in ("N", "K", "E"):
            return module.env.get(name)
        first, _, rest = name.partition(".")
        if rest and first == "config":
            return _config(view, rest)
        if rest:
            tensor = module.parts.get(first)
            if tensor is None:
                return None
            if rest in ("dtype", "shape", "name"):
                return getattr(tensor, rest)
            unit = view.unit_of[tensor.name]
            return tensor_lookup(unit, measured.get((tensor.shard, tensor.name)), {})(rest)
        own = {"module": module.name, "scheme": module.scheme.name, "modules": 1}
        return own.get(name, params.get(name))

    return lookup


def _config(view: View, path: str) -> Any:
    for config in (view.checkpoint.config("config.json"), view.checkpoint.model_config):
        value: Any = config
        for step in path.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def apply_modules(rules: Iterable[Rule], view: View, measured: Measured, checkpoint: str) -> Iterator[Draft]:
    """Modules, and whole checkpoints, that do not meet a rule."""
    rules = tuple(rules)
    for rule in rules:
        if rule.each == "checkpoint":
            file = view.checkpoint.path("config.json")

            def lookup(name: str, rule: Rule = rule, file: str = file) -> Any:
                if name.startswith("config."):
                    return _config(view, name[7:])
                return file if name == "file" else rule.params.get(name)

            if all(t(lookup) for t in rule.when) and not all(t(lookup) for t in rule.require):
                yield Draft(rule, checkpoint, Location(file), lookup)
    wanted = [r for r in rules if r.each == "module"]
    for module in view.modules.values() if wanted else ():
        first = module.parts.get("weight") or next(iter(module.parts.values()))
        properties = {
            "scheme": module.scheme.name,
            "roles": view.anatomy.roles(module.name),
            "module": module.name,
        }
        for rule in wanted:
            if not rule.scope.covers(quantized=module.scheme.quantized, **properties):  # type: ignore[arg-type]
                continue
            found = _module_lookup(module, view, measured, rule.params)
            if all(t(found) for t in rule.when) and not all(t(found) for t in rule.require):
                yield Draft(rule, checkpoint, Location(first.shard, first.name), found)


# -- from drafts to findings ----------------------------------------------------------------------------------------


def finish(drafts: Iterable[Draft], source: Source) -> Iterator[Finding]:
    """Group drafts by rule and checkpoint; show the bytes of the first."""
    groups: dict[tuple[str, str], list[Draft]] = {}
    for draft in drafts:
        groups.setdefault((draft.checkpoint, draft.rule.id), []).append(draft)
    for (checkpoint, _), group in groups.items():
        yield _finding(group, checkpoint, source)


def _finding(group: list[Draft], checkpoint: str, source: Source) -> Finding:
    rule, first = group[0].rule, group[0]
    lookup = first.lookup
    values: dict[str, Any] = {}
    measured = [d.measures for d in group if d.measures is not None]
    if measured and first.unit is not None:
        whole = total(measured)
        lookup = tensor_lookup(first.unit, whole, rule.params)
        words = sorted({w for words in rule.words.values() for w in words} | {"count"})
        values = {w: _plain(whole.value(w)) for w in words}
    else:
        values = {n: _plain(lookup(n)) for n in dict.fromkeys(message.fields(rule.message)) if not n.startswith("{")}

    def fill(name: str) -> Any:
        return len(group) if name in ("tensors", "modules") and measured else lookup(name)

    text = message.fill(rule.message, fill)
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        message=text,
        effect=message.fill(rule.effect, lookup) if rule.effect else "",
        remedy=message.fill(rule.remedy, lookup) if rule.remedy else "",
        see=rule.see,
        count=len(group),
        values=values,
        locations=tuple(d.location for d in group[:MAX_LOCATIONS]),
        evidence=_evidence(first, source),
        note=known_defect(first.view.declared, first.view.book.producers.values(), rule.id) if first.view else "",
        checkpoint=checkpoint,
    )


def _plain(value: Any) -> Any:
    """A value that JSON can carry."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


_WINDOW = 4  # elements shown on either side


def _evidence(draft: Draft, source: Source) -> Evidence | None:
    """The stored bytes around the place a rule points at, or of a lone scalar."""
    unit, location = draft.unit, draft.location
    if unit is None or draft.measures is None or location.byte_offset is None:
        return None
    tensor = unit.tensor
    width = max(1, unit.encoding.bits // 8)
    stored = tensor.nbytes // width
    if location.index is None and stored != 1:
        return None
    at = (location.byte_offset - tensor.begin) // width
    columns = tensor.shape[-1] if tensor.shape else 1
    row = at - at % columns if columns else at
    low, high = max(row, at - _WINDOW), min(row + columns, at + _WINDOW + 4, stored)
    try:
        file = source.open(tensor.shard)
        raw = file.read(tensor.begin + low * width, (high - low) * width)
        file.close()
    except Exception:  # the bytes are an illustration; the finding stands without them
        return None
    pieces = [raw[i : i + width] for i in range(0, len(raw), width)]
    bad = _is_bad(unit.encoding, draft.rule.points_at)
    marked = frozenset(i for i, piece in enumerate(pieces) if bad(piece)) or frozenset({at - low})
    start = (
        tuple(int(i) for i in np.unravel_index(low, tensor.shape)) if tensor.shape and stored == tensor.elements else ()
    )
    note = _explain(unit.encoding, pieces[min(marked)], draft.rule.points_at)
    elements = tuple(p[::-1].hex() for p in pieces)
    return Evidence(tensor.name, tensor.dtype, tensor.shape, start, elements, marked, note)


def _is_bad(encoding: Encoding, word: str) -> Callable[[bytes], bool]:
    from .measures.cpu import CpuKernel  # the same kernel that counted them decides which ones are shown

    kernel = CpuKernel()

    def bad(piece: bytes) -> bool:
        if word not in COUNTED:
            return False
        data = np.frombuffer(piece, np.uint8)
        return bool(kernel.measure(data, encoding, frozenset({word}), 0, 0).value(word))

    return bad


_NAMES = {
    "e4m3": "E4M3",
    "e5m2": "E5M2",
    "e8m0": "E8M0",
    "bf16": "BF16",
    "f16": "F16",
    "f32": "F32",
    "f64": "F64",
}


def _explain(encoding: Encoding, piece: bytes, word: str) -> str:
    """What the marked pattern means, with the largest number of the format beside it where the format is narrow."""
    pattern = f"0x{piece[::-1].hex()}"
    name = _NAMES.get(encoding.name, encoding.name)
    if encoding.kind != "float":
        return f"{pattern} = {int.from_bytes(piece, 'little', signed=encoding.signed)}"
    if encoding.bits > 16:
        value = np.frombuffer(piece, f"<f{encoding.bits // 8}")[0]
        return f"{pattern} is {value:.6g} in {name}"
    table = code_table(encoding)
    code = int.from_bytes(piece, "little")
    if encoding.bits < 8:
        return f"byte {pattern}"
    value = table.value[code]
    meaning = (
        "NaN"
        if table.nan[code]
        else ("-Inf" if code >> (encoding.bits - 1) else "Inf")
        if table.inf[code]
        else f"{value:.6g}"
    )
    if encoding.bits == 8 and word in ("nan", "inf"):
        top = int(np.flatnonzero(table.ceiling & ~table.negative)[0])
        return f"{pattern} is {meaning} in {name} (largest: 0x{top:02x} = {table.value[top]:.6g})"
    return f"{pattern} is {meaning} in {name}"


def patterns(finding: Finding) -> list[str]:
    """Short patterns for the names a finding is about: tensors, or files where no tensor is named."""
    return short(dict.fromkeys(loc.tensor or loc.file for loc in finding.locations))
