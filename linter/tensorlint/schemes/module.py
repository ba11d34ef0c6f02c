"""What recognition says: modules of known schemes with their defects, modules that fit none, and plain tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..container.header import TensorInfo
from ..names import pattern_of
from .model import Scheme
from .shapes import Env


@dataclass(frozen=True)
class Problem:
    """One way in which a module departs from its scheme: kind is missing, dtype or shape."""

    kind: str
    part: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Module:
    """The tensors that make one layer.

    `parts` maps part names to tensors; `env` holds the solved symbols; `labels` the alternative a part's shape took
    (`tensor`, `channel`, `block` ...); `left_over` are tensors of the module that its scheme does not have.
    """

    name: str
    scheme: Scheme
    parts: Mapping[str, TensorInfo]
    env: Env
    labels: Mapping[str, str]
    problems: tuple[Problem, ...] = ()
    left_over: tuple[TensorInfo, ...] = ()
    rivals: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """The name with numbers replaced by `*`: equal for siblings."""
        return pattern_of(self.name)

    @property
    def shape(self) -> tuple[int, int] | None:
        """Logical (rows, columns) of the weight, where both are known."""
        if "N" in self.env and "K" in self.env:
            return self.env["N"], self.env["K"]
        weight = self.parts.get("weight")
        if not self.scheme.quantized and weight is not None and len(weight.shape) == 2:
            return weight.shape[0], weight.shape[1]
        return None


@dataclass(frozen=True)
class Unknown:
    """A module that looks quantized but fits no scheme; `signature` describes its tensors."""

    name: str
    tensors: tuple[TensorInfo, ...]
    signature: str


@dataclass(frozen=True)
class Recognised:
    """Everything the tensors say: modules of known schemes, unknown ones, and plain tensors outside any module."""

    modules: tuple[Module, ...]
    unknown: tuple[Unknown, ...]
    loose: tuple[TensorInfo, ...]
