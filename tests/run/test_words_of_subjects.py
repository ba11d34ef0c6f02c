"""What every word of a message is: of tensors inside and outside of modules, of modules, checkpoints and facts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from linted import NAN_SCALE, check, nvfp4, rules_of
from notation import BOOK, source
from tensorlint.report.findings import Report
from tensorlint.rulebook.language import load_rule
from tensorlint.run.run import covered
from tensorlint.sources.memory import MemorySource
from tensorlint.text.yamlread import read

QUANTIZED = {
    "l.q_proj.weight": "F8_E4M3[4, 8] = 1",
    "l.q_proj.weight_scale": "F32[4, 1] = 0.5",
    "l.norm.weight": "BF16[8] = 1",
    "lone": "F32[2, 3] = 1",
}
CONFIG = {
    "model_type": "llama",
    "torch_dtype": "bfloat16",
    "num_hidden_layers": 2,
    "quantization_config": {
        "quant_method": "compressed-tensors",
        "format": "float-quantized",
        "ignore": ["lm_head"],
        "config_groups": {"g": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}},
    },
}  # fmt: skip


def messages(message: str, body: str, tensors: dict[str, str] | None = None, **config: object) -> list[str]:
    """What a rule that objects to everything says, tensor by tensor in the order of the file."""
    text = f"summary: S.\nseverity: error\nmessage: {json.dumps(message)}\n{body}\n"
    text += "params: {limit: 0.5}\n" if "limit" in body else ""
    text += 'bad: [{model.safetensors: {a: "F32[4]"}, says: m}]\ngood: [{model.safetensors: {a: "F32[4]"}}]\n'
    rule = load_rule(read(text, "test"), "x/y", None, BOOK.schemes)
    report = check(source(tensors or QUANTIZED, {**CONFIG, **config}), BOOK, (rule,))
    return [f.message for f in report.findings]


def of_tensor(name: str, message: str) -> str:
    (found,) = messages(message, f"for: {{tensor: ['{name}']}}\nrequire: {{that: count < limit}}")
    return found


@pytest.mark.parametrize(
    ("word", "scale", "lone"),
    [
        ("tensor", "l.q_proj.weight_scale", "lone"),
        ("file", "model.safetensors", "model.safetensors"),
        ("part", "weight_scale", "tensor"),
        ("module", "l.q_proj", ""),
        ("scheme", "fp8-channel", "none"),
        ("dtype", "F32", "F32"),
        ("shape", "[4, 1]", "[2, 3]"),
        ("limit", "0.5", "0.5"),
    ],
)
def test_words_of_a_tensor(word: str, scale: str, lone: str) -> None:
    said = of_tensor("l.q_proj.weight_scale", f"<{{{word}}}>")
    assert said == f"<{scale}>" or word == "scheme"  # schemes are named elsewhere
    assert of_tensor("lone", f"<{{{word}}}>") == f"<{lone}>"


def test_a_tensor_of_no_scheme_is_in_the_module_that_its_name_says() -> None:
    assert of_tensor("l.norm.weight", "<{module}>") == "<l.norm>"


@pytest.mark.parametrize(
    ("word", "said"),
    [("module", "l.q_proj"), ("weight.dtype", "F8_E4M3"), ("weight_scale.shape", "[4, 1]"),
     ("weight_scale.granularity", "channel"), ("N", "4"), ("K", "8"), ("limit", "0.5"),
     ("declared.bits", "8"), ("declared.strategy", "channel"), ("config.model_type", "llama")],
)  # fmt: skip
def test_words_of_a_module(word: str, said: str) -> None:
    body = "each: module\nfor: {module: [l.q_proj]}\nrequire: {that: N + limit < 0}"
    assert messages(f"<{{{word}}}>", body) == [f"<{said}>"]


def test_symbols_of_shapes_have_words_of_their_own() -> None:
    packed = {"l.q.weight": "U32[8, 16] = 1", "l.q.scales": "BF16[8, 2] = 1", "l.q.biases": "BF16[8, 2] = 1"}
    body = "each: module\nfor: {module: [l.q]}\nrequire: {that: N < 0}"
    assert messages("<{bits} {group} {N} {K}>", body, packed, quantization_config={}) == ["<4 64 8 128>"]


def test_what_is_declared_of_a_module_is_what_its_own_group_says() -> None:
    weights = {"num_bits": 8, "type": "float", "strategy": "channel"}
    groups = {
        "a": {"targets": ["re:.*q_proj"], "weights": weights},
        "b": {"targets": ["re:.*k_proj"], "weights": {**weights, "num_bits": 4}},
    }
    declared = {**CONFIG["quantization_config"], "config_groups": groups}  # type: ignore[dict-item]
    tensors = {**QUANTIZED, "l.k_proj.weight": "F8_E4M3[4, 8] = 1", "l.k_proj.weight_scale": "F32[4, 1] = 0.5"}
    for name, bits in (("l.q_proj", 8), ("l.k_proj", 4)):
        body = f"each: module\nfor: {{module: [{name}]}}\nrequire: {{that: N == 99}}"
        assert messages("<{declared.bits}>", body, tensors, quantization_config=declared) == [f"<{bits}>"]


def test_a_finding_about_a_module_is_at_its_weight() -> None:
    text = (
        "summary: S.\nseverity: error\nmessage: m\neach: module\nfor: {module: [l.q_proj]}\nrequire: {that: N == 99}\n"
    )
    text += 'bad: [{model.safetensors: {a: "F32[4]"}, says: m}]\ngood: [{model.safetensors: {a: "F32[4]"}}]\n'
    rule = load_rule(read(text, "test"), "x/y", None, BOOK.schemes)
    (finding,) = check(source(QUANTIZED, CONFIG), BOOK, (rule,)).findings
    assert [(p.file, p.tensor) for p in finding.locations] == [("model.safetensors", "l.q_proj.weight")]


@pytest.mark.parametrize(
    ("word", "said"),
    [("file", "config.json"), ("limit", "0.5"), ("config.model_type", "llama"), ("config.dtype", "bfloat16"),
     ("declared.method", "compressed-tensors")],
)  # fmt: skip
def test_words_of_a_checkpoint(word: str, said: str) -> None:
    assert messages(f"<{{{word}}}>", "each: checkpoint\nrequire: {that: config.num_hidden_layers + limit < 0}") == [
        f"<{said}>"
    ]


def test_words_of_a_fact_are_its_place_and_its_values() -> None:
    tensors = {"a": "U8[512] = 1; [256..511] = 0", "b": "U8[256] = 0"}
    said = messages("<{file}> <{tensor}> <{offset}> <{bytes}>", "fact: zero-tail", tensors)
    assert len(said) == 1
    file, tensor, offset, size = said[0].strip("<>").split("> <")
    assert (file, tensor, size) == ("model.safetensors", "a", "512")
    assert offset.isdigit()


def test_a_rule_that_goes_by_names_and_one_that_does_not_are_told_apart() -> None:
    everything = messages("m {tensors}", "require: {that: count < limit}")
    assert len(everything) == 1 and everything[0] == "m 4"
    assert messages("m {tensors}", "for: {tensor: ['l.*']}\nrequire: {that: count < limit}") == ["m 3"]


NAN = check(MemorySource({"model.safetensors": nvfp4(NAN_SCALE)}), BOOK, rules_of(BOOK, ("scales/nan",)))


@pytest.mark.parametrize(
    ("report", "strict"),
    [
        (replace(NAN, strict=True), False),
        (replace(NAN, strict=True, gaps=("g",)), True),
        (replace(NAN, strict=False, gaps=("g",)), False),
        (replace(NAN, strict=False), False),
    ],
)
def test_gaps_that_are_no_fault_do_not_make_a_complete_report_fail(report: Report, strict: bool) -> None:
    found = covered(report, ["further"])
    assert (found.gaps, found.strict) == ((*report.gaps, "further"), strict)


def test_a_run_says_how_long_it_took() -> None:
    assert 0 <= NAN.seconds < 3600


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("module: [l.q_proj]", True), ("module: [l.q_proj], quantized: true", True), ("module: ['l.?_proj']", True),
        ("module: [l.q_proj], role: attention", True), ("module: [l.k_proj]", False),
        ("module: [l.q_proj], quantized: false", False), ("module: [l.q_proj], role: mlp", False),
        ("quantized: true", True), ("quantized: true, not_module: [l.q_proj]", False),
    ],
)  # fmt: skip
def test_a_rule_looks_at_the_modules_that_all_of_its_scope_covers(scope: str, said: bool) -> None:
    body = f"each: module\nfor: {{{scope}}}\nrequire: {{that: N == 99}}"
    assert ("l.q_proj" in messages("{module}", body)) is said
