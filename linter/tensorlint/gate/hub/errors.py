"""What the gate raises. Standard library only."""

from __future__ import annotations

import importlib

from ...errors import TensorlintError, UsageError


class UploadBlocked(TensorlintError):
    """An upload was stopped because the repository would hold a broken checkpoint; the findings are on stderr."""

    exit_code = 1


class GateError(UsageError):
    """The gate cannot be armed: an unknown huggingface_hub, or a setting that means nothing."""


def blocked(message: str, hint: str) -> UploadBlocked:
    """An UploadBlocked that the `hf` command prints as one line where it knows how to (CLIError, since 1.x)."""
    try:
        base = importlib.import_module("huggingface_hub.errors").CLIError
        kind = type("UploadBlocked", (UploadBlocked, base), {"__module__": __name__, "__doc__": UploadBlocked.__doc__})
    except (ImportError, AttributeError):
        kind = UploadBlocked
    error: UploadBlocked = kind(message, hint)
    return error
