"""The one way in which commands write a file: as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write(file: Path, text: str) -> None:
    """Write a file; a link is followed, and what is no plain file is written into. Raises OSError.

    The new file has the old one's mode, else the one that the user's umask gives.
    """
    data = text.encode("utf-8", "backslashreplace")
    file = file.resolve()
    if file.exists() and not file.is_file():  # /dev/stderr, a named pipe
        file.write_bytes(data)
        return
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name[:100]}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
