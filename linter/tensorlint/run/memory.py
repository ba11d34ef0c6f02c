"""Check a state dict, or a model, before it is exported: what it holds becomes a source like any other."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..container.checkpoint import MAX_JSON
from ..errors import NoCheckpointError, UsageError
from ..files import CONFIGS
from ..measures.device.resident import where_they_are
from ..measures.plan import Depth
from ..report.findings import Report
from ..settings.ruleset import ruleset
from ..settings.settings import settings_for
from ..settings.tasks import wanted
from ..sources.tensors import DTYPES, TensorSource, stored_shape
from .run import Run

_SHOWN = 2  # names in a sentence about what could not be read


def check_tensors(
    state: Any, config: Any, depth: Depth, select: Iterable[str], ignore: Iterable[str], rules: Iterable[str | Path]
) -> Report:
    """See tensorlint.check_state_dict."""
    chosen = ruleset(settings_for("", None, wanted(depth, select, ignore, rules).command_line))
    mine = tuple(rule for rule in chosen.rules if rule.about != "files")  # there are none yet
    source = source_of(state, config, chosen.book.configs)
    if not source.tensors and not source.unreadable:
        raise NoCheckpointError(f"the {source.target} holds no tensors")
    return Run.of(source, replace(chosen, rules=mine)).report(scanner=where_they_are)


def source_of(state: Any, config: Any = None, configs: Iterable[str] = CONFIGS) -> TensorSource:
    """What a state dict or a model would be saved as; raises UsageError where it is neither, or the config is none.

    `configs` are the files that are read where the config is a folder.
    """
    target = "state dict"
    tied: Iterable[str] = ()
    entries = state
    if callable(getattr(state, "state_dict", None)):
        target = type(state).__name__
        tied = getattr(state, "_tied_weights_keys", None) or ()
        config = getattr(state, "config", None) if config is None else config
        entries = state.state_dict()
    if not isinstance(entries, Mapping):
        raise UsageError(f"a {type(state).__name__} is neither a state dict nor a model with one")
    tensors: dict[str, Any] = {}
    unreadable: dict[str, tuple[str, tuple[int, ...]]] = {}
    reasons: dict[str, list[str]] = defaultdict(list)
    for key, value in entries.items():
        name = str(key).encode("utf-8", "replace").decode()  # a header holds nothing but Unicode text
        if name.endswith("_extra_state") and not isinstance(value, torch.Tensor):
            continue  # what modules keep for themselves (torch.nn.Module.get_extra_state); exporters leave it out
        reason = _unreadable(value)
        if reason:
            reasons[reason].append(name)
            plain = reason == _META
            unreadable[name] = (DTYPES[value.dtype], stored_shape(value)) if plain else ("U8", (1,))
        else:
            tensors[name] = value.detach()
    for name in _copies(tensors, tied):
        del tensors[name]
    return TensorSource(tensors, dict(_configs(config, configs)), unreadable, tuple(_gaps(reasons)), target)


_META = "on the meta device, without values"


def _unreadable(value: Any) -> str:
    """Why an entry has no bytes that could be stored as they are; empty when it has."""
    if not isinstance(value, torch.Tensor):
        return f"a {type(value).__name__}, not a tensor"
    kind = type(value)
    if kind.__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        # A subclass that stands for other tensors: quantized ones of torchao, parts of a DTensor.
        local = hasattr(value, "to_local")
        return (
            f"a {kind.__name__}, of which this process holds a part: gather it first (full_state_dict)"
            if local
            else f"a {kind.__name__}, a tensor made of others: check them under the names they are exported with"
        )
    if value.layout != torch.strided or value.dtype not in DTYPES:
        what = value.dtype if value.layout == torch.strided else value.layout
        return f"{str(what).removeprefix('torch.')}, which safetensors cannot hold"
    return _META if value.device.type == "meta" else ""


def _gaps(reasons: Mapping[str, list[str]]) -> Iterator[str]:
    for reason, names in reasons.items():
        more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        yield f"{', '.join(names[:_SHOWN])}{more}: {reason}"


def _copies(tensors: Mapping[str, Any], tied: Iterable[str]) -> list[str]:
    """Names of tensors that are another one under a further name: exporters store them once.

    Of several names those that the model calls tied go (`_tied_weights_keys` of transformers), else all but the first.
    """
    same: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for name, tensor in tensors.items():
        if tensor.numel():
            same[tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride()].append(name)
    ties = frozenset(tied)
    return [n for names in same.values() for n in sorted(names, key=ties.__contains__)[1:]]


def _configs(config: Any, usual: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """JSON files by name."""
    if config is None:
        return
    if isinstance(config, str | Path):
        path = Path(config)
        folder, names = (path, tuple(usual)) if path.is_dir() else (path.parent, (path.name,))
        if not path.exists():
            raise UsageError(f"there is no config at {path}")
        for name in names:
            if (folder / name).is_file():
                with (folder / name).open("rb") as file:
                    yield (name if path.is_dir() else "config.json"), file.read(MAX_JSON + 1)
    elif callable(getattr(config, "to_json_string", None)):
        yield "config.json", str(config.to_json_string()).encode()
    elif isinstance(config, Mapping):
        several = bool(config) and all(str(key).endswith(".json") for key in config)
        for name, value in config.items() if several else [("config.json", config)]:
            yield str(name), json.dumps(value, default=_plain).encode()
    else:
        raise UsageError(
            f"a {type(config).__name__} is no config",
            "a dictionary, a configuration of transformers, or the path of a folder or of a JSON file",
        )


def _plain(value: Any) -> Any:
    """What JSON has no word for, as exporters write it."""
    for method in ("to_dict", "model_dump"):
        if callable(getattr(value, method, None)):
            return getattr(value, method)()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, set | frozenset) else str(value).removeprefix("torch.")
