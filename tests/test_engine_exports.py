"""Real exports with the engines they are made for: silent where the engine serves them, and what it refuses is named."""

from __future__ import annotations

import pytest

from linted import check, rules_of
from tensorlint.rulebook.library import load_book
from test_real_layouts import LAYOUTS, rebuilt

BOOK = load_book()
BY_NAME = {layout["name"]: layout for layout in LAYOUTS}
LLMCOMPRESSOR = (
    "llmc-fp8-llama llmc-fp8block-llama llmc-fp8dyn-llama llmc-fp8kvfp8-llama llmc-int8dyn-qwen2tied llmc-mixed-llama "
    "llmc-mxfp4-llama llmc-mxfp8-llama llmc-nvfp4-llama llmc-w4a16-llama llmc-w4a16asym-llama llmc-w8a8-llama"
)
NO_MX = " ".join(name for name in LLMCOMPRESSOR.split() if "-mx" not in name)
MODELOPT = (
    "mo044-nvfp4-llama mo044-nvfp4-kvfp8-llama mo044-nvfp4-mlponly-llama mo044-nvfp4-qwen3moe mo044-nvfp4-sharded-llama "
    "mo047-nvfp4-dsv3 mo044-nvfp4-gptoss mo044-fp8-kvfp8-llama mo044-mixed-fp8attn-nvfp4mlp-llama"
)
PLAIN = "tf-bf16-llama tf-bf16-sharded-qwen3moe tf-fp16-sharded-qwen2tied peft-lora-llama"
GPTQ = "gptqmodel-g128sym-llama gptqmodel-v2-llama autoround-autoawq-w4a16-llama autoround-autoround-w4a16-llama"
SERVED = {
    "vllm": f"{LLMCOMPRESSOR} {MODELOPT} {GPTQ} {PLAIN} mo044-fp8-pcpt-llama mo044-mxfp8-llama "
    "tf-finegrainedfp8-llama gptoss-mxfp4-layout quark-fp8-llama torchao-int8wo-llama",
    "sglang": f"{NO_MX} {MODELOPT} {GPTQ} {PLAIN} bnb-nf4-llama tf-finegrainedfp8-llama gptoss-mxfp4-layout "
    "mo044-mxfp8-llama",
    "transformers": f"{LLMCOMPRESSOR} {GPTQ} {PLAIN} bnb-nf4-llama bnb-int8-llama tf-finegrainedfp8-llama "
    "gptoss-mxfp4-layout quark-fp8-llama torchao-int8wo-llama",
    "trtllm": f"{MODELOPT} {PLAIN} mo044-int4awq-llama mo044-w4a8awq-llama mo044-int8sq-llama mo044-mxfp8-llama "
    "llmc-nvfp4-llama llmc-fp8dyn-llama llmc-fp8block-llama llmc-mxfp4-llama tf-finegrainedfp8-llama",
    "mlx": f"{PLAIN} mlx-q4-llama mlx-mxfp4-llama gptoss-mxfp4-layout llmc-nvfp4-llama autoround-autoawq-w4a16-llama "
    "mo044-nvfp4-llama llmc-mxfp4-llama",
    "comfyui": "ctq-fp8-comfy-llama diffusers-sd-fp16",
}
OBJECTED = {
    ("vllm", "mo044-int4awq-llama"): "modelopt-algorithm",
    ("vllm", "mo044-w4a8awq-llama"): "modelopt-algorithm",
    ("vllm", "mo044-int8sq-llama"): "modelopt-algorithm",
    ("vllm", "mo044-mxfp4-llama"): "modelopt-algorithm",
    ("vllm", "hqq-4bit-llama"): "no-method",
    ("vllm", "quanto-qint8-llama"): "no-method",
    ("vllm", "bnb-nf4-llama"): "no-method",
    ("sglang", "mo044-mxfp4-llama"): "modelopt-algorithm",
    ("sglang", "torchao-int8wo-llama"): "no-method",
    ("sglang", "llmc-mxfp8-llama"): "compressed-tensors-mx",
    ("sglang", "llmc-mxfp4-llama"): "compressed-tensors-mx",
    ("transformers", "mo044-nvfp4-llama"): "no-method",
    ("transformers", "mlx-q4-llama"): "no-method-name",
    ("transformers", "hqq-4bit-llama"): "hqq",
    ("trtllm", "llmc-w8a8-llama"): "int8-as-fp8",
    ("trtllm", "llmc-fp8-llama"): "8-bit-strategy",
    ("trtllm", "llmc-w4a16-llama"): "packed-integers",
    ("trtllm", "gptqmodel-g128sym-llama"): "no-method",
    ("mlx", "gptqmodel-g128sym-llama"): "gptq",
    ("mlx", "llmc-fp8-llama"): "compressed-tensors-format",
    ("mlx", "llmc-w4a16-llama"): "compressed-tensors-as-affine",
    ("mlx", "mo044-mxfp8-llama"): "modelopt-algorithm",
    ("mlx", "bnb-nf4-llama"): "no-method",
}


def loud(engine: str, export: str) -> list[str]:
    rules = rules_of(BOOK, engines=[engine])
    report = check(rebuilt(BY_NAME[export]), BOOK, rules, "headers")
    return [f.rule for f in report.findings if f.severity != "note"]


@pytest.mark.parametrize(("engine", "export"), [(e, x) for e, names in SERVED.items() for x in names.split()])
def test_an_engine_says_nothing_loud_about_an_export_that_it_serves(engine: str, export: str) -> None:
    assert loud(engine, export) == []


@pytest.mark.parametrize(("engine", "export"), OBJECTED, ids=lambda v: v)
def test_what_an_engine_does_not_serve_is_one_warning(engine: str, export: str) -> None:
    assert loud(engine, export) == [f"engine/{engine}/{OBJECTED[engine, export]}"]


def test_every_shipped_engine_has_exports_to_try() -> None:
    assert {*SERVED} == {*BOOK.engines}
