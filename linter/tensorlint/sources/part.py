"""A part of a source: some of its folders are checked on their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .interface import File, Source


class PartOf:
    """A source that shows only what is below `only`, and nothing below `without`; all are relative paths of folders."""

    def __init__(self, whole: Source, without: Iterable[str], only: str = "") -> None:
        self._whole = whole
        self._only = only and only.rstrip("/") + "/"
        self._hidden = tuple(folder.rstrip("/") + "/" for folder in without)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    @property
    def target(self) -> str:
        """What the user called the whole."""
        return self._whole.target

    def files(self) -> Mapping[str, int]:
        """Files that are shown."""
        return {n: size for n, size in self._whole.files().items() if self._shows(n)}

    def broken_links(self) -> Iterable[str]:
        """Links that are shown."""
        return tuple(n for n in self._whole.broken_links() if self._shows(n))

    def open(self, name: str) -> File:
        """Open one of `files()`."""
        return self._whole.open(name)

    def _shows(self, name: str) -> bool:
        return name.startswith(self._only) and not name.startswith(self._hidden)
