"""The three views compared: what the tensors are, what config.json says, what the exporter's own file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..facts import Fact, FactKind
from ..schemes.declared import Declaration, Expectation, allows
from ..schemes.model import Scheme
from ..schemes.module import Module
from ..schemes.producers import numbers
from ..schemes.shapes import fits
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "declaration-missing": FactKind("Modules are quantized, but no file says how.", ("schemes", "modules")),
    "declaration-unknown": FactKind("A file declares a quantization method that is not known here.", ("method",)),
    "scheme-mismatch": FactKind(
        "A module is stored in another way than declared.", ("module", "scheme", "declared", "where", "entry", "meant")
    ),
    "parameter-mismatch": FactKind(
        "A module's group or block size is not the declared one.",
        ("module", "scheme", "parameter", "found", "declared", "where"),
    ),
    "activations-mismatch": FactKind(
        "Activations are declared that do not go with the weights.", ("module", "scheme", "declared", "where")
    ),
    "ignored-but-quantized": FactKind(
        "A module is in the ignore list, but quantized.", ("module", "scheme", "entry", "where")
    ),
    "quantized-not-declared": FactKind(
        "A module is quantized, but the table of quantized layers does not name it.", ("module", "scheme", "where")
    ),
    "declarations-differ": FactKind(
        "Two files declare different things.", ("field", "first", "second", "other", "where")
    ),
    "foreign-key": FactKind(
        "A declaration has keys that only the exporters of another method write.", ("method", "key", "other", "where")
    ),
    "frozen-status": FactKind(
        "The declaration says the weights are not compressed, but they are.", ("status", "where")
    ),
    "format-contradiction": FactKind(
        "A group of a declaration states another format than the declaration itself.",
        ("stated", "group", "found", "where"),
    ),
    "one-sided": FactKind(
        "Only the second of two places that an exporter writes alike declares quantization.",
        ("method", "found", "missing"),
    ),
}


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about declarations against tensors and against each other."""
    for file, method in view.declared.unknown:
        yield Fact("declaration-unknown", file, values={"method": method})
    main = view.declared.main
    if main is None:
        yield from _undeclared(view)
        return
    modules = [fact for module in view.quantized for fact in _module(view, main, module)]
    yield from modules
    wrong = any(fact.kind == "scheme-mismatch" for fact in modules)
    for other in view.declared.all[1:]:
        # Where the tensors tell which method is wrong, that the files differ in it says nothing more.
        differences = [] if wrong and main.method != other.method else list(_differences(main, other))
        yield from differences
        if not differences and main.method == other.method:
            yield from _beside(view, main, other)
    yield from _foreign_key(view, main)
    yield from _one_sided(view, main)
    yield from _formats(main)
    status = main.get("status")
    if status in main.dialect.unfinished and view.quantized:
        values = {"status": status, "where": f"{main.where}.{main.key('status')}"}
        yield Fact("frozen-status", main.file, values=values)


def _one_sided(view: View, main: Declaration) -> Iterator[Fact]:
    """Of two places that the exporter writes alike only the second declares: libraries read the first one."""
    checkpoint = view.checkpoint
    since, first = main.place.copy_since, main.dialect.places[0]
    if not since or "model_type" not in checkpoint.config("config.json"):
        return
    where = checkpoint.path(first.file)
    for _, method in view.declared.unknown:
        values = {"field": "method", "first": method, "second": main.method, "other": main.file, "where": "top"}
        yield Fact("declarations-differ", where, values=values)
        return
    producer = checkpoint.config(main.place.file).get("producer")
    version = str(producer.get("version", "")) if isinstance(producer, dict) else ""
    if view.quantized and numbers(version or since) >= numbers(since):
        found = f"{main.where} of {main.file}" if main.at else main.file
        values = {"method": main.method, "found": found, "missing": f"{'.'.join(first.at)} of {first.file}"}
        yield Fact("one-sided", where, values=values)


def _foreign_key(view: View, main: Declaration) -> Iterator[Fact]:
    """A key by which the declaration would be another method's: the stated method is wrong, or two were merged."""
    dialects = view.knowledge.dialects.values()
    own = {key for d in dialects if d.method == main.method for key in d.marks}
    marks: dict[str, list[str]] = {}
    for method, keys in sorted((d.method, d.marks) for d in dialects):
        for key in keys:
            marks.setdefault(key, []).append(method)
    found = next((k for k, v in main.content.items() if v is not None and k in marks and k not in own), None)
    if found is not None:
        values = {"method": main.method, "key": found, "other": ", ".join(marks[found]), "where": main.where}
        yield Fact("foreign-key", main.file, values=values)


def _formats(main: Declaration) -> Iterator[Fact]:
    """A format for all groups that none of the groups has."""
    stated = main.get("format")
    for group in main.groups or ():
        found = group.values.get("format")
        if isinstance(stated, str) and found and found != stated and stated not in main.dialect.mixed:
            values = {"stated": stated, "group": group.name, "found": found, "where": main.where}
            yield Fact("format-contradiction", main.file, values=values)
            return


def _undeclared(view: View) -> Iterator[Fact]:
    config = view.checkpoint.config("config.json")
    silent = [m for m in view.quantized if not m.scheme.self_declared]
    if (
        not silent
        or not view.checkpoint.primary
        or view.declared.unknown
        or not ("model_type" in config or "architectures" in config)
    ):
        return
    schemes = sorted({m.scheme.name for m in silent})
    first = next(iter(silent[0].parts.values()))
    values = {"schemes": schemes, "modules": len(silent)}
    yield Fact("declaration-missing", view.checkpoint.path("config.json"), first.name, values=values)


def _module(view: View, main: Declaration, module: Module) -> Iterator[Fact]:
    """Facts about one quantized module against the main declaration."""
    weight = module.parts.get("weight")
    place = weight.name if weight else module.name
    expected = main.expect(module.name, linear=True)
    scheme = module.scheme
    if scheme.self_declared:
        return
    values: dict[str, Any] = {
        "module": module.name,
        "scheme": scheme.name,
        "where": main.where,
        "meant": _meant(scheme, main.method),
    }
    if expected.quantized is False and expected.entry:
        yield Fact("ignored-but-quantized", main.file, place, values={**values, "entry": expected.entry})
        return
    if expected.quantized is False and main.left_out(module.name):
        yield Fact("quantized-not-declared", main.file, place, values=values)
        return
    if expected.quantized is False and main.layers is not None:
        plain = view.anatomy.canonical
        if not any(plain(module.name) == plain(name) for name in main.layers):
            yield Fact("quantized-not-declared", main.file, place, values=values)
        return
    if expected.quantized is False and not main.quantizes and module.parts.keys() & {"weight"}:
        declared = say(expected.values)
        yield Fact(
            "scheme-mismatch",
            main.file,
            place,
            values={**values, "declared": declared, "entry": "no weights"},
        )
        return
    if expected.quantized is None and main.groups is not None:
        if main.groups:
            yield Fact("quantized-not-declared", main.file, place, values=values)
        else:
            declared = f"no quantized weights ({main.key('groups')} is empty)"
            yield Fact("scheme-mismatch", main.file, place, values={**values, "declared": declared, "entry": ""})
        return
    if not expected.quantized or module.problems:
        return
    yield from _compare(module, expected, main, values, place)


def _meant(scheme: Scheme, method: str) -> str:
    """What a declaration would say of a scheme, in words; one of the same method where exporters of it write that."""
    known = sorted(scheme.declared, key=lambda alternative: method not in alternative["method"])
    return say({field: values[0] for field, values in known[0].items() if values}) if known else ""


_SIZES = {"group_size", "bits", "block_rows", "block_cols"}
_ACTIVATION = "activation_"
_STRATEGIES = {"tensor", "channel", "block", "group", "tensor_group"}


def _compare(
    module: Module, expected: Expectation, main: Declaration, values: Mapping[str, Any], place: str
) -> Iterator[Fact]:
    # Group and block sizes are compared on their own below, so that a message can name the number.
    sizes = {
        s.declared: module.env[s.name] for s in module.scheme.symbols.values() if s.declared and s.name in module.env
    }
    stated = {k: v for k, v in expected.values.items() if k not in sizes}
    if not allows(module.scheme, stated):
        weights = {k: v for k, v in stated.items() if not k.startswith(_ACTIVATION)}
        if allows(module.scheme, weights):
            inputs = [f"{k.removeprefix(_ACTIVATION)} {v}" for k, v in stated.items() if k not in weights]
            yield Fact("activations-mismatch", main.file, place, values={**values, "declared": ", ".join(inputs)})
            return
        yield Fact(
            "scheme-mismatch",
            main.file,
            place,
            values={**values, "declared": say(stated), "entry": expected.entry},
        )
        return
    group = sizes.get("group_size") or stated.get("group_size")
    grouped = expected.values.get("activation_group")
    if _alike(expected.values) and type(group) is int and type(grouped) is int and 0 < group != grouped > 0:
        found = {**values, "declared": f"groups of {grouped} beside weights in groups of {group}"}
        yield Fact("activations-mismatch", main.file, place, values=found)
        return
    label = module.labels.get("weight_scale", "")
    strategy = expected.values.get("strategy")
    apart = {label, str(strategy)} <= _STRATEGIES and strategy != label
    if apart and not _reads_as(module, "weight_scale", str(strategy), expected.values):
        found = {**values, "parameter": "strategy", "found": label, "declared": strategy}
        yield Fact("parameter-mismatch", main.file, place, values=found)
        return
    wide, size = module.env.get("K", 0), expected.values.get("group_size")
    by_row = "channel" in (label, module.labels.get("zero_point"))
    if by_row and not strategy and type(size) is int and 0 < size < wide:
        found = {**values, "parameter": "group size", "found": wide, "declared": size}
        yield Fact("parameter-mismatch", main.file, place, values=found)
        return
    odd = {
        field: (found_size, declared)
        for field, found_size in sizes.items()
        if type(declared := expected.values.get(field)) is int and declared > 0 and declared != found_size
    }
    if odd:
        names = " and ".join(str(field).replace("_", " ") for field in odd)
        mine = " and ".join(str(found_size) for found_size, _ in odd.values())
        theirs = " and ".join(str(declared) for _, declared in odd.values())
        found = {**values, "parameter": names, "found": mine, "declared": theirs}
        yield Fact("parameter-mismatch", main.file, place, values=found)


def _reads_as(module: Module, name: str, label: str, declared: Mapping[str, Any]) -> bool:
    """Whether a part's shape is also that of another label: one group as wide as the matrix looks like a channel."""
    part, tensor = module.scheme.parts.get(name), module.parts.get(name)
    if part is None or tensor is None:
        return False
    stated = {s.name: declared.get(s.declared or "") for s in module.scheme.symbols.values()}
    env = {**{k: v for k, v in stated.items() if type(v) is int and v > 0}, **module.env}
    return any(
        own == label and fits(shape, tensor.shape, dict(env))
        for shape, own in zip(part.shapes, part.labels, strict=True)
    )


def _alike(values: Mapping[str, Any]) -> bool:
    """Whether weights and activations are declared in the same number format."""
    pairs = [(values.get(name), values.get(_ACTIVATION + name)) for name in ("bits", "type")]
    return any(one is not None for one, _ in pairs) and all(one == other for one, other in pairs)


def say(values: Mapping[str, Any]) -> str:
    """Declared values in words."""
    order = ("method", "algorithm", "format", "bits", "type", "strategy", "group_size", "activations")
    return ", ".join(f"{k} {values[k]}" for k in order if k in values) or "nothing"


def _beside(view: View, main: Declaration, other: Declaration) -> Iterator[Fact]:
    """Sizes that only the second declaration states, against the modules."""
    for module in view.quantized:
        first, second = main.expect(module.name), other.expect(module.name)
        if module.problems or module.scheme.self_declared or not first.quantized or not second.quantized:
            continue
        more = {k: v for k, v in second.values.items() if k in _SIZES and k not in first.values}
        if more:
            weight = module.parts.get("weight")
            values = {"module": module.name, "scheme": module.scheme.name, "where": other.where}
            row = Expectation(True, {**first.values, **more}, second.entry)
            yield from _compare(module, row, other, values, weight.name if weight else module.name)


def _differences(main: Declaration, other: Declaration) -> Iterator[Fact]:
    """Fields that two declarations of the same checkpoint state differently."""

    def fact(field: str, first: Any, second: Any) -> Fact:
        values = {
            "field": field,
            "first": _brief(first),
            "second": _brief(second),
            "other": other.file,
            "where": main.where,
        }
        return Fact("declarations-differ", main.file, values=values)

    if main.method != other.method:
        if other.method not in main.dialect.beside:
            yield fact("method", main.method, other.method)
        return
    for field in ("algorithm", "group_size", "bits", "block", "format", "symmetric", "mode"):
        first, second = main.get(field), other.get(field)
        if first is None and main.groups:
            sizes = {g.values.get(field) for g in main.groups} - {None}
            first = sizes.pop() if len(sizes) == 1 else None
        if first is not None and second is not None and _folded(first) != _folded(second):
            yield fact(field, first, second)
    if (main.get("kv_cache") is None) != (other.get("kv_cache") is None):
        yield fact("KV-cache quantization", main.get("kv_cache"), other.get("kv_cache"))
    if main.dialect.overrides and other.dialect.overrides:
        settings = [{k: v for k, v in d.content.items() if isinstance(v, (dict, bool))} for d in (main, other)]
        odd = sorted(k for k in {*settings[0], *settings[1]} if settings[0].get(k) != settings[1].get(k))
        if odd:
            yield fact(f"setting of {odd[0]}", settings[0].get(odd[0]), settings[1].get(odd[0]))
    lists = [set(d.ignore.entries) for d in (main, other)]
    both_state = all(isinstance(d.get("ignore"), list) for d in (main, other))
    if both_state and lists[0] != lists[1]:
        only_first, only_second = sorted(lists[0] - lists[1]), sorted(lists[1] - lists[0])
        yield fact("ignore list", only_first or "nothing more", only_second or "nothing more")
    stated = main.get("groups"), other.get("groups")
    if all(isinstance(s, dict) and s for s in stated) and stated[0] != stated[1]:
        odd = sorted(k for k in {*stated[0], *stated[1]} if stated[0].get(k) != stated[1].get(k))
        yield fact(f"group {odd[0]}", stated[0].get(odd[0]), stated[1].get(odd[0]))
    if main.layers is not None and other.layers is not None and main.layers != other.layers:
        differ = sorted(k for k in {*main.layers, *other.layers} if main.layers.get(k) != other.layers.get(k))
        yield fact(f"quantized layer {differ[0]}", main.layers.get(differ[0]), other.layers.get(differ[0]))


def _folded(value: Any) -> Any:
    """Loaders take words in capitals or not."""
    return value.casefold() if isinstance(value, str) else value


def _brief(value: Any) -> str:
    text = (
        ", ".join(map(str, value[:3])) + (" ..." if len(value) > 3 else "") if isinstance(value, list) else str(value)
    )
    return "nothing" if value is None else text[:160]


CHECKS = (Check(STATES, run),)
