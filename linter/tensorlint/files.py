"""Which files make a checkpoint: one list for everybody who reads, gates or hooks them.

Standard library only: the gate needs it in environments where nothing else is installed.
"""

from __future__ import annotations

from collections.abc import Collection

WEIGHTS = ".safetensors"
INDEX = ".safetensors.index.json"
NAMED = (WEIGHTS, ".json")  # a target that ends so is a file, and not a folder or a model
# The JSON files that describe a checkpoint. Dialects may name more, which are read when they are there; where no rule
# files are at hand, these are all that is known.
CONFIGS = (
    "config.json", "hf_quant_config.json", "quantize_config.json", "quantization_config.json", "quant_config.json",
    "quanto_qmap.json", "quant_model_description.json", "adapter_config.json", "generation_config.json",
    "tokenizer_config.json", "model_index.json",
)  # fmt: skip
# Folders that are passed over where somebody looks for checkpoints below a folder.
SKIPPED = frozenset({".git", "node_modules", ".venv", "__pycache__", ".cache"})
HEADER_CAP = 100_000_000  # bytes; the longest header that readers accept (safetensors tensor.rs, MAX_HEADER_SIZE)


def belongs(path: str, configs: Collection[str] = CONFIGS) -> bool:
    """Whether a file of this path is part of a checkpoint: a shard, an index, or one of the files that describe it.

    `configs` are those that are known; without them, the usual ones.
    """
    return makes(path) or path.rpartition("/")[2] in configs


def may_belong(path: str) -> bool:
    """Whether a file of this path can be part of a checkpoint: which JSON files describe one, dialects decide."""
    return makes(path) or path.endswith(".json")


def makes(path: str) -> bool:
    """Whether a file of this path makes its folder a checkpoint: a shard or an index."""
    return path.endswith((WEIGHTS, INDEX))


def folder_of(path: str) -> str:
    """The folder of a path with forward slashes: empty for the top, else with a slash at its end."""
    folder, slash, _ = path.rpartition("/")
    return folder + slash
