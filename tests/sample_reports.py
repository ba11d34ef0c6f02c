"""Reports for the tests of formats: one as a run makes it, one with every state, one with names of strangers."""

from __future__ import annotations

from dataclasses import replace

import build
from linted import check, rules_of
from tensorlint.report.findings import Bin, Distribution, Evidence, Finding, Line, Location, Report, Spread, Suppression
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

INDEX = "model.safetensors.index.json"


def broken(shards: int = 3) -> dict[str, bytes]:
    """NVFP4 with NaN scales in several layers and modules, a dead ignore entry and a wrong number of layers."""
    model = build.nvfp4()
    model.shards = shards
    for name in ("layers.0.self_attn.o_proj", "layers.1.self_attn.o_proj", "layers.1.mlp.down_proj"):
        model.tensors[f"model.{name}.weight_scale"].put(5, b"\x7f", b"\xff")
    config = model.configs["config.json"]
    config["num_hidden_layers"] = 3
    model.configs["hf_quant_config.json"]["quantization"]["exclude_modules"].append("lm_haed")
    return model.files()


def run(files: dict[str, bytes], target: str = "model") -> Report:
    """The report on files in memory; what changes from run to run, or with every new rule, is fixed."""
    book = load_book()
    report = check(MemorySource(files, target), book, rules_of(book))
    return replace(report, seconds=0.1, rules_run=tuple(r for r in report.rules_run if r.startswith("scales/n")))


def stated() -> Report:
    """A report compared with a baseline: new, known, gone and suppressed findings, skipped rules and gaps."""
    place = Location("a.safetensors", "model.layers.3.mlp.up_proj.weight_scale", (4, 2), 4097, None, 1)
    first = Finding(
        "scales/nan",
        "error",
        "2 of 64 block_scale values are NaN",
        "the effect",
        "the remedy",
        ("a/b#1", "c/d#2"),
        2,
        {"nan": 2, "count": 64},
        (replace(place, line=Line(INDEX, 7)), replace(place, tensor="model.layers.4.mlp.up_proj.weight_scale")),
        Evidence(place.tensor, "F8_E4M3", (8, 8), (4, 0), ("38", "39", "7f"), frozenset({2}), "0x7f is NaN in E4M3"),
        "a known defect",
        "",
        "f" * 16,
        None,
        "new",
        Distribution(place.tensor, "F8_E4M3", 64, 64, (Bin("2^0", 60), Bin("2^1", 2), Bin("NaN", 2, 2))),
    )
    config = Location("config.json", line=Line("config.json", 12))
    many = Spread(("model.layers.{0..9999}.w",), 1, 3, tuple((n, "w", 10) for n in range(10)))
    findings = (
        first,
        replace(first, rule="scales/inf", state="known", fingerprint="a" * 16),
        replace(
            first,
            rule="scales/zero",
            fingerprint="b" * 16,
            suppression=Suppression("dead experts, see the model card", "2031-05-01", "tensorlint.toml:9"),
        ),
        replace(first, rule="scales/huge", severity="warning", state="gone", fingerprint="c" * 16),
        Finding("config/dead-entry", "note", "the entry `lm_haed` covers no module", locations=(config,), fingerprint="d" * 16, state="new"),
        Finding("my/rule", "warning", "many", count=12_000, locations=(place,), spread=many, fingerprint="e" * 16, state="new"),
    )  # fmt: skip
    return Report(
        "model", "scales", ("",), findings, {"nvfp4-modelopt": 42}, 99, 3, 1000, 2000, 0.25, ("scales/nan", "my/rule"),
        {"weights/nan": "needs the weights (--depth full)"}, ("b.safetensors could not be read",), "", "", "old.json",
    )  # fmt: skip


HOSTILE = "a|b`c``d\x1b]0;x\x07\u202e\r\n::error::x<img src=x onerror=1>[l](http://e.x)![i](j)@admin #1 ##[add-mask]x %0A &amp; $x$ *b* _i_ \ud800 www.e.x \\"


def hostile() -> Report:
    """Every text that can come from a stranger, or from a rule of somebody else, tries to be something else."""
    place = Location(f"f{HOSTILE}.safetensors", f"t.{HOSTILE}", (1,), 3, Line(f"i{HOSTILE}.json", 3), 1)
    finding = Finding(
        "my/rule", "error", f"m {HOSTILE}", f"e {HOSTILE}", f"r {HOSTILE}", (f"s {HOSTILE}",), 1, {f"v{HOSTILE}": HOSTILE},
        (place, replace(place, tensor=f"model.layers.1.{HOSTILE}.w")),
        Evidence(f"t {HOSTILE}", "F32", (2,), (0,), ("7f", "38"), frozenset({0}), f"n {HOSTILE}"), f"k {HOSTILE}",
        f"c {HOSTILE}", "f" * 16, None, "", Distribution(f"t {HOSTILE}", "F32", 2, 2, (Bin("0", 1), Bin("NaN", 1, 1))),
    )  # fmt: skip
    quiet = replace(finding, suppression=Suppression(f"because {HOSTILE}", "", f"w {HOSTILE}"))
    return Report(
        f"t{HOSTILE}", "full", ("",), (finding, quiet), {f"s{HOSTILE}": 1}, 1, 1, 1, 1, 0.1, ("my/rule",),
        {"my/other": f"needs {HOSTILE}"}, (f"g {HOSTILE}",), f"x {HOSTILE}", "",
    )  # fmt: skip
