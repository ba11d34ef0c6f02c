"""Paths of files as a CI system knows them: relative to the repository that the run stands in, where they are in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from ..files import NAMED
from .findings import Location, Report


@dataclass(frozen=True)
class Spot:
    """Where a person looks for a finding.

    `path` has forward slashes, relative to the repository where `inside` it, else absolute or the address of a file on
    the Hub; `line` is 1 where the file is no text.
    """

    path: str
    inside: bool
    line: int

    @property
    def uri(self) -> str:
        """The path as a URI reference, percent-encoded."""
        if self.path.startswith("hf://"):
            return "hf://" + _quoted(self.path[5:], "/@")
        return _quoted(self.path) if self.inside else "file:///" + _quoted(self.path.lstrip("/"))


@dataclass(frozen=True)
class Places:
    """Finds the files of one report."""

    report: Report

    @cached_property
    def _root(self) -> Path:
        """The workspace of the CI job, else the top of the git clone around the current folder, else that folder."""
        here = Path.cwd()
        for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
            given = os.environ.get(name)
            if given and here.is_relative_to(given):
                return Path(given)
        return next((p for p in (here, *here.parents) if (p / ".git").exists()), here)

    @cached_property
    def _base(self) -> Path | str:
        """The folder that the report's paths start from, or the address of one on the Hub."""
        if self.report.address:
            return self.report.address
        path = Path.cwd() / self.report.target
        return path.parent if path.name.endswith(NAMED) else path

    def spot(self, location: Location | None) -> Spot:
        """Where to look: the line of text if there is one, else the first line of the file, else the target."""
        line = location.line if location else None
        return self._spot(line.file if line else location.file if location else "", line.number if line else 1)

    def stored(self, location: Location) -> Spot:
        """The file that holds the bytes."""
        return self._spot(location.file, 1)

    def _spot(self, file: str, line: int) -> Spot:
        if isinstance(self._base, str):
            return Spot(f"{self._base}/{file}".rstrip("/"), False, line)
        path = os.path.normpath(self._base / file)
        try:
            relative = os.path.relpath(path, self._root)
        except ValueError:  # another drive of Windows
            relative = ".."
        inside = Path(relative).parts[:1] != ("..",)
        return Spot((relative if inside else path).replace(os.sep, "/"), inside, line)


def _quoted(path: str, safe: str = "/") -> str:
    """Percent-encoded; bytes of a file name that are no text come out as they are on the disk."""
    try:
        return quote(path.encode("utf-8", "surrogateescape"), safe=safe)
    except UnicodeEncodeError:
        return quote(path.encode("utf-8", "surrogatepass"), safe=safe)
