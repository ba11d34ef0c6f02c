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
    depth: str | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    engines: Iterable[str] = (),
    rules: Iterable[Path] = (),
) -> Report:
    """Check a folder, a .safetensors file or a model on the Hub (`org/model@revision`) and return the report.

    `depth` is headers, scales or full; None is full for files and scales for a model on the Hub. `select` and `ignore`
    hold rule names, folders or globs; `engines` names engines (`vllm` ...) whose limits count; `rules` are paths of
    more rule files.

    Raises NoCheckpointError when there is nothing to check, UsageError for unknown rules or engines, AccessError for
    what the Hub does not show, UnfinishedError when headers cannot be read. A file that changes, or a server that goes
    away, while tensors are read does not raise: the report's `stopped` says so.
    """
    from .engine import check as run
    from .errors import UsageError
    from .measures.plan import DEPTHS
    from .rulebook.library import load_book
    from .sources.interface import RemoteSource
    from .sources.opening import opened

    if depth is not None and depth not in DEPTHS:
        raise UsageError(f"there is no depth `{depth}`", "one of: " + ", ".join(DEPTHS))
    book = load_book(tuple(rules))
    with opened(str(target)) as source:
        reach = depth or ("scales" if isinstance(source, RemoteSource) else "full")
        return run(source, book, book.select(select, ignore, engines), reach)
