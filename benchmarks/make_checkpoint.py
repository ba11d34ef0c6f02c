"""Make large checkpoints: many small tensors in many shards, or one shard of large tensors.

    python benchmarks/make_checkpoint.py moe /tmp/moe --tensors 100000 --shards 64
    python benchmarks/make_checkpoint.py dense /tmp/dense --format nvfp4 --size 4e9

`moe` is an NVFP4 mixture of experts as ModelOpt writes it (names, dtypes, config.json, hf_quant_config.json, index)
with tiny weights full of values, about 30 MB for 100,000 tensors. `dense` is one shard of sound values in one format:
normally distributed weights, and the block scales that come with them.
"""

from __future__ import annotations

import argparse
import json
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_PIECE = 64 << 20  # bytes written at a time
_BITS = {"U8": 8, "F8_E4M3": 8, "BF16": 16, "F32": 32}


@dataclass(frozen=True)
class Tensor:
    """One tensor to write."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        elements = 1
        for size in self.shape:
            elements *= size
        return elements * _BITS[self.dtype] // 8


def nvfp4(module: str, rows: int, columns: int) -> Iterator[Tensor]:
    """The four tensors of one NVFP4 linear layer."""
    yield Tensor(f"{module}.weight", "U8", (rows, columns // 2))
    yield Tensor(f"{module}.weight_scale", "F8_E4M3", (rows, columns // 16))
    yield Tensor(f"{module}.weight_scale_2", "F32", ())
    yield Tensor(f"{module}.input_scale", "F32", ())


def fp8(module: str, rows: int, columns: int) -> Iterator[Tensor]:
    """The three tensors of one FP8 linear layer."""
    yield Tensor(f"{module}.weight", "F8_E4M3", (rows, columns))
    yield Tensor(f"{module}.weight_scale", "F32", ())
    yield Tensor(f"{module}.input_scale", "F32", ())


def plain(dtype: str) -> Callable[[str, int, int], Iterator[Tensor]]:
    """Makes the one tensor of a linear layer that is not quantized."""
    return lambda module, rows, columns: iter([Tensor(f"{module}.weight", dtype, (rows, columns))])


FORMATS: dict[str, Callable[[str, int, int], Iterator[Tensor]]] = {
    "fp8": fp8,
    "bf16": plain("BF16"),
    "f32": plain("F32"),
    "nvfp4": nvfp4,
}


def _layer(number: int, hidden: int, inner: int, experts: int) -> Iterator[Tensor]:
    prefix = f"model.layers.{number}"
    for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
        yield Tensor(f"{prefix}.self_attn.{name}.weight", "BF16", (hidden, hidden))
    for name in ("input_layernorm", "post_attention_layernorm"):
        yield Tensor(f"{prefix}.{name}.weight", "BF16", (hidden,))
    yield Tensor(f"{prefix}.mlp.gate.weight", "BF16", (experts, hidden))
    for expert in range(experts):
        for name in ("gate_proj", "up_proj"):
            yield from nvfp4(f"{prefix}.mlp.experts.{expert}.{name}", inner, hidden)
        yield from nvfp4(f"{prefix}.mlp.experts.{expert}.down_proj", hidden, inner)


def _content(tensor: Tensor, random: np.random.Generator) -> bytes:
    """Plausible values: random codes, block scales and weights of ordinary size, one scale per tensor."""
    if tensor.dtype == "U8":
        return random.bytes(tensor.nbytes)
    if tensor.dtype == "F8_E4M3":
        return random.integers(0x30, 0x50, tensor.nbytes, np.uint8).tobytes()
    if tensor.dtype == "BF16":
        return random.integers(0x3C00, 0x3E00, tensor.nbytes // 2, np.uint16).tobytes()
    return struct.pack("<f", 0.001) * (tensor.nbytes // 4)


def write_header(path: Path, tensors: Iterable[Tensor]) -> list[tuple[Tensor, int]]:
    """Write a shard's header and make the file as long as its tensors need; returns the offset of each in the file."""
    top: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    places = []
    for tensor in tensors:
        top[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [at, at + tensor.nbytes],
        }
        places.append((tensor, at))
        at += tensor.nbytes
    text = json.dumps(top, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)
    return [(tensor, 8 + len(text) + begin) for tensor, begin in places]


def _configuration(folder: Path, config: dict[str, Any], algorithm: str, ignored: list[str]) -> None:
    quantization: dict[str, Any] = {"quant_algo": algorithm, "kv_cache_quant_algo": None, "exclude_modules": ignored}
    if algorithm == "NVFP4":
        quantization["group_size"] = 16
    producer = {"name": "modelopt", "version": "0.47.0"}
    inside = {k: v for k, v in quantization.items() if k != "exclude_modules"}
    config["quantization_config"] = {"quant_method": "modelopt", "producer": producer, "ignore": ignored, **inside}
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "hf_quant_config.json").write_text(
        json.dumps({"producer": producer, "quantization": quantization}, indent=2)
    )


def make_moe(folder: Path, tensors: int, shards: int, layers: int = 48) -> int:
    """An NVFP4 mixture of experts with about this many tensors; returns how many it has."""
    folder.mkdir(parents=True, exist_ok=True)
    hidden, inner, vocabulary = 64, 32, 128
    experts = max(1, round((tensors / layers - 7) / 12))
    rows = [Tensor("model.embed_tokens.weight", "BF16", (vocabulary, hidden))]
    for number in range(layers):
        rows.extend(_layer(number, hidden, inner, experts))
    rows += [
        Tensor("model.norm.weight", "BF16", (hidden,)),
        Tensor("lm_head.weight", "BF16", (vocabulary, hidden)),
    ]
    weight_map: dict[str, str] = {}
    random = np.random.default_rng(0)
    for shard in range(shards):
        name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        mine = rows[len(rows) * shard // shards : len(rows) * (shard + 1) // shards]
        # The widest elements first, so that every tensor is aligned to its element size, as exporters do it.
        mine.sort(key=lambda t: -_BITS[t.dtype])
        write_header(folder / name, mine)
        with (folder / name).open("ab") as file:
            file.truncate(file.tell() - sum(t.nbytes for t in mine))
            file.write(b"".join(_content(t, random) for t in mine))
        weight_map.update((t.name, name) for t in mine)
    total = sum(t.nbytes for t in rows)
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))
    config = {
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_size": hidden,
        "moe_intermediate_size": inner, "num_hidden_layers": layers, "num_experts": experts,
        "vocab_size": vocabulary, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
    }  # fmt: skip
    _configuration(folder, config, "NVFP4", ["lm_head", "model.layers.*.self_attn*", "model.layers.*.mlp.gate"])
    return len(rows)


def make_dense(folder: Path, format_: str, size: int) -> int:
    """One shard of about `size` bytes in one of FORMATS; returns its exact size."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Tensor] = []
    while sum(t.nbytes for t in rows) < size:
        rows += FORMATS[format_](f"model.layers.{len(rows)}.mlp.gate_proj", 8192, 16384)
    rows.sort(key=lambda t: -_BITS[t.dtype])
    path = folder / "model.safetensors"
    places = write_header(path, rows)
    random = np.random.default_rng(0)
    with path.open("r+b") as file:
        for tensor, begin in places:
            file.seek(begin)
            for at in range(0, tensor.nbytes, _PIECE):
                amount = min(_PIECE, tensor.nbytes - at)
                part = Tensor(tensor.name, tensor.dtype, (amount * 8 // _BITS[tensor.dtype],) if tensor.shape else ())
                file.write(_drawn(part, random))
    return path.stat().st_size


def _drawn(tensor: Tensor, random: np.random.Generator) -> bytes:
    """Values as a sound export has them; the bits of floats are those of a normal distribution around zero."""
    elements = tensor.nbytes * 8 // _BITS[tensor.dtype]
    if tensor.dtype == "U8" or not tensor.shape:
        return _content(tensor, random)
    values = random.standard_normal(elements, np.float32)
    if tensor.dtype == "F32":
        return (values * np.float32(0.02)).tobytes()
    if tensor.dtype == "BF16":
        return (values * np.float32(0.02)).view("<u2")[1::2].tobytes()
    # E4M3, rounded down: three bits of the mantissa and an exponent with a bias of 7 instead of 127.
    bits = (values * np.float32(64)).view("<u4")
    small = np.clip((bits >> 20 & 0x7FF).astype(np.int64) - (120 << 3), 1, 0x7E)
    sign = bits >> 31 << 7 if tensor.name.endswith(".weight") else 0
    return (small | sign).astype(np.uint8).tobytes()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    moe = kinds.add_parser("moe")
    moe.add_argument("folder", type=Path)
    moe.add_argument("--tensors", type=int, default=100_000)
    moe.add_argument("--shards", type=int, default=64)
    dense = kinds.add_parser("dense")
    dense.add_argument("folder", type=Path)
    dense.add_argument("--format", choices=FORMATS, default="nvfp4")
    dense.add_argument("--size", type=float, default=4e9, help="bytes")
    given = parser.parse_args()
    if given.kind == "moe":
        print(f"{make_moe(given.folder, given.tensors, given.shards):,} tensors in {given.folder}")
    else:
        print(f"{make_dense(given.folder, given.format, int(given.size)):,} bytes in {given.folder}")


if __name__ == "__main__":
    main()
