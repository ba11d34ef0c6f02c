"""Help, exit codes, and what is said about a mistyped command line."""

from __future__ import annotations

import re

import pytest

from tensorlint.cli import COMMANDS, main


def called(capsys, *args) -> tuple[int, str, str]:
    code = main([str(a) for a in args])
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_has_examples(command, capsys):
    code, out, err = called(capsys, *([command] if command else []), "--help")
    assert (code, err) == (0, "")
    assert out.count("tensorlint ") >= 3
    assert all(f"  {name} " in out for name in COMMANDS) or command


def test_nothing_at_all_is_help(capsys):
    code, out, err = called(capsys, *[])
    assert (code, err) == (0, "") or out.startswith("Usage")


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["chek"], 2, "did you mean `tensorlint check`"),
        (["rule"], 2, "did you mean `tensorlint rules`"),
        (["explian", "scales/nan"], 2, "did you mean `tensorlint explain`"),
        (["check", "--dpeth", "full"], 2, "did you mean --depth"),
        (["--fial-on", "error"], 2, "did you mean --fail-on"),
        (["check", "--depth", "scale"], 2, "did you mean scales"),
        (["check", "-f", "jsn"], 2, "did you mean json"),
        (["check", "--color", "yes"], 2, "one of: auto, always, never"),
        (["check", "--limit", "-3"], 2, "see `tensorlint check --help`"),
        (["check", "--select", "scale/nan"], 2, "did you mean `scales/nan`"),
        (["check", "--select", "nan"], 2, "`scales/nan` or `weights/nan`"),
        (["check", "--ignore", "all"], 2, "leaves none of the rules"),
        (["check", "--plan", "-f", "json"], 2, "--plan"),
        (["check", "--rules", "no/such"], 2, "no rule file or folder"),
        (["rules", "scale"], 2, "did you mean `scales`"),
        (["rules", "my.yaml"], 2, "--rules my.yaml"),
        (["explain", "scales/nam"], 2, "did you mean `scales/nan`"),
        (["explain", "nvfp4-modelop"], 2, "did you mean `nvfp4-modelopt`"),
        (["explain", "ceiling_shar"], 2, "did you mean `ceiling_share`"),
        (["explain"], 2, "see `tensorlint explain --help`"),
        (["explain", "a", "b"], 2, "see `tensorlint explain --help`"),
        (["test", "scale"], 2, "did you mean `scales`"),
        (["./no/such/folder"], 3, "there is nothing at ./no/such/folder"),
        (["check", "chek"], 3, "there is nothing at chek"),
    ],
)
def test_a_slip_is_said_in_two_lines(args, code, says, capsys):
    found, out, err = called(capsys, *args)
    assert found == code
    assert out == ""
    assert says in err
    assert err.startswith("error: ")
    assert len(err.splitlines()) <= 2


def test_a_folder_of_the_name_of_a_slip_is_checked(tmp_path, monkeypatch, capsys):
    from .conftest import checkpoint

    checkpoint(tmp_path / "chek")
    monkeypatch.chdir(tmp_path)
    assert called(capsys, "chek")[0] == 0


def test_the_shorthand(clean, broken, capsys):
    assert called(capsys, clean)[0] == 0
    assert called(capsys, "--depth", "scales", broken)[0] == 1


@pytest.mark.parametrize(("fail_on", "code"), [("error", 1), ("warning", 1), ("note", 1), ("never", 0)])
def test_fail_on(fail_on, code, broken, capsys):
    assert called(capsys, "check", broken, "--fail-on", fail_on)[0] == code


def test_only_what_is_at_or_above_the_level_fails(clean, capsys):
    (clean / "config.json").write_text('{"quantization_config": {"quant_method": "never-heard-of"}}')
    _code, out, _ = called(capsys, clean, "--fail-on", "never")
    worst = next(s for s in ("error", "warning", "note") if re.search(rf"^{s}\[", out, re.MULTILINE))
    levels = ["error", "warning", "note"]
    for level in levels:
        assert called(capsys, clean, "--fail-on", level)[0] == int(levels.index(worst) <= levels.index(level))


def test_nothing_to_check(tmp_path, capsys):
    assert called(capsys, "check", tmp_path)[0] == 3


def test_a_file_without_a_tensor_is_a_finding_and_worse_where_a_model_is_promised(tmp_path, capsys):
    (tmp_path / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    code, out, _ = called(capsys, "check", tmp_path)
    assert code == 0
    assert "warning[container/no-tensors]" in out
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    code, out, _ = called(capsys, "check", tmp_path)
    assert code == 1
    assert "error[model/no-tensors]" in out


def test_plan_reads_nothing_and_says_what(broken, capsys):
    code, out, _ = called(capsys, "check", broken, "--plan")
    assert code == 0
    assert "model.safetensors: 2 tensors, 68 B" in out
    code, out, _ = called(capsys, "check", broken, "--plan", "--depth", "headers")
    assert "rules would not run" in out


def test_quiet_leaves_notes_out_and_says_so(clean, capsys):
    _, loud, _ = called(capsys, clean)
    _, quiet, _ = called(capsys, clean, "-q")
    if "note[" in loud:
        assert "note[" not in quiet
        assert "not shown" in quiet


def test_explain_of_every_name(capsys):
    from tensorlint.rulebook.facts import catalogue
    from tensorlint.rulebook.library import load_book
    from tensorlint.rulebook.vocabulary import words

    book = load_book()
    for name in [*book.rules, *book.schemes, *catalogue(), *(w.name for w in words())]:
        code, out, err = called(capsys, "explain", name)
        assert (code, err) == (0, ""), name
        assert len(out) > 20


def test_test(capsys):
    code, out, _ = called(capsys, "test")
    assert code == 0
    assert out.endswith("passed, 0 failed\n")
