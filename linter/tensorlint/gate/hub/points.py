"""Where huggingface_hub is patched, and whether this version of it can be. Standard library only.

Every path of an upload to a repository passes one of the entry points with all of its files, then
`_commit_api._fetch_upload_modes` with some of them, then a POST to `.../preupload/...`, which carries the first bytes
of every file; nothing of a file is sent before. Buckets have `_batch_bucket_files` alone.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType, ModuleType
from typing import Any

from .errors import GateError

OLDEST, NEWEST = (0, 34), (2,)  # a newer major version may upload in ways nobody looked at yet
Make = Callable[[Any], Any]


@dataclass(frozen=True)
class Point:
    """A function to wrap: `owner` is a class of the module or empty; `needs` are parameters the wrapper relies on.

    An optional point belongs to a module or attribute that only some versions have.
    """

    module: str
    owner: str
    name: str
    needs: tuple[str, ...]
    optional: bool = False

    @property
    def label(self) -> str:
        """The point as a dotted name."""
        return ".".join(part for part in (self.module, self.owner, self.name) if part)


COMMIT = Point("hf_api", "HfApi", "create_commit", ("repo_id", "operations", "commit_description", "repo_type"))
PREUPLOAD = Point("hf_api", "HfApi", "preupload_lfs_files", ("repo_id", "additions", "repo_type", "revision"))
FUTURE = Point("hf_api", "HfApi", "run_as_future", ("fn",))
MODES = Point("_commit_api", "", "_fetch_upload_modes", ("additions", "repo_type", "repo_id", "headers", "revision"))
PIPELINE = Point(
    "_upload_pipeline", "", "pipelined_upload",
    ("api", "repo_id", "repo_type", "add_operations", "delete_operations", "commit_description"), optional=True,
)  # fmt: skip
LARGE = Point(
    "_upload_large_folder", "", "upload_large_folder_internal", ("api", "repo_id", "folder_path", "repo_type"),
    optional=True,
)  # fmt: skip
BUCKET = Point("hf_api", "HfApi", "_batch_bucket_files", ("bucket_id", "add"), optional=True)
SCHEDULER = Point("_commit_scheduler", "CommitScheduler", "__init__", ("repo_id", "folder_path"))
PUSH = Point("_commit_scheduler", "CommitScheduler", "_push_to_hub", ())


def version() -> str:
    """The version of the loaded huggingface_hub; raises GateError for one that nobody looked at."""
    found = str(importlib.import_module("huggingface_hub").__version__)
    numbers = tuple(int(n) for n in re.findall(r"\d+", found)[:2])
    if not numbers or numbers < OLDEST or numbers[:1] > NEWEST:
        raise GateError(
            f"the upload gate does not know huggingface_hub {found}",
            f"it knows {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.x; update tensorlint, or set TENSORLINT_GATE=off",
        )
    return found


def module_of(point: Point) -> ModuleType | None:
    """The module of a point, or None where this version has none."""
    name = f"huggingface_hub.{point.module}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None


def find(point: Point) -> tuple[Any, Any] | None:
    """(owner, function) of a point, None for an optional one that is not there; raises GateError for any other."""
    module = module_of(point)
    owner = getattr(module, point.owner, None) if point.owner else module
    function = (vars(owner).get(point.name) if owner is not None else None) or None
    if function is None:
        # An optional module that is there without its function was rewritten: that is no version without it.
        if point.optional and (module is None or point.owner):
            return None
        raise _cannot(f"{point.label} is not there")
    parameters = inspect.signature(function).parameters
    missing = [name for name in point.needs if name not in parameters]
    if missing:
        raise _cannot(f"{point.label} has no parameter `{missing[0]}`")
    return owner, function


def _cannot(why: str) -> GateError:
    found = importlib.import_module("huggingface_hub").__version__
    return GateError(
        f"the upload gate cannot attach to huggingface_hub {found}: {why}",
        "update tensorlint, or set TENSORLINT_GATE=off to upload without it",
    )


def wrap(point: Point, make: Make) -> bool:
    """Replace a function in all of huggingface_hub by `make(function)`; False for an optional one that is not there.

    Modules that imported it by name, and bound methods that stand as functions (`huggingface_hub.create_commit`), are
    replaced too.
    """
    found = find(point)
    if found is None:
        return False
    owner, old = found
    new = functools.wraps(old)(make(old))
    setattr(owner, point.name, new)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] != "huggingface_hub" or module is None:
            continue
        value = vars(module).get(point.name)
        if value is old:
            setattr(module, point.name, new)
        elif isinstance(value, MethodType) and value.__func__ is old:
            setattr(module, point.name, MethodType(new, value.__self__))
    return True
