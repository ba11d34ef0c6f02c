"""Models that huggingface_hub has downloaded: found by exact commit, used only when they are complete.

The layout is that of huggingface_hub's cache (`models--org--name/{refs,blobs,snapshots/<commit>}`); files of a snapshot
are links into `blobs`, in 2.x over a second link into a store shared by repositories, so links are followed to the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

MAX_TREE = 64 << 20  # bytes


def _folder(repo: str) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / ("models--" + repo.replace("/", "--"))


def snapshot(repo: str, commit: str, needed: Mapping[str, int]) -> Path | None:
    """The downloaded snapshot of a commit if it holds every needed file at its size in bytes, else None."""
    folder = _folder(repo) / "snapshots" / commit
    try:
        complete = needed and all((folder / name).stat().st_size == size for name, size in needed.items())
    except OSError:
        return None
    return folder if complete else None


def listed(folder: Path) -> frozenset[str]:
    """Every file of the commit that a downloaded folder stands for; empty where huggingface_hub did not note them.

    huggingface_hub from 2.0 on writes `trees/<commit>.json` beside `snapshots`, or below `.cache/huggingface` of a
    folder it downloaded into (huggingface_hub `_tree_cache.py`).
    """
    whole = folder.resolve()
    if whole.parent.name == "snapshots":
        trees = [whole.parent.parent / "trees" / f"{whole.name}.json"]
    else:
        trees = sorted((whole / ".cache" / "huggingface" / "trees").glob("*.json"))
    # Several commits may have been downloaded into one folder: then it is not known which one is meant.
    if len(trees) != 1 or not trees[0].is_file() or trees[0].stat().st_size > MAX_TREE:
        return frozenset()
    try:
        files = json.loads(trees[0].read_bytes())["files"]
        return frozenset(name for name in files if isinstance(name, str))
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def any_snapshot(repo: str, revision: str) -> Path | None:
    """The snapshot that a revision last stood for, complete or not; None where nothing was downloaded."""
    folder = _folder(repo)
    try:
        commit = (folder / "refs" / revision).read_text().strip()
    except OSError:
        commit = revision
    found = folder / "snapshots" / commit
    return found if commit and found.is_dir() else None
