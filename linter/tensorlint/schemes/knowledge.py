"""What is known of formats, exporters and model families: everything that a checkpoint is understood with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ..files import CONFIGS
from .anatomy import Anatomy, anatomy
from .architectures import Architecture
from .dialect import Dialect
from .families import Family
from .model import Scheme
from .producers import Producer


@dataclass(frozen=True)
class Knowledge:
    """Schemes, dialects, families and producers by name."""

    schemes: Mapping[str, Scheme]
    dialects: Mapping[str, Dialect]
    families: Mapping[str, Family]
    producers: Mapping[str, Producer]

    @cached_property
    def configs(self) -> tuple[str, ...]:
        """The JSON files that are read from a checkpoint's folder: the usual ones, and those that dialects name."""
        named = (place.file for dialect in self.dialects.values() for place in dialect.places if place.file)
        return tuple(dict.fromkeys((*CONFIGS, *named)))

    @cached_property
    def general(self) -> Anatomy:
        """What is known of models of any type."""
        return anatomy(self.families.values(), "")

    def architecture(self, model_type: str) -> Architecture | None:
        """The architecture of a model type, None where none is known; raises ArchitectureError for a broken file."""
        return None
