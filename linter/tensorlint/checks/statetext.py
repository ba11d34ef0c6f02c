"""Text that is stored as a tensor beside a weight: JSON against the weight and its scales, words against those known.

Which keys state what is part of the scheme (bitsandbytes .../functional.py, QuantState.from_dict), as are the words.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.interface import Measures
from ..schemes.model import JsonText, Part
from ..schemes.module import Module
from ..schemes.view import View
from .check import Check

STATES: Mapping[str, FactKind] = {
    "state-text": FactKind(
        "JSON text that is stored beside a weight contradicts the tensors.", ("module", "scheme", "problem")
    ),
    "marker-text": FactKind(
        "A text that is stored beside a weight is none of those its readers know.", ("module", "part", "text", "wanted")
    ),
}
# Beyond what any writer states, so that hostile text costs nothing: bytes of JSON, a size, dimensions; bytes of a word.
_MAX_BYTES, _MAX_SIZE, _MAX_DIMS = 64 << 10, 1 << 48, 8
_LONGEST = 64


def run(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """The first contradiction of every text, and words that are not known."""
    for module in view.quantized:
        for name, part in module.scheme.parts.items():
            tensor = module.parts.get(name)
            if part.texts and tensor is not None and tensor.dtype == "U8":
                yield from _word(view, module, part, tensor)
            if part.json is None or tensor is None or "weight" not in module.parts:
                continue
            problem = _problem(view, module, tensor, part.json)
            if problem:
                values = {"module": module.name, "scheme": module.scheme.name, "problem": problem}
                yield Fact("state-text", tensor.shard, tensor.name, tensor.begin, values)


def _word(view: View, module: Module, part: Part, tensor: TensorInfo) -> Iterator[Fact]:
    text = view.stored(tensor, _LONGEST).decode("ascii", "backslashreplace")
    if text not in part.texts or tensor.nbytes > _LONGEST:
        values = {"module": module.name, "part": part.name, "text": _short(text), "wanted": list(part.texts)}
        yield Fact("marker-text", tensor.shard, tensor.name, tensor.begin, values)


def _problem(view: View, module: Module, tensor: TensorInfo, wanted: JsonText) -> str:
    if tensor.nbytes > _MAX_BYTES:
        return f"it has {tensor.nbytes:,} bytes"
    try:
        text = json.loads(view.stored(tensor, _MAX_BYTES))
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(text, dict):
        return "it is not a JSON object"
    for key, value in wanted.constants.items():
        if text.get(key) != value:
            return f"{key} is {_short(text.get(key))}, the tensors are those of {value}"
    for key, values in wanted.known.items():
        if key in text and text[key] not in values:
            return f"{key} is {_short(text[key])}, not one of {', '.join(values)}"
    if not wanted.shape:
        return ""
    shape, block = text.get(wanted.shape), _positive(text.get(wanted.block))
    if (
        not isinstance(shape, list)
        or not 0 < len(shape) <= _MAX_DIMS
        or not all(type(n) is int and 0 < n < _MAX_SIZE for n in shape)
    ):
        return f"{wanted.shape} is {_short(shape)}"
    if not block:
        return f"{wanted.block} is {_short(text.get(wanted.block))}"
    return _sizes(module, text, wanted, math.prod(shape), block)


def _sizes(module: Module, text: dict[str, Any], wanted: JsonText, count: int, block: int) -> str:
    weight, scale, nested = (module.parts.get(name) for name in ("weight", "weight_scale", "nested_scale"))
    shape = text[wanted.shape]
    if weight is not None and weight.nbytes != -(-count * wanted.bits // 8):
        held = weight.nbytes * 8 // wanted.bits
        return f"{wanted.shape} {_short(shape)} has {count:,} values, the weight holds {held:,}"
    if scale is None:
        return ""
    scales = -(-count // block)
    if scale.elements != scales:
        return f"{count:,} values in blocks of {block:,} have {scales:,} scales, not {scale.elements:,}"
    if nested is None and wanted.nested_block and text.get(wanted.nested_block) is not None:
        return f"{wanted.nested_block} is {_short(text[wanted.nested_block])}, but there are no nested scales"
    if nested is None or not wanted.nested_block:
        return ""
    inner = _positive(text.get(wanted.nested_block))
    if not inner:
        return f"{wanted.nested_block} is {_short(text.get(wanted.nested_block))}, but there are nested scales"
    if nested.elements != (outer := -(-scales // inner)):
        return f"{scales:,} scales in blocks of {inner:,} have {outer:,} nested scales, not {nested.elements:,}"
    return ""


def _positive(value: Any) -> int:
    return value if type(value) is int and 0 < value < _MAX_SIZE else 0


def _short(value: Any) -> str:
    return "missing" if value is None else json.dumps(value)[:60]


CHECKS = (Check(STATES, run, "scales"),)
