"""What a finding says is right for the cause at hand: the format it is about, the values that are there or not."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from linted import check, rules_of
from tensorlint.report.findings import Finding
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
Files = dict[str, bytes]


def of(files: Mapping[str, bytes], rule: str) -> Finding:
    """The one finding of a rule."""
    (finding,) = (f for f in check(MemorySource(files), BOOK, rules_of(BOOK)).findings if f.rule == rule)
    return finding


def raw(header: str, data: bytes = b"\0") -> Files:
    return {"model.safetensors": struct.pack("<Q", len(header)) + header.encode() + data}


def model(tensors: Mapping[str, Any], quantization: Mapping[str, Any] | None = None) -> Files:
    config = {"model_type": "llama", **({"quantization_config": quantization} if quantization else {})}
    return {"model.safetensors": write_shard(dict(tensors)), "config.json": json.dumps(config).encode()}


def f32(value: float, count: int = 1) -> bytes:
    return struct.pack("<f", value) * count


def entry(dtype: str) -> Files:
    return raw(json.dumps({"a": {"dtype": dtype, "shape": [1], "data_offsets": [0, 1]}}))


def mxfp8(method: str, **more: Any) -> Files:
    weight = {"l.up_proj.weight": ("F8_E4M3", (8, 64), bytes(range(0x30, 0x70)) * 8)}
    return model(
        {**weight, "l.up_proj.weight_scale": ("U8", (8, 2), bytes([122] * 16))}, {"quant_method": method, **more}
    )


def swapped(suffix: str, shape: tuple[int, ...], **parts: Any) -> Files:
    return model(
        {f"l.up_proj{name}": value for name, value in parts.items()} | {f"l.up_proj{suffix}": ("F32", shape, f32(900))}
    )


GROUP = {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float", "strategy": "tensor"}}
NVFP4 = {
    ".weight": ("U8", (8, 64), bytes(range(1, 129)) * 4),
    ".weight_scale": ("F8_E4M3", (8, 8), bytes([0x38, 0x3C] * 32)),
}
BY_ROW = {".weight": ("I8", (8, 64), bytes([1, 2, 3, 4] * 128)), ".SCB": ("F32", (8,), f32(0.5, 7) + f32(0))}

CASES: list[tuple[str, Callable[[], Files], str, str, str]] = [
    # Files, rule, what the effect or remedy must say, and what it must not.
    ("a broken entry is no proof of an attack", lambda: raw('{"a":{"shape":[1],"data_offsets":[0,1]}}'), "container/bad-entry",
     "a writer of somebody's own", "tampered|hostile"),
    ("-1 as an unsigned size", lambda: raw('{"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,0]}}', b""),
     "container/size-overflow", "-1 written as an unsigned number", "Treat the file as hostile"),
    ("metadata given twice", lambda: raw('{"__metadata__":{},"__metadata__":{}}', b""), "container/bad-metadata",
     "Write `__metadata__` once", "$^"),
    ("a dtype with a near one", lambda: entry("F8_E4M3FN"), "container/unknown-dtype", "such as F8_E4M3;", "nearest"),
    ("a dtype near none", lambda: entry("?"), "container/unknown-dtype", "such as BF16 or F8_E4M3;", "such as ;"),
    ("an entry of another form", lambda: raw('{"a":["U8",[1],[0,1]]}'), "container/unknown-field", "takes such forms", "$^"),
    ("a multiplier of ModelOpt", lambda: swapped(".weight_scale_2", (), **NVFP4), "scales/inverted-multiplier",
     "amax / 1536 with four-over-six", "$^"),
    ("a zero scale that is no block scale of NVFP4", lambda: model({f"l.up_proj{k}": v for k, v in BY_ROW.items()},
     {"quant_method": "bitsandbytes", "load_in_8bit": True}), "scales/zero-over-values", "keeps scales above zero", "the blocks"),
    ("what a file of compressed-tensors should declare", lambda: mxfp8("compressed-tensors", format="float-quantized",
     config_groups={"g": GROUP}), "config/scheme-mismatch", "method compressed-tensors", "method modelopt"),
    ("what a file of ModelOpt should declare", lambda: mxfp8("modelopt", quant_algo="FP8"), "config/scheme-mismatch",
     "method modelopt", "method compressed-tensors"),
    ("an unreadable configuration that was never fetched", lambda: {**model({"a.weight": ("F32", (4,), f32(1, 4))}),
     "config.json": b"<!DOCTYPE html><html>404</html>"}, "config/unreadable", "Fetch the file again", "$^"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "rule", "says", "never"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_effect_and_remedy_fit_the_cause(files: Callable[[], Files], rule: str, says: str, never: str) -> None:
    finding = of(files(), rule)
    told = f"{finding.effect} {finding.remedy}"
    assert says in told
    for words in never.split("|"):
        assert words not in told
