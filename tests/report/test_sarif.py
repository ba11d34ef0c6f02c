"""SARIF: valid against the schema, within the limits of code scanning, and at places that can be clicked."""

from __future__ import annotations

import json
import lzma
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import sample_reports
from tensorlint.report import sarif
from tensorlint.report.findings import Finding, Location, Report
from tensorlint.report.interface import Failure, Options
from tensorlint.rulebook.library import load_book

SCHEMA = Path(__file__).parent.parent / "fixtures" / "sarif-2.1.0-rtm.5.json.xz"


@pytest.fixture(scope="module")
def schema() -> Any:
    return jsonschema.Draft4Validator(json.loads(lzma.decompress(SCHEMA.read_bytes())))


def log(*outcomes: Any) -> Any:
    return json.loads(sarif.render(outcomes, Options(rules=load_book().rules)))


def test_the_validator_refuses_what_is_no_sarif(schema):
    assert not schema.is_valid({"version": "2.1.0", "runs": [{"tool": {}}]})


@pytest.mark.parametrize(
    "make", [sample_reports.stated, sample_reports.hostile, lambda: sample_reports.run(sample_reports.broken())]
)
def test_the_log_is_valid(make, schema):
    schema.validate(log(make()))
    schema.validate(log(make(), Failure("gone", "nothing there", 3)))
    schema.validate(log(replace(make(), findings=())))


def test_the_place_is_the_line_of_the_tensor_in_the_index_and_the_bytes_are_related(tmp_path):
    files = sample_reports.broken()
    index = json.dumps(json.loads(files[sample_reports.INDEX]), indent=2)
    files[sample_reports.INDEX] = index.encode()
    (run,) = log(sample_reports.run(files))["runs"]
    (nan,) = [r for r in run["results"] if r["ruleId"] == "scales/nan"]
    for place in nan["locations"]:
        physical, (logical,) = place["physicalLocation"], place["logicalLocations"]
        assert physical["artifactLocation"] == {"uri": f"model/{sample_reports.INDEX}", "uriBaseId": "%SRCROOT%"}
        line = index.splitlines()[physical["region"]["startLine"] - 1]
        assert f'"{logical["fullyQualifiedName"]}"' in line
        assert logical["kind"] == "tensor"
    (stored,) = nan["relatedLocations"]
    assert stored["physicalLocation"]["artifactLocation"]["uri"] == "model/model-00001-of-00003.safetensors"
    region = stored["physicalLocation"]["region"]
    assert region.keys() == {"startLine", "byteOffset", "byteLength"}
    assert files["model-00001-of-00003.safetensors"][region["byteOffset"]] == 0x7F


def test_without_an_index_the_place_is_line_1_of_the_shard_with_the_bytes():
    (run,) = log(sample_reports.run(sample_reports.broken(1)))["runs"]
    (nan,) = [r for r in run["results"] if r["ruleId"] == "scales/nan"]
    physical = nan["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "model/model.safetensors"
    assert physical["region"]["startLine"] == 1
    assert physical["region"]["byteLength"] == 1


def test_a_contradiction_with_a_configuration_is_at_its_key():
    files = sample_reports.broken(1)
    (run,) = log(sample_reports.run(files))["runs"]
    (layer,) = [r for r in run["results"] if r["ruleId"] == "model/missing-layer"]
    physical = layer["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "model/config.json"
    assert "num_hidden_layers" in files["config.json"].decode().splitlines()[physical["region"]["startLine"] - 1]


def test_rules_have_help_and_a_page_and_rules_of_the_user_have_what_the_finding_says():
    (run,) = log(sample_reports.stated())["runs"]
    rules = {r["id"]: r for r in run["tool"]["driver"]["rules"]}
    assert rules["scales/nan"]["helpUri"].endswith("/docs/rules/scales/nan.md")
    assert "**What to do.**" in rules["scales/nan"]["help"]["markdown"]
    assert "helpUri" not in rules["my/rule"]
    assert rules["my/rule"]["shortDescription"]["text"] == "many"
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_suppressed_and_known_results_are_kept_with_their_state():
    (run,) = log(sample_reports.stated())["runs"]
    states = {r["ruleId"]: (r["baselineState"], r["suppressions"]) for r in run["results"]}
    assert states["scales/nan"] == ("new", [])
    assert states["scales/inf"] == ("unchanged", [])
    assert states["scales/huge"] == ("absent", [])
    ((suppression,),) = [s for _, s in states.values() if s]
    assert suppression["kind"] == "external"
    assert suppression["status"] == "accepted"
    assert "dead experts" in suppression["justification"]
    assert "2031-05-01" in suppression["justification"]


def test_without_baseline_and_suppressions_nothing_is_said_of_them():
    (run,) = log(sample_reports.run(sample_reports.broken(1)))["runs"]
    assert not any({"baselineState", "suppressions"} & r.keys() for r in run["results"])


def test_fingerprints_do_not_change_with_the_number_of_shards():
    found = []
    for shards in (1, 2, 7):
        (run,) = log(sample_reports.run(sample_reports.broken(shards)))["runs"]
        found.append({r["ruleId"]: r["partialFingerprints"] for r in run["results"]})
    assert found[0] == found[1] == found[2]
    assert found[0]["scales/nan"]["tensorlint/v1"]


def many(results: int, places: int, name: str = "") -> Report:
    locations = tuple(Location("a.safetensors", f"t.{i}.w{name}", (i,), i) for i in range(places))
    finding = Finding("scales/nan", "error", "m", count=places, locations=locations, fingerprint="f")
    return Report("model", "full", ("",), (finding,) * results, {}, 1, 1, 1, 1, 0.1, (), {})


def notes(run: Any) -> str:
    return "\n".join(n["message"]["text"] for n in run["invocations"][0]["toolExecutionNotifications"])


def test_at_most_25_000_results_and_1_000_places_of_each_and_it_is_said():
    (run,) = log(many(25_010, 1))["runs"]
    assert len(run["results"]) == 25_000
    assert "10 results are left out" in notes(run)
    (run,) = log(many(1, 1_001))["runs"]
    assert len(run["results"][0]["locations"]) == 1_000
    assert run["results"][0]["occurrenceCount"] == 1_001
    assert "more than 1,000 places" in notes(run)
    assert "left out" not in notes(log(many(1, 3))["runs"][0])


def test_a_log_that_would_be_too_large_names_fewer_places(monkeypatch):
    monkeypatch.setattr(sarif, "_BYTES", 50_000)
    text = sarif.render([many(20, 1_000, "x" * 100)], Options())
    (run,) = json.loads(text)["runs"]
    assert len(run["results"]) == 20
    assert len(run["results"][0]["locations"]) < 1_000
    assert "name only the first ones" in notes(run)


def test_more_targets_than_runs_are_allowed_share_one_run(schema):
    whole = log(*[many(1, 1)] * 21)
    schema.validate(whole)
    assert len(whole["runs"]) == 1
    assert len(whole["runs"][0]["results"]) == 21
    assert len(log(*[many(1, 1)] * 20)["runs"]) == 20


def test_what_was_not_done_is_said():
    (first, second) = log(replace(sample_reports.stated(), stopped="it shrank"), Failure("gone", "nothing there", 3))[
        "runs"
    ]
    assert not first["invocations"][0]["executionSuccessful"]
    assert "it shrank" in notes(first)
    assert "b.safetensors could not be read" in notes(first)
    assert "nothing there" in notes(second)


def texts(value: Any, kind: str) -> list[str]:
    """Every message of one kind, wherever it stands."""
    if isinstance(value, list):
        return [t for v in value for t in texts(v, kind)]
    if not isinstance(value, dict):
        return []
    return [v for k, v in value.items() if k == kind and isinstance(v, str)] + texts(list(value.values()), kind)


def test_a_link_in_a_name_is_no_link_of_the_log():
    whole = log(sample_reports.hostile(), Failure("gone", sample_reports.HOSTILE, 3))
    for text in texts(whole, "text"):
        assert "[l](" not in text
    for text in texts(whole, "markdown"):
        assert "[l](" not in text.partition("```")[0]
        assert "<img" not in text.partition("```")[0]
