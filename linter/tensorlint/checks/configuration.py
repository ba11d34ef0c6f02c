"""The three views compared: what the tensors are, what config.json says, what the exporter's own file says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..facts import Fact
from ..names import canonical
from ..producers import numbers
from ..schemes.declared import Declaration, Expectation, allows
from ..schemes.recognise import Module
from ..view import View

STATES = (
    "declaration-missing",
    "declaration-left",
    "declaration-unknown",
    "scheme-mismatch",
    "parameter-mismatch",
    "ignored-but-quantized",
    "quantized-not-declared",
    "unquantized-not-ignored",
    "listed-but-unquantized",
    "dead-entry",
    "broken-pattern",
    "declarations-differ",
    "frozen-status",
    "format-contradiction",
    "one-sided",
    "head-not-ignored",
)


def run(view: View, _measured: object = None) -> Iterator[Fact]:
    """Facts about declarations against tensors and against each other."""
    checkpoint = view.checkpoint
    for file, method in view.declared.unknown:
        yield Fact("declaration-unknown", file, values={"method": method})
    main = view.declared.main
    if main is None:
        yield from _undeclared(view)
        return
    for module in view.quantized:
        yield from _module(view, main, module)
    if checkpoint.whole:
        yield from _unquantized(view, main)
    yield from _lists(view, main)
    for other in view.declared.all[1:]:
        yield from _differences(main, other)
    yield from _one_sided(view, main)
    yield from _formats(main)
    status = main.get("status")
    if status in ("frozen", "initialized", "calibration") and view.quantized:
        values = {"status": status, "where": f"{main.where}.quantization_status"}
        yield Fact("frozen-status", main.file, values=values)


# From this version on ModelOpt writes config.json and hf_quant_config.json alike (modelopt/torch/export/
# convert_hf_config.py); transformers and others read the first one only.
_BOTH_SINCE = (0, 31)


def _one_sided(view: View, main: Declaration) -> Iterator[Fact]:
    """hf_quant_config.json alone declares what its exporter writes into config.json too."""
    checkpoint = view.checkpoint
    if main.file != checkpoint.path("hf_quant_config.json") or "model_type" not in checkpoint.config("config.json"):
        return
    where = checkpoint.path("config.json")
    for _, method in view.declared.unknown:
        values = {"field": "method", "first": method, "second": main.method, "other": main.file, "where": "top"}
        yield Fact("declarations-differ", where, values=values)
        return
    producer = checkpoint.config("hf_quant_config.json").get("producer")
    version = str(producer.get("version", "")) if isinstance(producer, dict) else ""
    if view.quantized and numbers(version) >= _BOTH_SINCE:
        yield Fact("one-sided", where, values={"version": version[:40]})


def _formats(main: Declaration) -> Iterator[Fact]:
    """A format for all groups that none of the groups has."""
    stated = main.get("format")
    for group in main.groups or ():
        found = group.values.get("format")
        if isinstance(stated, str) and found and found != stated and stated != "mixed-precision":
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
    values: dict[str, Any] = {"module": module.name, "scheme": scheme.name, "where": main.where}
    if expected.quantized is False and expected.entry:
        yield Fact("ignored-but-quantized", main.file, place, values={**values, "entry": expected.entry})
        return
    if expected.quantized is False and main.layers is not None:
        if not any(canonical(module.name) == canonical(name) for name in main.layers):
            yield Fact("quantized-not-declared", main.file, place, values=values)
        return
    if expected.quantized is False and not main.quantizes and module.parts.keys() & {"weight"}:
        declared = _say(expected.values)
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
            declared = "no quantized weights (config_groups is empty)"
            yield Fact("scheme-mismatch", main.file, place, values={**values, "declared": declared, "entry": ""})
        return
    if not expected.quantized or module.problems:
        return
    yield from _compare(module, expected, main, values, place)


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
        yield Fact(
            "scheme-mismatch",
            main.file,
            place,
            values={**values, "declared": _say(stated), "entry": expected.entry},
        )
        return
    label = module.labels.get("weight_scale", "")
    strategy = expected.values.get("strategy")
    if label and strategy and strategy != label and {label, str(strategy)} <= _STRATEGIES:
        found = {**values, "parameter": "strategy", "found": label, "declared": strategy}
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


def _say(values: Mapping[str, Any]) -> str:
    order = ("method", "algorithm", "format", "bits", "type", "strategy", "group_size", "activations")
    return ", ".join(f"{k} {values[k]}" for k in order if k in values) or "nothing"


def _unquantized(view: View, main: Declaration) -> Iterator[Fact]:
    """Linear modules that are plain although the declaration makes loaders expect them quantized."""
    expected_any = found_any = False
    missed: list[Fact] = []
    has_quantized = {m.pattern for m in view.quantized}
    for module in view.modules.values():
        if module.scheme.quantized:
            found_any = True
            continue
        weight = module.parts.get("weight")
        if weight is None or len(weight.shape) != 2 or not view.is_linear(module):
            continue
        expected = main.expect(module.name, linear=True)
        if not expected.quantized or _covered_elsewhere(main, module.name):
            continue
        expected_any = True
        siblings = module.pattern in has_quantized
        if main.dialect.lists == "none":
            continue
        if main.dialect.lists != "complete" and not siblings:
            continue
        values = {
            "module": module.name,
            "dtype": weight.dtype,
            "where": main.where,
            "scheme": "",
            "siblings": siblings,
        }
        if main.layers is not None:
            kind = "listed-but-unquantized"
            values = {
                "module": module.name,
                "dtype": weight.dtype,
                "where": main.where,
                "declared": _say(expected.values),
            }
        else:
            kind = "unquantized-not-ignored"
        missed.append(Fact(kind, main.file, weight.name, values=values))
    if not found_any and not view.recognised.unknown and main.quantizes and (expected_any or not view.modules):
        values = {"method": main.method, "where": main.where, "algorithm": _say(main.base)}
        if view.modules:
            yield Fact("declaration-left", main.file, values=values)
        return
    yield from missed
    if found_any and main.dialect.lists == "complete" and main.layers is None:
        yield from _head(view, main)


def _head(view: View, main: Declaration) -> Iterator[Fact]:
    """An output head in plain floats that loaders expect quantized."""
    for name, module in view.modules.items():
        weight = module.parts.get("weight")
        if name.rpartition(".")[2] != "lm_head" or module.scheme.quantized or weight is None:
            continue
        if main.expect(name, linear=True).quantized and not _covered_elsewhere(main, name):
            values = {"module": name, "dtype": weight.dtype, "where": main.where}
            yield Fact("head-not-ignored", main.file, weight.name, values=values)


def _covered_elsewhere(main: Declaration, module: str) -> bool:
    """Whether an entry means this module under another wrapper, such as `language_model.model.`."""
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
    if not view.checkpoint.whole or len(main.ignore.entries) > 5000:
        return
    # A tied head and an embedding are named by exporters even where the file does not hold them.
    names = [*view.modules, *(t.name.rpartition(".")[0] for t in view.recognised.loose)]
    parents = {n for name in names for n in _parents(name)}
    for entry in main.ignore.entries:
        roles = view.anatomy.roles(entry.rstrip("*."))
        if roles & {"head", "embedding", "vision", "mtp"} or entry in parents or entry.removeprefix("re:") in parents:
            continue
        alone = type(main.ignore)((entry,), main.ignore.styles)
        if not any(alone.covering(name, linear=False) for name in parents):
            yield Fact("dead-entry", main.file, values={"entry": entry[:200], "where": main.where})


def _parents(name: str) -> Iterable[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]


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
        yield fact("method", main.method, other.method)
        return
    for field in ("algorithm", "group_size", "bits", "block"):
        first, second = main.get(field), other.get(field)
        if first is None and main.groups:
            sizes = {g.values.get(field) for g in main.groups} - {None}
            first = sizes.pop() if len(sizes) == 1 else None
        if first is not None and second is not None and first != second:
            yield fact(field, first, second)
    if (main.get("kv_cache") is None) != (other.get("kv_cache") is None):
        yield fact("KV-cache quantization", main.get("kv_cache"), other.get("kv_cache"))
    lists = [set(d.ignore.entries) for d in (main, other)]
    both_state = all(isinstance(d.get("ignore"), list) for d in (main, other))
    if both_state and lists[0] != lists[1]:
        only_first, only_second = sorted(lists[0] - lists[1]), sorted(lists[1] - lists[0])
        yield fact("ignore list", only_first or "nothing more", only_second or "nothing more")
    if main.layers is not None and other.layers is not None and main.layers != other.layers:
        differ = sorted(k for k in {*main.layers, *other.layers} if main.layers.get(k) != other.layers.get(k))
        yield fact(f"quantized layer {differ[0]}", main.layers.get(differ[0]), other.layers.get(differ[0]))


def _brief(value: Any) -> str:
    text = (
        ", ".join(map(str, value[:3])) + (" ..." if len(value) > 3 else "") if isinstance(value, list) else str(value)
    )
    return "nothing" if value is None else text[:160]
