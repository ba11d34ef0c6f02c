"""Examples in rule and scheme files: small checkpoints written in one-line notation.

    bad:
      - model.safetensors:
          up_proj.weight: "U8[8, 128]"                                     # mixed values
          up_proj.weight_scale: "F8_E4M3[8, 16] = 0x38; [35..38] = 0x7F"   # one byte each, then a range of elements
          up_proj.weight_scale_2: "F32[] = 0.001"                          # numbers; nan, inf and -inf too
        config.json: {model_type: llama}
        says: "4 of 128 block scales are NaN"

A file may also be given as `broken link` or raw: `{raw: "00ff"}` (hex), `{text: "..."}`,
`{header: '{...}', data: 16, length: 99}`, or `{tensors: {...}, metadata: {...}, pad: false, cut: 1, append: "00"}`;
`{tensors: {...}, stated: 99}` is a shard for which a listing states another size. In the names of tensors
`layers.{0,1}.weight` stands for two of them, and `experts.{0..3}.weight` for four.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Collection, Mapping
from itertools import product
from typing import Any

from ..text.place import suggest
from ..text.yamltext import Item
from .model import Example
from .tensortext import MAX_BYTES, Tensor, read_tensor

MAX_LIST_BYTES = 4 << 20  # of all files of one list of examples
MAX_LENGTH = (1 << 64) - 1
# The forms of a shard that is not simply a map of tensors: the key that tells them, and what may stand beside it.
_FORMS: Mapping[str, Collection[str]] = {
    "raw": ("raw",),
    "text": ("text",),
    "header": ("header", "data", "length", "append", "cut"),
    "tensors": ("tensors", "metadata", "pad", "append", "cut", "stated"),
}


_BRACES = re.compile(r"(\{[^{}]*(?:,|\.\.)[^{}]*\})")
_SPAN = re.compile(r"(\d{1,4})\.\.(\d{1,4})")


def expanded(name: str) -> list[str]:
    """The names that a pattern with braces stands for: `a.{0,1}.b` and `a.{0..1}.b` are `a.0.b` and `a.1.b`."""
    pieces: list[list[str]] = []
    for piece in _BRACES.split(name):
        span = _SPAN.fullmatch(piece[1:-1]) if _BRACES.fullmatch(piece) else None
        if span:
            pieces.append([str(n) for n in range(int(span[1]), int(span[2]) + 1)])
        else:
            pieces.append(piece[1:-1].split(",") if _BRACES.fullmatch(piece) else [piece])
    return ["".join(words) for words in product(*pieces)]


def read_tensors(item: Item) -> dict[str, Tensor]:
    """The tensors of a shard by name; raises RuleFileError."""
    found: dict[str, Tensor] = {}
    for name, value in item.mapping("a shard", empty=True).items():
        found.update(dict.fromkeys(expanded(name), read_tensor(value)))
    return found


def read_metadata(item: Item) -> Any:
    """The metadata of a shard, braces in its keys expanded; what is no mapping stands as it is."""
    if not item.is_map:
        return item.plain()
    rows = item.mapping("`metadata`", empty=True)
    return {one: value.plain() for name, value in rows.items() for one in expanded(name)}


def read_examples(item: Item, what: str, need_says: bool) -> tuple[Example, ...]:
    """The examples of one list; raises RuleFileError at the place of a mistake."""
    rows = item.sequence(what)
    if not rows:
        item.fail(f"{what} has no example", "a rule carries at least one bad and one good example")
    found = []
    total = 0
    for row in rows:
        example = read_example(row, what, need_says)
        total += sum(len(data) for data in example.files.values() if data)
        if total > MAX_LIST_BYTES:
            row.fail(f"the examples of {what} have more than {MAX_LIST_BYTES:,} bytes")
        found.append(example)
    return tuple(found)


def read_example(item: Item, what: str, need_says: bool) -> Example:
    """One example; raises RuleFileError."""
    keys = item.mapping(f"an example of {what}")
    says = ""
    files: dict[str, bytes | None] = {}
    stated: dict[str, int] = {}
    for name, value in keys.items():
        if name == "says":
            if not need_says:
                value.fail_key("nothing is said about a good example", "remove `says`, or move the example to `bad`")
            says = value.string("`says`")
            continue
        if not name.endswith((".safetensors", ".json", ".txt")) and name != "tensorlint.toml":
            near = suggest(name, ["says", "model.safetensors", "config.json"])
            value.fail_key(f"`{name}` is neither a .safetensors nor a .json file nor `says`", near)
        if value.raw == "broken link":
            files[name] = None
        elif name.endswith(".safetensors"):
            files[name] = _shard(value)
            if (form := value.mapping("a shard", empty=True)).keys() >= {"tensors", "stated"}:
                stated[name] = form["stated"].whole("`stated`", 0, MAX_LENGTH)
        elif value.is_map and value.mapping("this", empty=True).keys() & {"raw", "text"}:
            files[name] = _raw(value)
        else:
            files[name] = json.dumps(value.plain()).encode()
    if need_says and not says:
        item.fail("a bad example says what must be said about it", 'add `says: "..."` with a piece of the message')
    if not files:
        item.fail("an example has at least one file", 'such as `model.safetensors: {a.weight: "F32[4]"}`')
    return Example(files, says, f"{item.text.path}:{item.line()}", stated)


def _raw(item: Item) -> bytes:
    keys = item.mapping("a raw file", {"raw", "text"})
    if len(keys) > 1:
        item.fail("a raw file is given as `raw` or as `text`, not both")
    if "text" in keys:
        return keys["text"].string("`text`", empty=True).encode()
    return _hex(keys["raw"], "`raw`")


def _hex(item: Item, what: str) -> bytes:
    try:
        return bytes.fromhex(item.string(what, empty=True))
    except ValueError as error:
        item.fail(f"{what} is not hex: {error}", "two digits for each byte, in quotes")


def _shard(item: Item) -> bytes:
    if not item.is_map:
        item.fail("a shard is a mapping of tensors", 'such as {a.weight: "F32[4]"}, or `broken link`')
    keys = item.mapping("a shard", empty=True)
    form = next((form for form in _FORMS if form in keys), "")
    if not form:
        return write_shard(read_tensors(item))
    for name, value in keys.items():
        if name not in _FORMS[form]:
            value.fail_key(f"`{name}` does not go with `{form}`", suggest(name, _FORMS[form]))
    if form in ("raw", "text"):
        return _raw(item)
    if form == "header":
        header = keys["header"].string("`header`", empty=True).encode()
        length = keys["length"].whole("`length`", 0, MAX_LENGTH) if "length" in keys else len(header)
        data = keys["data"].whole("`data`", 0, MAX_BYTES) if "data" in keys else 0
        body = struct.pack("<Q", length) + header + bytes(data)
    else:
        tensors = read_tensors(keys["tensors"])
        metadata = read_metadata(keys["metadata"]) if "metadata" in keys else None
        body = write_shard(tensors, metadata, pad=keys["pad"].boolean("`pad`") if "pad" in keys else True)
    if "append" in keys:
        body += _hex(keys["append"], "`append`")
    cut = keys["cut"].whole("`cut`", 0, len(body)) if "cut" in keys else 0
    return body[: len(body) - cut]


def write_shard(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None, pad: bool = True) -> bytes:
    """A safetensors file; `tensors` maps names to dtype, shape and bytes."""
    header: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    at = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    if pad:
        text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())
