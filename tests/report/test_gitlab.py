"""GitLab Code Quality: fields, severities, and fingerprints that are each there once."""

from __future__ import annotations

import json
from dataclasses import replace

import sample_reports
from tensorlint.report import gitlab
from tensorlint.report.interface import Failure, Options


def issues(*outcomes: object) -> list[dict]:
    return json.loads(gitlab.render(outcomes, Options()))  # type: ignore[arg-type]


def test_every_field_that_gitlab_needs_is_there():
    found = issues(sample_reports.stated())
    assert [(i["check_name"], i["severity"]) for i in found] == [
        ("scales/nan", "critical"),
        ("config/dead-entry", "info"),
        ("my/rule", "major"),
    ]
    for issue in found:
        assert issue["description"]
        assert issue["location"]["lines"]["begin"] >= 1
        assert not issue["location"]["path"].startswith((".", "/"))
    assert found[0]["location"] == {"path": "model/model.safetensors.index.json", "lines": {"begin": 7}}


def test_fingerprints_are_unique_and_those_of_the_next_run():
    report = sample_reports.stated()
    twice = replace(report, findings=report.findings * 2)
    other = replace(report, target="other")
    found = [i["fingerprint"] for i in issues(twice, other)]
    assert len(set(found)) == len(found)
    assert found == [i["fingerprint"] for i in issues(twice, other)]


def test_resharding_keeps_fingerprints():
    one, two = (
        {i["check_name"]: i["fingerprint"] for i in issues(sample_reports.run(sample_reports.broken(n)))}
        for n in (1, 5)
    )
    assert one == two


def test_what_could_not_be_checked_is_an_issue():
    (issue,) = issues(Failure("gone", "nothing there", 3))
    assert issue["severity"] == "blocker"
    assert "nothing there" in issue["description"]
    assert issues(replace(sample_reports.stated(), stopped="it shrank"))[0]["severity"] == "blocker"
