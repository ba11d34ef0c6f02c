"""How a configuration spells what it says: for every normalized field the key paths to try, and reading by them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# What a declaration says of the weights and activations of a module; schemes and rules name the same fields.
VALUES = (
    "algorithm", "format", "bits", "type", "strategy", "group_size", "symmetric", "mode", "act_order", "scale_format",
    "kv_cache", "kv_cache_bits", "activations", "activation_bits", "activation_type", "activation_group",
    "activation_symmetric", "outputs",
)  # fmt: skip
_SPELT = (
    *VALUES,
    "block",
    "activation_dynamic",
    "output_dynamic",
)  # values may be spelt as a block's sizes, and as settings
FIELDS = (
    *_SPELT, "kv_cache_dynamic", "ignore", "only", "layers", "groups", "exceptions", "status", "producer",
)  # fmt: skip
GROUP = ("targets", *_SPELT)  # of one group of modules: which these are, and what is said of them
MODULE = ("weight", *_SPELT)  # of a single module: the settings of its weight, and what is said of it
# What the settings of a single module state under the keys of the whole declaration, or under the field's own name.
OF_MODULES = (
    "algorithm", "group_size", "bits", "mode", "symmetric", "type", "activation_type", "activation_group",
)  # fmt: skip
_FLAGS = frozenset({"symmetric", "act_order", "activation_symmetric"})
_BLOCK = re.compile(r"([0-9]{1,9})x([0-9]{1,9})")

Spelling = Mapping[str, tuple[str, ...]]  # normalized field -> key paths with dots


def stated(content: Any, spelling: Spelling, field: str) -> Any:
    """A field's raw value: what stands at the first of its paths that has any; None where none has."""
    return next((value for value in _at(content, spelling.get(field, ())) if value is not None), None)


def is_null(content: Any, spelling: Spelling, field: str) -> bool:
    """Whether the content says outright that there is none: the key is there, with `null`."""
    return any(value is None for value in _at(content, spelling.get(field, ())))


def values(content: Any, spelling: Spelling) -> dict[str, Any]:
    """The values that settings state, by normalized field; a block as `block_rows` and `block_cols`."""
    found: dict[str, Any] = {}
    for field in VALUES:
        value = stated(content, spelling, field)
        if isinstance(value, (str, int)) and (field in _FLAGS or not isinstance(value, bool)):
            found[field] = value
    for field, dynamic in (("activations", "activation_dynamic"), ("outputs", "output_dynamic")):
        if dynamic in spelling and any(True for _ in _at(content, spelling.get(field, ()))):
            found[field] = _scaled(content, spelling, field, dynamic)
    block = _block(stated(content, spelling, "block"))
    return {**found, "block_rows": block[0], "block_cols": block[1]} if block else found


def _at(content: Any, paths: Iterable[str]) -> Iterator[Any]:
    """What stands at each of the paths whose last key is there; of a list of stages the first one is meant."""
    for path in paths:
        value = content
        for step in path.split("."):
            value = value[0] if isinstance(value, list) and value else value
            if not isinstance(value, dict) or step not in value:
                break
            value = value[step]
        else:
            yield value


def _scaled(content: Any, spelling: Spelling, field: str, how: str) -> str:
    """How activations, or outputs, are scaled by the settings of them: `none` where these are no settings."""
    settings = stated(content, spelling, field)
    if not isinstance(settings[0] if isinstance(settings, list) and settings else settings, dict):
        return "none"
    dynamic = stated(content, spelling, how)
    return "local" if dynamic == "local" else "dynamic" if dynamic else "static"


def _block(value: Any) -> tuple[int, int] | None:
    """Rows and columns of `[128, 128]` or `128x128`."""
    text = _BLOCK.fullmatch(value) if isinstance(value, str) else None
    block = [int(text[1]), int(text[2])] if text else value
    if isinstance(block, list) and len(block) == 2 and all(type(size) is int for size in block):
        return block[0], block[1]
    return None
