"""A stranger adds rules and schemes: one YAML file each, passed with --rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linted import check
from tensorlint.cli import main
from tensorlint.errors import RuleFileError, UsageError
from tensorlint.rulebook.examples import read_examples
from tensorlint.rulebook.library import load_book
from tensorlint.run.examples import failures
from tensorlint.settings.keys import Param, Selector
from tensorlint.settings.ruleset import chosen
from tensorlint.settings.settings import Settings
from tensorlint.sources.memory import MemorySource
from tensorlint.text.yamlread import read

SCHEME = """
summary: "ACME 4-bit: two codes in a byte, an E8M0 scale per 64."
parts:
  weight:      {name: "{module}.acme_codes", dtype: U8, shape: [N, K/2], holds: int4, order: low-first}
  block_scale: {name: "{module}.acme_scale", dtype: F8_E8M0, shape: [N, K/64], scales: weight}
  salt:        {name: "{module}.acme_salt", kind: other, dtype: I32, shape: [4], needed: never}
decode: weight * block_scale
declared: {method: acme}
self_declared: true
bad:
  - model.safetensors: {a.q_proj.acme_codes: "U8[64, 64]", a.q_proj.acme_scale: "F8_E8M0[64, 2] = 0x7f; [3] = 0xff"}
    says: "1 of 128 block_scale values are NaN"
good:
  - model.safetensors: {a.q_proj.acme_codes: "U8[64, 64]", a.q_proj.acme_scale: "F8_E8M0[64, 2] = 0x7f, 0x7e"}
"""
WEIGHT = '''a.q_proj.acme_codes: "U8[64, 64]", a.q_proj.acme_scale: "F8_E8M0[64, 2] = {}"'''
RULES = {
    "acme/present": (
        "each: module\nfor: {scheme: acme}\nrequire: {present: [salt]}\nmessage: '{module} ({scheme}) has no salt'",
        ["0x7f, 0x7e", "a.q_proj (acme) has no salt"],
        ['0x7f, 0x7e", a.q_proj.acme_salt: "I32[4]'],
    ),
    "acme/absent": (
        "each: module\nfor: {scheme: 'ac*', quantized: true}\nrequire: {absent: salt}\nmessage: 'salt of {salt.shape}'",
        ['0x7f, 0x7e", a.q_proj.acme_salt: "I32[4]', "salt of [4]"],
        ["0x7f, 0x7e"],
    ),
    "acme/dtypes": (
        "each: module\nfor: {scheme: acme}\nrequire: {dtypes: {weight: [I8, I32]}}\nmessage: '{weight.dtype} codes'",
        ["0x7f, 0x7e", "U8 codes"],
        None,
    ),
    "acme/shapes": (
        "each: module\nfor: {scheme: acme}\nrequire: {shapes: {weight: [N, K/2], block_scale: [N, K/128]}}\n"
        "message: '{weight.shape} with {block_scale.shape}, N is {N}'",
        ["0x7f, 0x7e", "[64, 64] with [64, 2], N is 64"],
        None,
    ),
    "acme/that": (
        "each: module\nfor: {scheme: acme, module: 'a.*'}\nparams: {most: 1}\n"
        "when: {that: 'weight.shape[0] % 64 == 0'}\nrequire: {that: 'block_scale.nan <= most'}\n"
        "message: '{block_scale.nan} of {block_scale.count} scales are NaN'",
        ["0x7f; [0..1] = 0xff", "2 of 128 scales are NaN"],
        ["0x7f; [0] = 0xff"],
    ),
    "acme/config-of-module": (
        "each: module\nfor: {scheme: acme}\nwhen: {config: {model_type: llama}}\nrequire: {that: N == config.hidden_size}\n"
        "message: 'N is {N}, hidden_size {config.hidden_size}'",
        None,
        ["0x7f, 0x7e"],
    ),
    "acme/share": (
        "for: {scheme: acme, part: block_scale}\nparams: {limit: 0.25}\nwhen: {count: {at_least: 64}}\n"
        "require: {nan_share: {at_most: $limit}}\nmessage: '{nan_share:%} of {count} {part} values in {tensors} tensors'",
        ["0x7f, 0xff", "50 % of 128 block_scale values in 1 tensors"],
        ["0x7f; [0..9] = 0xff"],
    ),
}  # fmt: skip


def rule_text(body: str, bad: list[str] | None, good: list[str] | None) -> str:
    other = '{b.weight: "F32[4]"}'
    bad_text = (
        f"model.safetensors: {{{WEIGHT.format(bad[0])}}}, says: {json.dumps(bad[1])}"
        if bad
        else 'model.safetensors: {a.weight: "F32[1]"}, says: x'
    )
    good_text = f"{{{WEIGHT.format(good[0])}}}" if good else other
    return (
        f"summary: Something of ACME is wrong.\nseverity: warning\n{body}\n"
        f"bad: [{{{bad_text}}}]\ngood: [{{model.safetensors: {good_text}}}]\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "mine"
    (root / "acme").mkdir(parents=True)
    (root / "schemes").mkdir()
    (root / "schemes/acme.yaml").write_text(SCHEME)
    for name, (body, bad, good) in RULES.items():
        (root / f"{name}.yaml").write_text(rule_text(body, bad, good))
    (root / "acme/config.yaml").write_text(
        "summary: The model is too small.\nseverity: note\neach: checkpoint\n"
        "when: {config: {model_type: [llama, qwen]}}\n"
        "require: {config: {hidden_size: {at_least: 64}, tie_word_embeddings: false}}\n"
        "message: 'hidden_size is {config.hidden_size}'\n"
        "bad: [{model.safetensors: {a.weight: 'F32[4]'}, config.json: {model_type: llama, hidden_size: 8,"
        " tie_word_embeddings: false}, says: hidden_size is 8}]\n"
        "good: [{model.safetensors: {a.weight: 'F32[4]'}, config.json: {model_type: other, hidden_size: 8}}]\n"
    )
    return root


@pytest.mark.parametrize("name", [n for n, (_, bad, _) in RULES.items() if bad] + ["acme/config"])
def test_the_rule_fires_and_only_where_it_should(name, folder):
    book = load_book([folder])
    assert list(failures(book.rules[name], book)) == []


def test_the_scheme_is_recognised_and_its_examples_run(folder, capsys):
    book = load_book([folder])
    (example,) = read_examples(
        read(f"good: [{{model.safetensors: {{{WEIGHT.format('0x7f, 0x7e')}}}}}]", "x").mapping("x")["good"], "x", False
    )
    assert check(MemorySource(example.files), book, ()).schemes == {"acme": 1}
    assert main(["test", "--rules", str(folder / "schemes/acme.yaml")]) == 0, capsys.readouterr().out
    out = capsys.readouterr().out
    assert out.endswith(" passed, 0 failed\n")


def test_a_module_rule_reads_the_configuration(folder):
    book = load_book([folder])
    files = f"x: [{{model.safetensors: {{{WEIGHT.format('0x7f, 0x7e')}}}, config.json: {{model_type: llama, hidden_size: 9}}}}]"
    (example,) = read_examples(read(files, "x").mapping("x")["x"], "x", False)
    rule = book.rules["acme/config-of-module"]
    assert [f.message for f in check(MemorySource(example.files), book, [rule]).findings] == ["N is 64, hidden_size 9"]


def test_examples_that_do_not_hold_are_failures(folder, capsys):
    path = folder / "schemes/acme.yaml"
    path.write_text(SCHEME.replace("0x7f, 0x7e", "0xff").replace("1 of 128", "9 of 128"))
    assert main(["test", "--rules", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "FAIL acme: " in out
    assert "wanted '9 of 128" in out


def test_a_file_of_the_name_of_a_shipped_rule_replaces_it(tmp_path, capsys):
    shipped = load_book()
    (tmp_path / "scales").mkdir()
    text = rule_text("for: {kind: scale}\nrequire: {nan: 0}\nmessage: MINE", ["0xff", "MINE"], ["0x7f, 0x7e"])
    (tmp_path / "scales/nan.yaml").write_text(text)
    book = load_book([tmp_path])
    assert str(book.rules["scales/nan"].message) == "MINE"
    assert book.replaced == ("rule scales/nan",)
    assert len(book.rules) == len(shipped.rules)
    assert main(["rules", "--rules", str(tmp_path)]) == 0
    assert "yours in place of the shipped: rule scales/nan" in capsys.readouterr().out


def test_a_single_file_is_named_by_itself(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(rule_text("for: {kind: scale}\nrequire: {nan: 0}\nmessage: MINE", ["0xff", "MINE"], ["0x7f"]))
    book = load_book([path])
    assert "mine" in book.rules
    assert load_book([path, path]).rules.keys() == book.rules.keys()


def test_two_files_of_one_name_are_an_error(tmp_path):
    for name in ("a/schemes/acme.yaml", "b/schemes/acme.yaml"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(SCHEME)
    with pytest.raises(UsageError, match="two files define the scheme `acme`"):
        load_book([tmp_path])


@pytest.mark.parametrize("name", ["a b.yaml", "a\x1bb.yaml", "*.yaml"])
def test_names_that_no_rule_can_have(name, tmp_path):
    (tmp_path / name).write_text(SCHEME)
    with pytest.raises(UsageError, match="name of the rule file"):
        load_book([tmp_path])


def test_a_folder_without_rule_files_is_an_error(tmp_path):
    with pytest.raises(UsageError, match=r"no \.yaml file"):
        load_book([tmp_path])


def test_a_device_or_a_huge_file_is_not_read_whole(tmp_path):
    with pytest.raises(RuleFileError, match="65,536"):
        load_book([Path("/dev/zero")])


def test_settings_of_params(folder):
    book = load_book([folder])
    assert book.with_params({"acme/share": {"limit": 0.75}}).rules["acme/share"].params == {"limit": 0.75}
    with pytest.raises(UsageError, match="no param `limmit`"):
        book.with_params({"acme/share": {"limmit": 0.75}})
    with pytest.raises(UsageError, match="no rule `acme/shar`"):
        chosen(book, Settings(params=(Param(Selector("acme/shar"), "limit", 0.75),)))


def test_the_report_names_the_rule_of_the_stranger(folder, tmp_path, capsys):
    (example,) = read_examples(
        read(f"x: [{{model.safetensors: {{{WEIGHT.format('0x7f, 0xff')}}}}}]", "x").mapping("x")["x"], "x", False
    )
    model = tmp_path / "model"
    model.mkdir()
    for name, data in example.files.items():
        (model / name).write_bytes(data or b"")
    assert main(["check", str(model), "--rules", str(folder), "--select", "acme", "-f", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["schemes"] == {"acme": 1}
    assert {"acme/share", "acme/present", "acme/that"} <= {f["rule"] for f in report["findings"]}
