"""A checkpoint as rules and checks see it: its tensors with their roles and parts, its modules, layers and groups."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ..container.checkpoint import Checkpoint
from ..container.header import TensorInfo
from ..dtypes import Encoding, encoding_of
from ..sources.interface import about
from ..text.wording import plural
from .adapter import Adapter, read_adapter
from .anatomy import Anatomy, anatomy
from .architectures import ArchitectureError
from .declared import Declaration, Declared, read_declared
from .fitted import Fitted, fitted
from .keyterms import TermError
from .knowledge import Knowledge
from .model import SCALE_LIKE, Part
from .module import Module, Recognised
from .recognise import recogniser_for
from .stored import Stored, stored
from .widths import Widths

_ADAPTER = "adapter"
_NUMBERED = re.compile(r"(.*?)\.(\d{1,6})\.(.+)", re.DOTALL)  # the first number in a name


@dataclass(frozen=True)
class TensorUnit:
    """One tensor with what is known about it; `module` and `part` are None for tensors outside any scheme."""

    tensor: TensorInfo
    module: Module | None
    part: Part | None
    encoding: Encoding
    roles: frozenset[str]

    @property
    def kind(self) -> str:
        """The part's kind; a tensor outside any scheme is `other`."""
        return self.part.kind if self.part else "other"

    @property
    def scale_like(self) -> bool:
        """Whether the tensor is read at depth `scales`."""
        quantized = self.module is not None and (self.module.scheme.quantized or self.module.scheme.companion)
        return quantized and self.kind in SCALE_LIKE

    @property
    def alike(self) -> tuple[object, ...]:
        """Equal for units whose scopes differ in nothing but names; the rest of a scope follows from these."""
        module, part = self.module, self.part
        if module is None or part is None:
            return self.tensor.dtype, self.roles, len(self.tensor.shape)
        label = module.labels.get(part.name, "")
        return self.tensor.dtype, self.roles, len(self.tensor.shape), module.scheme.name, part.name, label

    @property
    def scope(self) -> dict[str, object]:
        """The properties that a rule's scope is matched against."""
        module, part = self.module, self.part
        return {
            "scheme": module.scheme.name if module else "",
            "part": part.name if part else "",
            "kind": self.kind,
            "roles": self.roles,
            "dtype": self.tensor.dtype,
            "holds": self.encoding.name,
            "label": module.labels.get(part.name, "") if module and part else "",
            "sign": part.sign if part else "any",
            "convention": (part.convention or "") if part else "",
            "tensor": self.tensor.name,
            "module": module.name if module else self.tensor.name.rpartition(".")[0],
            "quantized": bool(module and module.scheme.quantized),
            "dims": len(self.tensor.shape),
        }


@dataclass(frozen=True)
class Layer:
    """One decoder layer: its number and its tensors by name relative to the layer."""

    prefix: str
    number: int
    tensors: Mapping[str, TensorInfo]


class View:
    """One checkpoint, recognised."""

    def __init__(self, checkpoint: Checkpoint, knowledge: Knowledge) -> None:
        self.adapter: Adapter | None = read_adapter(checkpoint, knowledge.dialects.values())
        if self.adapter is not None:  # a config.json beside it is about the base model
            file = self.adapter.file[len(checkpoint.folder) :]
            checkpoint = replace(checkpoint, configs={file: checkpoint.config(file)})
        self.checkpoint = checkpoint
        self.knowledge = knowledge
        general = knowledge.general
        self.declared: Declared = read_declared(checkpoint, knowledge.dialects.values(), general.inside)
        recogniser = recogniser_for(tuple(knowledge.schemes.values()), general.hints)
        config = checkpoint.config("config.json")
        self.model_config = general.language(config)  # the part of config.json about the language model
        model_type = self.model_config.get("model_type") or config.get("model_type")
        self.anatomy: Anatomy = anatomy(knowledge.families.values(), str(model_type or ""))
        main, *beside = self.declared.all or (None,)
        beside = [d for d in beside if d is not None and main is not None and d.method == main.method]
        widths = Widths(checkpoint.tensors, self.anatomy, self.model_config)
        metadata = {k: v for shard in checkpoint.shards.values() for k, v in shard.header.metadata.items()}
        self.recognised: Recognised = recogniser.recognise(checkpoint.tensors, main, beside, widths, metadata)
        self._expected: dict[str, Mapping[str, Any]] = {}

    @cached_property
    def modules(self) -> Mapping[str, Module]:
        """Modules by name, companions left out."""
        return {m.name: m for m in self.recognised.modules if not m.scheme.companion}

    @cached_property
    def quantized(self) -> tuple[Module, ...]:
        """Modules of quantized schemes."""
        return tuple(m for m in self.modules.values() if m.scheme.quantized)

    @cached_property
    def companions(self) -> tuple[Module, ...]:
        """Companion modules (KV-cache scales)."""
        return tuple(m for m in self.recognised.modules if m.scheme.companion)

    @cached_property
    def siblings(self) -> Mapping[str, tuple[Module, ...]]:
        """Modules by name pattern: the same role in other layers and experts."""
        found: dict[str, list[Module]] = defaultdict(list)
        for module in self.modules.values():
            found[module.pattern].append(module)
        return {pattern: tuple(modules) for pattern, modules in found.items()}

    @property
    def gaps(self) -> Iterator[str]:
        """What could not be looked at, in sentences."""
        checkpoint = self.checkpoint
        if count := len(checkpoint.not_downloaded):
            yield f"{plural(count, 'shard')} of the model {'was' if count == 1 else 'were'} not downloaded"
        said = about(checkpoint.source).gaps  # a source that knows more than its headers
        yield from said
        for shard in checkpoint.shards.values():
            if not shard.header.readable:
                yield f"{shard.name} could not be read"
            elif shard.header.unusable and not said:
                yield f"{plural(len(shard.header.unusable), 'tensor')} of {shard.name} could not be read"
        if count := len(self.recognised.unknown):
            fit = "fits" if count == 1 else "fit"
            yield f"{plural(count, 'module')} {fit} no known scheme: only their container was checked"

    def stored(self, tensor: TensorInfo, most: int) -> bytes:
        """The first bytes of a tensor as they are in the file, at most so many; raises UnfinishedError."""
        file = self.checkpoint.source.open(tensor.shard)
        try:
            return file.read(tensor.begin, min(tensor.nbytes, most))
        finally:
            file.close()

    @cached_property
    def units(self) -> tuple[TensorUnit, ...]:
        """Every readable tensor once, as a unit."""
        found: list[TensorUnit] = []
        for module in self.recognised.modules:
            roles = self._roles(module.name)
            for name, tensor in module.parts.items():
                part = module.scheme.parts[name]
                found.append(TensorUnit(tensor, module, part, part.encoding(tensor.dtype), roles))
        taken = {id(u.tensor) for u in found}
        for tensor in self.checkpoint.tensors.values():
            if id(tensor) not in taken:
                found.append(
                    TensorUnit(
                        tensor,
                        None,
                        None,
                        encoding_of(tensor.dtype),
                        self._roles(tensor.name.rpartition(".")[0]),
                    )
                )
        return tuple(found)

    def _roles(self, module: str) -> frozenset[str]:
        """What a module is in the model; in an adapter, parameters of its own are that, and all of an unknown kind."""
        roles, adapter = self.anatomy.roles(module), self.adapter
        own = adapter is not None and (not adapter.judged or adapter.mark(module.split(".")) >= 0)
        return roles | {_ADAPTER} if own else roles

    @cached_property
    def unit_of(self) -> Mapping[str, TensorUnit]:
        """Units by tensor name."""
        return {u.tensor.name: u for u in self.units}

    @cached_property
    def originals(self) -> tuple[Stored, ...]:
        """Every tensor of the model under the name that it has unquantized, once."""
        settled = (m.name for m in self.quantized if self.settled(m))
        return tuple(stored(self.recognised, self.checkpoint.tensors, settled))

    @cached_property
    def fitted(self) -> Fitted | None:
        """The checkpoint beside the architecture of its model type; None where none is known, and for adapters."""
        config = self.checkpoint.config("config.json")
        model_type = config.get("model_type")
        if not isinstance(model_type, str) or not self.checkpoint.primary:
            return None
        if "adapter_config.json" in self.checkpoint.configs:
            return None
        try:
            return fitted(model_type, config, self.originals, self.knowledge.architecture)
        except (ArchitectureError, TermError):
            return None

    @property
    def known(self) -> Fitted | None:
        """The same, where the names are those of the architecture but for single ones."""
        fit = self.fitted
        return fit if fit is not None and fit.fits and fit.spelt else None

    @cached_property
    def fused_groups(self) -> tuple[tuple[Module, ...], ...]:
        """Sets of modules that runtimes merge, each with the members that exist (at least two)."""
        by_parent: dict[str, dict[str, Module]] = defaultdict(dict)
        for module in self.modules.values():
            parent, _, leaf = module.name.rpartition(".")
            by_parent[parent][leaf] = module
        found = []
        for children in by_parent.values():
            across = any("cross" in self.anatomy.roles(module.name) for module in children.values())
            for group in self.anatomy.fused_across if across else self.anatomy.fused:
                members = tuple(children[leaf] for leaf in group if leaf in children)
                if len(members) > 1 and all(m.scheme.fused for m in members):
                    found.append(members)
        return tuple(found)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The decoder's layers in order, for the first known prefix that has numbered layers; none of an adapter."""
        for prefix in self.anatomy.layers if self.adapter is None else ():
            finder = re.compile(re.escape(prefix) + r"\.(\d{1,6})\.(.+)", re.DOTALL)
            found: dict[int, dict[str, TensorInfo]] = defaultdict(dict)
            for name, tensor in self.checkpoint.tensors.items():
                hit = finder.fullmatch(name) if name.startswith(prefix) else None
                if hit:
                    found[int(hit[1])][hit[2]] = tensor
            if found:
                return tuple(Layer(prefix, n, found[n]) for n in sorted(found))
        return ()

    @cached_property
    def towers(self) -> tuple[tuple[Layer, ...], ...]:
        """Every other numbered stack that stands in no numbered one: encoders, towers, heads for each layer.

        An adapter has none: what it leaves out of a layer says nothing about the model.
        """
        if self.adapter is not None:
            return ()
        decoder = f"{self.layers[0].prefix}." if self.layers else None
        found: dict[str, dict[int, dict[str, TensorInfo]]] = defaultdict(lambda: defaultdict(dict))
        for name, tensor in self.checkpoint.tensors.items():
            if decoder is None or not name.startswith(decoder):
                hit = _NUMBERED.match(name)
                if hit:
                    found[hit[1]][int(hit[2])][hit[3]] = tensor
        return tuple(tuple(Layer(p, n, rows[n]) for n in sorted(rows)) for p, rows in found.items() if len(rows) > 1)

    def is_linear(self, module: Module) -> bool:
        """Whether a module is a projection that quantizers treat as a linear layer, by its role in the model."""
        return self.anatomy.is_linear(module.name) and "vision" not in self.anatomy.roles(module.name)

    @property
    def base(self) -> str:
        """What the layers stand in: `model.` for `model.layers`; empty where nothing is around them."""
        prefix = self.layers[0].prefix if self.layers else ""
        return prefix[: prefix.rfind(".") + 1]

    def end(self, role: str) -> Module | None:
        """The embedding before the layers, or the norm or head behind them, where it has one of its usual names."""
        names = (name for end in self.anatomy.ends(role) for name in (self.base + end, end))
        return next((self.modules[name] for name in names if name in self.modules), None)

    def end_name(self, role: str) -> str:
        """What that is usually called beside these layers."""
        return self.base + next(iter(self.anatomy.ends(role)), role)

    def tied(self) -> tuple[str, Any]:
        """The key of config.json that ties the head to the embedding, and what it says; None where it says nothing.

        Where the architecture is known, it tells what a class makes of the key, and what it does without.
        """
        usual = next(iter(self.anatomy.tied), "")
        told = self.known.tied() if self.known is not None else None
        if told is not None:
            return usual, told
        for key in self.anatomy.tied:
            for config in (self.checkpoint.config("config.json"), self.model_config):
                if key in config:
                    return key, config[key]
        return usual, None

    def expected(self, module: Module) -> Mapping[str, Any]:
        """Normalized fields of what the main declaration says of a module; empty where there is none."""
        found = self._expected.get(module.name)
        if found is None:
            main = self.declared.main
            linear = module.scheme.quantized or self.is_linear(module)
            found = self._expected[module.name] = main.expect(module.name, linear).values if main is not None else {}
        return found

    def settled(self, module: Module) -> bool:
        """Whether nothing about a module's size is a guess: what the shape of its weight leaves open is stated."""
        weight = module.scheme.weight
        inside = {s for shape in weight.shapes for one in shape for s in one.symbols} if weight is not None else set()
        symbols = module.scheme.symbols.values()
        fields = {s.declared for s in symbols if s.usual and s.declared and s.name in inside & module.env.keys()}
        main = self.declared.main
        return not fields or (main is not None and fields <= main.expect(module.name).values.keys())

    def declarations_with(self, field: str) -> Iterator[Declaration]:
        """Declarations that state a field."""
        return (d for d in self.declared.all if d.get(field) is not None)
