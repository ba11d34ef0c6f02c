"""What holds for one target: the command line over the configuration over the defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..measures.plan import Depth
from ..rulebook.model import FailOn
from .files import Configuration, Layer
from .keys import KEYS, Ignore, Param, Selector, Severity

NOTHING = Layer({}, {})


@dataclass(frozen=True)
class Settings:
    """Every key of a configuration with its value, see `settings.keys`.

    `named` are rules that the command line selects by name: they run even where a configuration ignores them. `files`
    are the configurations that were read; `places` says for each key where its value is written.
    """

    select: tuple[Selector, ...] = ()
    ignore: tuple[Selector, ...] = ()
    ignores: tuple[Ignore, ...] = ()
    severity: tuple[Severity, ...] = ()
    params: tuple[Param, ...] = ()
    fail_on: FailOn = "error"
    fail_on_coverage: bool = False
    depth: Depth | None = None
    rules: tuple[str, ...] = ()
    baseline: str | None = None
    engine: tuple[Selector, ...] = ()
    device: str | None = None
    jobs: int | None = None
    named: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def settings_for(target: str, configuration: Configuration | None, command_line: Layer = NOTHING) -> Settings:
    """The settings for a target: the absolute path of its folder, or org/model for a model on the Hub."""
    values: dict[str, Any] = {name: key.default for name, key in KEYS.items()}
    places: dict[str, tuple[str, ...]] = {}
    layers = [*(configuration.layers(target) if configuration else ()), command_line]
    for layer in layers:
        for name, value in layer.values.items():
            joined = KEYS[name].kind.join(values[name], value)
            adds = joined is not value and joined != value
            places[name] = (*(places.get(name, ()) if adds else ()), layer.places[name])
            values[name] = joined
    ignore = values.pop("ignore")
    return Settings(
        ignore=tuple(i for i in ignore if isinstance(i, Selector)),
        ignores=tuple(i for i in ignore if isinstance(i, Ignore)),
        named=frozenset(s.pattern for s in command_line.values.get("select", ())),
        files=configuration.files if configuration else (),
        places=places,
        **{name.replace("-", "_"): value for name, value in values.items()},
    )


def shown(settings: Settings, target: str) -> str:
    """The settings as TOML, with where each comes from as a comment."""
    rows = [f"# settings for {target}"]
    rows += [f"# {file}" for file in settings.files] or ["# no configuration file"]
    tables: list[str] = []
    for name in KEYS:
        where = f"  # {', '.join(settings.places.get(name, ('default',)))}"
        value = getattr(settings, name.replace("-", "_"))
        if name in ("select", "ignore", "engine"):
            value = [s.pattern for s in value]
        if name == "severity" and value:
            tables += ["", f"[severity]{where}", *(f"{_toml(s.rules.pattern)} = {_toml(s.severity)}" for s in value)]
        elif name in ("severity", "params"):
            for rule in dict.fromkeys(p.rule.pattern for p in settings.params if name == "params"):
                tables += ["", f"[params.{_toml(rule)}]{where}"]
                tables += [f"{p.name} = {_toml(p.number)}" for p in settings.params if p.rule.pattern == rule]
        elif name == "ignore" and settings.ignores:
            rows += ["ignore = [", *(f"  {_toml(v)}," for v in value), *(_entry(i) for i in settings.ignores), "]"]
        elif value is None or (name in ("select", "engine") and not value):
            rows.append(f"# {name} is not set")
        else:
            rows.append(f"{name} = {_toml(value)}{where}")
    return "\n".join([*rows, *tables]) + "\n"


def _entry(ignore: Ignore) -> str:
    until = f", until = {ignore.until}" if ignore.until else ""
    tensor = f", tensor = {_toml(ignore.tensor)}" if ignore.tensor != "*" else ""
    said = f"rule = {_toml(ignore.rule.pattern)}{tensor}, reason = {_toml(ignore.reason)}{until}"
    return f"  {{ {said} }},  # {ignore.file}:{ignore.line}"


def _toml(value: Any) -> str:
    """A value of a setting as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return "".join(_quoted(value)) if isinstance(value, str) else str(value)


def _quoted(text: str) -> Iterator[str]:
    yield '"'
    for c in text:
        yield f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08X}"
    yield '"'
