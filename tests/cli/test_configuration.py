"""Configurations as people use them: on the command line, from the checkpoint's folder up, for several checkpoints."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import tensorlint
from tensorlint.cli import main
from tensorlint.errors import UsageError

from .conftest import checkpoint

NAN = float("nan")
IGNORE = '[[ignore]]\nrule = "scales/nan"\nreason = "known"\n'


def called(capsys, *args) -> tuple[int, str, str]:
    code = main([str(a) for a in args])
    out = capsys.readouterr()
    return code, out.out, out.err


def findings(capsys, *args) -> list[dict]:
    code, out, err = called(capsys, *args, "-f", "json")
    assert code in (0, 1), err
    return json.loads(out)["findings"]


def rules(rows: list[dict]) -> set[str]:
    return {f["rule"] for f in rows if not f["suppressed"]}


@pytest.fixture
def repo(tmp_path: Path, monkeypatch) -> Path:
    """A clean and two broken checkpoints below one folder."""
    for name, scale in (("good", 0.1), ("bad", NAN), ("worse", NAN)):
        checkpoint(tmp_path / "repo" / name, scale)
    monkeypatch.chdir(tmp_path / "repo")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "repo"


def test_a_configuration_in_the_folder_or_above_is_followed(repo, capsys):
    assert called(capsys, "bad")[0] == 1
    (repo / "tensorlint.toml").write_text(IGNORE)
    code, out, _ = called(capsys, "bad")
    assert code == 0
    assert "1 suppressed" in out
    assert "settings from tensorlint.toml" in out
    assert "error[scales/nan]" not in out
    _, out, _ = called(capsys, "bad", "--show-suppressed")
    assert "suppressed error[scales/nan]" in out
    assert "ignored: known, tensorlint.toml:1" in out
    assert called(capsys, "bad", "--isolated")[0] == 1
    (repo / "bad" / "tensorlint.toml").write_text("")
    assert called(capsys, "bad")[0] == 1


def test_a_configuration_by_name(repo, tmp_path, capsys):
    (tmp_path / "ci.toml").write_text(IGNORE)
    assert called(capsys, "bad", "--config", tmp_path / "ci.toml")[0] == 0
    code, _, err = called(capsys, "bad", "--config", tmp_path / "none.toml")
    assert (code, "cannot read the configuration" in err) == (2, True)
    code, _, err = called(capsys, "bad", "--config", tmp_path / "ci.toml", "--isolated")
    assert (code, "leave out one" in err) == (2, True)


def test_the_command_line_wins(repo, capsys):
    (repo / "tensorlint.toml").write_text('depth = "headers"\nfail-on = "never"\nselect = ["index"]\n')
    assert called(capsys, "bad")[0] == 0
    args = ("bad", "--depth", "full", "--fail-on", "error", "--select", "scales")
    assert called(capsys, *args)[0] == 1
    (repo / "tensorlint.toml").write_text('ignore = ["scales/nan"]\n[severity]\n"scales/zero" = "off"\n')
    assert rules(findings(capsys, "bad")) == {"contract/ambiguous-scheme"}
    assert rules(findings(capsys, "bad", "--select", "scales")) == set()
    assert rules(findings(capsys, "bad", "--select", "scales/nan")) == {"scales/nan"}
    assert called(capsys, "bad", "--select", "scales/zero")[0] == 0


def test_severities(repo, capsys):
    (repo / "tensorlint.toml").write_text('[severity]\n"scales/*" = "off"\n"scales/nan" = "note"\n')
    assert [(f["rule"], f["severity"]) for f in findings(capsys, "bad", "--select", "scales")] == [
        ("scales/nan", "note")
    ]
    (repo / "tensorlint.toml").write_text('[severity]\n"scales/nan" = "note"\n"scales/*" = "off"\n')
    assert "scales/nan" not in rules(findings(capsys, "bad"))
    (repo / "tensorlint.toml").write_text('[severity]\nscales = "warning"\n')
    assert called(capsys, "bad", "--fail-on", "error")[0] == 0
    assert called(capsys, "bad", "--fail-on", "warning")[0] == 1


def test_numbers_of_rules(repo, tmp_path, capsys):
    from tensorlint.rulebook.examples import write_shard

    scale = bytes([0x38]) * 500 + bytes([0x7E]) * 12
    tensors = {
        "l.up_proj.weight": ("U8", (64, 64), bytes(range(256)) * 16),
        "l.up_proj.weight_scale": ("F8_E4M3", (64, 8), scale),
        "l.up_proj.weight_scale_2": ("F32", (), b"\x6f\x12\x83\x3a"),
        "l.up_proj.input_scale": ("F32", (), b"\x6f\x12\x03\x3b"),
    }
    (repo / "good" / "model.safetensors").write_bytes(write_shard(tensors))
    assert "scales/saturated" in rules(findings(capsys, "good"))
    (repo / "tensorlint.toml").write_text('[params."scales/saturated"]\nlimit = 0.05\n')
    assert "scales/saturated" not in rules(findings(capsys, "good"))
    assert "scales/saturated" in rules(findings(capsys, "good", "--set", "scales/saturated.limit=0.01"))
    for wrong, says in (
        ("scales/saturated.limit", "RULE.PARAM=NUMBER"),
        ("scales/saturated.limit=much", "not a number"),
        ("scales/saturated.limit=nan", "not a number"),
        ("scales/saturated.limit=5", "5 % is 0.05"),
        ("scales/saturated.limitt=0.1", "did you mean `limit`"),
        ("scales/satrated.limit=0.1", "did you mean `scales/saturated`"),
        ("limit=0.1", "RULE.PARAM=NUMBER"),
    ):
        code, out, err = called(capsys, "good", "--set", wrong)
        assert (code, out) == (2, "")
        assert says in err, err


def test_show_settings_is_toml_that_says_where_each_comes_from(repo, capsys):
    from tensorlint.settings.files import configuration_from
    from tensorlint.settings.settings import settings_for
    from tensorlint.text.toml import parse_toml

    text = (
        'ignore = ["weights", {rule = "scales/nan", tensor = "a.*", reason = "q \\"x\\" \\\\ é", until = 2027-03-01}]\n'
        'depth = "scales"\n[severity]\n"scales/*" = "note"\n[params."scales/saturated"]\nlimit = 0.5\nleast = 3\n'
    )
    (repo / "tensorlint.toml").write_text(text)
    code, out, _ = called(capsys, "bad", "--show-settings", "--fail-on", "note")
    assert code == 0
    assert 'depth = "scales"  # tensorlint.toml:2' in out
    assert 'fail-on = "note"  # --fail-on' in out
    assert "jobs is not set" in out
    before = settings_for("/", configuration_from(parse_toml(text.encode(), "a"), "/"))
    after = settings_for("/", configuration_from(parse_toml(out.encode(), "a"), "/"))
    for key in ("depth", "ignore", "severity", "params"):
        assert getattr(before, key) == getattr(after, key)
    assert [(i.rule, i.tensor, i.reason, i.until) for i in before.ignores] == [
        (i.rule, i.tensor, i.reason, i.until) for i in after.ignores
    ]


def test_a_mistake_ends_the_run_before_anything_is_read(repo, capsys):
    (repo / "tensorlint.toml").write_text('[[ignore]]\nrule = "scales/nam"\nreason = "x"\n')
    for args in (("bad",), ("bad", "--show-settings"), ("bad", "-f", "json"), ("good", "bad")):
        code, out, err = called(capsys, *args)
        assert (code, out) == (2, "")
        assert err.startswith("error: no rule matches `scales/nam`\n --> tensorlint.toml:2:8\n")
        assert "did you mean `scales/nan`?" in err


def test_a_folder_of_checkpoints_with_settings_of_their_own(repo, capsys):
    (repo / "tensorlint.toml").write_text(f'[[target]]\npath = "bad"\n{IGNORE.replace("[[", "[[target.")}')
    code, out, _ = called(capsys, ".", "-f", "json")
    top = json.loads(out)
    assert code == 1
    assert [(Path(t["target"]).name, t["exit_code"]) for t in top["targets"]] == [("", 1), ("bad", 0)]
    assert top["targets"][0]["checkpoints"] == ["good/model", "worse/model"]
    code, out, _ = called(capsys, ".")
    assert "1 suppressed" in out
    assert called(capsys, "bad")[0] == 0
    assert called(capsys, "worse")[0] == 1
    assert called(capsys, "bad/model.safetensors")[0] == 0


@pytest.mark.parametrize(
    ("targets", "unused"),
    [
        (["."], 0),  # `bad` uses it
        (["bad"], 0),
        (["good"], 0),  # it may be meant for the others
        (["good", "bad"], 0),
        (["good", "bad", "worse"], 0),
    ],
)
def test_an_ignore_that_some_checkpoint_uses_is_not_called_unused(repo, capsys, targets, unused):
    (repo / "tensorlint.toml").write_text(IGNORE)
    _, out, _ = called(capsys, *targets)
    assert out.count("meta/unused-ignore") == unused


@pytest.mark.parametrize(
    ("targets", "unused"), [(["."], 1), (["bad"], 0), (["bad", "good"], 0), (["bad", "good", "worse"], 1)]
)
def test_an_ignore_is_called_unused_once_all_it_could_be_for_is_checked(repo, capsys, targets, unused):
    (repo / "tensorlint.toml").write_text(IGNORE.replace("scales/nan", "scales/inf"))
    _, out, _ = called(capsys, *targets, "-f", "concise")
    assert out.count("meta/unused-ignore") == unused


def test_an_unused_ignore_beside_or_above_the_only_checkpoint(repo, capsys):
    shutil.rmtree(repo / "bad")
    shutil.rmtree(repo / "worse")
    (repo / "tensorlint.toml").write_text(IGNORE)
    rows = findings(capsys, "good")
    assert [f["severity"] for f in rows if f["rule"] == "meta/unused-ignore"] == ["warning"]
    assert rows[0]["locations"][0]["line"] == {"file": "../tensorlint.toml", "number": 1}
    (repo / "base.toml").write_text(IGNORE)
    (repo / "tensorlint.toml").write_text("extend = 'base.toml'")  # others may build on the same base
    assert "meta/unused-ignore" not in rules(findings(capsys, "good"))
    assert "meta/unused-ignore" in rules(findings(capsys, "good", "--config", "base.toml"))


def test_an_ignore_of_one_target_table(repo, capsys):
    text = '[[target]]\npath = "good"\n[[target.ignore]]\nrule = "scales/nan"\nreason = "x"\n'
    (repo / "tensorlint.toml").write_text(text)
    assert "meta/unused-ignore" in rules(findings(capsys, "good"))


def test_a_baseline_on_the_command_line_and_in_a_configuration(repo, capsys):
    _, out, _ = called(capsys, "bad", "-f", "json")
    (repo / "old.json").write_text(out)
    code, text, _ = called(capsys, "bad", "--baseline", "old.json")
    assert code == 0
    assert "known error[scales/nan]" in text
    assert "2 known" in text
    code, text, _ = called(capsys, "bad", "--baseline", "old.json", "--new-only")
    assert (code, "scales/nan" in text, "2 known" in text) == (0, False, True)
    checkpoint(repo / "bad", NAN, "other.v_proj")
    code, text, _ = called(capsys, "bad", "--baseline", "old.json", "--new-only")
    assert code == 1
    assert "new: 1 error" in text
    assert "2 gone" in text
    (repo / "tensorlint.toml").write_text("baseline = 'old.json'\n")
    assert [f["state"] for f in findings(capsys, "bad") if f["rule"] == "scales/nan"] == ["new", "gone"]
    code, _, err = called(capsys, "good", "--isolated", "--new-only")
    assert (code, "needs a baseline" in err) == (2, True)


def test_a_baseline_of_several_targets(repo, capsys):
    _, out, _ = called(capsys, "bad", "good", "-f", "json")
    (repo / "old.json").write_text(out)
    assert called(capsys, "bad", "./good/", "--baseline", "old.json")[0] == 0
    assert called(capsys, "worse", "--baseline", "old.json")[0] == 1


def test_coverage_as_a_verdict(repo, capsys):
    args = ("good", "--depth", "headers")
    assert called(capsys, *args)[0] == 0
    code, out, _ = called(capsys, *args, "--fail-on-coverage")
    assert code == 1
    assert "incomplete, which fails (--fail-on-coverage)" in out
    assert "not run:" in out
    assert called(capsys, *args, "--fail-on-coverage", "--fail-on", "never")[0] == 1
    assert called(capsys, *args, "--fail-on-coverage", "--select", "index/shard-gap")[0] == 0  # left out on purpose
    assert called(capsys, "good", "--fail-on-coverage")[0] == 0
    (repo / "tensorlint.toml").write_text("fail-on-coverage = true\n")
    code, out, _ = called(capsys, *args, "-f", "json")
    assert (code, json.loads(out)["exit_code"], json.loads(out)["complete"]) == (1, 1, False)


def test_rules_of_a_configuration(repo, capsys):
    (repo / "own").mkdir()
    source = Path(tensorlint.__file__).parents[2] / "rules" / "scales" / "nan.yaml"
    (repo / "own" / "mine.yaml").write_text(source.read_text())
    (repo / "tensorlint.toml").write_text("rules = ['own']\n[severity]\nmine = 'note'\n")
    assert ("mine", "note") in {(f["rule"], f["severity"]) for f in findings(capsys, "bad")}


def test_the_library_follows_it_too(repo):
    assert tensorlint.check("bad").count("error") == 1
    (repo / "tensorlint.toml").write_text(IGNORE)
    report = tensorlint.check("bad")
    assert (report.count("error"), report.settings) == (0, ("tensorlint.toml",))
    assert tensorlint.check("bad", isolated=True).count("error") == 1
    assert tensorlint.check("bad", config="tensorlint.toml", depth="full").count("error") == 0
    with pytest.raises(UsageError):
        tensorlint.check("bad", select=["no-such"])


def test_a_pipe_as_a_configuration_is_refused_at_once(repo, capsys):
    os.mkfifo(repo / "pipe.toml")
    code, _, err = called(capsys, "bad", "--config", "pipe.toml")
    assert (code, "is not a file" in err) == (2, True)


def test_one_shard_says_nothing_about_ignores_for_the_others(repo, capsys):
    (repo / "good" / "tensorlint.toml").write_text(IGNORE)
    assert "meta/unused-ignore" in rules(findings(capsys, "good"))
    assert "meta/unused-ignore" not in rules(findings(capsys, "good/model.safetensors"))
