"""One class under one configuration, on the meta device: what its checkpoint holds, in each spelling."""

from __future__ import annotations

import copy
import re
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

SAVED, LOADED, MEMORY, APART = "saved", "loaded", "memory", "apart"
MODELS = "transformers.models."
SECONDS = 20  # for one class under one configuration
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.)")


@dataclass(frozen=True)
class Stored:
    """One tensor of a checkpoint: its shape and its words (role and flags)."""

    shape: tuple[int, ...]
    words: str


@dataclass
class Built:
    """A class under a configuration: tensors by spelling and name, tied names, and names that it passes over."""

    config: dict[str, Any]
    spellings: dict[str, dict[str, Stored]] = field(default_factory=dict)
    ties: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)  # by spelling; the kept name comes first
    ignored: tuple[str, ...] = ()
    inside: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # by spelling: prefix -> model type of what is there
    sources: frozenset[str] = frozenset()  # Python modules of the classes of its layers


class Slow(Exception):
    """A class was not built within SECONDS."""


@contextmanager
def limited(seconds: int = SECONDS) -> Iterator[None]:
    """Raise Slow in the block when it takes longer."""

    def ring(*_: object) -> None:
        raise Slow

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def built(klass: type, config: Any) -> Built:
    """What a checkpoint of the class holds under the configuration; raises what the class raises."""
    with limited():
        # Some configurations are changed by the models that are made of them.
        with torch.device("meta"):
            model = klass(copy.deepcopy(config))
        return _read(model, config)


def _read(model: nn.Module, config: Any) -> Built:
    state = model.state_dict()
    for name in getattr(model, "_keys_to_ignore_on_save", None) or ():
        state.pop(name, None)
    modules = dict(model.named_modules())
    head = _head(model)
    words = {name: _words(modules, head, name) for name in state}
    memory = {name: Stored(tuple(tensor.shape), words[name]) for name, tensor in state.items()}
    found = Built(config.to_dict())
    found.sources = frozenset(m for m in {type(module).__module__ for module in modules.values()} if MODELS in m)
    found.ignored = tuple(sorted(getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ()))
    sets = _tied(model, state)
    conversions = _conversions(model)
    plain = [c for c in conversions if type(c).__name__ != "PrefixChange"]
    origins = _saved(model, state, plain)
    saved, names = _written(origins, memory)
    apart = dict(memory)
    for sources, targets in origins:
        if len(targets) > len(sources) and words[sources[0]].startswith("experts"):
            for source in sources:
                del apart[source]
            apart.update(_apart(sources[0], targets))
    names_in = {SAVED: names}
    found.spellings[SAVED] = saved
    found.ties[SAVED] = [tuple(names.get(name, name) for name in tied) for tied in sets]
    if len(plain) < len(conversions):
        loaded, names = _written(_saved(model, state, conversions), memory)
        if loaded != saved:
            names_in[LOADED] = names
            found.spellings[LOADED] = loaded
            found.ties[LOADED] = [tuple(names.get(name, name) for name in tied) for tied in sets]
    for spelling, written in found.spellings.items():
        found.inside[spelling] = _inside(model, names_in[spelling], written)
    itself = {name: name for name in memory}
    if memory != saved:
        found.spellings[MEMORY] = memory
        found.ties[MEMORY] = sets
        found.inside[MEMORY] = _inside(model, itself, memory)
    if apart not in (memory, saved):
        found.spellings[APART] = apart
        found.ties[APART] = sets
        found.inside[APART] = _inside(model, {name: name for name in apart}, apart)
    return found


def _inside(model: Any, names: dict[str, str], written: dict[str, Stored]) -> dict[str, str]:
    """Prefixes of the models of other types that a model holds, and their types."""
    found: dict[str, str] = {}
    own = getattr(model.config, "model_type", "")
    for path, module in model.named_modules():
        kind = getattr(getattr(module, "config", None), "model_type", None)
        if not path or not kind or kind == own or not hasattr(module, "base_model_prefix"):
            continue
        inner = [new.split(".") for old, new in names.items() if old.startswith(path + ".")]
        outer = [new for old, new in names.items() if not old.startswith(path + ".")]
        common: list[str] = []
        for tokens in zip(*inner, strict=False):
            if len(set(tokens)) > 1:
                break
            common.append(tokens[0])
        # The shortest prefix that tells the tensors of this model from all others.
        for length in range(1, len(common) + 1):
            prefix = "".join(t + "." for t in common[:length])
            if not any(name.startswith(prefix) for name in outer):
                found.setdefault(prefix, kind)
                break
    return {p: k for p, k in found.items() if not any(p != q and p.startswith(q) for q in found)}


def _written(origins: list[Origin], memory: dict[str, Stored]) -> tuple[dict[str, Stored], dict[str, str]]:
    """What is written, and the names of what was in memory there."""
    saved, names = {}, {}
    for sources, targets in origins:
        before = memory[sources[0]]
        for target, shape in targets.items():
            saved[target] = Stored(shape, _converted(before.words, before.shape, shape))
            names[sources[0]] = target
    return saved, names


def _tied(model: nn.Module, state: dict[str, torch.Tensor]) -> list[tuple[str, ...]]:
    """Names of one parameter each; the name that a checkpoint keeps comes first."""
    by_tensor: dict[int, list[str]] = defaultdict(list)
    for kind in (model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False)):
        for name, tensor in kind:
            if name in state:
                by_tensor[id(tensor)].append(name)
    if all(len(names) == 1 for names in by_tensor.values()):
        return []
    left = set(_kept(model, dict(state)))
    return [
        tuple(sorted(names, key=lambda n: (n not in left, names.index(n))))
        for names in by_tensor.values()
        if len(names) > 1
    ]


def _kept(model: nn.Module, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    try:
        from transformers.modeling_utils import remove_tied_weights_from_state_dict
    except ImportError:  # 4.57: keys that match are dropped
        patterns = getattr(model, "_tied_weights_keys", None) or ()
        return {k: v for k, v in state.items() if not any(re.search(p, k) for p in patterns)}
    try:
        return remove_tied_weights_from_state_dict(state, model)
    except RuntimeError:
        return state


Origin = tuple[list[str], dict[str, tuple[int, ...]]]


def _conversions(model: Any) -> list[Any]:
    try:
        from transformers.conversion_mapping import get_model_conversion_mapping
    except ImportError:  # 4.57 writes what is in memory
        return []
    return list(get_model_conversion_mapping(model, add_legacy=False))


def _saved(model: Any, state: dict[str, torch.Tensor], conversions: list[Any]) -> list[Origin]:
    """Names in memory, and what `save_pretrained` makes of them: names and shapes.

    The loop of `transformers.core_model_loading.revert_weight_conversion`, which does not say what came from where.
    """
    if not conversions:
        return [([name], {name: tuple(tensor.shape)}) for name, tensor in state.items()]
    from transformers import core_model_loading as core

    reverse = [c.reverse_transform() for c in conversions[::-1]]
    renamings = [c for c in reverse if isinstance(c, core.WeightRenaming)]
    converters = [c for c in reverse if isinstance(c, core.WeightConverter)]
    by_pattern = {pattern: c for c in converters for pattern in c.source_patterns}
    found: list[Origin] = []
    todo: dict[str, Any] = {}
    sources: dict[str, list[str]] = defaultdict(list)
    for name, tensor in sorted(state.items(), key=lambda kv: core.dot_natural_key(kv[0])):
        target, pattern = core.apply_converters(name, converters)
        if pattern is None:
            found.append(([name], {core.apply_renamings(name, renamings): tuple(tensor.shape)}))
            continue
        step = todo.setdefault(target, copy.deepcopy(by_pattern[pattern]))
        step.add_tensor(target, name, pattern, tensor)
        sources[target].append(name)
    for target, step in todo.items():
        made = step.convert(target, model=model, config=model.config)
        shapes = {}
        for name, tensor in made.items():
            tensor = tensor[0] if isinstance(tensor, list) else tensor
            shapes[core.apply_renamings(name, renamings)] = tuple(tensor.shape)
        found.append((sources[target], shapes))
    order = {name: i for i, name in enumerate(state)}
    return sorted(found, key=lambda origin: order[origin[0][0]])


def _apart(fused: str, targets: dict[str, tuple[int, ...]]) -> dict[str, Stored]:
    """Fused experts as linears of one expert each, under the names that the module has in memory."""
    prefix = fused.rpartition("experts")[0] + "experts."
    found = {}
    for name, shape in targets.items():
        number = re.search(r"experts\.(\d+\..*)$", name)
        if number:
            found[prefix + number[1]] = Stored(shape, "linear" if len(shape) == 2 else "bias")
    return found


def _converted(words: str, before: tuple[int, ...], after: tuple[int, ...]) -> str:
    """Words of what was made of a tensor."""
    if not words.startswith("experts"):
        return words
    if len(before) == 3 and len(after) == 2:
        return "linear"
    if len(before) == 2 and len(after) == 1:
        return "bias"
    if len(before) == len(after) == 3 and before == (after[0], after[2], after[1]) and before != after:
        return "experts" if "transposed" in words else "experts transposed"
    return words


def _head(model: Any) -> nn.Module | None:
    try:
        return model.get_output_embeddings()  # type: ignore[no-any-return]
    except Exception:  # some classes have none and say so by an error
        return None


def _words(modules: dict[str, nn.Module], head: nn.Module | None, name: str) -> str:
    """Role and flags of a tensor, from the module that owns it."""
    path, _, own = name.rpartition(".")
    module = modules.get(path)
    if module is None:
        return "other"
    kind, last = type(module).__name__, path.rpartition(".")[2]
    if own in module._buffers:
        return "buffer"
    shape = module._parameters[own].shape if module._parameters.get(own) is not None else ()
    if re.search(r"Experts?($|MLP|Fused|Stack)|Experts", kind) and len(shape) in (2, 3):
        transposed = getattr(module, "is_transposed", False) and len(shape) == 3
        return "bias" if "bias" in own else "experts transposed" if transposed else "experts"
    if "Norm" in kind or re.search(r"(^|_)(layer_?norm|norm|ln)\d*$", own):
        return "norm"
    if own.endswith("bias") and own != "dt_bias" and isinstance(module, (nn.Linear, Conv1D, nn.modules.conv._ConvNd)):
        return "bias"
    if isinstance(module, nn.Linear):
        if own != "weight":
            return "other"
        if module is head or last in ("lm_head", "score", "classifier", "qa_outputs"):
            return "head linear"
        return "router linear" if _routes(kind, path) else "linear"
    if isinstance(module, Conv1D):
        return "linear transposed" if own == "weight" else "bias"
    if isinstance(module, nn.modules.conv._ConvNd):
        return "conv"
    if isinstance(module, nn.Embedding):
        return "position" if "pos" in path else "embedding"
    if own == "weight" and _routes(kind, path):
        return "router"
    if re.search(r"pos(ition)?_?emb|position", name):
        return "position"
    if re.search(r"^(A_log|D|dt_bias|conv_state|ssm_state)$", own):
        return "state"
    return "bias" if own == "bias" or own.endswith("_bias") else "other"


def _routes(kind: str, path: str) -> bool:
    return bool(re.search(r"Router|TopK|MoEGate|MoeGate", kind) or re.search(r"(^|\.)(router|gate|router\.\w+)$", path))


def opened(name: str) -> tuple[str, tuple[int, ...]]:
    """A name with `{}` for its numbers, and the numbers."""
    return _NUMBER.sub("{}", name), tuple(int(n) for n in _NUMBER.findall(name))
