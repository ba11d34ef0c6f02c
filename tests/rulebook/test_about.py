"""What a rule is about, and what it awaits: said in its file, else told by what it looks at."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import tensorlint
from tensorlint.rulebook.language import load_rule
from tensorlint.rulebook.library import load_book
from tensorlint.text.yamlread import read

BOOK = load_book()
RULE = """\
summary: Mine.
severity: error
message: "it is so"
bad: [{{model.safetensors: {{a.weight: "F32[4, 4]"}}, says: so}}]
good: [{{model.safetensors: {{a.weight: "F32[4, 4]"}}}}]
{}
"""


@pytest.mark.parametrize(
    ("text", "about", "awaits"),
    [
        ("fact: truncated", "files", ""),
        ("fact: stale-index", "files", ""),
        ("fact: stored-size", "files", ""),
        ("fact: config-unreadable", "model", ""),
        ("fact: missing-part", "model", ""),
        ("fact: missing-shard\nawaits: shards", "files", "shards"),
        ("fact: zero-tail", "model", ""),
        ("fact: zero-tail\nabout: files", "files", ""),
        ("require: {nan: 0}", "tensors", ""),
        ("each: module\nrequire: {present: weight}", "model", ""),
        ("each: module\nrequire: {present: weight}\nabout: tensors", "tensors", ""),
        ("each: checkpoint\nrequire: {config: {hidden_size: 4}}", "model", ""),
    ],
)
def test_what_a_rule_is_about(text: str, about: str, awaits: str) -> None:
    rule = load_rule(read(RULE.format(text).encode(), "mine.yaml"), "mine", None, BOOK.schemes)
    assert (rule.about, rule.awaits) == (about, awaits)


@pytest.mark.parametrize(("about", "ran"), [("about: files", ()), ("about: tensors", ("mine",)), ("", ("mine",))])
def test_a_state_dict_has_no_files(tmp_path: Path, about: str, ran: tuple[str, ...]) -> None:
    (tmp_path / "mine.yaml").write_text(RULE.format(f"require: {{zero: 0}}\n{about}"))
    report = tensorlint.check_state_dict({"a.weight": torch.zeros(4, 4)}, select=["mine"], rules=[tmp_path])
    assert report.rules_run == ran
    assert {f.rule for f in report.findings} == set(ran)
