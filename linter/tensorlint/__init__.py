"""tensorlint: a linter for quantized safetensors checkpoints."""

__version__ = "0.1.0"
