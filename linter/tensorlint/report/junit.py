"""JUnit XML: a suite for each target, a case for each rule.

Facts: the common subset that Jenkins, GitLab and GitHub actions read (`testsuites`, `testsuite`, `testcase`, `failure`,
`error`, `skipped`, `system-out`), as github.com/testmoapp/junitxml describes it. XML 1.0 has no control characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ..rulebook.model import SEVERITIES
from ..text.wording import plural, printable
from .evidence import rows
from .findings import Finding, Report
from .interface import Failure, Options, Outcome
from .places import Places
from .spread import spread_of
from .words import NAME, counted, cut, headline, paragraphs

_SHOWN = 20  # patterns of names in a failure
_WIDTH = 100  # columns of bytes


def render(outcomes: Sequence[Outcome], options: Options) -> str:
    """Rules with findings at or above `fail_on` fail (`never`: errors), rules that did not run are skipped."""
    top = Element("testsuites", name="tensorlint")
    for outcome in outcomes:
        suite = SubElement(top, "testsuite", name=cut(outcome.target, NAME))
        if isinstance(outcome, Failure):
            _error(suite, outcome.message)
        else:
            _suite(suite, outcome)
        _count(suite, suite)
    _count(top, *top)
    indent(top, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(top, encoding="unicode") + "\n"


def _count(element: Element, *suites: Element) -> None:
    """State how many cases there are of each kind."""
    cases = [case for suite in suites for case in suite.iter("testcase")]
    element.set("tests", str(len(cases)))
    for name, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(child) is not None for case in cases)))


def _error(suite: Element, message: str) -> None:
    case = SubElement(suite, "testcase", name="check", classname="tensorlint")
    SubElement(case, "error", message=cut(message, 2 * NAME), type="unfinished")


def _suite(suite: Element, report: Report) -> None:
    suite.set("time", f"{report.seconds:.3f}")
    if report.stopped:
        _error(suite, report.stopped)
    found: dict[str, list[Finding]] = {}
    for finding in counted(report):
        found.setdefault(finding.rule, []).append(finding)
    places = Places(report)
    limit = SEVERITIES.index("error" if report.fail_on == "never" else report.fail_on)
    for rule in dict.fromkeys([*found, *report.rules_run, *report.rules_skipped]):
        folder = rule.rpartition("/")[0].replace("/", ".")
        case = SubElement(
            suite, "testcase", name=printable(rule), classname=printable(f"tensorlint.{folder}".rstrip("."))
        )
        mine = found.get(rule, [])
        failing = [f for f in mine if SEVERITIES.index(f.severity) <= limit]
        if failing:
            case.set("file", printable(places.spot(next(iter(failing[0].locations), None)).path))
            more = f" (and {plural(len(failing) - 1, 'more finding')} of this rule)" if len(failing) > 1 else ""
            failure = SubElement(case, "failure", message=headline(failing[0]) + more, type=failing[0].severity)
            failure.text = "\n\n".join(map(_details, failing))
        elif rule in report.rules_skipped:
            SubElement(case, "skipped", message=cut(report.rules_skipped[rule], NAME))
        quiet = [f for f in mine if SEVERITIES.index(f.severity) > limit]
        if quiet:
            SubElement(case, "system-out").text = "\n\n".join(f"{f.severity}: {_details(f)}" for f in quiet)


def _details(f: Finding) -> str:
    lines = paragraphs(f)
    spread = spread_of(f)
    if f.evidence:
        lines += rows(f.evidence, True, _WIDTH)
    if spread.patterns_total > 1:
        lines += [cut(name, NAME) for name in spread.patterns[:_SHOWN]]
        if spread.patterns_total > _SHOWN:
            lines.append(f"... and {plural(spread.patterns_total - _SHOWN, 'more pattern')}")
    return "\n".join(lines)
