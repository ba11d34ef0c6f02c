"""Every scheme, from the sound example in its file: each part that it needs, damaged in each way, is an error there."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from linted import check, rules_of
from tensorlint.dtypes import DTYPE_BITS
from tensorlint.report.findings import Report
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.variants import changes, scheme_examples
from tensorlint.schemes.model import Part, Scheme
from tensorlint.schemes.shapes import show
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
SCHEMES = [s for s in BOOK.schemes.values() if s.quantized and not s.weak and not s.companion]
Tensor = tuple[str, tuple[int, ...], bytes]


@dataclass(frozen=True)
class Rest:
    """What an example holds beside its tensors."""

    files: dict[str, bytes]
    metadata: dict[str, str] | None


def sound(scheme: Scheme) -> tuple[Rest, dict[str, Tensor]]:
    """The first good example, taken apart."""
    files = dict(scheme_examples(scheme)[1][0].files)
    shard = files.pop("model.safetensors")
    (length,) = struct.unpack("<Q", shard[:8])
    header = json.loads(shard[8 : 8 + length])
    metadata = header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = (entry["dtype"], tuple(entry["shape"]), shard[8 + length + begin : 8 + length + end])
    return Rest(files, metadata), tensors


def victim(scheme: Scheme, tensors: dict[str, Tensor], part: Part) -> str:
    """The tensor of a part in the second of the example's three modules; empty where the example lacks the part."""
    suffixes = [p.suffix for p in scheme.parts.values() if p.suffix.endswith(part.suffix) and p is not part]
    return (
        next((n for n in tensors if ".1." in n and n.endswith(part.suffix) and not n.endswith(tuple(suffixes))), "")
        if part.suffix
        else next(n for n in tensors if ".1." in n and not n.endswith(tuple(suffixes)))
    )


def report(rest: Rest, tensors: dict[str, Tensor]) -> Report:
    source = MemorySource({**rest.files, "model.safetensors": write_shard(tensors, rest.metadata)})
    return check(source, BOOK, rules_of(BOOK))


def loud(rest: Rest, tensors: dict[str, Tensor]) -> list[tuple[str, list[str]]]:
    found = report(rest, tensors).findings
    return [(f.rule, [loc.tensor for loc in f.locations]) for f in found if f.severity != "note"]


def parts() -> Iterator[tuple[Scheme, Part]]:
    for scheme in SCHEMES:
        for part in scheme.parts.values():
            if part.needed == "always":
                yield scheme, part


ALWAYS = pytest.mark.parametrize(("scheme", "part"), list(parts()), ids=lambda x: x.name)


@ALWAYS
def test_a_dropped_part_is_an_error_at_its_module(scheme: Scheme, part: Part) -> None:
    rest, tensors = sound(scheme)
    name = victim(scheme, tensors, part)
    module = name.removesuffix(part.suffix)
    del tensors[name]
    assert any(t.startswith(module) for rule, ts in loud(rest, tensors) for t in ts)


@ALWAYS
def test_a_retyped_part_is_an_error_at_its_tensor(scheme: Scheme, part: Part) -> None:
    rest, tensors = sound(scheme)
    name = victim(scheme, tensors, part)
    shape = tensors[name][1]
    other = next(d for d in ("I16", "U64", "I64", "C64") if d not in part.dtypes)
    tensors[name] = (other, shape, bytes(math.prod(shape) * DTYPE_BITS[other] // 8))
    module = name.removesuffix(part.suffix)
    assert any(t.startswith(module) for rule, ts in loud(rest, tensors) for t in ts)


def shaped() -> Iterator[tuple[Scheme, Part]]:
    for scheme, part in parts():
        _, tensors = sound(scheme)
        # One value per row may stand in a vector or in a column: readers take both.
        columns = {"[N]", "[N, 1]"} <= {show(s) for s in part.shapes}
        if part.kind == "scale" and len(tensors[victim(scheme, tensors, part)][1]) > 1 and not columns:
            yield scheme, part


@pytest.mark.parametrize(("scheme", "part"), list(shaped()), ids=lambda x: x.name)
def test_a_flattened_scale_is_an_error_at_its_tensor(scheme: Scheme, part: Part) -> None:
    rest, tensors = sound(scheme)
    name = victim(scheme, tensors, part)
    dtype, shape, data = tensors[name]
    tensors[name] = (dtype, (math.prod(shape),), data)
    assert any(name in ts for rule, ts in loud(rest, tensors))


NAN_BYTES = {
    "f32": b"\0\0\xc0\x7f",
    "bf16": b"\xc0\x7f",
    "f16": b"\0\x7e",
    "e4m3": b"\x7f",
    "e8m0": b"\xff",
    "f64": b"\0\0\0\0\0\0\xf8\x7f",
}


def scales() -> Iterator[tuple[Scheme, Part]]:
    for scheme, part in parts():
        _, tensors = sound(scheme)
        dtype = tensors[victim(scheme, tensors, part)][0]
        if part.kind == "scale" and part.encoding(dtype).name in NAN_BYTES:
            yield scheme, part


@pytest.mark.parametrize(("scheme", "part"), list(scales()), ids=lambda x: x.name)
def test_a_scale_that_is_not_a_number_is_an_error_at_its_tensor(scheme: Scheme, part: Part) -> None:
    rest, tensors = sound(scheme)
    name = victim(scheme, tensors, part)
    dtype, shape, data = tensors[name]
    bad = NAN_BYTES[part.encoding(dtype).name]
    tensors[name] = (dtype, shape, data[: -len(bad)] + bad)
    assert ("scales/nan", [name]) in loud(rest, tensors)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_the_examples_show_each_kind_of_damage(scheme: Scheme) -> None:
    _, tensors = sound(scheme)
    kinds = set()
    for item, example in zip(scheme.bad, scheme_examples(scheme)[0], strict=True):
        assert example.rule in BOOK.rules
        for name, form in changes(item).items():
            dtype, _, rest = form.partition("[")
            size = rest.partition("]")[0]
            before = tensors[name]
            kinds.add(
                "dropped"
                if form == "dropped"
                else "dtype"
                if dtype != before[0]
                else "shape"
                if size != ", ".join(map(str, before[1]))
                else "value"
            )
    value = {"value"} if any(p.kind == "scale" for p in scheme.parts.values()) else set()
    assert kinds == {"dropped", "dtype", "shape"} | value
