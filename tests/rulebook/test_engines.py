"""Engine files: limits become rules that run only when their engine is asked for, and mistakes are shown at their place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tensorlint
from build import Model, fp8_block, gpt_oss, gptq, nvfp4, plain, write
from linted import rules_of
from tensorlint.errors import RuleFileError, UsageError
from tensorlint.rulebook.engines import DOES, load_engine
from tensorlint.rulebook.library import load_book
from tensorlint.text.yamlread import read

BOOK = load_book()
ENGINES = BOOK.engines.values()
ACME = """
summary: What Acme makes of checkpoints.
engine: Acme
version: "2.1"
repository: acme/acme
serves: [gptq, "mlx-*"]
limits:
  two-bits:
    summary: Acme serves no 2 bits.
    does: refuses
    each: module
    for: {scheme: gptq}
    require: {that: declared.bits != 2}
    message: "{module} has 2 bits"
    remedy: Use 4.
    see: [loader.py]
    bad:
      - model.safetensors: {l.qweight: "I32[8, 32]", l.qzeros: "I32[1, 2]", l.scales: "F16[1, 32] = 0.01"}
        config.json: {quantization_config: {quant_method: gptq, bits: 2, group_size: 128}}
        says: "l has 2 bits"
    good:
      - model.safetensors: {l.weight: "BF16[8, 8]"}
"""


@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
def test_every_finding_about_an_engine_names_it_with_version_and_source(engine):
    assert engine.limits
    for rule_id in engine.limits:
        rule = BOOK.rules[rule_id]
        assert str(rule.message).startswith(f"{engine.label}: ")
        assert rule.see and all("/" in s for s in rule.see), rule_id
        assert rule.severity in ("warning", "note"), "what is legal is no error"
        assert rule.bad and rule.good


def test_rules_about_an_engine_run_only_when_it_is_asked_for(tmp_path):
    write(nvfp4().files(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["quantization_config"]["kv_cache_scheme"] = "NVFP4"
    (tmp_path / "config.json").write_text(json.dumps(config))

    def said(*engines: str) -> set[str]:
        return {f.rule for f in tensorlint.check(tmp_path, engines=engines).findings if f.rule.startswith("engine/")}

    assert said() == set()
    assert "engine/vllm/kv-scheme-ignored" in said("vllm")
    assert {rule.split("/")[1] for rule in said("vllm", "transformers")} == {"vllm", "transformers"}


GOOD = {
    "vllm": {"nvfp4": nvfp4, "fp8-block": fp8_block, "gptq": gptq, "gpt-oss": gpt_oss, "bf16": lambda: plain("BF16")},
    "sglang": {"nvfp4": nvfp4, "fp8-block": fp8_block, "gptq": gptq, "gpt-oss": gpt_oss},
    "trtllm": {"nvfp4": nvfp4, "fp8-block": fp8_block, "gpt-oss": gpt_oss},
    "transformers": {"fp8-block": fp8_block, "gptq": gptq, "gpt-oss": gpt_oss, "bf16": lambda: plain("BF16")},
    "mlx": {"gpt-oss": gpt_oss, "bf16": lambda: plain("BF16")},
}  # fmt: skip
PAIRS = [(engine, name) for engine, models in GOOD.items() for name in models]


@pytest.mark.parametrize(("engine", "name"), PAIRS, ids=lambda v: v)
def test_an_export_for_an_engine_is_silent_with_it(engine, name, tmp_path):
    model: Model = GOOD[engine][name]()
    write(model.files(), tmp_path)
    report = tensorlint.check(tmp_path, engines=[engine])
    assert [f.message for f in report.findings if f.severity != "note"] == []


def test_of_a_scheme_that_the_file_does_not_name_it_is_said_that_nothing_is_known(tmp_path):
    write(nvfp4().files(), tmp_path)
    (tmp_path / "acme.yaml").write_text(ACME)
    report = tensorlint.check(tmp_path, rules=[tmp_path / "acme.yaml"], engines=["acme"], depth="headers")
    said = [f for f in report.findings if f.rule.startswith("engine/")]
    assert [(f.rule, f.severity, f.message) for f in said] == [
        ("engine/acme/not-known", "note", "Acme 2.1: it is not known here whether it serves nvfp4-modelopt")
    ]


def test_of_what_a_limit_objects_to_enough_is_known(tmp_path):
    write({"model.safetensors": nvfp4().files()["model.safetensors"], "config.json": json.dumps(
        {"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}}).encode()}, tmp_path)  # fmt: skip
    said = {f.rule for f in tensorlint.check(tmp_path, engines=["transformers"], depth="headers").findings}
    assert "engine/transformers/no-method" in said
    assert "engine/transformers/not-known" not in said


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("does: refuses", "does: refused", "`refused` is not something that an engine does"),
        ("    does: refuses\n", "", "the limit `two-bits` has no `does`"),
        ("    see: [loader.py]\n", "", "the limit `two-bits` has no `see`"),
        ("    does: refuses", "    dose: refuses", "the limit `two-bits` has no `does`"),
        ("remedy: Use 4.", "remedi: Use 4.", "unknown key `remedi`"),
        ("declared.bits", "declared.bit", "`bit` is no field of a declaration"),
        ("scheme: gptq", "scheme: gtpq", "no scheme matches `gtpq`"),
        ('serves: [gptq, "mlx-*"]', "serves: [gqtp]", "no scheme matches `gqtp`"),
        ("two-bits:", "Two bits:", "is not a name for a limit"),
        ("    does: refuses\n", "    does: refuses\n    awaits: index\n", "a limit blocks no upload"),
        ("repository: acme/acme", "repository: acme", "`acme` is not a repository"),
        ("engine: Acme\n", "", "the engine has no `engine`"),
        ('version: "2.1"', "version: 2.1", "YAML reads `2.1` as a number"),
        ("    require: {that: declared.bits != 2}\n", "", "`gptq` is both served and refused"),
        ("    bad:", "    badly:", "unknown key `badly`"),
        ("serves: [", "served: [", "unknown key `served`"),
    ],
)
def test_a_mistake_is_shown_at_its_place(old, new, message):
    assert old in ACME
    text = ACME.replace(old, new, 1)
    with pytest.raises(RuleFileError) as error:
        load_engine(read(text, "acme.yaml"), "acme", BOOK.schemes)
    assert message in str(error.value)
    assert "--> acme.yaml:" in str(error.value) and "^" in str(error.value)


def test_an_engine_file_of_ones_own_replaces_the_shipped_one(tmp_path: Path):
    (tmp_path / "vllm.yaml").write_text(ACME)
    book = load_book([tmp_path / "vllm.yaml"])
    assert book.engines["vllm"].title == "Acme"
    assert book.replaced == ("engine vllm",)
    assert [r for r in book.rules if r.startswith("engine/vllm/")] == ["engine/vllm/two-bits", "engine/vllm/not-known"]


def test_an_unknown_engine_is_a_usage_error_with_the_nearest_name():
    with pytest.raises(UsageError) as error:
        rules_of(BOOK, engines=["vlm"])
    assert "`vllm`" in error.value.hint


def test_selecting_only_rules_about_engines_needs_the_engine():
    with pytest.raises(UsageError, match="about engines"):
        rules_of(BOOK, ["engine/vllm"])
    assert all(r.engine == "vllm" for r in rules_of(BOOK, ["engine"], ["vllm"]))


def test_what_an_engine_does_is_said_in_a_sentence():
    assert all(text.endswith(".") for text in DOES.values())
