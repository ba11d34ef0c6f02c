"""Pages of schemes: every key of a scheme file has words there, and say how values are laid out and computed."""

from __future__ import annotations

import pytest

from tensorlint.rulebook.crosscheck import LABELS
from tensorlint.rulebook.describe import sections
from tensorlint.rulebook.library import load_book
from tensorlint.schemes.load import KEYS, PART_KEYS

BOOK = load_book()

# Key of a scheme file -> a scheme that has it, and what its page says.
OF_SCHEME = {
    "summary": ("gptq", "GPTQ layout"),
    "parts": ("gptq", "module.qweight"),
    "symbols": ("gptq", "usually 4, 8, 2"),
    "declared": ("gptq", "quant_method: gptq"),
    "decode": ("gptq", "(weight - (zero_point + 1)) * weight_scale"),
    "see": ("gptq", "ModelCloud/GPTQModel"),
    "bad": ("gptq", "contract/missing-part"),
    "good": ("gptq", "layers.{0..2}.o_proj.qweight"),
    "quantized": ("lora", "low_rank_a"),  # it says what the page leaves out
    "weak": ("fp8-unscaled", "This tells little"),
    "companion": ("kv-cache", "beside the tensors of another scheme"),
    "fused": ("comfy-nvfp4", "Runtimes do not merge such modules"),
    "everywhere": ("comfy-nvfp4", "Embeddings, heads and routers"),
    "self_declared": ("comfy-nvfp4", "needs no declaration"),
    "written_by": ("gptq", "AutoGPTQ"),
    "elements": ("hqq", "Weights in a module: `M*g`"),
    "described": ("torchao-fp8", "Its list `tensor_names` must have the name too."),
    "untold": ("gptq", "whether the integers are a stream of bits"),
    "forms": ("lora", "kohya, LyCORIS\n`module.lora_down.weight` (low_rank_a)"),
    "effect": ("lora", "The adapter has no product to add"),
    "mend": ("lora", "a half cannot be computed from the other one"),
    "beside": ("comfy-fp8-legacy", "Readers know it by the tensor of `comfy-fp8-marker`"),
}
OF_PART = {
    "name": ("gptq", "module.scales"),
    "dtype": ("gptq", "F16, BF16, F32"),
    "shape": ("gptq", "group [ceil(K/g), N]"),
    "holds": ("mxfp8", "powers of two (E8M0)"),
    "sign": ("mlx-affine", "of any sign but not zero"),
    "convention": ("nvfp4-compressed-tensors", "a divisor"),
    "formula": ("nvfp4-compressed-tensors", "made as 2688 / amax"),
    "needed": ("gptq", "all or none"),
    "scales": ("nvfp4-modelopt", "scales block_scale"),
    "kind": ("hqq", "axis"),  # which rules look at the part, as they say themselves
    "finite": ("nvfp4-modelopt", "finite, above zero"),
    "order": ("bitsandbytes-nf4", "the first in the high half"),
    "json": ("bitsandbytes-nf4", "JSON with the shape of the weight (shape) and the values per scale (blocksize)"),
    "codes": (
        "gptq",
        "packed codes of b bits, a symmetric zero is half of the range, stored less one (no declaration, gptq",
    ),
    "texts": ("hqq", "one of torch.float16, torch.bfloat16, torch.float32"),
    "opposes": ("mlx-affine", "of the other sign than weight_scale"),
    "packs": ("packed-compressed-tensors", "a row makes ceil(K*b/32) or ceil(K/floor(32/b)) words"),
    "integers": ("gptq", "unsigned integers of b bits, packed"),
    "constant": ("bitsandbytes-nf4", "the same in every file (-1, -0.6962"),
    "telling": ("hqq", "no sign of the format alone"),
}


def page(name: str) -> str:
    """All that is said of a scheme."""
    scheme = BOOK.schemes[name]
    rows = [scheme.summary]
    for section in sections(scheme, BOOK):
        rows += [section.title, *section.lines, *(cell for row in section.table for cell in row), section.literal]
    return "\n".join(rows)


def test_every_key_of_a_scheme_file_is_looked_for() -> None:
    assert set(OF_SCHEME) == KEYS
    assert set(OF_PART) == PART_KEYS


@pytest.mark.parametrize("key", [*OF_SCHEME, *(f"part.{key}" for key in OF_PART)])
def test_every_key_of_a_scheme_file_has_words_on_its_page(key: str) -> None:
    name, words = OF_PART[key.removeprefix("part.")] if key.startswith("part.") else OF_SCHEME[key]
    assert words in page(name)


@pytest.mark.parametrize("label", LABELS)
def test_every_label_of_a_shape_has_words(label: str) -> None:
    found = [s.name for s in BOOK.schemes.values() if any(label in p.labels for p in s.parts.values())]
    assert found
    for name in found:
        (row,) = (row for row in page(name).split("\n") if row.startswith("One scale covers "))
        assert label in row


@pytest.mark.parametrize(
    ("scheme", "row"),
    [
        ("nvfp4-modelopt", "`block_scale` lies row by row"),
        ("fp8-fine-grained", "`weight_scale` lies row by row"),
        ("awq", "`weight_scale` lies group by group, in each the scales of all rows"),
        ("mxfp4-modelopt-fused", "`block_scale` lies column by column"),
        ("comfy-nvfp4", "`block_scale` lies row by row, or in the tiles of cuBLAS (tiles): 128 rows by 4 scales"),
        ("torchao-mxfp8", "`block_scale` lies row by row, or in the tiles of cuBLAS (tiles): 128 rows by 4 scales"),
    ],
)
def test_a_page_says_how_the_scales_of_blocks_lie(scheme: str, row: str) -> None:
    assert any(line.startswith(row) for line in page(scheme).split("\n"))


@pytest.mark.parametrize(
    "scheme",
    [s for s in BOOK.schemes.values() if "block_scale" in s.parts and s.name != "fouroversix"],
    ids=lambda s: s.name,
)
def test_every_scheme_with_block_scales_says_how_they_lie(scheme) -> None:
    # Those of Four Over Six are one row of numbers; its summary says the order.
    assert "`block_scale` lies " in page(scheme.name)


@pytest.mark.parametrize(
    ("scheme", "rows"),
    [
        ("awq-marlin", ["(weight - 8) * weight_scale"]),
        ("mxfp4", ["weight * block_scale"]),
        ("quanto-packed", ["floating-point shift: weight * weight_scale - offset", "integer shift:        (weight - offset) * weight_scale"]),
        ("nvfp4-modelopt", ["Without `pre_scale`, `low_rank_a` or `low_rank_b` its term falls away"]),
        ("comfy-int4", ["Codes are signed, and columns are then rotated back"]),
        ("bitsandbytes-nf4", ["lookup[weight] * (nested_lookup[weight_scale] * nested_scale + state.nested_offset)"]),
    ],
)  # fmt: skip
def test_a_page_says_how_values_are_computed(scheme: str, rows: list[str]) -> None:
    for row in rows:
        assert row in page(scheme)


@pytest.mark.parametrize("scheme", [s for s in BOOK.schemes.values() if s.decode], ids=lambda s: s.name)
def test_no_formula_needs_a_zero_point_that_symmetric_modules_lack(scheme) -> None:
    # Integers that count from zero are not symmetric without one: such schemes have a formula of their own for that.
    zeros = scheme.parts.get("zero_point")
    if zeros is not None and zeros.needed != "always" and zeros.codes is not None and zeros.codes.middle == "half":
        assert any("zero_point" not in d.formula for d in scheme.decode)
