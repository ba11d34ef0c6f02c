"""Parts that a module lacks, and tensors below its name that nothing else explains and that have their form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property

from ..container.header import TensorInfo
from ..names import lineage
from ..schemes.model import Part
from ..schemes.module import Module
from ..schemes.shapes import fits
from ..schemes.view import View


class Renamed:
    """Finds missing parts under other names; `found` are the names of tensors that are one."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.found: set[str] = set()

    def other_name(self, module: Module, part: Part) -> str:
        """The one tensor that is likely a part under another name; empty where there is none, or several."""
        if not part.shapes:
            return ""
        able = [t for t in self._unexplained.get(module.name, ()) if _has_form(t, module, part)]
        if len(able) != 1:
            return ""
        self.found.add(able[0].name)
        return able[0].name

    @cached_property
    def _unexplained(self) -> Mapping[str, list[TensorInfo]]:
        """Tensors that are no module's part, by what they stand in; those of a plain kind are left out."""
        hints = self._view.anatomy.hints
        found: dict[str, list[TensorInfo]] = defaultdict(list)
        for unit in self._view.units:
            name = unit.tensor.name
            if unit.part is None and any(word in name for word in hints):
                for owner in lineage(name.rpartition(".")[0]):
                    found[owner].append(unit.tensor)
        return found


def _has_form(tensor: TensorInfo, module: Module, part: Part) -> bool:
    """Whether a tensor has a dtype and a shape that a part may have, and no less telling a name than that has."""
    word = part.suffix.rpartition("_")[2].lstrip(".")
    alike = word in tensor.name[len(module.name) :] and tensor.dtype in part.dtypes
    return alike and any(fits(shape, tensor.shape, dict(module.env)) for shape in part.shapes)
