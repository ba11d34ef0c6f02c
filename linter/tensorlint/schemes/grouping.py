"""Tensors -> groups that may be modules: by the suffixes that schemes know, dotted (`.weight`) or joined (`_scale`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..container.header import TensorInfo

Group = dict[str, TensorInfo]  # suffix -> tensor
TELLING_DTYPES = ("F8", "F6", "F4")  # how dtypes begin that say themselves that a tensor is quantized, and how


class Grouping:
    """Groups tensors for a fixed set of suffixes."""

    def __init__(self, suffixes: Iterable[str]) -> None:
        suffixes = {s for s in suffixes if s}
        self._dotted = {s for s in suffixes if s.startswith(".")} | {".weight", ".bias"}
        deep = {s for s in suffixes if "." in s[1:]}  # `.lora_A.weight`, `_lora.down.weight`
        self._dotted |= deep
        self._deep = tuple(sorted(deep, key=len, reverse=True))
        self._deep_leaves = frozenset(s.rpartition(".")[2] for s in self._deep)
        joined = sorted((s for s in suffixes - self._dotted if not s.startswith(".")), key=len, reverse=True)
        self._joined = (*joined, "_bias") if joined else ()

    def groups(self, tensors: Mapping[str, TensorInfo]) -> dict[str, Group]:
        """Tensors by module name, then by suffix (`.weight`, `_scale`, or "" for the name itself)."""
        groups: dict[str, Group] = {}
        for name, tensor in tensors.items():
            parent, dot, leaf = name.rpartition(".")
            suffix = "." + leaf
            if leaf in self._deep_leaves:
                for deep in self._deep:
                    if name.endswith(deep):
                        parent, suffix = name[: -len(deep)], deep
                        break
            if not dot:
                parent, suffix = ("", "." + name) if suffix not in self._dotted else ("", suffix)
            groups.setdefault(parent, {})[suffix] = tensor
        if self._joined:
            for parent in [p for p, g in groups.items() if any(s not in self._dotted for s in g)]:
                self._split_joined(parent, groups)
        return groups

    def _split_joined(self, parent: str, groups: dict[str, Group]) -> None:
        """Move `experts.gate_up_proj`, `experts.gate_up_proj_scale` ... out into a module of their own."""
        group = groups[parent]
        stems: dict[str, Group] = defaultdict(dict)
        for suffix, tensor in group.items():
            if suffix in self._dotted:
                continue
            for end in self._joined:
                if suffix.endswith(end) and len(suffix) > len(end) + 1:
                    stems[suffix[: -len(end)]][end] = tensor
                    break
        for suffix, tensor in group.items():
            # Fused experts whose scales are all gone are still a module.
            if suffix not in self._dotted and _fused_codes(tensor):
                stems[suffix][""] = tensor
        for stem, found in stems.items():
            if stem in self._dotted:
                continue
            if stem in group:
                found[""] = group[stem]
            # A lone `_bias` or the like is a plain tensor of its parent, not a module.
            if found.keys() <= {"", "_bias"} and not (stem in group and _fused_codes(group[stem])):
                continue
            # One joined suffix beside a module's own weight is a tensor of that module.
            if len(found) == 1 and ".weight" in group:
                continue
            name = (parent + stem).lstrip(".")
            if name in groups:
                continue
            groups[name] = found
            for end in found:
                group.pop(stem + end, None)
        if not group:
            del groups[parent]


def _fused_codes(tensor: TensorInfo) -> bool:
    """Whether a tensor may hold the codes of fused experts: eight bits or two halves of a byte, in three dimensions."""
    return len(tensor.shape) >= 3 and tensor.dtype.startswith(("F8", "F4", "U8"))


_PACKED = frozenset({"U8", "I8", "I32", "U32", "I16", "U16"})
_LEAST = 64  # integers of a matrix that may be a packed weight: masks and tables of positions are smaller


@dataclass(frozen=True)
class Hints:
    """What hints at quantization where no scheme fits: `words` in names, and dtypes."""

    words: tuple[str, ...]

    def at(self, suffix: str, tensor: TensorInfo) -> bool:
        """Whether a left-over tensor hints at it (a scale, a packed weight)."""
        return any(word in suffix for word in self.words) or tensor.dtype.startswith(TELLING_DTYPES)

    def looks_quantized(self, group: Group) -> bool:
        """Whether a group that fits no scheme has packed tensors, or matrices of 8-bit floating-point numbers."""
        tensors = group.values()
        if any(t.dtype.startswith(TELLING_DTYPES) and len(t.shape) > 1 for t in tensors):
            return True
        packed = any(t.dtype in _PACKED and len(t.shape) >= 2 and t.elements >= _LEAST for t in tensors)
        return packed and any(self.at(s, t) for s, t in group.items())


def describe(group: Group) -> str:
    """The tensors of a group by suffix, dtype and number of dimensions."""
    return ", ".join(f"{s.lstrip('.') or '(itself)'} {t.dtype}[{len(t.shape)}-d]" for s, t in sorted(group.items()))
