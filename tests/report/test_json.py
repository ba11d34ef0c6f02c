"""The JSON report: the contract other tools rely on."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from tensorlint.report.findings import Evidence, Finding, Location, Report
from tensorlint.report.interface import Failure, Options
from tensorlint.report.json import render

FINDING = Finding(
    "scales/nan", "error", "4 are NaN", "effect", "remedy", ("a/b#1",), 2,
    {"nan": 4, "largest": math.nan, "smallest": -math.inf, "count": np.int64(7), "shape": (np.int32(2), np.float32(0.5))},
    (Location("a.safetensors", "w", (2051, 96), 17), Location("b.safetensors")),
    Evidence("w", "F8_E4M3", (4, 4), (0, 0), ("7f", "38"), frozenset({0}), "NaN"), "known", "",
)  # fmt: skip
REPORT = Report(
    "model", "full", ("",), (FINDING,), {"nvfp4-modelopt": 42}, 3, 2, 10, 20, 0.12345, ("scales/nan",),
    {"weights/nan": "needs the weights"}, ("a gap",),
)  # fmt: skip
TYPES = {
    "version": int, "target": str, "complete": bool, "exit_code": int, "schemes": dict, "bytes_read": int, "bytes_known": int,
    "bytes_total": int, "seconds": float, "rules_run": list, "rules_skipped": dict, "findings": list,
}  # fmt: skip
FINDING_TYPES = {
    "rule": str, "severity": str, "message": str, "effect": str, "remedy": str, "count": int, "values": dict,
    "fingerprint": str, "suppressed": type(None), "fix": type(None), "locations": list,
}  # fmt: skip
LOCATION_TYPES = {
    "file": str,
    "tensor": (str, type(None)),
    "index": (list, type(None)),
    "byte_offset": (int, type(None)),
    "line": (dict, type(None)),
}


def strict(text: str):
    def refuse(literal: str):
        raise AssertionError(f"{literal} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_every_field_of_the_contract_is_there_with_its_type():
    found = strict(render([REPORT], Options()))
    for name, kind in TYPES.items():
        assert isinstance(found[name], kind), name
    (finding,) = found["findings"]
    for name, kind in FINDING_TYPES.items():
        assert isinstance(finding[name], kind), name
    for location in finding["locations"]:
        for name, kinds in LOCATION_TYPES.items():
            assert isinstance(location[name], kinds), name
    assert finding["locations"][0] == {
        "file": "a.safetensors",
        "tensor": "w",
        "index": [2051, 96],
        "byte_offset": 17,
        "byte_length": None,
        "line": None,
    }
    assert found["version"] == 1
    assert found["exit_code"] == 1
    assert found["complete"] is False


def test_numbers_that_json_does_not_have_are_text():
    values = strict(render([REPORT], Options()))["findings"][0]["values"]
    assert values == {"nan": 4, "largest": "nan", "smallest": "-inf", "count": 7, "shape": [2, 0.5]}


def test_lone_surrogates_and_escapes_survive():
    report = Report("a\udcff\x1b", "full", (), (), {}, 0, 0, 0, 0, 0.0, (), {})
    text = render([report], Options())
    assert text.isascii()
    assert "\x1b" not in text
    assert strict(text)["target"] == "a\udcff\x1b"


@pytest.mark.parametrize(("fail_on", "code"), [("error", 1), ("warning", 1), ("note", 1), ("never", 0)])
def test_the_exit_code_is_that_of_the_process(fail_on, code):
    assert strict(render([replace(REPORT, fail_on=fail_on)], Options()))["exit_code"] == code


def test_several_targets_are_one_object():
    found = strict(render([REPORT, Failure("gone", "there is nothing at gone", 3)], Options()))
    assert found["exit_code"] == 3
    assert [t["target"] for t in found["targets"]] == ["model", "gone"]
    assert found["targets"][1]["error"] == "there is nothing at gone"
    assert found["targets"][1]["complete"] is False
