"""JUnit: a suite for each target and a case for each rule."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

import sample_reports
from tensorlint.report import junit
from tensorlint.report.interface import Failure, Options


def parsed(*outcomes: object) -> ElementTree.Element:
    return ElementTree.fromstring(junit.render(outcomes, Options()))  # type: ignore[arg-type]


@pytest.mark.parametrize(("fail_on", "failed"), [("error", 1), ("never", 1), ("warning", 2), ("note", 3)])
def test_rules_with_findings_at_or_above_the_limit_fail(fail_on, failed):
    top = parsed(replace(sample_reports.stated(), fail_on=fail_on))
    (suite,) = top
    cases = {c.get("name"): c for c in suite}
    assert sum(c.find("failure") is not None for c in suite) == failed == int(suite.get("failures", ""))
    assert cases["scales/nan"].find("failure").get("message") == "2 of 64 block_scale values are NaN"
    assert "7f" in cases["scales/nan"].findtext("failure")
    assert cases["weights/nan"].find("skipped").get("message") == "needs the weights (--depth full)"
    assert suite.get("skipped") == "1"
    assert suite.get("tests") == str(len(cases)) == top.get("tests")
    assert not {"scales/zero", "scales/inf", "scales/huge"} & cases.keys()


def test_findings_below_the_limit_are_told_and_pass():
    (suite,) = parsed(sample_reports.stated())
    (case,) = [c for c in suite if c.get("name") == "my/rule"]
    assert case.find("failure") is None
    assert "warning: many" in case.findtext("system-out")


def test_several_findings_of_a_rule_are_one_case():
    report = sample_reports.stated()
    (suite,) = parsed(replace(report, findings=report.findings[:1] * 3))
    (failure,) = [c.find("failure") for c in suite if c.get("name") == "scales/nan"]
    assert failure.get("message").endswith("(and 2 more findings of this rule)")
    assert failure.text.count("Effect: the effect") == 3


def test_a_suite_for_each_target_and_errors_for_what_did_not_finish():
    stopped = replace(sample_reports.stated(), stopped="it shrank")
    first, second = parsed(stopped, Failure("gone", "nothing there", 3))
    assert (first.get("errors"), second.get("errors"), second.get("tests")) == ("1", "1", "1")
    assert second.find("testcase/error").get("message") == "nothing there"


def test_names_of_strangers_are_well_formed_xml():
    top = parsed(sample_reports.hostile())
    assert "<img src=x" in top[0].get("name")
