"""Every scheme, built from its own contract: sound modules are clean, and each kind of damage to one is an error there."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import numpy as np
import pytest

from tensorlint.dtypes import DTYPE_BITS
from tensorlint.engine import check
from tensorlint.findings import Report
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.schemes.model import JsonText, Part, Scheme
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
SCHEMES = [s for s in BOOK.schemes.values() if s.quantized and not s.weak and not s.companion]
SIZES = {"N": 256, "K": 512, "E": 4, "R": 128, "C": 128, "r": 8, "G": 4, "X": 65536, "B": 2048, "H": 2}
MODULES = ("model.layers.0.self_attn.o_proj", "model.layers.1.self_attn.o_proj", "model.layers.2.self_attn.o_proj")
VICTIM = MODULES[1]
Tensor = tuple[str, tuple[int, ...], bytes]


def built(scheme: Scheme) -> dict[str, Tensor]:
    """Three sound modules of a scheme, with every part that is not optional."""
    env = {**SIZES, **{s.name: s.usual[0] for s in scheme.symbols.values() if s.usual}}
    found: dict[str, Tensor] = {}
    for module in MODULES:
        for part in scheme.parts.values():
            if part.needed == "never" or (
                part.needed == "together" and part.name.startswith(("nested", "group", "input_tensor"))
            ):
                continue
            shape = tuple(d.value(env) or 0 for d in part.shapes[0]) if part.shapes else (16,)
            dtype = part.dtypes[0]
            if part.json is not None:
                text = state(part.json)
                found[module + part.suffix] = (dtype, (len(text),), text)
                continue
            found[module + part.suffix] = (dtype, shape, values(part, dtype, math.prod(shape)))
    return found


def state(wanted: JsonText) -> bytes:
    """JSON text that fits SIZES."""
    block = SIZES["N"] * SIZES["K"] // SIZES["B"]
    return json.dumps({wanted.shape: [SIZES["N"], SIZES["K"]], wanted.block: block, **wanted.constants}).encode()


def values(part: Part, dtype: str, count: int) -> bytes:
    """Harmless content that keeps the part's contract."""
    if part.name == "logical_shape":
        return np.array([SIZES["N"], SIZES["K"]], "<i8").tobytes()
    size = count * DTYPE_BITS[dtype] // 8
    if dtype in ("BF16", "F16", "F32", "F64"):
        value = {"divisor": 1700.0, "multiplier": 0.0005}.get(part.convention or "", 0.01)
        if dtype == "BF16":
            return np.full(count, value, "<f4").view("<u2")[1::2].tobytes()
        return np.full(count, value, {"F32": "<f4", "F16": "<f2", "F64": "<f8"}[dtype]).tobytes()
    if part.kind == "index":
        return np.zeros(count, f"<i{DTYPE_BITS[dtype] // 8}").tobytes()
    packed = part.kind == "weight" and part.holds.get(dtype, part.holds.get("*")) in ("raw", "fp4", "int4")
    spread = 200 if packed else 83  # all codes of a packed weight
    return bytes(0x21 + (i * 7 + i // 16) % spread for i in range(size))


def report(tensors: dict[str, Tensor]) -> Report:
    return check(MemorySource({"model.safetensors": write_shard(tensors)}), BOOK, BOOK.select((), ()))


def loud(tensors: dict[str, Tensor]) -> list[tuple[str, list[str]]]:
    found = report(tensors).findings
    return [(f.rule, [loc.tensor for loc in f.locations]) for f in found if f.severity != "note"]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_sound_modules_are_recognised_and_clean(scheme: Scheme) -> None:
    tensors = built(scheme)
    assert loud(tensors) == []
    assert sum(report(tensors).schemes.values()) == len(MODULES)


def dropped() -> Iterator[tuple[Scheme, Part]]:
    for scheme in SCHEMES:
        for part in scheme.parts.values():
            if part.needed == "always":
                yield scheme, part


@pytest.mark.parametrize(("scheme", "part"), list(dropped()), ids=lambda x: x.name)
def test_a_dropped_part_is_an_error_at_its_module(scheme: Scheme, part: Part) -> None:
    tensors = built(scheme)
    del tensors[VICTIM + part.suffix]
    if not any(name.startswith(VICTIM) for name in tensors):
        return  # nothing of the module is left: that it is missing is the layers' business
    places = [t for rule, ts in loud(tensors) for t in ts]
    assert any(t.startswith(VICTIM) for t in places)


@pytest.mark.parametrize(("scheme", "part"), list(dropped()), ids=lambda x: x.name)
def test_a_retyped_part_is_an_error_at_its_tensor(scheme: Scheme, part: Part) -> None:
    tensors = built(scheme)
    shape = tensors[VICTIM + part.suffix][1]
    other = next(d for d in ("I16", "U64", "I64", "C64") if d not in part.dtypes)
    tensors[VICTIM + part.suffix] = (other, shape, bytes(math.prod(shape) * DTYPE_BITS[other] // 8))
    assert any(t.startswith(VICTIM) for rule, ts in loud(tensors) for t in ts)


def shaped() -> Iterator[tuple[Scheme, Part]]:
    for scheme in SCHEMES:
        for part in scheme.parts.values():
            if part.needed == "always" and part.shapes and part.kind == "scale" and len(part.shapes[0]) > 1:
                yield scheme, part


@pytest.mark.parametrize(("scheme", "part"), list(shaped()), ids=lambda x: x.name)
def test_a_flattened_scale_is_an_error_at_its_tensor(scheme: Scheme, part: Part) -> None:
    tensors = built(scheme)
    dtype, shape, data = tensors[VICTIM + part.suffix]
    tensors[VICTIM + part.suffix] = (dtype, (math.prod(shape),), data)
    assert any(t.startswith(VICTIM) for rule, ts in loud(tensors) for t in ts)


NAN_BYTES = {
    "f32": b"\0\0\xc0\x7f",
    "bf16": b"\xc0\x7f",
    "f16": b"\0\x7e",
    "e4m3": b"\x7f",
    "e8m0": b"\xff",
    "f64": b"\0\0\0\0\0\0\xf8\x7f",
}


def scales() -> Iterator[tuple[Scheme, Part]]:
    for scheme in SCHEMES:
        for part in scheme.parts.values():
            if part.needed == "always" and part.kind == "scale" and part.encoding(part.dtypes[0]).name in NAN_BYTES:
                yield scheme, part


@pytest.mark.parametrize(("scheme", "part"), list(scales()), ids=lambda x: x.name)
def test_a_scale_that_is_not_a_number_is_an_error_at_its_tensor(scheme: Scheme, part: Part) -> None:
    tensors = built(scheme)
    dtype, shape, data = tensors[VICTIM + part.suffix]
    bad = NAN_BYTES[part.encoding(dtype).name]
    tensors[VICTIM + part.suffix] = (dtype, shape, data[: -len(bad)] + bad)
    assert ("scales/nan", [VICTIM + part.suffix]) in loud(tensors)
