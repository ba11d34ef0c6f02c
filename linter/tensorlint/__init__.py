"""tensorlint: a linter for quantized safetensors checkpoints.

As a library::

    import tensorlint
    report = tensorlint.check("path/to/checkpoint")
    for finding in report.findings:
        print(finding.severity, finding.rule, finding.message)
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .findings import Report

__version__ = "0.1.0"
__all__ = ["__version__", "check"]


def check(
    target: str | Path,
    *,
    depth: str = "full",
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    rules: Iterable[Path] = (),
) -> Report:
    """Check a folder or a .safetensors file and return the report.

    `depth` is headers, scales or full; `select` and `ignore` hold rule names, folders or globs; `rules` are paths of
    more rule files. Raises NoCheckpointError when there is nothing to check and UsageError for unknown rules. A file
    that changes while it is read does not raise: the report's `stopped` says so.
    """
    from .engine import check as run
    from .errors import NoCheckpointError, UsageError
    from .measures.plan import DEPTHS
    from .rulebook.library import load_book
    from .sources.local import LocalSource

    if depth not in DEPTHS:
        raise UsageError(f"there is no depth `{depth}`", "one of: " + ", ".join(DEPTHS))
    path = Path(target)
    if not path.exists():
        raise NoCheckpointError(f"there is nothing at {target}")
    book = load_book(tuple(rules))
    return run(LocalSource(path, str(target)), book, book.select(select, ignore), depth)
