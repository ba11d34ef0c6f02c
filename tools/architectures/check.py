"""Does an architecture file say what saved checkpoints hold? Nothing missing, nothing more, and every shape equal.

usage: python -m architectures.check RULES FOLDER...      folders of checkpoints: config.json and safetensors
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .lang import UNKNOWN, compiled, truth

CASE = re.compile(
    r"\[(?P<shape>[^\]]*(?:\[[^\]]*\][^\]]*)*)\](?: if (?P<condition>.*?))?(?P<maybe> maybe(?: (?P<group>\w+))?)?$"
)
INDEX = re.compile(r"\{(\w+)\}")


@dataclass
class Spelled:
    """One layout with all that it takes over from others."""

    name: str
    classes: list[str]
    lines: dict[str, str]
    ties: list[str]
    ignored: list[str]


@dataclass
class Result:
    """How a checkpoint compares with the layout that fits it best."""

    layout: str = ""
    known: int = 0
    missing: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    certain: int = 0
    sized: int = 0
    sizes: int = 0

    @property
    def wrong(self) -> int:
        """The number of differences."""
        return len(self.missing) + len(self.surplus) + len(self.shapes)


def spelled(file: dict[str, Any]) -> list[Spelled]:
    """The layouts of a file, each whole."""
    found: dict[str, Spelled] = {}
    for name, own in file["layouts"].items():
        lines: dict[str, str] = {}
        ties: list[str] = []
        ignored: list[str] = []
        if "like" in own:
            other, rename, without = found[own["like"]], own.get("rename", {}), own.get("without", [])
            gone = {n for n in other.lines if any(n.startswith(w[:-1]) if w.endswith("*") else n == w for w in without)}
            lines = {_renamed(n, rename): line for n, line in other.lines.items() if n not in gone}
            for tie in other.ties:
                names, _, condition = tie.partition(" if ")
                kept = [_renamed(n, rename) for n in names.split(" = ") if n not in gone]
                if len(kept) > 1:
                    ties.append(" = ".join(kept) + (f" if {condition}" if condition else ""))
            ignored = other.ignored
        lines |= own.get("tensors", {})
        found[name] = Spelled(name, own["classes"], lines, own.get("ties", ties), own.get("ignored", ignored))
    return list(found.values())


def _renamed(name: str, rename: dict[str, str]) -> str:
    prefix = max((p for p in rename if name.startswith(p)), key=len, default=None)
    return name if prefix is None else rename[prefix] + name[len(prefix) :]


class Config:
    """config.json with what the file says of keys that it lacks."""

    def __init__(self, config: dict[str, Any], file: dict[str, Any]) -> None:
        self.config, self.file = config, file
        self.aliases = {v: k for k, v in file.get("aliases", {}).items()}
        self.depth = 0

    def get(self, key: str) -> Any:
        """The value of a key, or UNKNOWN."""
        null = False
        for name in (key, self.aliases.get(key)):
            at: Any = self.config
            for step in name.split(".") if name else ():
                null |= isinstance(at, dict) and at.get(step, 0) is None
                at = at.get(step) if isinstance(at, dict) else None
            if name and at is not None:
                return list(at.values()) if key == "id2label" and isinstance(at, dict) else at
        if null and key not in self.file.get("derived", {}):
            return None
        if key in self.file.get("defaults", {}):
            return self.file["defaults"][key]
        if key in self.file.get("derived", {}) and self.depth < 8:
            self.depth += 1
            try:
                return compiled(self.file["derived"][key])(self.get, {})
            finally:
                self.depth -= 1
        return UNKNOWN


def shape_of(text: str) -> list[str]:
    """The dimensions between the brackets of a shape."""
    parts, depth, now = [], 0, ""
    for c in text:
        depth += (c in "([") - (c in ")]")
        if c == "," and not depth:
            parts.append(now.strip())
            now = ""
        else:
            now += c
    return [*parts, now.strip()] if now.strip() else parts


def _range(file: dict[str, Any], index: str, config: Config, at: dict[str, int]) -> range | None:
    low, _, high = str(file["indices"][index]).rpartition(" .. ")
    end = UNKNOWN if high == "?" else compiled(high)(config.get, at)
    start = compiled(low)(config.get, at) if low else 0
    return range(start, end) if type(start) is int and type(end) is int else None


def _universe(pattern: str, file: dict[str, Any], config: Config) -> list[dict[str, int]] | None:
    found: list[dict[str, int]] = [{}]
    for index in INDEX.findall(pattern):
        deeper = []
        for at in found:
            numbers = _range(file, index, config, at)
            if numbers is None:
                return None
            deeper += [{**at, index: n} for n in numbers]
        found = deeper
    return found


def _filled(pattern: str, at: dict[str, int]) -> str:
    return INDEX.sub(lambda m: str(at.get(m[1], 0)), pattern)


def compare(layout: Spelled, file: dict[str, Any], config: Config, tensors: dict[str, tuple[int, ...]]) -> Result:
    """The differences of a checkpoint from one layout."""
    result = Result(layout.name)
    tied: dict[str, list[str]] = {}
    for tie in layout.ties:
        names, _, condition = tie.partition(" if ")
        holds = truth(compiled(condition)(config.get, {})) if condition else True
        if holds:
            for name in names.split(" = "):
                tied[name] = names.split(" = ")
    left = set(tensors)
    symbols: dict[str, int] = {}
    absent: list[tuple[str, str, dict[str, int]]] = []
    for pattern, text in layout.lines.items():
        universe = _universe(pattern, file, config)
        certain = universe is not None
        if universe is None:
            shape = re.compile(INDEX.sub(r"(?P<\1>\\d+)", re.sub(r"([.])", r"\\.", pattern)) + "$")
            universe = [{k: int(v) for k, v in m.groupdict().items()} for n in tensors if (m := shape.match(n))]
        cases = [CASE.match(c[c.index("[") :]) for c in text.split(" | ")]
        for at in universe:
            name = _filled(pattern, at)
            chosen, sure = None, certain
            for case in cases:
                assert case, text
                holds = compiled(case["condition"])(config.get, at) if case["condition"] else True
                if holds is UNKNOWN:
                    sure = False
                if holds is UNKNOWN or truth(holds):
                    chosen = case
                    break
            if chosen is None:
                continue
            if name not in tensors:
                if sure and chosen["maybe"] is None:
                    absent.append((pattern, name, at))
                continue
            left.discard(name)
            result.known += 1
            result.certain += chosen["maybe"] is None
            if chosen["shape"] == "...":
                continue
            own, dims = tensors[name], shape_of(chosen["shape"])
            if len(own) != len(dims):
                result.shapes.append(f"{name}: {list(own)} for {dims}")
                continue
            for size, dim in zip(own, dims, strict=True):
                result.sizes += 1
                if dim == "_":
                    continue
                if dim.startswith("?"):
                    if symbols.setdefault(dim, size) != size:
                        result.shapes.append(f"{name}: {size} for {dim} = {symbols[dim]}")
                    continue
                wanted = compiled(dim)(config.get, at)
                if wanted is UNKNOWN:
                    continue
                result.sized += 1
                if wanted != size:
                    result.shapes.append(f"{name}: {size} for {dim} = {wanted}")
    for pattern, name, at in absent:
        others = [_filled(n, at) for n in tied.get(pattern, ())]
        if not any(n in tensors for n in others):
            result.missing.append(name)
    result.surplus = sorted(n for n in left if not any(re.search(x, n) for x in layout.ignored))
    return result


def headers(folder: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors of a checkpoint."""
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        found.update({k: tuple(v["shape"]) for k, v in header.items() if k != "__metadata__"})
    return found


def best(rules: Path, folder: Path) -> tuple[Result, Config] | None:
    """The comparison with the layout that a checkpoint differs least from; None where there is no file of its type."""
    config = json.loads((folder / "config.json").read_text())
    path = rules / f"{config.get('model_type')}.yaml"
    if not path.is_file():
        return None
    file = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    values, tensors = Config(config, file), headers(folder)
    named = set(config.get("architectures") or ())
    results = [(compare(layout, file, values, tensors), layout) for layout in spelled(file)]
    return min(results, key=lambda r: (r[0].wrong, not named & set(r[1].classes)))[0], values


def checkpoints(folders: list[str]) -> Iterator[Path]:
    """Folders with a config.json, below those given or themselves."""
    for folder in map(Path, folders):
        yield from (
            [folder] if (folder / "config.json").is_file() else sorted(p.parent for p in folder.glob("*/config.json"))
        )


def main() -> int:
    """Print the differences and the sums."""
    rules = Path(sys.argv[1])
    none: list[str] = []
    good, bad, sums = 0, 0, [0, 0, 0, 0]
    for folder in checkpoints(sys.argv[2:]):
        try:
            found = best(rules, folder)
        except Exception as error:
            print(f"{folder.name}: {type(error).__name__}: {error}")
            bad += 1
            continue
        if found is None:
            none.append(folder.name)
            continue
        result = found[0]
        sums = [a + b for a, b in zip(sums, (result.sized, result.sizes, result.certain, result.known), strict=True)]
        good, bad = good + (not result.wrong), bad + bool(result.wrong)
        if result.wrong:
            shown = itertools.chain(
                (f"- {n}" for n in result.missing[:2]), (f"+ {n}" for n in result.surplus[:2]), result.shapes[:2]
            )
            counts = f"{len(result.missing)} missing, {len(result.surplus)} surplus, {len(result.shapes)} shapes"
            print(f"{folder.name} ({result.layout}): {counts}: {'; '.join(shown)}")
    print(f"{good} equal, {bad} not, {len(none)} without a file")
    print(f"sizes known {sums[0]}/{sums[1]}, tensors certain {sums[2]}/{sums[3]}")
    print("without:", *none)
    return 0


if __name__ == "__main__":
    sys.exit(main())
