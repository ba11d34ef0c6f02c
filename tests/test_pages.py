"""README, CONTRIBUTING and docs: links lead somewhere, versions are ours, and examples are what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import tensorlint

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in _LINK.findall(_FENCE.sub("", page.read_text())):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), link
        assert not anchor or anchor in anchors(place), link


def test_the_address_that_reports_give_for_a_rule_is_its_page():
    from tensorlint.report.words import HOME, help_page
    from tensorlint.rulebook.shipped import rule_names

    start = f"{HOME}/blob/v{tensorlint.__version__}/"
    for rule in rule_names():
        assert (ROOT / help_page(rule).removeprefix(start)).is_file(), rule


def test_every_group_of_rules_is_in_the_readme():
    linked = set(re.findall(r"docs/rules/([a-z-]+)/README\.md", (ROOT / "README.md").read_text()))
    groups = {p.name for p in (ROOT / "docs" / "rules").iterdir() if p.is_dir()}
    assert groups - {"meta"} <= linked


def test_pinned_versions_are_this_one():
    files = [*PAGES, *(ROOT / "examples").rglob("*.yml")]
    found = {v for f in files for v in re.findall(r"tensorlint/tensorlint@v([\w.]+)|rev: v([\w.]+)", f.read_text())}
    assert {a or b for a, b in found} == {tensorlint.__version__}


@pytest.mark.parametrize("workflow", sorted((ROOT / "examples" / "workflows").glob("*.yml")), ids=lambda p: p.name)
def test_workflows_give_the_action_what_it_takes(workflow):
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    uses = [s for job in jobs for s in job["steps"] if s.get("uses", "").startswith("tensorlint/tensorlint@")]
    assert uses
    for step in uses:
        assert set(step["with"]) <= set(action["inputs"])
    outputs = re.findall(r"steps\.lint\.outputs\.(\w+)", workflow.read_text())
    assert set(outputs) <= set(action["outputs"])


def test_the_action_is_composite_without_inner_actions_and_reads_inputs_through_env():
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    used = set()
    for step in action["runs"]["steps"]:
        assert "uses" not in step
        assert "${{" not in step["run"]
        used |= set(re.findall(r"inputs\.([\w-]+)", " ".join(step["env"].values())))
    assert used == set(action["inputs"])
