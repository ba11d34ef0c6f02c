"""A rule that is called otherwise now is still understood by its earlier names, and its present one is said once."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

import tensorlint
from linted import rules_of
from tensorlint.cli import main
from tensorlint.errors import RenamedWarning, RuleFileError
from tensorlint.gate.hub.policy import Policy
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book

BOOK = load_book()
RULE = """\
summary: Mine.
severity: warning
for: {{kind: scale}}
params: {{most: 0}}
require: {{zero: {{at_most: $most}}}}
message: "{{zero}} zeros"
bad: [{{model.safetensors: {{a.weight: "F8_E4M3[8, 8]", a.weight_scale: "F32[8, 1] = 0"}}, says: zeros}}]
good: [{{model.safetensors: {{a.weight: "F8_E4M3[8, 8]", a.weight_scale: "F32[8, 1] = 1"}}}}]
{}
"""
NOTE = "old/name is now called new/name"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint to which the rule objects, and beside it the rule."""
    rows = {
        f"{n}.weight": ("F8_E4M3", (8, 8), bytes(range(1, 65))) for n in "ab"
    } | {f"{n}.weight_scale": ("F32", (8, 1), struct.pack("<8f", 0, *[0.1] * 7)) for n in "ab"}  # fmt: skip
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.safetensors").write_bytes(write_shard(rows))
    (tmp_path / "rules" / "new").mkdir(parents=True)
    (tmp_path / "rules" / "new" / "name.yaml").write_text(RULE.format("was: old/name"))
    return tmp_path


def check(folder: Path, capsys: pytest.CaptureFixture[str], config: str, *words: str) -> tuple[dict[str, str], str]:
    """Severity, or `suppressed`, by rule of what is said; and what is on stderr."""
    (folder / "m" / "tensorlint.toml").write_text('rules = ["../rules"]\n' + config)
    main(["check", str(folder / "m"), "-f", "json", "--no-cache", *words])
    out, err = capsys.readouterr()
    found = json.loads(out)["findings"]
    return {f["rule"]: "suppressed" if f.get("suppressed") else f["severity"] for f in found}, err


@pytest.mark.parametrize(
    ("config", "words", "said"),
    [
        ("", ("--select", "new/name"), "warning"),
        ("", ("--select", "old/name"), "warning"),
        ("", ("--ignore", "old/name"), None),
        ("", ("--set", "old/name.most=8"), None),
        ('select = ["old/name"]\n', (), "warning"),
        ('ignore = ["old/name"]\n', (), None),
        ('ignore = ["new/name"]\n', ("--select", "old/name"), "warning"),
        ('[severity]\n"old/name" = "note"\n', (), "note"),
        ('[severity]\n"old/name" = "off"\n', (), None),
        ('[params."old/name"]\nmost = 8\n', (), None),
        ('[[ignore]]\nrule = "old/name"\nreason = "so"\n', (), "suppressed"),
        ('[[target]]\npath = "."\nignore = ["old/name"]\n', (), None),
    ],
)
def test_configurations_and_command_lines(
    folder: Path, capsys: pytest.CaptureFixture[str], config: str, words: tuple[str, ...], said: str | None
) -> None:
    found, err = check(folder, capsys, config, *words)
    assert found.get("new/name") == said
    assert "old/name" not in found
    assert err.count(NOTE) == (1 if "old/name" in config + " ".join(words) else 0)
    if "old/name" in config:
        assert "tensorlint.toml:" in err


def test_a_baseline(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "m" / "tensorlint.toml").write_text('rules = ["../rules"]\n')
    main(["check", str(folder / "m"), "-f", f"json={folder / 'new.json'}", "--no-cache"])
    old = folder / "old.json"
    old.write_text((folder / "new.json").read_text().replace("new/name", "old/name"))
    capsys.readouterr()
    main(["check", str(folder / "m"), "-f", "json", "--no-cache", "--baseline", str(old)])
    out, err = capsys.readouterr()
    states = {f["rule"]: f["state"] for f in json.loads(out)["findings"]}
    assert states["new/name"] == "known"
    assert err.count(NOTE) == 1 and "old.json" in err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("explain", "old/name"), "new/name  warning"),
        (("rules", "old/name"), "new/name  warning"),
        (("test", "old/name"), "2 passed, 0 failed"),
    ],
)
def test_other_commands(folder: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], said: str) -> None:
    assert main([*command, "--rules", str(folder / "rules")]) == 0
    out, err = capsys.readouterr()
    assert said in out
    assert err.count(NOTE) == 1


def test_in_python(folder: Path) -> None:
    with pytest.warns(RenamedWarning, match=NOTE):
        report = tensorlint.check(folder / "m", select=["old/name"], rules=[folder / "rules"], isolated=True)
    assert {f.rule for f in report.findings} == {"new/name"}


@pytest.mark.parametrize(
    ("entry", "accepted"), [("old/name", True), ("new/name", True), ("new", True), ("other", False), ("", False)]
)
def test_what_the_gate_accepts(entry: str, accepted: bool) -> None:
    policy = Policy(accept=((entry, "so"),) if entry else ())
    assert (policy.reason("new/name", ("old/name",)) == "so") is accepted


def test_rule_files_that_name_causes_by_earlier_names(folder: Path) -> None:
    (folder / "rules" / "mine.yaml").write_text(RULE.format("unless: {tensor: old/name}"))
    book = load_book([folder / "rules"])
    assert book.rules["mine"].unless == {"tensor": ("new/name",)}


def test_a_rule_that_has_the_name_comes_first(folder: Path) -> None:
    (folder / "rules" / "old").mkdir()
    (folder / "rules" / "old" / "name.yaml").write_text(RULE.format(""))
    (folder / "rules" / "new" / "name.yaml").write_text(RULE.format(""))
    book = load_book([folder / "rules"])
    assert book.matching("old/name") == ("old/name",)
    shipped = next(rule for rule in BOOK.rules.values() if rule.was)
    (folder / "rules" / Path(shipped.was[0]).parent).mkdir()
    (folder / "rules" / f"{shipped.was[0]}.yaml").write_text(RULE.format(""))
    assert load_book([folder / "rules"]).matching(shipped.was[0]) == (shipped.was[0],)


@pytest.mark.parametrize(
    ("was", "message"),
    [
        ("scales/nan", "there is a rule `scales/nan`"),
        ("scales/zero-group", "`scales/zero-group` is what `scales/zero` was called"),
        ('"scales/*"', "is not the name of a rule"),
        ("a b", "is not the name of a rule"),
        ("[]", "an empty list"),
        ("true", "reads `true` as yes/no"),
    ],
)
def test_a_mistake_is_shown_at_its_place(tmp_path: Path, was: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(RULE.format(f"was: {was}"))
    with pytest.raises(RuleFileError) as error:
        load_book([tmp_path])
    assert message in str(error.value)
    assert f"mine.yaml:{len(RULE.splitlines())}:6" in str(error.value)


def test_no_shipped_rule_has_the_earlier_name_of_another() -> None:
    earlier = [old for rule in BOOK.rules.values() for old in rule.was]
    assert len(set(earlier)) == len(earlier)
    assert not set(earlier) & set(BOOK.rules)
    with pytest.warns(RenamedWarning):
        assert {r.id for r in rules_of(BOOK, earlier)} == {r.id for r in BOOK.rules.values() if r.was}
