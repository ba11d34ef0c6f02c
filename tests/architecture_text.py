"""Architectures out of texts."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tensorlint.schemes.architectures import Architecture, load_architecture


def architecture(text: str, name: str = "tiny") -> Architecture:
    """What a file with this text says."""
    with TemporaryDirectory() as folder:
        (Path(folder) / f"{name}.yaml").write_text(text)
        found = load_architecture(Path(folder), name)
    assert found is not None
    return found
