"""The text report, compared exactly with tests/snapshots/*.txt; TENSORLINT_SNAPSHOTS=write writes them anew."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from linted import check, rules_of
from tensorlint.report.findings import Finding, Location, Report
from tensorlint.report.formats import REPORTERS
from tensorlint.report.interface import Options
from tensorlint.rulebook.examples import read_examples
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource
from tensorlint.text.yamlread import read

SNAPSHOTS = Path(__file__).parent.parent / "snapshots"
NVFP4 = {
    "weight": '"U8[64, 64]"',
    "weight_scale": '"F8_E4M3[64, 8] = 0x38, 0x3c, 0x40, 0x35"',
    "weight_scale_2": '"F32[] = 0.001"',
    "input_scale": '"F32[] = 0.002"',
}


def nvfp4(module: str, **changed: str) -> str:
    return "".join(f"    {module}.{part}: {value}\n" for part, value in {**NVFP4, **changed}.items())


def shard(*modules: str) -> str:
    return "- model.safetensors:\n" + "".join(modules)


NAN = nvfp4("model.layers.4.mlp.down_proj", weight_scale='"F8_E4M3[64, 8] = 0x38, 0x3c, 0x40; [2..4] = 0x7f"')
CASES: Mapping[str, tuple[str, str]] = {
    "nan-scale": ("full", shard(NAN)),
    "f32-scalar": ("full", shard(nvfp4("model.layers.0.mlp.up_proj", weight_scale_2='"F32[] = nan"'))),
    "grouped": (
        "full",
        shard(
            *(
                nvfp4(f"model.layers.{n}.mlp.experts.{e}.{w}", weight_scale_2='"F32[] = inf"')
                for n in range(3) for e in range(4) for w in ("w1", "w3")
            )
        ),
    ),
    "file-level": ("full", "- model.safetensors: {tensors: {a.weight: \"BF16[64, 64]\"}, cut: 100}\n"),
    "config": (
        "full",
        shard(nvfp4("model.layers.0.mlp.up_proj"))
        + "  config.json: {quantization_config: {quant_method: modelopt, quant_algo: NVFP4, ignore: ['lm_haed']}}\n",
    ),
    "clean": (
        "full",
        shard(nvfp4("model.layers.0.mlp.up_proj"))
        + "  config.json: {quantization_config: {quant_method: modelopt, quant_algo: NVFP4, group_size: 16}}\n",
    ),
    "clean-headers": ("headers", shard(nvfp4("model.layers.0.mlp.up_proj"))),
    "clean-scales": ("scales", shard(nvfp4("model.layers.0.mlp.up_proj"))),
    "unreadable-shard": (
        "full",
        '- model-00001-of-00002.safetensors: {a.weight: "BF16[8, 8]"}\n  model-00002-of-00002.safetensors: {raw: "00"}\n',
    ),
    "unknown-scheme": (
        "full",
        '- model.safetensors: {l.q_proj.codes: "U8[64, 64]", l.q_proj.scales: "BF16[64]", l.q_proj.sign_bits: "U8[64]"}\n',
    ),
    "unquantized": ("full", '- model.safetensors: {model.layers.0.mlp.up_proj.weight: "BF16[8, 8]"}\n'),
    "odd-names": ("full", '- model.safetensors: {"a\\e[31mb.weight": "BF16[2, 2] = nan"}\n'),
}  # fmt: skip


@pytest.fixture(scope="module")
def book():
    return load_book()


def report_of(book, text: str, depth: str) -> Report:
    top = read("bad:\n" + text.replace("\n  config", "\n  config") + "", "example.yaml")
    (example,) = read_examples(top.mapping("it")["bad"], "`good`", need_says=False)
    report = check(MemorySource(example.files, "model"), book, rules_of(book), depth)
    return replace(report, seconds=0.1, rules_run=report.rules_run[:50])


def rendered(format_: str, report: Report, options: Options) -> str:
    return REPORTERS[format_].render([report], options)


def compare(name: str, text: str) -> None:
    # How many rules there are changes with every new one.
    text = re.sub(r"\b\d+ rules (needs?|on)", r"N rules \1", text)
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("TENSORLINT_SNAPSHOTS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("name", CASES)
def test_text(name, book):
    depth, text = CASES[name]
    compare(name, rendered("text", report_of(book, text, depth), Options(width=100)))


def test_a_finding_that_is_only_a_note(book):
    report = report_of(book, *reversed(CASES["config"]))
    only = replace(report, findings=tuple(f for f in report.findings if f.severity == "note"))
    compare("notes-only", rendered("text", only, Options(width=100)))
    assert "not shown" in rendered("text", only, Options(notes=False))


def test_a_stopped_run(book):
    report = report_of(book, *reversed(CASES["nan-scale"]))
    compare(
        "stopped", rendered("text", replace(report, stopped="model.safetensors shrank while it was read"), Options())
    )
    quiet = replace(report, findings=(), stopped="the server closed the connection")
    assert "nothing found before it stopped" in rendered("text", quiet, Options())


def test_narrow_and_concise(book):
    report = report_of(book, *reversed(CASES["nan-scale"]))
    text = rendered("text", report, Options(width=60))
    assert max(len(line) for line in text.splitlines()) <= 60
    compare("narrow", text)
    compare("concise", rendered("concise", report, Options()))


@pytest.mark.parametrize(
    ("name", "depth"), [("clean-headers", "headers"), ("clean-scales", "scales"), ("unknown-scheme", "full")]
)
def test_what_was_not_looked_at_is_not_called_clean(name, depth, book):
    text = rendered("text", report_of(book, CASES[name][1], depth), Options())
    assert "\nno findings\n" not in text
    assert "not run:" in text or "not checked:" in text


def test_no_colour_unless_asked_for_and_the_same_text_with_it(book):
    report = report_of(book, *reversed(CASES["nan-scale"]))
    plain = rendered("text", report, Options())
    styled = rendered("text", report, Options(color=True))
    assert "\x1b" not in plain
    assert "\x1b[1;31m" in styled
    assert re.sub(r"\x1b\[[\d;]*m", "", styled) == plain


@pytest.mark.parametrize("format_", ["text", "concise"])
def test_control_characters_never_reach_the_terminal(format_, book):
    evil = "a\x1b]0;x\x07\u202eb\r\n"
    finding = Finding(
        "scales/nan", "error", f"m{evil}", f"e{evil}", f"r{evil}", (f"s{evil}",), 1, {}, (Location(f"f{evil}", f"t{evil}"),)
    )  # fmt: skip
    report = Report(
        f"t{evil}", "full", ("",), (finding,), {f"s{evil}": 1}, 1, 1, 1, 1, 0.1, (), {f"r{evil}": f"needs {evil}"},
        (f"g{evil}",), f"x{evil}",
    )  # fmt: skip
    text = rendered(format_, report, Options(width=4000))
    assert not set(text) & set("\x1b\x07\u202e\r")
    assert "\\x1b" in text


def test_the_limit_says_what_it_hides(book):
    report = report_of(book, *reversed(CASES["nan-scale"]))
    two = replace(report, findings=report.findings * 2)
    assert "... and 1 more finding (--limit 0 shows all)" in rendered("text", two, Options(limit=1))
    assert "more finding" not in rendered("text", two, Options(limit=0))
