"""What every scheme says about the sign of its scales, and that a scale which breaks it is found in each of them."""

from __future__ import annotations

import json
import struct

import pytest

from linted import check, rules_of
from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.variants import scheme_examples
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
RULES = rules_of(BOOK, ["scales", "contract"])

# Scales that are not strictly positive, and why: every other one must be above zero.
NOT_POSITIVE = {
    # Symmetric AutoRound gives a group the sign of its largest weight (a lone negative one has a rule of its own), and
    # quantizers keep scales away from zero, also for groups of zeros.
    ("gptq", "weight_scale"): "nonzero",
    ("awq", "weight_scale"): "nonzero",
    ("packed-compressed-tensors", "weight_scale"): "nonzero",
    ("int-compressed-tensors", "weight_scale"): "nonzero",
    ("awq-gemv", "weight_scale"): "any",  # padded with zeros
    ("awq-gemv-fast", "weight_scale"): "any",  # padded with zeros
    ("awq-marlin", "weight_scale"): "any",
    # MLX leads away from the end of the range that is farther from zero.
    ("mlx-affine", "weight_scale"): "nonzero",
    # Without a scale above them the scales of quiet blocks underflow, and the codes below them are zero as well.
    ("mlx-nvfp4", "block_scale"): "nonnegative",
    # A row, block or tensor of zeros has a maximum of zero, and these exporters store it as it is.
    ("bitsandbytes-fp4", "weight_scale"): "nonnegative",
    ("bitsandbytes-fp4", "nested_scale"): "nonnegative",
    ("bitsandbytes-nf4", "weight_scale"): "nonnegative",
    ("bitsandbytes-nf4", "nested_scale"): "nonnegative",
    ("bitsandbytes-int8", "weight_scale"): "nonnegative",
    ("comfy-fp8", "weight_scale"): "nonnegative",
    ("comfy-int4", "weight_scale"): "nonnegative",
    ("comfy-int8", "weight_scale"): "nonnegative",
    ("comfy-nvfp4", "block_scale"): "nonnegative",  # padded with zeros
    ("comfy-w4a8", "block_scale"): "nonnegative",
    ("comfy-w4a8", "weight_scale"): "nonnegative",
    ("eetq", "weight_scale"): "nonnegative",
    ("exl2", "weight_scale"): "nonnegative",
    ("eetq-original", "weight_scale"): "nonnegative",
    ("fp8-fbgemm", "weight_scale"): "nonnegative",
    ("quanto-8bit", "weight_scale"): "nonnegative",
    ("quanto-packed", "weight_scale"): "nonnegative",
    ("torchao-fp8", "weight_scale"): "nonnegative",
    ("torchao-int8", "weight_scale"): "nonnegative",
    ("torchao-int8", "input_scale"): "nonnegative",
    ("torchao-nvfp4", "block_scale"): "nonnegative",
    # Scale and zero share a tensor, or are fitted without a constraint.
    ("comfy-awq", "weight_scale"): "any",
    ("torchao-int4", "weight_scale"): "any",
    ("torchao-int4-plain", "weight_scale"): "any",
    ("torchao-int4-tiled", "weight_scale"): "any",
    # Scales of codebooks, signs of rotations, and factors between channels have a sign of their own.
    ("aqlm", "weight_scale"): "any",
    ("bitblas", "weight_scale"): "any",
    ("awq-nunchaku", "weight_scale"): "any",
    ("comfy-svdquant", "weight_scale"): "any",
    ("comfy-svdquant", "pre_scale"): "any",
    ("exl3", "column_scale"): "any",
    ("exl3", "weight_scale"): "any",
    ("higgs", "weight_scale"): "any",
    ("metal", "weight_scale"): "any",
    ("paroquant", "weight_scale"): "any",
    ("paroquant", "pre_scale"): "any",
    ("qqq", "block_scale"): "any",
    ("svdquant-nunchaku", "pre_scale"): "any",
    ("svdquant-nunchaku", "smooth_factor"): "any",
    ("vptq", "weight_scale"): "any",
    ("fouroversix", "block_scale"): "nonnegative",
    ("fouroversix", "amax"): "nonnegative",
    ("svdquant-nunchaku", "block_scale"): "nonnegative",
    ("svdquant-nunchaku", "weight_scale"): "nonnegative",
}
MINUS = {"F32": struct.pack("<f", -0.01), "F16": struct.pack("<e", -0.01), "BF16": b"\x24\xbc", "F8_E4M3": b"\xb8"}


def scales():
    for scheme in BOOK.schemes.values():
        for part in scheme.parts.values():
            if part.kind == "scale":
                yield scheme, part


def test_the_table_is_what_the_schemes_say():
    found = {(s.name, p.name): p.sign for s, p in scales() if p.sign != "positive"}
    assert found == NOT_POSITIVE


def damaged():
    """(scheme, part, files in which the first such scale of the scheme's own example is negative)."""
    for scheme, part in scales():
        for name, data in scheme_examples(scheme)[1][0].files.items():
            size = int.from_bytes(data[:8], "little") if name.endswith(".safetensors") else 0
            for tensor, entry in json.loads(data[8 : 8 + size] or "{}").items():
                if tensor.endswith(part.suffix) and entry.get("dtype") in MINUS:
                    begin, minus = 8 + size + entry["data_offsets"][0], MINUS[entry["dtype"]]
                    files = dict(scheme_examples(scheme)[1][0].files)
                    files[name] = data[:begin] + minus + data[begin + len(minus) :]
                    yield pytest.param(part.sign, files, id=f"{scheme.name}-{part.name}")
                    break


@pytest.mark.parametrize(("sign", "files"), list(damaged()))
def test_a_negative_scale_is_found_wherever_none_may_be(sign, files):
    said = {f.rule for f in check(MemorySource(files), BOOK, RULES).findings}
    assert ("scales/negative" in said) == (sign in ("positive", "nonnegative"))


def test_most_schemes_have_such_an_example():
    assert len(list(damaged())) > 60
