"""When a rule objects to a tensor, a module or a checkpoint, and at which byte it points."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from linted import check, rules_of
from notation import BOOK, source
from tensorlint.container.header import TensorInfo
from tensorlint.dtypes import DTYPE_BITS, encoding_of
from tensorlint.measures.cpu import CpuKernel
from tensorlint.report.findings import Location
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.language import load_rule
from tensorlint.rulebook.model import Rule
from tensorlint.run.subjects import TensorSubject
from tensorlint.schemes.view import TensorUnit
from tensorlint.sources.memory import MemorySource
from tensorlint.text.yamlread import read

RULE = """
summary: S.
severity: error
message: m
{body}
bad: [{{model.safetensors: {{a.weight: "F32[4]"}}, says: m}}]
good: [{{model.safetensors: {{a.weight: "F32[4]"}}}}]
"""


def rule(body: str) -> Rule:
    return load_rule(read(RULE.format(body=body), "test"), "x/y", None, BOOK.schemes)


def objects(body: str, tensors: dict[str, str], config: dict[str, object] | None = None) -> bool:
    return bool(check(source(tensors, config), BOOK, (rule(body),)).findings)


# what is wrong with a tensor whose rule wants neither NaN nor infinity -> whether it is said
DEFECTS = {"": False, "; [0] = nan": True, "; [0] = inf": True, "; [0] = nan; [1] = inf": True}


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize(
    "body",
    [
        "require: {nan: 0, inf: 0}",
        "each: module\nfor: {scheme: unquantized}\nrequire: {that: weight.nan == 0 and weight.inf == 0}",
        "require: {that: nan == 0, inf: 0}",
    ],
)
def test_a_tensor_has_to_meet_everything_that_a_rule_requires(body: str, defect: str) -> None:
    assert objects(body, {"a.weight": f"F32[2, 4] = 1{defect}"}) == DEFECTS[defect]


@pytest.mark.parametrize("shape", ["[2, 4]", "[4, 2]", "[4, 4]"])
@pytest.mark.parametrize("dtype", ["F32", "F16"])
def test_a_module_has_to_meet_everything_that_a_rule_requires(shape: str, dtype: str) -> None:
    body = "each: module\nrequire: {shapes: {weight: [2, 4]}, dtypes: {weight: F32}}"
    assert objects(body, {"a.weight": f"{dtype}{shape}"}) == (shape != "[2, 4]" or dtype != "F32")


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("model_type", ["llama", "mistral"])
def test_a_checkpoint_has_to_meet_everything_that_a_rule_requires(layers: int, model_type: str) -> None:
    body = "each: checkpoint\nrequire: {config: {num_hidden_layers: 1}, that: config.model_type == 'llama'}"
    config: dict[str, object] = {"num_hidden_layers": layers, "model_type": model_type}
    assert objects(body, {"a.weight": "F32[2, 4]"}, config) == ((layers, model_type) != (1, "llama"))


@pytest.mark.parametrize(
    ("nan", "count", "said"), [(True, 8, True), (False, 8, False), (True, 7, False), (False, 7, False)]
)
def test_a_rule_looks_at_what_meets_all_of_its_conditions(nan: bool, count: int, said: bool) -> None:
    body = "when: {count: {at_least: 8}, nan: {above: 0}}\nrequire: {nan: 0}"
    assert objects(body, {"a.weight": f"F32[{count}, 1] = 1{'; [0] = nan' if nan else ''}"}) == said


@pytest.mark.parametrize(
    ("tensors", "size", "said"), [(2, 512, True), (3, 512, False), (2, 513, False), (3, 513, False)]
)
def test_a_fact_is_a_finding_where_it_meets_all_conditions(tensors: int, size: int, said: bool) -> None:
    body = f"fact: zero-tail\nwhen: {{tensors: {{at_least: {tensors}}}, bytes: {{at_least: {size}}}}}"
    assert objects(body, {"a": "U8[512] = 1; [256..511] = 0", "b": "U8[256] = 0"}) == said


def first_nan(dtype: str, shape: tuple[int, ...], at: int, begin: int) -> Location:
    """Where a tensor that begins at a byte is said to have its first NaN."""
    width = DTYPE_BITS[dtype] // 8
    patterns = {
        "F32": struct.pack("<f", float("nan")),
        "F16": b"\0\x7e",
        "F8_E4M3": b"\x7f",
        "F64": struct.pack("<d", float("nan")),
    }
    data = np.zeros(int(np.prod(shape)) * width, np.uint8)
    for element in (at, len(data) // width - 1):
        data[element * width : (element + 1) * width] = list(patterns[dtype])
    tensor = TensorInfo("t", dtype, shape, "s", begin, begin + len(data))
    measures = CpuKernel().measure(data, encoding_of(dtype), frozenset({"nan", "count"}), 0, 0)
    return TensorSubject(TensorUnit(tensor, None, None, encoding_of(dtype), frozenset()), measures).location("nan")


@pytest.mark.parametrize(
    ("dtype", "shape", "at", "begin", "index", "offset", "length"),
    [
        ("F8_E4M3", (4, 8), 11, 100, (1, 3), 111, 1),
        ("F16", (4, 8), 11, 100, (1, 3), 122, 2),
        ("F32", (4, 8), 11, 100, (1, 3), 144, 4),
        ("F64", (4, 8), 11, 100, (1, 3), 188, 8),
        ("F32", (2, 2, 8), 27, 0, (1, 1, 3), 108, 4),
        ("F32", (1,), 0, 8, (0,), 8, 4),
        ("F32", (), 0, 8, (), 8, 4),
    ],
)
def test_a_place_is_the_byte_at_which_an_element_begins(
    dtype: str, shape: tuple[int, ...], at: int, begin: int, index: tuple[int, ...], offset: int, length: int
) -> None:
    place = first_nan(dtype, shape, at, begin)
    assert (place.index, place.byte_offset, place.byte_length) == (index, offset, length)


def test_a_place_in_a_report_is_where_the_bytes_are_in_the_file() -> None:
    raw = write_shard(
        {"a": ("F32", (3,), bytes(12)), "b.weight": ("F32", (2, 4), struct.pack("<8f", *[1] * 5, float("nan"), 1, 1))}
    )
    report = check(MemorySource({"model.safetensors": raw}), BOOK, rules_of(BOOK, ("weights/nan",)))
    (place,) = report.findings[0].locations
    assert place.index == (1, 1) and place.byte_offset is not None
    assert struct.unpack("<f", raw[place.byte_offset : place.byte_offset + 4])[0] != 1.0


def test_the_place_of_a_whole_tensor_is_its_first_byte_and_its_length() -> None:
    tensor = TensorInfo("t", "F32", (2,), "s", 40, 48)
    for measures in (None, CpuKernel().measure(np.zeros(8, np.uint8), encoding_of("F32"), frozenset({"nan"}), 0, 0)):
        unit = TensorUnit(tensor, None, None, encoding_of("F32"), frozenset())
        place = TensorSubject(unit, measures).location("nan")
        assert (place.index, place.byte_offset, place.byte_length) == (None, 40, 8)


def test_a_packed_tensor_has_no_index_and_a_place_by_bytes() -> None:
    raw = write_shard({"a.weight": ("F4", (2, 8), bytes(8))})
    report = check(MemorySource({"model.safetensors": raw}), BOOK, (rule("for: {dtype: F4}\nrequire: {zero: 0}"),))
    (place,) = report.findings[0].locations
    assert (place.index, place.byte_length) == (None, 1)
