"""Models that huggingface_hub has downloaded: found by exact commit, used only when they are complete.

The layout is that of huggingface_hub's cache (`models--org--name/{refs,blobs,snapshots/<commit>}`); files of a snapshot
are links into `blobs`, in 2.x over a second link into a store shared by repositories, so links are followed to the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


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


def any_snapshot(repo: str, revision: str) -> Path | None:
    """The snapshot that a revision last stood for, complete or not; None where nothing was downloaded."""
    folder = _folder(repo)
    try:
        commit = (folder / "refs" / revision).read_text().strip()
    except OSError:
        commit = revision
    found = folder / "snapshots" / commit
    return found if commit and found.is_dir() else None
