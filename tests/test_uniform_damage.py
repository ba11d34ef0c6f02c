"""The same damage in all modules of a sound export: what an exporter's bug looks like. No sibling knows better.

From the sound example of every declared scheme, in names, dtypes and shapes: the damage must be said, and the modules
must still be of their scheme. What cannot be seen in these files is listed with the reason.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase

import pytest

from linted import check, rules_of
from tensorlint.dtypes import DTYPE_BITS
from tensorlint.report.findings import Report
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.variants import scheme_examples
from tensorlint.schemes.model import Part, Scheme
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
RULES = rules_of(BOOK)
Tensor = tuple[str, tuple[int, ...], bytes]
Tensors = dict[str, Tensor]


def of(dtype: str, *shape: int) -> Tensor:
    return dtype, shape, bytes(math.prod(shape) * DTYPE_BITS[dtype] // 8)


def transposed(tensor: Tensor) -> Tensor | None:
    shape = tensor[1]
    return of(tensor[0], *shape[::-1]) if len(shape) == 2 and shape[0] != shape[1] and 1 not in shape else None


def halved(tensor: Tensor) -> Tensor | None:
    *first, last = tensor[1] or (1,)
    return of(tensor[0], *first, last // 2) if last % 2 == 0 else None


DAMAGES: Mapping[str, Callable[[Tensor], Tensor | None]] = {
    "dropped": lambda t: ("", (), b""),
    "u8": lambda t: of("U8", *t[1]) if t[0].startswith("F8") else None,
    "f16": lambda t: of("F16", *t[1]) if t[0] in ("F32", "BF16") else None,
    "bf16": lambda t: of("BF16", *t[1]) if t[0] in ("F32", "F16") else None,
    "f32": lambda t: of("F32", *t[1]) if t[0].startswith("F8") else None,
    "transposed": transposed,
    "flat": lambda t: of(t[0], math.prod(t[1])) if len(t[1]) == 2 else None,
    "half": halved,
}

# Damage that the files of an example do not show, by scheme, part and damage, with the reason.
UNSEEN = {
    # A matrix of half the columns, or one on its side, is a matrix: sizes of a model tell, and these examples have none.
    ("*", "weight", "half"): "no size of a model",
    ("*", "weight", "transposed"): "no size of a model",
    # Group and block sizes follow from the shape, where nothing declares them.
    (
        "bitsandbytes-*4",
        "weight_scale",
        "half",
    ): "the block size stands in the state's text, which is read at depth scales",
    ("higgs", "weight_scale", "half"): "no group size is declared",
    ("int4-awq-modelopt", "weight_scale", "half"): "no group size is declared",
    ("fouroversix", "block_scale", "half"): "no group size is declared",
    ("torchao-int8", "*", "flat"): "a scale per row is written with and without a second dimension",
    ("hqq", "shape", "half"): "a text of numbers, which is read at depth scales",
    # Tables and lists whose sizes follow from nothing else in the file.
    ("aqlm", "lookup", "half"): "codebooks may be of any size",
    ("higgs", "pair_lookup", "half"): "codebooks may be of any size",
    ("vptq", "*lookup", "half"): "codebooks may be of any size",
    ("exl2", "group_index", "half"): "groups may be of any number",
    ("spqr", "outliers", "half"): "outliers may be of any number",
    ("bitblas", "zero_point", "half"): "may be empty",
}
# Schemes that the words of a declaration do not tell apart: what is left of one may be another's.
ALIKE = {
    "eetq": ("eetq-original",),
    "fp8-scaled": ("mxfp8-quark",),
    "mxfp8-quark": ("mxfp8", "fp8-scaled"),
    "nvfp4-modelopt-w4a8-fused": ("nvfp4-modelopt-fused",),
    "torchao-mxfp8": ("torchao-mxfp4",),
    "w4afp8": ("fp8-fine-grained",),
}


def taken_apart(files: Mapping[str, bytes]) -> tuple[dict[str, bytes], dict[str, str] | None, Tensors]:
    """An example's other files, its metadata and its tensors."""
    rest = dict(files)
    shard = rest.pop("model.safetensors")
    (length,) = struct.unpack("<Q", shard[:8])
    header = json.loads(shard[8 : 8 + length])
    metadata = header.pop("__metadata__", None)
    return rest, metadata, {name: of(entry["dtype"], *entry["shape"]) for name, entry in header.items()}


def example(scheme: Scheme) -> Mapping[str, bytes] | None:
    """The first sound example of a scheme in which a file declares it."""
    for one in scheme_examples(scheme)[1]:
        declares = any(b"quant" in text for name, text in one.files.items() if name.endswith(".json"))
        if declares and "model.safetensors" in one.files:
            return one.files
    return None


def of_part(scheme: Scheme, part: Part, tensors: Tensors) -> list[str]:
    longer = tuple(p.suffix for p in scheme.parts.values() if p is not part and p.suffix.endswith(part.suffix))
    return [name for name in tensors if name.endswith(part.suffix) and not (longer and name.endswith(longer))]


def damaged(tensors: Tensors, names: list[str], damage: str) -> Tensors | None:
    """All tensors of a part damaged alike; None where the damage changes nothing."""
    changed = {name: DAMAGES[damage](tensors[name]) for name in names}
    if not any(changed.values()):
        return None
    return {name: changed.get(name) or t for name, t in tensors.items() if (changed.get(name) or t)[0]}


def linted(rest: Mapping[str, bytes], metadata: dict[str, str] | None, tensors: Tensors) -> Report:
    source = MemorySource({**rest, "model.safetensors": write_shard(tensors, metadata)})
    return check(source, BOOK, RULES, depth="headers")


def excused(scheme: Scheme, part: Part, damage: str) -> bool:
    if damage == "dropped" and part.needed != "always":
        return True  # exporters leave it out where a model has no use for it
    if damage.upper() in part.dtypes:
        return True  # exporters write it like that
    key = scheme.name, part.name, damage
    return any(all(map(fnmatchcase, key, row)) for row in UNSEEN)


def declared() -> Iterator[Scheme]:
    for scheme in BOOK.schemes.values():
        if scheme.quantized and scheme.declared and not scheme.weak and not scheme.companion and example(scheme):
            yield scheme


@pytest.mark.parametrize("scheme", list(declared()), ids=lambda s: s.name)
def test_damage_to_all_modules_is_said_and_makes_them_no_other_scheme(scheme: Scheme) -> None:
    files = example(scheme)
    assert files is not None
    rest, metadata, tensors = taken_apart(files)
    before = linted(rest, metadata, tensors).schemes
    for part in scheme.parts.values():
        names = of_part(scheme, part, tensors)
        for damage in DAMAGES:
            if excused(scheme, part, damage) or (changed := damaged(tensors, names, damage)) is None:
                continue
            report = linted(rest, metadata, changed)
            assert [f.rule for f in report.findings if f.severity != "note"], (part.name, damage)
            assert set(report.schemes) <= {*before, *ALIKE.get(scheme.name, ())}, (part.name, damage)


def test_no_row_of_what_cannot_be_seen_is_about_nothing() -> None:
    known = [(s.name, p) for s in declared() for p in s.parts]
    for scheme, part, damage in UNSEEN:
        assert damage in DAMAGES
        assert any(fnmatchcase(s, scheme) and fnmatchcase(p, part) for s, p in known), (scheme, part)


# -- sizes of a model tell what a matrix of half its columns is ---------------------------------------------------------

LLAMA = {
    "model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 64, "vocab_size": 32,
}  # fmt: skip
SIZES = {
    "self_attn.q_proj": (256, 256), "self_attn.k_proj": (128, 256), "self_attn.v_proj": (128, 256),
    "self_attn.o_proj": (256, 256), "mlp.gate_proj": (512, 256), "mlp.up_proj": (512, 256), "mlp.down_proj": (256, 512),
}  # fmt: skip
W8 = {"num_bits": 8, "strategy": "channel", "symmetric": True}
FORMATS: Mapping[str, tuple[Mapping[str, object], Callable[[int, int], Tensors]]] = {
    "fp8-modelopt": (
        {"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8", "ignore": ["lm_head"]}},
        lambda n, k: {"weight": of("F8_E4M3", n, k), "weight_scale": of("F32"), "input_scale": of("F32")},
    ),
    "int-compressed-tensors": (
        {"quantization_config": {"quant_method": "compressed-tensors", "format": "int-quantized", "ignore": ["lm_head"],
         "config_groups": {"g": {"targets": ["Linear"], "weights": {**W8, "type": "int"}}}}},
        lambda n, k: {"weight": of("I8", n, k), "weight_scale": of("BF16", n, 1)},
    ),
    "nvfp4-modelopt": (
        {"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"]}},
        lambda n, k: {"weight": of("U8", n, k // 2), "weight_scale": of("F8_E4M3", n, k // 16),
         "weight_scale_2": of("F32"), "input_scale": of("F32")},
    ),
    "mlx-mxfp4": (
        {"quantization": {"mode": "mxfp4", "bits": 4, "group_size": 32}},
        lambda n, k: {"weight": of("U32", n, k // 8), "scales": of("U8", n, k // 32)},
    ),
}  # fmt: skip


def llama(parts: Callable[[int, int], Tensors], **config: object) -> tuple[dict[str, bytes], Tensors]:
    tensors = {"model.embed_tokens.weight": of("BF16", 32, 256), "lm_head.weight": of("BF16", 32, 256)}
    tensors["model.norm.weight"] = of("BF16", 256)
    for layer in range(2):
        for name, size in SIZES.items():
            tensors |= {f"model.layers.{layer}.{name}.{k}": t for k, t in parts(*size).items()}
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.{layer}.{norm}.weight"] = of("BF16", 256)
    return {"config.json": json.dumps({**LLAMA, **config}).encode()}, tensors


@pytest.mark.parametrize("damage", ["half", "transposed"])
@pytest.mark.parametrize("scheme", FORMATS)
def test_weights_of_another_size_than_the_model_has_are_of_a_wrong_shape(scheme: str, damage: str) -> None:
    config, parts = FORMATS[scheme]
    rest, tensors = llama(parts, **config)
    assert not [f.rule for f in linted(rest, None, tensors).findings]
    names = [name for name in tensors if name.endswith("_proj.weight")]
    changed = damaged(tensors, names, damage)
    assert changed is not None
    report = linted(rest, None, changed)
    (finding,) = [f for f in report.findings if f.severity != "note"]
    assert finding.rule == "contract/wrong-shape"
    assert ("1/2 of the size" if damage == "half" else "it is transposed") in finding.message
    assert report.schemes == {scheme: 14}


@pytest.mark.parametrize("bits", [2, 3, 6, 8])
def test_one_wrong_width_in_the_declaration_is_one_finding_with_the_width_that_fits_the_model(bits: int) -> None:
    def parts(rows: int, columns: int) -> Tensors:
        scales = {name: of("BF16", rows, columns // 64) for name in ("scales", "biases")}
        return {"weight": of("U32", rows, columns * bits // 32), **scales}

    rest, tensors = llama(parts, quantization={"bits": 4, "group_size": 64})
    (finding,) = linted(rest, None, tensors).findings
    assert finding.rule == "config/parameter-mismatch"
    assert f"has bits {bits}, but quantization declares 4" in finding.message
    rest, tensors = llama(parts, quantization={"bits": bits, "group_size": 64})
    assert not linted(rest, None, tensors).findings
