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
    rules: Iterable[str | Path] = (),
    baseline: str | Path | None = None,
    config: str | Path | None = None,
    isolated: bool = False,
) -> Report:
    """Check a folder, a .safetensors file or a model on the Hub (`org/model@revision`) and return the report.

    `depth` is headers, scales or full; None is full for files and scales for a model on the Hub. `select` and `ignore`
    hold rule names, folders or globs; `rules` are paths of more rule files; `baseline` is an earlier JSON report.
    `config` names a configuration file, instead of the one in or above the target's folder; `isolated` follows none.

    Raises NoCheckpointError when there is nothing to check, UsageError for unknown rules and for what is wrong with a
    configuration, AccessError for what the Hub
    does not show, UnfinishedError when headers cannot be read. A file that changes, or a server that goes away, while
    tensors are read does not raise: the report's `stopped` says so.
    """
    from .errors import UsageError
    from .linting import prepared
    from .measures.plan import DEPTHS
    from .reach import final_ignores
    from .suppress import Suppressor
    from .tasks import task_for, wanted

    if depth is not None and depth not in DEPTHS:
        raise UsageError(f"there is no depth `{depth}`", "one of: " + ", ".join(DEPTHS))
    asked = wanted(depth, select, ignore, rules, baseline, config, isolated)
    task = task_for(str(target), asked)
    with prepared(task) as ready:
        return ready.run(Suppressor(), final_ignores((task,), 0, asked))
