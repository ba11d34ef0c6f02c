"""Runs at the start of every Python under `tensorlint run`: waits for huggingface_hub, then arms the gate.

The interpreter may be of any environment, with or without tensorlint, and most of them upload nothing: this file costs
them a millisecond, needs nothing, and hides no other sitecustomize.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
_AWAITED = "huggingface_hub.hf_api"


def _package() -> str:
    """The name under which tensorlint can be imported here.

    Where it is not installed it is loaded from its place on disk; what is imported of it then needs the standard
    library alone. Its folder is not put on sys.path, where everything beside it would be found too.
    """
    if sys.prefix == os.environ.get("TENSORLINT_RUN_PREFIX"):
        return "tensorlint"
    name, folder = "_tensorlint", os.path.dirname(os.path.dirname(os.path.dirname(_HERE)))
    start = os.path.join(folder, "__init__.py")
    spec = importlib.util.spec_from_file_location(name, start, submodule_search_locations=[folder])
    if spec is None or spec.loader is None:
        raise ImportError("tensorlint is no longer at " + folder)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return name


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module as the others would, with a loader that arms the gate afterwards."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of the awaited module, None for any other."""
        if name != _AWAITED:
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec: importlib.machinery.ModuleSpec | None = find(name, path, target) if find else None
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader(importlib.abc.Loader):
    """A loader that arms the gate when the module has run; everything else is the inner loader's."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """As the inner loader does."""
        made: ModuleType | None = self._inner.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then arm; an exception ends the import, so that nothing is uploaded unchecked."""
        self._inner.exec_module(module)
        importlib.import_module(_package() + ".gate.hub.launch").arm()


def _next() -> None:
    """Run the sitecustomize that would have run without this one, if there is one."""
    mine = sys.modules.pop("sitecustomize", None)
    path = list(sys.path)
    sys.path[:] = [p for p in path if os.path.abspath(p or os.curdir) != _HERE]
    try:
        importlib.import_module("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.path[:] = [*path, *(p for p in sys.path if p not in path)]
        if "sitecustomize" not in sys.modules and mine is not None:
            sys.modules["sitecustomize"] = mine


if "TENSORLINT_RUN_PYTHON" in os.environ:
    sys.meta_path.insert(0, _Finder())
_next()
