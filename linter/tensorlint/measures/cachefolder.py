"""Where tensorlint keeps what it need not work out again, and whether what lies there can be believed."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

_OTHERS = ((stat.S_IWGRP, stat.S_IXGRP), (stat.S_IWOTH, stat.S_IXOTH))


def folder() -> Path | None:
    """Where the cache is: TENSORLINT_CACHE_DIR, or `tensorlint` in the platform's cache folder; None without a home."""
    if own := os.environ.get("TENSORLINT_CACHE_DIR"):
        return Path(own)
    try:
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "tensorlint" / "Cache"
        if sys.platform == "darwin":
            return Path.home() / "Library/Caches/tensorlint"
        xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))  # a relative path is to be ignored (XDG base directories)
        return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "tensorlint"
    except RuntimeError:
        return None


def mistrusted(path: Path) -> str:
    """Why a file of the cache cannot be believed, in words; nothing where it can. Raises OSError where there is none.

    Whoever may write to it, or put another in its place, may hide what is wrong with a checkpoint.
    """
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return "it is a link, or no file"
    around = path.parent.stat()
    if os.name != "posix":
        return ""
    if found.st_uid != os.geteuid():
        return "it is another user's"
    if around.st_uid != os.geteuid():
        return "its folder is another user's"
    if around.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write to its folder"
    # Who may not enter the folder does not reach the file.
    if any(found.st_mode & write and around.st_mode & enter for write, enter in _OTHERS):
        return "others may write to it"
    return ""
