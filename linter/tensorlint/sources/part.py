"""A source without some of its folders, which are checked on their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .interface import File, Source


class PartOf:
    """A source that does not show what is below some folders; `without` are relative paths."""

    def __init__(self, whole: Source, without: Iterable[str]) -> None:
        self._whole = whole
        self._hidden = tuple(folder.rstrip("/") + "/" for folder in without)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    @property
    def target(self) -> str:
        """What the user called the whole."""
        return self._whole.target

    def files(self) -> Mapping[str, int]:
        """Files outside of the hidden folders."""
        return {n: size for n, size in self._whole.files().items() if not n.startswith(self._hidden)}

    def broken_links(self) -> Iterable[str]:
        """Links outside of the hidden folders."""
        return tuple(n for n in self._whole.broken_links() if not n.startswith(self._hidden))

    def open(self, name: str) -> File:
        """Open one of `files()`."""
        return self._whole.open(name)
