"""Which files of a repository the gate looks at. Standard library only."""

from __future__ import annotations

WEIGHTS = ".safetensors"
INDEX = ".safetensors.index.json"
# The JSON files that belong to a checkpoint: CONFIG_FILES of checkpoint.py, which imports more than that.
CONFIGS = frozenset(
    {
        "config.json", "hf_quant_config.json", "quantize_config.json", "quantization_config.json", "quant_config.json",
        "quanto_qmap.json", "quant_model_description.json", "adapter_config.json", "generation_config.json",
        "tokenizer_config.json", "model_index.json",
    }
)  # fmt: skip


def gated(path: str) -> bool:
    """Whether a file of this path in a model repository is checked before it is uploaded."""
    base = path.rpartition("/")[2]
    return base.endswith((WEIGHTS, INDEX)) or base in CONFIGS


def folder_of(path: str) -> str:
    """The folder of a path in a repository, with a slash at its end; empty for the top."""
    folder, slash, _ = path.rpartition("/")
    return folder + slash
