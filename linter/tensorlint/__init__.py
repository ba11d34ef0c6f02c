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
from typing import TYPE_CHECKING, Any

from .text.about import VERSION as __version__

if TYPE_CHECKING:
    from .measures.plan import Depth
    from .report.findings import Report

__all__ = ["__version__", "check", "check_state_dict"]


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
    """Check a folder, a .safetensors file or a model on the Hub (`org/model@revision`) and return the report.

    `depth` is headers, scales or full; None is full for files and scales for a model on the Hub. `select` and `ignore`
    hold rule names, folders or globs; `engines` names engines whose limits count too; `rules` are paths of more rule
    files; `baseline` is an earlier JSON report.
    `config` names a configuration file, instead of the one in or above the target's folder; `isolated` follows none.
    `device` measures: auto (where nothing is said), cpu, cuda, cuda:N, mps or xpu.

    Raises NoCheckpointError when there is nothing to check, UsageError for unknown rules, a device that is not there
    and what is wrong with a configuration, AccessError for what the Hub does not show, UnfinishedError when headers
    cannot be read. A file that changes, a server that goes away, or a device that fails while tensors are read does not
    raise: the report's `stopped` says so.
    """
    from .errors import UsageError
    from .measures.plan import DEPTHS
    from .run.reach import final_ignores
    from .run.run import run_of
    from .settings.tasks import task_for, wanted

    if depth is not None and depth not in DEPTHS:
        raise UsageError(f"there is no depth `{depth}`", "one of: " + ", ".join(DEPTHS))
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

    The tensors are measured where they are: on the CPU without a copy, on any other device by kernels that run there.
    `config` is what will be saved beside them: a dictionary (of config.json, or of several JSON files by name), a
    configuration of transformers, or the path of a folder or of a JSON file; None takes the model's own `config`.
    Findings are those of the file that `safetensors.torch.save_file` would write, less what is about files (the rules
    of container and index). Tied tensors count once. `depth`, `select`, `ignore` and `rules` are those of `check`; no
    configuration file is followed.

    What holds no bytes that could be saved as they are is named in the report's `gaps`: meta tensors, parts of a
    DTensor, tensor subclasses that wrap others (torchao), sparse tensors, entries that are no tensors.

    Raises UsageError for what is no state dict or no config, for unknown rules, and where torch is missing;
    NoCheckpointError when there are no tensors. A device that runs out of memory does not raise: the report's `stopped`
    says so.
    """
    from .measures.device.choice import need_torch

    need_torch()
    from .run.memory import check_tensors

    return check_tensors(state, config, depth, select, ignore, rules)
