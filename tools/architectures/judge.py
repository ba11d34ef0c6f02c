"""How well tensorlint judges checkpoints of each architecture: sound ones, and ones with a damage, at header depth.

usage: python -m architectures.judge [--files] [MODEL_TYPE...]      (needs transformers and tensorlint)

Each type is built in sizes that its file was not fitted in, on the meta device; what is written has a true header and
no values. Damages: a tensor dropped, a tensor renamed, a linear transposed in all layers, a linear halved in all
layers. With `--files` the files are generated again instead, and those that differ from the stored ones are named.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .build import SAVED, Stored, opened
from .samples import Sampler, default_of, made
from .shrink import shrunk
from .types import classes_of, config_classes, quiet

RULES = Path(__file__).resolve().parents[2] / "rules" / "architectures"
WAYS = ("small", "scaled", "small+", "few")
DAMAGES = ("dropped", "renamed", "transposed", "halved")


def checkpoint(config_class: Any) -> tuple[Any, type, dict[str, Stored]] | None:
    """A configuration of a type, the class that it is of, and what it holds; None where nothing builds."""
    for klass in classes_of(config_class)[:2]:
        sampler = Sampler(config_class, klass)
        for way in WAYS:
            try:
                given = shrunk(default_of(config_class), way)
            except Exception:  # no default configuration
                continue
            sample = sampler.build(way, (), given)
            if sample is not None:
                tied = {n for names in sample.built.ties[SAVED] for n in names[1:]}
                stored = {n: s for n, s in sample.built.spellings[SAVED].items() if n not in tied}
                return made(config_class, given), klass, stored
    return None


def written(folder: Path, config: Any, klass: type, tensors: dict[str, tuple[int, ...]]) -> None:
    """A checkpoint whose header is true and whose values are a hole in the file."""
    folder.mkdir(parents=True, exist_ok=True)
    config.architectures = [klass.__name__]
    config.save_pretrained(folder)
    header, at = {}, 0
    for name, shape in tensors.items():
        size = 2
        for n in shape:
            size *= n
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    text += b" " * (-len(text) % 8)
    path = folder / "model.safetensors"
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
    os.truncate(path, 8 + len(text) + at)


def damaged(
    tensors: dict[str, Stored], rng: random.Random
) -> Iterator[tuple[str, set[str], dict[str, tuple[int, ...]]]]:
    """Damages with the names that they concern, and what is then in the file."""
    plain = {n: s.shape for n, s in tensors.items()}
    numbered = [n for n in plain if re.search(r"\.\d+\.", n)] or list(plain)
    if len(plain) > 3:
        name = rng.choice(numbered)
        yield "dropped", {name}, {n: s for n, s in plain.items() if n != name}
        name = rng.choice(numbered)
        own = name.rpartition(".")
        new = f"{own[0]}_x.{own[2]}" if own[0] else f"{name}_x"
        yield "renamed", {name, new}, {(new if n == name else n): s for n, s in plain.items()}
    linears = [n for n in numbered if "linear" in tensors[n].words.split() and len(plain[n]) == 2]
    wide = [n for n in linears if plain[n][0] != plain[n][1]]
    for kind, names in (("transposed", wide), ("halved", [n for n in linears if plain[n][0] % 2 == 0])):
        if names:
            pattern = opened(rng.choice(names))[0]
            hit = {n for n in plain if opened(n)[0] == pattern}
            change = (lambda s: s[::-1]) if kind == "transposed" else (lambda s: (s[0] // 2, *s[1:]))
            yield kind, hit, {n: change(s) if n in hit else s for n, s in plain.items()}


def found(folder: Path) -> list[dict[str, Any]]:
    """Errors and warnings about a checkpoint."""
    import tensorlint

    report = tensorlint.check(folder, depth="headers", isolated=True)
    return [
        {"rule": f.rule, "message": f.message, "values": dict(f.values), "tensors": [at.tensor for at in f.locations]}
        for f in report.findings
        if f.severity in ("error", "warning")
    ]


def names(finding: dict[str, Any], hit: set[str]) -> bool:
    """Whether a finding names one of these tensors, or their module."""
    text = json.dumps(finding, default=str)
    return any(n in text or n.rpartition(".")[0] in text or opened(n)[0].replace("{}", "*") in text for n in hit)


def judged(config_class: Any) -> dict[str, Any]:
    """What was said about the sound checkpoint of a type, and which damages were found."""
    kind = config_class.model_type
    made = checkpoint(config_class)
    if made is None:
        return {"type": kind, "built": False}
    config, klass, tensors = made
    rng = random.Random(kind)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        written(folder / "sound", config, klass, {n: s.shape for n, s in tensors.items()})
        said = found(folder / "sound")
        row: dict[str, Any] = {"type": kind, "built": True, "false": [f"{f['rule']}: {f['message']}" for f in said]}
        for damage, hit, changed in damaged(tensors, rng):
            written(folder / damage, config, klass, changed)
            new = found(folder / damage)
            row[damage] = len(new) > len(said) and any(names(f, hit) for f in new if f not in said)
    return row


def _safely(config_class: Any) -> dict[str, Any]:
    try:
        return judged(config_class)
    except Exception as error:
        return {"type": config_class.model_type, "built": False, "error": f"{type(error).__name__}: {error}"[:200]}


def _drift(config_class: Any) -> dict[str, Any]:
    import transformers

    from .generate import architecture
    from .write import text_of

    path = RULES / f"{config_class.model_type}.yaml"
    try:
        text = text_of(architecture(config_class, classes_of(config_class)), transformers.__version__)
    except Exception as error:
        return {"type": path.stem, "error": f"{type(error).__name__}: {error}"[:200]}
    return {"type": path.stem, "same": path.is_file() and path.read_text() == text}


def main() -> int:
    """Print what was said, and the rates; 1 where a sound checkpoint has a finding or a file is not current."""
    warnings.filterwarnings("ignore")
    quiet()
    files, only = "--files" in sys.argv[1:], {a for a in sys.argv[1:] if not a.startswith("-")}
    chosen = [
        c for c in config_classes() if c.model_type in only or (not only and (RULES / f"{c.model_type}.yaml").is_file())
    ]
    with multiprocessing.get_context("fork").Pool(os.cpu_count() or 1, maxtasksperchild=60) as pool:
        rows = list(pool.imap_unordered(_drift if files else _safely, chosen))
    if files:
        stale = sorted(r["type"] for r in rows if not r.get("same"))
        print(f"{len(rows) - len(stale)} of {len(rows)} files are current; others:", *stale)
        return bool(stale)
    sums: Counter[str] = Counter()
    for row in sorted(rows, key=lambda r: str(r["type"])):
        if row.get("error"):
            print(f"{row['type']}: {row['error']}")
        for text in row.get("false", ()):
            print(f"{row['type']}: sound, but {text}")
        missed = [d for d in DAMAGES if row.get(d) is False]
        if missed:
            print(f"{row['type']}: not found: {', '.join(missed)}")
        sums.update({"built": row["built"], "false": bool(row.get("false"))})
        for damage in DAMAGES:
            sums.update({damage: damage in row, f"{damage} found": bool(row.get(damage))})
    print(f"{sums['built']} sound checkpoints, {sums['false']} with an error or warning")
    for damage in DAMAGES:
        print(f"{damage}: {sums[damage + ' found']} of {sums[damage]} found and named")
    return bool(sums["false"])


if __name__ == "__main__":
    sys.exit(main())
