"""Lines of JSON files: keys and list entries, found by walking the text, agree with what a parser reads there."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import build
import sample_reports
from tensorlint.container.checkpoint import find_checkpoints
from tensorlint.container.lines import Line, Lines, _config_line, key_lines, places
from tensorlint.errors import UnfinishedError
from tensorlint.report.findings import Finding
from tensorlint.sources.memory import MemorySource

NAMES = st.text(st.sampled_from('abc.{}[]:,"\\ \u00e9\n'), min_size=1, max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


def walk(value: Any, path: str = "") -> Any:
    """Every key with its path, and every text that is no key."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = ".".join(p for p in (path, key) if p)
            yield "key", here, key
            yield from walk(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, path)
    elif isinstance(value, str):
        yield "text", path, value


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.sampled_from([None, 0, 2]), st.booleans())
def test_keys_and_texts_are_found_where_they_stand(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    lines = text.split("\n")
    found = places(text)
    wanted = list(walk(value))
    assert set(found.keys) == {path for kind, path, _ in wanted if kind == "key"}
    texts = [(path, text) for text, rows in found.texts.items() for path, _ in rows]
    assert sorted(texts) == sorted((p, t) for kind, p, t in wanted if kind == "text")
    for content, rows in found.texts.items():
        assert all(json.dumps(content, ensure_ascii=ascii_only) in lines[number - 1] for _, number in rows)
    flat = key_lines(text)
    assert set(flat) == {key for kind, _, key in wanted if kind == "key"}
    for key, number in flat.items():
        assert json.dumps(key, ensure_ascii=ascii_only) + ":" in lines[number - 1]


def test_a_key_given_twice_is_where_parsers_take_it():
    text = '{\n"a": 1,\n"a": 2}'
    assert key_lines(text) == {"a": 3}
    assert places(text).keys == {"a": 3}


@pytest.mark.parametrize("text", ["", "]]}}", '{"a', '"a": "b', '{"a": ["b"', '"\\', "{" * 10_000])
def test_text_that_is_no_json_does_no_harm(text):
    places(text)
    key_lines(text)


def finding(files: dict[str, bytes], rule: str) -> Finding:
    (found,) = [f for f in sample_reports.run(files).findings if f.rule == rule]
    return found


def model(**changes: Any) -> build.Model:
    made = build.nvfp4()
    made.configs["config.json"].update(changes)
    return made


def at(files: dict[str, bytes], found: Finding) -> str:
    """The line of text that a finding's first place names."""
    line = found.locations[0].line
    assert line is not None
    return files[line.file].decode().split("\n")[line.number - 1].strip()


def edited(file: str, change: Any) -> dict[str, bytes]:
    made = build.nvfp4()
    change(made.configs[file])
    return made.files()


@pytest.mark.parametrize(
    ("rule", "files", "line"),
    [
        ("model/missing-layer", model(num_hidden_layers=5).files(), '"num_hidden_layers": 5,'),
        ("config/dimension", model(intermediate_size=999).files(), '"intermediate_size": 999,'),
        (
            "config/dead-entry",
            edited("config.json", lambda c: c["quantization_config"]["ignore"].append("model.lairs.*")),
            '"model.lairs.*"',
        ),
        (
            "config/ignored-but-quantized",
            edited("config.json", lambda c: c["quantization_config"]["ignore"].append("model.layers.1.mlp*")),
            '"model.layers.1.mlp*"',
        ),
    ],
)
def test_a_finding_about_a_configuration_names_the_line(rule, files, line):
    found = at(files, finding(files, rule))
    assert found.rstrip(",") == line.rstrip(",")


def test_a_finding_about_the_index_names_the_line():
    made = build.nvfp4()
    made.shards = 2
    files = made.files()
    name = sample_reports.INDEX
    index = json.loads(files[name])
    index["metadata"]["total_size"] += 1
    gone = "model.layers.1.mlp.up_proj.weight"
    index["weight_map"]["model.ghost.weight"] = index["weight_map"][gone]
    files[name] = json.dumps(index, indent=2).encode()
    assert at(files, finding(files, "index/missing-tensor")).startswith('"model.ghost.weight"')
    del index["weight_map"]["model.ghost.weight"]
    files[name] = json.dumps(index, indent=2).encode()
    assert at(files, finding(files, "index/total-size")).startswith('"total_size"')


def test_a_tensor_that_no_index_names_has_no_line():
    (found,) = [f for f in sample_reports.run(sample_reports.broken(1)).findings if f.rule == "scales/nan"]
    assert {place.line for place in found.locations} == {None}


@pytest.mark.parametrize("file", ["config.json", sample_reports.INDEX])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_that_is_no_json_names_the_line_of_the_error(file, mark):
    made = build.nvfp4()
    made.shards = 2
    files = made.files()
    files[file] = mark + '{\n"\u00e9": 1,\n"b": oops\n}'.encode()
    rule = "config/unreadable" if file == "config.json" else "index/unreadable"
    place = finding(files, rule).locations[0]
    assert (place.line.file, place.line.number) == (file, 3)
    assert files[file][place.byte_offset :].startswith(b"oops")


def test_ten_thousand_places_in_a_large_configuration_are_found_in_linear_time():
    layers = {f"model.layers.{n}.mlp.experts.{e}.w1": {"quant_algo": "FP8"} for n in range(50) for e in range(200)}
    found = places(json.dumps({"quantization_config": {"quantized_layers": layers}}, indent=1))
    where = "quantization_config.quantized_layers"
    for name in layers:
        assert _config_line(found, {"where": where, "module": name}.get) > 3


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('{"a"\n:\n1}', {"a": 1}),
        ('{"a" \t\r\n : 1,\n"b":2}', {"a": 1, "b": 3}),
        ('{"a":"b",\n"c":["d", "e"],\n"f":{"g":1}}', {"a": 1, "c": 2, "f": 3, "f.g": 3}),
        ('{"a":[{"b":1},\n{"c":1}],\n"d":1}', {"a": 1, "a.b": 1, "a.c": 2, "d": 3}),
        ('{"a":{},\n"b":[],"c":1}', {"a": 1, "b": 2, "c": 2}),
        ('{"\\u0061\\"b":1}', {'a"b': 1}),
        ('{"\\q":1}', {"\\q": 1}),
        ('{"x\\qyz":1}', {"x\\qyz": 1}),
        ('{"a', {}),
        ('"a"', {}),
        ('{"a"', {}),
    ],
)
def test_places_of_keys(text: str, lines: dict[str, int]) -> None:
    assert places(text).keys == lines


@pytest.mark.parametrize("cut", [119, 120, 121, 200])
def test_texts_are_known_by_what_messages_say_of_them(cut: int) -> None:
    entry = "x" * cut
    found = places(json.dumps({"ignore": ["y", entry]}, indent=0))
    assert set(found.texts) == {"y", "x" * min(cut, 120)}
    assert _config_line(found, {"entry": entry, "where": "ignore"}.get) == 4


CONFIGURATION = """{
"a": {
"b": {
"list": ["same"]
},
"name": 1,
"group_size": 2
},
"name": 3,
"c": {
"list": ["same", "other"],
"deep": {"er": {"name": 4, "key": 5}}
},
"model.x": 6
}"""


@pytest.mark.parametrize(
    ("fact", "line"),
    [
        ({}, 0),
        ({"where": "elsewhere"}, 0),
        ({"where": "a"}, 2),
        ({"where": "a.b"}, 3),
        ({"where": "a.b.c.d"}, 3),
        ({"where": "c.deep.nothing.at.all"}, 12),
        ({"entry": "same"}, 4),
        ({"entry": "same", "where": "c"}, 11),
        ({"entry": "same", "where": "elsewhere"}, 4),
        ({"entry": "other", "where": "a"}, 11),
        ({"entry": "no such", "where": "a.b"}, 3),
        ({"entry": "", "where": "a.b"}, 3),
        ({"entry": 7, "where": "a.b"}, 3),
        ({"entry": "other", "module": "model.x"}, 11),
        ({"entry": "no such", "module": "model.x"}, 14),
        ({"module": "model.x", "where": "a"}, 2),
        ({"module": "", "where": "a.b"}, 3),
        ({"module": "er", "where": "c.deep"}, 12),
        ({"module": "model.x", "key": "list"}, 14),
        ({"key": "name"}, 9),
        ({"key": "name", "where": "a"}, 6),
        ({"key": "name", "where": "c"}, 12),
        ({"key": "name", "where": "elsewhere"}, 9),
        ({"key": "list"}, 11),
        ({"key": "no such", "where": "c.deep"}, 12),
        ({"key": 7, "where": "a"}, 2),
        ({"key": "no such", "parameter": "key"}, 12),
        ({"parameter": "group size"}, 7),
        ({"parameter": "group size and bits"}, 7),
        ({"parameter": "er and name"}, 12),
        ({"field": "key"}, 12),
        ({"key": "list", "field": "name"}, 11),
        ({"parameter": "list", "field": "name"}, 11),
        ({"key": "group_size", "parameter": "list"}, 7),
        ({"where": "a", "key": None, "entry": None, "module": None}, 2),
    ],
)
def test_the_line_of_a_fact_about_a_configuration(fact: dict[str, Any], line: int) -> None:
    assert _config_line(places(CONFIGURATION), fact.get) == line


GROUPS = """{"config_groups": {
"group_10": {"num_bits": 8, "ignore": ["x"]},
"group_1": {"num_bits": 4, "ignore": ["x"], "layers.1": {}}, "layers.1": {}
}}"""


@pytest.mark.parametrize("fact", [{"key": "num_bits"}, {"entry": "x"}, {"module": "layers.1"}, {"module": "num_bits"}])
def test_a_path_that_only_begins_alike_is_another(fact: dict[str, Any]) -> None:
    assert _config_line(places(GROUPS), {"where": "config_groups.group_1", **fact}.get) == 3


# -- of a checkpoint ------------------------------------------------------------------------------------------------

SHARD = "model-00001-of-00001.safetensors"
INDEX_TEXT = json.dumps(
    {"metadata": {"total_size": 1}, "weight_map": {"a": SHARD, "b": SHARD, "metadata.x": SHARD}}, indent=0
)  # 2 metadata, 3 total_size, 5 weight_map, 6 a, 7 b, 8 metadata.x


class Counted(MemorySource):
    """Counts how often files are opened and closed; those that are gone cannot be read."""

    def __init__(self, contents: Any) -> None:
        super().__init__(contents)
        object.__setattr__(self, "opened", [])
        object.__setattr__(self, "closed", [])
        object.__setattr__(self, "gone", False)

    def open(self, name: str) -> Any:
        source: Any = self
        source.opened.append(name)
        plain = super().open(name)

        def read(offset: int, length: int) -> bytes:
            if source.gone:
                raise UnfinishedError("gone")
            return plain.read(offset, length)

        return SimpleNamespace(name=name, size=plain.size, read=read, close=lambda: source.closed.append(name))


def checkpoint(folder: str = "", index: str | bytes = INDEX_TEXT, config: str = CONFIGURATION) -> tuple[Lines, Any]:
    raw = index.encode() if isinstance(index, str) else index
    files = {SHARD: b"", "config.json": config.encode(), sample_reports.INDEX: raw, "free.json": b"\n\n\n\n"}
    source = Counted({folder + name: data for name, data in files.items()})
    (found,) = find_checkpoints(source)
    source.opened.clear()  # type: ignore[attr-defined]
    source.closed.clear()  # type: ignore[attr-defined]
    return Lines(found), source


@pytest.mark.parametrize("folder", ["", "sub/"])
@pytest.mark.parametrize(
    ("file", "tensor", "offset", "fact", "named", "number"),
    [
        ("config.json", "", None, {"where": "a"}, "config.json", 2),
        ("config.json", "a", 5, {"where": "a"}, "config.json", 2),
        ("config.json", "", None, {}, None, 0),
        ("free.json", "", 0, {}, "free.json", 1),
        ("free.json", "", 2, {}, "free.json", 3),
        ("free.json", "", 99, {}, "free.json", 5),
        (sample_reports.INDEX, "", 0, {}, sample_reports.INDEX, 1),
        (sample_reports.INDEX, "a", None, {}, sample_reports.INDEX, 6),
        (SHARD, "b", None, {}, sample_reports.INDEX, 7),
        (SHARD, "b", 4, {}, sample_reports.INDEX, 7),
        (SHARD, "none", None, {}, None, 0),
        (SHARD, "", None, {"key": "b", "stated": 1}, None, 0),
        (sample_reports.INDEX, "", None, {"stated": 0}, sample_reports.INDEX, 3),
        (sample_reports.INDEX, "", None, {}, sample_reports.INDEX, 2),
        (sample_reports.INDEX, "", None, {"key": "b"}, sample_reports.INDEX, 7),
        (sample_reports.INDEX, "none", None, {"key": "b", "stated": 1}, sample_reports.INDEX, 7),
        (sample_reports.INDEX, "none", None, {"key": "weight_map"}, sample_reports.INDEX, 5),
        (sample_reports.INDEX, "none", None, {"stated": 1}, sample_reports.INDEX, 3),
    ],
)
def test_the_line_that_a_person_would_look_at(
    folder: str, file: str, tensor: str, offset: int | None, fact: dict[str, Any], named: str | None, number: int
) -> None:
    lines, _ = checkpoint(folder)
    line = lines.of(folder + file, tensor, offset, fact.get)
    assert line == (None if named is None else Line(folder + named, number))


def test_each_file_is_looked_through_once_and_closed() -> None:
    lines, source = checkpoint()
    for tensor in ("a", "b", "a"):
        assert lines.of(SHARD, tensor, None, {}.get) is not None
    for where in ("a", "c"):
        assert lines.of("config.json", "", None, {"where": where}.get) is not None
    assert source.opened == source.closed == [sample_reports.INDEX]


def test_a_file_that_is_gone_has_no_lines_and_is_closed() -> None:
    lines, source = checkpoint()
    source.__dict__["gone"] = True
    assert lines.of(SHARD, "a", None, {}.get) is None
    assert lines.of("free.json", "", 9, {}.get) == Line("free.json", 1)
    assert source.opened == source.closed == [sample_reports.INDEX, "free.json"]


def test_an_index_that_cannot_be_read_or_is_not_there_has_no_lines() -> None:
    lines, source = checkpoint(index="{")
    assert (lines.of(SHARD, "a", None, {}.get), source.opened) == (None, [])
    (alone,) = find_checkpoints(MemorySource({SHARD: b""}))
    assert Lines(alone).of(SHARD, "a", None, {}.get) is None


def test_an_index_behind_a_byte_order_mark_has_the_same_lines() -> None:
    lines, _ = checkpoint(index=b"\xef\xbb\xbf" + INDEX_TEXT.replace("\n", "").encode())
    assert lines.of(SHARD, "b", None, {}.get) == Line(sample_reports.INDEX, 1)
