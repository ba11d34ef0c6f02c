"""JSON text in tensors comes from strangers: whatever it holds is a finding or silence, never an error."""

from __future__ import annotations

import pytest

from linted import check, rules_of
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
GOOD = b'{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [8, 32]}'


def said(text: bytes) -> list[str]:
    weight = {
        "l.weight": ("U8", (128, 1), bytes(range(128))),
        "l.weight.absmax": ("F32", (4,), b"\0\0\x80\x3f" * 4),
        "l.weight.quant_map": ("F32", (16,), b"\0\0\x80\x3f" * 16),
        "l.weight.quant_state.bitsandbytes__nf4": ("U8", (len(text),), text),
    }
    report = check(MemorySource({"model.safetensors": write_shard(weight)}), BOOK, rules_of(BOOK, ["contract"]))
    return [f.message.partition(": ")[2] for f in report.findings if f.rule == "contract/state-text"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD, None),
        (GOOD + b"   \n", None),
        (b"", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 60_000, "it is not JSON"),
        (b"9" * 5000, "it is not JSON"),
        (b" " * 70_000, "it has 70,000 bytes"),
        (GOOD.ljust(65_536), None),
        (GOOD.ljust(65_537), "it has 65,537 bytes"),
        (b"[1]", "it is not a JSON object"),
        (b"{}", 'quant_type is missing, the tensors are those of nf4'),
        (GOOD.replace(b"nf4", b"fp4"), 'quant_type is "fp4", the tensors are those of nf4'),
        (GOOD.replace(b"[8, 32]", b"[8, -32]"), "shape is [8, -32]"),
        (GOOD.replace(b"[8, 32]", b"[8, true]"), "shape is [8, true]"),
        (GOOD.replace(b"[8, 32]", b"[]"), "shape is []"),
        (GOOD.replace(b"[8, 32]", b"[" + b"2, " * 20 + b"2]"), "shape is [2, 2, 2"),
        (GOOD.replace(b"[8, 32]", b"[281474976710655, 281474976710655]"), "shape [281474976710655, 281474976710655] has"),
        (GOOD.replace(b"[8, 32]", b"[1, 1, 1, 1, 1, 1, 8, 32]"), None),
        (GOOD.replace(b"[8, 32]", b"[1, 1, 1, 1, 1, 1, 1, 8, 32]"), "shape is [1, 1"),
        (GOOD.replace(b"[8, 32]", b"[281474976710655]"), "shape [281474976710655] has"),
        (GOOD.replace(b"[8, 32]", b"[281474976710656]"), "shape is [281474976710656]"),
        (GOOD.replace(b"64", b"0"), "blocksize is 0"),
        (GOOD.replace(b"64", b'"64"'), 'blocksize is "64"'),
        (GOOD.replace(b"64", b"32"), "256 values in blocks of 32 have 8 scales, not 4"),
        (GOOD.replace(b"[8, 32]", b"[8, 16]"), "shape [8, 16] has 128 values, the weight holds 256"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_text(text, problem):
    found = said(text)
    if problem is None:
        assert found == []
    else:
        assert len(found) == 1
        assert found[0].startswith(problem)
