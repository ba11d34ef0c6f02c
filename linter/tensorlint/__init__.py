"""tensorlint: a linter for quantized safetensors checkpoints.

As a library::

    import tensorlint
    report = tensorlint.check("path/to/checkpoint")
    for finding in report:
        print(finding.severity, finding.rule, finding.message)

What `__all__` names here and in `tensorlint.gate`, the upload gate, is public and follows semantic versioning. All
other modules are private: they may change with every version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import (
    AccessError,
    NoCheckpointError,
    RuleFileError,
    TensorlintError,
    UnfinishedError,
    UsageError,
)
from .text.about import VERSION as __version__

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .measures.plan import Depth
    from .report.findings import Finding, Location, Report
else:  # for mypy any name would be one of ours

    def __getattr__(name: str) -> Any:
        """What a report is made of, imported when it is first asked for: it needs numpy."""
        if name not in ("Finding", "Location", "Report"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .report import findings

        return globals().setdefault(name, getattr(findings, name))


__all__ = [
    "AccessError",
    "Finding",
    "Location",
    "NoCheckpointError",
    "Report",
    "RuleFileError",
    "TensorlintError",
    "UnfinishedError",
    "UsageError",
    "__version__",
    "check",
    "check_state_dict",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def check(
    target: str | Path,
    *,
    depth: Depth | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    engines: Iterable[str] = (),
    rules: Iterable[str | Path] = (),
    baseline: str | Path | None = None,
    config: str | Path | None = None,
    isolated: bool = False,
    device: str | None = None,
) -> Report:
    """Check a folder, a .safetensors file or a model on the Hub (`org/model@revision`) and return one report.

    It is the run of `tensorlint check`, without its cache of measures: everything that the rules need is read. Nothing
    is printed. A folder of several checkpoints is one report; [[target]] tables about folders in it do not divide it.

    The configuration in or above the target's folder is followed, for a model on the Hub the one in or above the
    current folder; `config` names another, `isolated` follows none. Arguments come before it. `depth` is headers,
    scales or full; where neither says one, full for files and scales for a model on the Hub. `select` and `ignore` hold
    rule names, folders or globs; `engines` names engines whose limits count too; `rules` are paths of more rule files;
    `baseline` is an earlier JSON report. `device` measures: auto (where nothing is said), cpu, cuda, cuda:N, mps, xpu.

    Raises NoCheckpointError when there is nothing to check, UsageError for unknown rules, a depth or a device that is
    not there and what is wrong with a configuration (RuleFileError where a place in a file can be shown), AccessError
    for what the Hub does not show, UnfinishedError when headers cannot be read; all are TensorlintErrors. A file that
    changes, a server that goes away, or a device that fails while tensors are read does not raise: the report's
    `stopped` says so.
    """
    from .run.reach import final_ignores
    from .run.run import run_of
    from .settings.tasks import task_for, wanted

    asked = wanted(depth, select, ignore, rules, baseline, config, isolated, engines, device=device)
    task = task_for(str(target), asked)
    with run_of(task) as run:
        return run.report(final=final_ignores((task,), 0, asked))


def check_state_dict(
    state: Any,
    config: Any = None,
    *,
    depth: Depth = "full",
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    rules: Iterable[str | Path] = (),
) -> Report:
    """Check a state dict, or a model of torch, as if it had been saved, and return the report.

    It is the same run as that of `check`, over what is in memory, and prints nothing. Tensors are measured where they
    are: on the CPU without a copy, on any other device by kernels that run there. `config` is what will be saved beside
    them: a dictionary (of config.json, or of several JSON files by name), a configuration of transformers, or the path
    of a folder or of a JSON file; None takes the model's own `config`. Findings are those of the file that
    `safetensors.torch.save_file` would write, less what is about files (the rules of container and index). Tied tensors
    count once. `depth`, `select`, `ignore` and `rules` are those of `check`; no configuration file is followed.

    What holds no bytes that could be saved as they are is named in the report's `gaps`: meta tensors, parts of a
    DTensor, tensor subclasses that wrap others (torchao), sparse tensors, entries that are no tensors.

    Raises UsageError for what is no state dict or no config, for unknown rules or a depth that is not there, and where
    torch is missing; NoCheckpointError when there are no tensors. A device that runs out of memory does not raise: the
    report's `stopped` says so.
    """
    from .measures.device.choice import need_torch

    need_torch()
    from .run.memory import check_tensors

    return check_tensors(state, config, depth, select, ignore, rules)
