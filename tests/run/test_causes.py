"""One cause, one finding: what a rule names under `unless` takes the place of the rule, near enough and no less severe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from linted import check, rules_of
from tensorlint.errors import RuleFileError
from tensorlint.facts import Fact
from tensorlint.report.findings import Location
from tensorlint.rulebook.crosscheck import check_unless
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.language import load_rule
from tensorlint.rulebook.library import load_book
from tensorlint.rulebook.model import Rule
from tensorlint.run.causes import without_consequences
from tensorlint.run.subjects import Draft, FactSubject
from tensorlint.sources.memory import MemorySource
from tensorlint.text.yamlread import read

BOOK = load_book()


def rule(name: str, severity: str, unless: Mapping[str, tuple[str, ...]] | None = None) -> Rule:
    return Rule(name, "S.", severity, "m", "fact", "rules/x.yaml", fact="x", unless=unless or {})


def draft(said: Rule, tensor: str, file: str = "a.safetensors", checkpoint: str = "model") -> Draft:
    return Draft(said, checkpoint, Location(file, tensor), FactSubject(Fact("f")))


CAUSE = rule("cause/of-it", "error")
# name: (unless, tensor and file of the cause, whether the consequence at l.0.up.scale of a.safetensors is left out)
NEARNESS: dict[str, tuple[dict[str, tuple[str, ...]], tuple[str, str], bool]] = {
    "same tensor": ({"tensor": ("cause/of-it",)}, ("l.0.up.scale", "a.safetensors"), True),
    "glob": ({"tensor": ("cause/*",)}, ("l.0.up.scale", "a.safetensors"), True),
    "another tensor": ({"tensor": ("cause/of-it",)}, ("l.0.up.weight", "a.safetensors"), False),
    "same module": ({"module": ("cause/of-it",)}, ("l.0.up.weight", "a.safetensors"), True),
    "another module": ({"module": ("cause/of-it",)}, ("l.0.gate.weight", "a.safetensors"), False),
    "same parent": ({"siblings": ("cause/of-it",)}, ("l.0.gate.weight", "a.safetensors"), True),
    "another parent": ({"siblings": ("cause/of-it",)}, ("l.1.gate.weight", "a.safetensors"), False),
    "same file": ({"file": ("cause/of-it",)}, ("l.1.gate.weight", "a.safetensors"), True),
    "another file": ({"file": ("cause/of-it",)}, ("l.1.gate.weight", "b.safetensors"), False),
    "same checkpoint": ({"checkpoint": ("cause/of-it",)}, ("", "config.json"), True),
    "another rule": ({"checkpoint": ("cause/other",)}, ("", "config.json"), False),
}


@pytest.mark.parametrize("name", NEARNESS)
def test_a_consequence_is_left_out_where_its_cause_is_near_enough(name: str) -> None:
    unless, (tensor, file), caused = NEARNESS[name]
    cause, consequence = draft(CAUSE, tensor, file), draft(rule("x/y", "error", unless), "l.0.up.scale")
    assert without_consequences([consequence, cause]) == ([cause] if caused else [consequence, cause])


@pytest.mark.parametrize(("cause", "consequence", "left"), [("error", "warning", 1), ("warning", "error", 2)])
def test_a_warning_never_takes_the_place_of_an_error(cause: str, consequence: str, left: int) -> None:
    follows = rule("x/y", consequence, {"tensor": ("cause/of-it",)})
    assert len(without_consequences([draft(replace(CAUSE, severity=cause), "t"), draft(follows, "t")])) == left


def test_checkpoints_of_one_target_are_apart() -> None:
    drafts = [draft(CAUSE, "t", checkpoint="a"), draft(rule("x/y", "error", {"tensor": ("*",)}), "t", checkpoint="b")]
    assert without_consequences(drafts) == drafts


def test_a_rule_is_not_its_own_cause() -> None:
    drafts = [draft(rule("x/y", "error", {"checkpoint": ("x/*",)}), t) for t in ("t", "u")]
    assert without_consequences(drafts) == drafts


def test_no_two_shipped_rules_name_each_other() -> None:
    # Both would be left out.
    from fnmatch import fnmatchcase

    def names(one: Rule, other: Rule) -> bool:
        return any(fnmatchcase(other.id, p) for patterns in one.unless.values() for p in patterns)

    rules = list(BOOK.rules.values())
    assert [(a.id, b.id) for a in rules for b in rules if a.id < b.id and names(a, b) and names(b, a)] == []


def test_a_cause_that_is_no_rule_is_an_error_with_a_suggestion() -> None:
    text = b"unless: {tensor: scales/nam}"
    with pytest.raises(RuleFileError) as error:
        check_unless(read(text, "r.yaml"), BOOK.rules)
    assert "no rule matches `scales/nam`" in str(error.value)


def test_nearness_is_a_closed_list() -> None:
    text = (
        b"{summary: s, severity: error, message: m, fact: hole, unless: {near: scales/nan},"
        b" bad: [{a.safetensors: {}, says: m}], good: [{a.safetensors: {}}]}"
    )
    with pytest.raises(RuleFileError):
        load_rule(read(text, "r.yaml"), "x/y", examples=False)


def test_a_scale_in_another_dtype_is_one_finding() -> None:
    tensors = {}
    for layer in range(3):
        for leaf in ("gate_proj", "up_proj"):
            module = f"model.layers.{layer}.mlp.{leaf}"
            tensors[f"{module}.weight"] = ("U8", (8, 64), bytes(range(256)) * 2)
            tensors[f"{module}.weight_scale"] = ("F8_E4M3", (8, 8), bytes([0x38, 0x3C] * 32))
            tensors[f"{module}.weight_scale_2"] = ("F32", (), b"\x6f\x12\x83\x3a")
            tensors[f"{module}.input_scale"] = ("F32", (), b"\x6f\x12\x03\x3b")
    tensors["model.layers.1.mlp.up_proj.weight_scale_2"] = ("I32", (), b"\x6f\x12\x83\x3a")
    report = check(MemorySource({"model.safetensors": write_shard(tensors, None)}), BOOK, rules_of(BOOK))
    assert [f.rule for f in report.findings if f.severity != "note"] == ["contract/wrong-dtype"]
