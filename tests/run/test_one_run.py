"""The run as a whole: depths, completeness, exit codes, files that change, several checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import tensorlint
from linted import NAN_SCALE, check, nvfp4, rules_of
from tensorlint.checks import CHECKS
from tensorlint.checks.check import Check
from tensorlint.errors import NoCheckpointError, UnfinishedError, UsageError
from tensorlint.measures.plan import DEPTHS
from tensorlint.report.findings import Report
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.run.plan import jobs_for
from tensorlint.sources.interface import File
from tensorlint.sources.memory import MemoryFile, MemorySource


def run(files: Mapping[str, bytes | None], depth: str = "full") -> Report:
    book = load_book()
    return check(MemorySource(files), book, rules_of(book), depth)


def test_a_sound_checkpoint_read_in_full_is_complete() -> None:
    report = run({"model.safetensors": nvfp4()})
    assert (report.findings, report.complete, report.exit_code("error")) == ((), True, 0)
    assert report.bytes_read == report.bytes_total


@pytest.mark.parametrize(("depth", "seen"), [("headers", False), ("scales", True), ("full", True)])
def test_a_nan_scale_is_seen_from_depth_scales_on(depth: str, seen: bool) -> None:
    report = run({"model.safetensors": nvfp4(NAN_SCALE)}, depth)
    assert ("scales/nan" in {f.rule for f in report.findings}) is seen
    assert ("scales/nan" in report.rules_skipped) is not seen


@pytest.mark.parametrize("depth", ["headers", "scales"])
def test_what_was_not_read_makes_a_report_incomplete(depth: str) -> None:
    report = run({"model.safetensors": nvfp4()}, depth)
    assert not report.findings
    assert not report.complete
    assert report.rules_skipped["weights/nan"] == "needs the weights (--depth full)"
    assert report.bytes_read < report.bytes_total


@pytest.mark.parametrize("depth", ["headers", "scales", "full"])
@pytest.mark.parametrize("check_", CHECKS, ids=lambda c: "/".join(c.states))
def test_all_rules_about_a_fact_ran_or_none_did(check_: Check, depth: str) -> None:
    rules = {rule.id for rule in load_book().rules.values() if rule.fact in check_.states and not rule.engine}
    report = run({"model.safetensors": nvfp4()}, depth)
    deep = DEPTHS.index(check_.depth) > DEPTHS.index(depth)
    assert rules.isdisjoint(report.rules_run if deep else report.rules_skipped)
    assert rules <= set(report.rules_skipped if deep else report.rules_run)


def test_the_place_of_a_nan_is_file_tensor_row_column_and_byte() -> None:
    data = nvfp4(NAN_SCALE)
    (finding,) = run({"model.safetensors": data}).findings
    (place,) = finding.locations
    assert (place.file, place.tensor, place.index) == ("model.safetensors", "l.up_proj.weight_scale", (7, 7))
    assert place.byte_offset is not None
    assert data[place.byte_offset] == 0x7F


def test_an_unreadable_shard_leaves_a_gap() -> None:
    report = run(
        {"model.safetensors": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 5\n"}
    )
    assert report.gaps
    assert not report.complete
    assert report.exit_code("error") == 1


@pytest.mark.parametrize("files", [{}, {"config.json": b"{}"}, {"model.bin": b"x"}])
def test_nothing_to_check_is_an_error_not_a_clean_report(files: dict[str, bytes | None]) -> None:
    with pytest.raises(NoCheckpointError):
        run(files)


def test_a_checkpoint_without_a_tensor_is_a_finding() -> None:
    assert run({"model.safetensors": write_shard({})}).findings


@pytest.mark.parametrize(
    ("severity", "fail_on", "code"),
    [
        ("error", "error", 1),
        ("error", "never", 0),
        ("warning", "error", 0),
        ("warning", "warning", 1),
        ("note", "warning", 0),
        ("note", "note", 1),
    ],
)
def test_the_exit_code_follows_the_least_failing_severity(severity: str, fail_on: str, code: int) -> None:
    files: dict[str, dict[str, bytes | None]] = {
        "error": {"model.safetensors": nvfp4(NAN_SCALE)},
        "warning": {"model.safetensors": nvfp4(), "config.json": b'{"a": 1, "a": 2}'},
        "note": {"model.safetensors": nvfp4(), "config.json": b'{"quantization_config": {"quant_method": "new"}}'},
    }
    assert run(files[severity]).exit_code(fail_on) == code


@dataclass(frozen=True)
class ShrinkingFile:
    """A file whose tensors can be read up to `limit` and then ends."""

    inner: MemoryFile
    limit: int

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def size(self) -> int:
        return self.inner.size

    def read(self, offset: int, length: int) -> bytes:
        return self.inner.read(offset, length)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        if offset + len(buffer) > self.limit:
            raise UnfinishedError(f"{self.name} ended early")
        buffer[:] = self.read(offset, len(buffer))

    def close(self) -> None:
        return None


class ShrinkingSource(MemorySource):
    def open(self, name: str) -> File:  # type: ignore[override]
        return ShrinkingFile(super().open(name), 700)


def test_a_file_that_ends_while_it_is_read_stops_the_run_with_what_was_found() -> None:
    book = load_book()
    source = ShrinkingSource({"model.safetensors": nvfp4(), "config.json": b'{"a": 1, "a": 2}'})
    report = check(source, book, rules_of(book))
    assert "ended early" in report.stopped
    assert (report.complete, report.exit_code("never")) == (False, 4)
    assert [f.rule for f in report.findings] == ["config/duplicate-key"]


def test_components_in_sub_folders_are_checkpoints_of_their_own() -> None:
    report = run({"unet/model.safetensors": nvfp4(NAN_SCALE), "vae/model.safetensors": nvfp4(NAN_SCALE)})
    assert report.checkpoints == ("unet/model", "vae/model")
    places = sorted((f.rule, f.checkpoint, f.locations[0].file) for f in report.findings)
    assert places == [
        ("scales/nan", "unet/model", "unet/model.safetensors"),
        ("scales/nan", "vae/model", "vae/model.safetensors"),
    ]


def test_the_fingerprint_survives_resharding_and_other_offsets() -> None:
    one = run({"model.safetensors": nvfp4(NAN_SCALE)}).findings[0]
    other = {
        "model-00001-of-00002.safetensors": write_shard({"a.weight": ("F32", (1,), b"\0\0\x80?")}),
        "model-00002-of-00002.safetensors": nvfp4(NAN_SCALE),
    }
    index = {"weight_map": {"a.weight": "model-00001-of-00002.safetensors"}}
    index["weight_map"].update(
        {
            f"l.{n}": "model-00002-of-00002.safetensors"
            for n in ("up_proj.weight", "up_proj.weight_scale", "up_proj.weight_scale_2", "norm.weight")
        }
    )
    two = next(
        f
        for f in run({**other, "model.safetensors.index.json": json.dumps(index).encode()}).findings
        if f.rule == "scales/nan"
    )
    assert one.fingerprint == two.fingerprint


def test_a_plan_reads_every_tensor_once_with_all_words_wanted_of_it() -> None:
    book = load_book()
    jobs, _ = jobs_for(MemorySource({"model.safetensors": nvfp4()}), book, rules_of(book), "full")
    needs = list(jobs[0].plan.needs())
    assert len(needs) == len({n.tensor.name for n in needs}) == 4
    scale = next(n for n in needs if n.tensor.name.endswith("weight_scale"))
    assert {"nan", "zero", "negative", "ceiling"} <= scale.words


def test_the_library_call_checks_a_folder(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(nvfp4(NAN_SCALE))
    assert [f.rule for f in tensorlint.check(tmp_path).findings] == ["scales/nan"]
    assert not tensorlint.check(tmp_path, ignore=["scales"]).findings


def test_the_library_call_says_what_is_wrong_with_its_arguments(tmp_path: Path) -> None:
    with pytest.raises(NoCheckpointError):
        tensorlint.check(tmp_path / "nothing")
    with pytest.raises(UsageError, match="no depth"):
        tensorlint.check(tmp_path, depth="deep")
    (tmp_path / "model.safetensors").write_bytes(nvfp4())
    with pytest.raises(UsageError, match="no rule matches"):
        tensorlint.check(tmp_path, select=["scales/nam"])
