"""Declarations in metadata and in markers: what is read, and what is too large, too strange or too much to be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tensorlint.container.checkpoint import Checkpoint, find_checkpoints
from tensorlint.errors import UnfinishedError
from tensorlint.schemes.inside import of_markers, of_metadata, of_module
from tensorlint.schemes.model import Description
from tensorlint.sources.memory import MemoryFile, MemorySource

Tensors = dict[str, tuple[str, tuple[int, ...], bytes]]


def shard(tensors: Tensors, metadata: dict[str, str] | None = None) -> bytes:
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    data = b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def checkpoint(*shards: bytes, source: type[MemorySource] = MemorySource) -> Checkpoint:
    names = [f"model-{n + 1:05}-of-{len(shards):05}.safetensors" for n in range(len(shards))]
    return next(iter(find_checkpoints(source(dict(zip(names, shards, strict=True))))))


ONE: Tensors = {"w": ("U8", (1,), b"x")}


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{}", None),
        ("", None),
        ("[1]", None),
        ('"a"', None),
        ("{a", None),
        ('{"a": "' + "x" * ((1 << 24) - 9) + '"}', {"a": "x" * ((1 << 24) - 9)}),
        ('{"a": "' + "x" * ((1 << 24) - 8) + '"}', None),
    ],
    ids=["object", "empty object", "empty", "list", "text", "no JSON", "longest", "too long"],
)
def test_an_object_under_a_key_of_the_metadata_is_a_declaration(text: str, content: Any) -> None:
    found = list(of_metadata(checkpoint(shard(ONE, {"other": '{"b": 1}', "how": text})), "how"))
    assert found == ([] if content is None else [("model-00001-of-00001.safetensors", content)])


def test_every_shard_may_hold_one() -> None:
    first, second = shard({"a": ONE["w"]}, {"how": '{"a": 1}'}), shard({"b": ONE["w"]}, {"how": '{"b": 2}'})
    third = shard({"c": ONE["w"]})
    assert [content for _, content in of_metadata(checkpoint(first, second, third), "how")] == [{"a": 1}, {"b": 2}]


def marker(content: Any, dtype: str = "U8") -> tuple[str, tuple[int, ...], bytes]:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return dtype, (len(raw),), raw


def layers(tensors: Tensors) -> dict[str, Any]:
    found = list(of_markers(checkpoint(shard(tensors)), ".how"))
    assert len(found) < 2
    for name, content in found:
        assert (name, set(content)) == ("model-00001-of-00001.safetensors", {"layers"})
    return dict(found[0][1]["layers"]) if found else {}


WEIGHT = ("F16", (2,), bytes(4))


@pytest.mark.parametrize(
    ("tensors", "wanted"),
    [
        ({"a.how": marker({"x": 1})}, {"a": {"x": 1}}),
        ({"a.how": marker({"x": 1}), "a.weight": WEIGHT, "b.how": marker({"y": 22})}, {"a": {"x": 1}, "b": {"y": 22}}),
        ({"a.how": marker({"x": 1}, "I8")}, {}),
        ({"a.how": marker(b"")}, {}),
        ({"a.how": marker({})}, {}),
        ({"a.how": marker(b"\xff\xfe")}, {}),
        ({"a.how.x": marker({"x": 1})}, {}),
        ({"a.how": marker({"x": "y" * (4096 - 9)})}, {"a": {"x": "y" * (4096 - 9)}}),
        ({"a.how": marker({"x": "y" * (4096 - 8)})}, {}),
    ],
)
def test_markers_make_one_table_of_modules(tensors: Tensors, wanted: dict[str, Any]) -> None:
    assert layers(tensors) == wanted


def test_of_markers_that_must_say_the_same_one_is_read() -> None:
    """Markers of one size say the same beside weights of one kind, and may say something else beside others."""
    first, second = marker({"x": 1}), marker({"x": 2})
    matrix = ("F16", (1, 2), bytes(4))
    same = {"a.how": first, "a.weight": WEIGHT, "b.how": second, "b.weight": WEIGHT}
    assert layers(same) == {"a": {"x": 1}, "b": {"x": 1}}
    for other in (matrix, ("F32", (1,), bytes(4)), None):
        tensors: Tensors = {"a.how": first, "a.weight": WEIGHT, "b.how": second}
        if other is not None:
            tensors["b.weight"] = other
        assert layers(tensors) == {"a": {"x": 1}, "b": {"x": 2}}, other


def test_no_more_than_32_kinds_of_markers_are_read() -> None:
    tensors = {f"m{n}.how": marker({"x": "y" * n}) for n in range(40)}
    assert sorted(layers(tensors)) == sorted(f"m{n}" for n in range(32))


def test_the_shard_is_that_of_the_first_marker_that_says_something() -> None:
    shards = shard({"a.how": marker(b"?")}), shard({"b.how": marker({"x": 1})}), shard({"c.how": marker({"x": 12})})
    ((name, content),) = of_markers(checkpoint(*shards), ".how")
    assert (name, sorted(content["layers"])) == ("model-00002-of-00003.safetensors", ["b", "c"])


def test_a_marker_that_cannot_be_read_says_nothing_and_closes_its_file() -> None:
    closed = []

    class Cut(MemoryFile):
        def read(self, offset: int, length: int) -> bytes:
            raise UnfinishedError("cut off")

        def close(self) -> None:
            closed.append(True)

    found = checkpoint(shard({"a.how": marker({"x": 1})}))
    assert isinstance(found.source, MemorySource)
    whole = found.source.open("model-00001-of-00001.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemorySource, "open", lambda _source, _name: Cut.__new__(Cut))
        assert list(of_markers(found, ".how")) == []
    whole.close()
    assert closed == [True]


HOW = Description("._meta", "format", ("a", "b"))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('{"format": "a"}', "a"),
        ('{"format": 4}', "4"),
        ('{"other": "a"}', "None"),
        ("{}", ""),
        ("", ""),
        ("[]", ""),
        ("no JSON", ""),
        ('{"format": "a", "x": "' + "y" * ((1 << 16) - 24) + '"}', "a"),
        ('{"format": "a", "x": "' + "y" * ((1 << 16) - 23) + '"}', ""),
    ],
    ids=["text", "number", "not stated", "empty object", "empty", "list", "no JSON", "longest", "too long"],
)
def test_what_an_entry_says_of_one_module(entry: str, said: str) -> None:
    assert of_module({"l.q._meta": entry, "l.k._meta": '{"format": "b"}'}, "l.q", HOW) == said
    assert of_module({"l.k._meta": entry}, "l.q", HOW) == ""
