"""The environment of `tensorlint run`, and how the gate is armed in it. Standard library only."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from .arming import lint_here, ready
from .errors import GateError, UploadBlocked
from .outside import caller
from .policy import Policy, set_process

BOOT = Path(__file__).parent / "boot"
PYTHON = "TENSORLINT_RUN_PYTHON"  # the interpreter that has tensorlint
PREFIX = "TENSORLINT_RUN_PREFIX"  # its environment, to know it from others
PATH = "TENSORLINT_RUN_PYTHONPATH"  # PYTHONPATH as it was
BUCKETS = "TENSORLINT_RUN_BUCKETS"


def environment(env: Mapping[str, str], buckets: bool = False) -> dict[str, str]:
    """The environment in which every Python starts with the gate; may be applied to its own result."""
    before = env.get(PATH, env.get("PYTHONPATH", ""))
    made = {**env, PYTHON: sys.executable, PREFIX: sys.prefix, PATH: before}
    made["PYTHONPATH"] = os.pathsep.join(p for p in (str(BOOT), before) if p)
    if buckets:
        made[BUCKETS] = "1"
    return made


def plain_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The environment as it was before `environment`."""
    made = {k: v for k, v in env.items() if k not in (PYTHON, PREFIX, PATH, BUCKETS, "PYTHONPATH", "PYTHONHOME")}
    if env.get(PATH):
        made["PYTHONPATH"] = env[PATH]
    return made


def arm() -> None:
    """Arm the gate for the whole process, as its environment says; called when huggingface_hub is imported.

    Raises GateError where that is not possible, unless TENSORLINT_GATE=off.
    """
    _one_line_for_refusals()
    policy = Policy(buckets=bool(os.environ.get(BUCKETS)))
    here = sys.prefix == os.environ.get(PREFIX)
    linter = lint_here if here else caller(os.environ[PYTHON], plain_environment(os.environ))
    ready(policy, linter, scheduling=False)
    set_process(policy)


def _one_line_for_refusals() -> None:
    """Let an UploadBlocked that nobody catches end the program with one line."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, (UploadBlocked, GateError)):
            print(f"tensorlint: {error.message}", file=sys.stderr)
            if isinstance(error, GateError) and error.hint:
                print(f"  {error.hint}", file=sys.stderr)
        else:
            before(kind, error, trace)

    sys.excepthook = hook
