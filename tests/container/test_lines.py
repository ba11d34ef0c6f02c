"""Lines of JSON files: keys and list entries, found by walking the text, agree with what a parser reads there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import build
import sample_reports
from tensorlint.container.lines import _config_line, key_lines, places
from tensorlint.report.findings import Finding

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
