"""Ignores and baselines split findings: what counts, what does not, and the numbers of both."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorlint
from linted import check, rules_of
from tensorlint.errors import UnfinishedError, UsageError
from tensorlint.report.findings import MAX_LOCATIONS, Report, fingerprint
from tensorlint.report.json import as_dict
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.run.accept import Ledger
from tensorlint.run.baseline import load_baseline
from tensorlint.run.run import Run
from tensorlint.settings.files import configuration_from
from tensorlint.settings.ruleset import Ruleset
from tensorlint.settings.settings import Settings, settings_for
from tensorlint.sources.memory import MemorySource
from tensorlint.text.toml import parse_toml

TODAY = date(2027, 3, 1)
FP8 = bytes(range(0x30, 0x40)) * 4
NAN, GOOD = struct.pack("<f", float("nan")), struct.pack("<f", 0.1)


def model(bad: list[int], count: int = 4, shards: int = 1, index: bool = True) -> MemorySource:
    """`count` FP8 modules, of which those in `bad` have a NaN scale."""
    return MemorySource(files(bad, count, shards, index))


def files(bad: list[int], count: int = 4, shards: int = 1, index: bool = True) -> dict[str, bytes]:
    """The files of a model."""
    tensors = {}
    for i in range(count):
        tensors[f"layers.{i}.q_proj.weight"] = ("F8_E4M3", (8, 8), FP8)
        tensors[f"layers.{i}.q_proj.weight_scale"] = ("F32", (), NAN if i in bad else GOOD)
    names = list(tensors)
    if shards == 1:
        return {"model.safetensors": write_shard(tensors)}
    found, where = {}, {}
    for n in range(shards):
        file = f"model-{n + 1:05}-of-{shards:05}.safetensors"
        mine = names[n::shards]
        found[file] = write_shard({name: tensors[name] for name in mine})
        where.update(dict.fromkeys(mine, file))
    if index:
        found["model.safetensors.index.json"] = json.dumps({"metadata": {}, "weight_map": where}).encode()
    return found


def run(source: MemorySource, config: str = "", baseline=None, rules=(), depth: str = "full", final: bool = True):
    book = load_book()
    ignores = settings_for("/", configuration_from(parse_toml(config.encode(), "t.toml"), "/")).ignores
    wanted = rules_of(book, rules or ["scales", "weights", "meta"])
    made = Run.of(source, Ruleset(book, wanted, Settings(ignores=ignores, depth=depth)))
    return replace(made, baseline=baseline).report(ledger=Ledger(TODAY), final=ignores if final else ())


def entry(tensor: str = "*", rule: str = "scales/nan", until: date | None = None) -> str:
    end = f"until = {until}\n" if until else ""
    return f'[[ignore]]\nrule = "{rule}"\ntensor = "{tensor}"\nreason = "known"\n{end}'


def told(report: Report) -> list[tuple[str, int, bool]]:
    return [(f.rule, f.count, f.active) for f in report.findings]


def test_a_finding_is_split_into_what_is_ignored_and_what_is_not():
    report = run(model([0, 1, 2]), entry("layers.1.*"))
    kept, ignored = report.findings
    assert [loc.tensor for loc in kept.locations] == [f"layers.{i}.q_proj.weight_scale" for i in (0, 2)]
    assert [loc.tensor for loc in ignored.locations] == ["layers.1.q_proj.weight_scale"]
    assert (kept.count, ignored.count) == (2, 1)
    assert (kept.values["nan"], ignored.values["nan"]) == (2, 1)
    assert kept.suppression is None
    assert (ignored.suppression.reason, ignored.suppression.where) == ("known", "t.toml:1")
    for f in report.findings:
        assert f.fingerprint == fingerprint(f.rule, f.checkpoint, (loc.tensor for loc in f.locations))
    assert (report.count("error"), report.exit_code("error")) == (1, 1)


def test_what_is_all_ignored_neither_counts_nor_vanishes():
    report = run(model([0, 1]), entry())
    assert told(report) == [("scales/nan", 2, False)]
    assert (report.count("error"), report.exit_code("note")) == (0, 0)


@pytest.mark.parametrize(
    ("config", "ignored"),
    [
        (entry("*.weight_scale"), True),
        (entry("model.safetensors"), True),
        (entry("*", "scales"), True),
        (entry("*", "sc*/nan"), True),
        (entry("*", "all"), True),
        (entry("layers.?.q_proj.weight_scale"), True),
        (entry("layers.[01].*"), True),
        (entry("layers.[!0]*"), False),
        (entry("*", "scales/zero"), False),
        (entry("layers"), False),
        (entry("*.weight"), False),
    ],
)
def test_which_findings_an_ignore_covers(config, ignored):
    finding = next(f for f in run(model([0]), config).findings if f.rule == "scales/nan")
    assert (finding.suppression is not None) == ignored


def test_the_first_ignore_that_covers_it_gives_the_reason():
    config = entry("layers.0.*").replace("known", "one") + entry().replace("known", "two")
    assert [f.suppression.reason for f in run(model([0, 1]), config).findings] == ["one", "two"]


def test_numbers_are_right_beyond_the_places_that_a_report_lists():
    count = MAX_LOCATIONS + 500
    report = run(model(list(range(count)), count), entry("layers.1*"))
    kept, ignored = report.findings
    covered = sum(str(i).startswith("1") for i in range(count))
    assert (kept.count, ignored.count) == (count - covered, covered)
    assert len(kept.locations) <= MAX_LOCATIONS
    names = (f"layers.{i}.q_proj.weight_scale" for i in range(count) if not str(i).startswith("1"))
    assert kept.fingerprint == fingerprint("scales/nan", "model", names)


# -- expired and unused ignores ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "active"), [(-1, True), (0, False), (1, False)])
def test_an_ignore_holds_until_the_end_of_its_last_day(days, active):
    report = run(model([0]), entry(until=TODAY + timedelta(days=days)))
    finding = next(f for f in report.findings if f.rule == "scales/nan")
    assert finding.active == active
    assert ("meta/expired-ignore" in [f.rule for f in report.findings]) == active


def test_an_expired_ignore_says_how_much_is_back_and_where_it_is_written():
    report = run(model([0, 2]), "\n" + entry(until=date(2026, 1, 1)))
    remark = next(f for f in report.findings if f.rule == "meta/expired-ignore")
    assert (remark.severity, remark.values["findings"]) == ("note", 2)
    assert (remark.locations[0].file, remark.locations[0].line.number) == ("t.toml", 2)
    assert report.exit_code("error") == 1
    assert remark.values["until"] == "2026-01-01"
    assert Report.from_json(report.to_json()) == report


@pytest.mark.parametrize(
    ("source", "config", "options", "unused"),
    [
        (model([]), entry(), {}, True),
        (model([0]), entry("layers.7.*"), {}, True),
        (model([0]), entry(), {}, False),
        (model([]), entry(until=date(2026, 1, 1)), {}, True),
        (model([]), entry(), {"final": False}, False),  # other checkpoints may need it
        (model([]), entry(), {"depth": "headers"}, False),  # the rule did not run
        (model([]), entry(), {"rules": ["weights", "meta"]}, False),  # not asked for
        (model([]), entry("*", "scales"), {"rules": ["scales/nan", "meta"]}, False),  # only a part of it ran
        (model([0]), entry("*", "scales"), {}, False),
    ],
)
def test_an_ignore_of_nothing_is_reported_where_that_is_certain(source, config, options, unused):
    remarks = [f for f in run(source, config, **options).findings if f.rule == "meta/unused-ignore"]
    assert [f.severity for f in remarks] == ["warning"] * unused


def test_every_ignore_of_nothing_is_a_finding_of_its_own():
    report = run(model([]), entry("a.*") + entry("b.*"))
    remarks = [f for f in report.findings if f.rule == "meta/unused-ignore"]
    assert sorted(f.locations[0].line.number for f in remarks) == [1, 5]
    assert len({f.fingerprint for f in remarks}) == 2
    assert {f.count for f in remarks} == {1}


def test_an_unreadable_shard_leaves_it_open_whether_an_ignore_is_used():
    source = MemorySource({**files([]), "other.safetensors": b"broken"})
    assert [f.rule for f in run(source, entry()).findings if f.rule.startswith("meta/")] == []


def test_a_run_that_stopped_early_leaves_it_open_whether_an_ignore_is_used():
    def vanished(*_, **__):
        raise UnfinishedError("the file is gone")

    book = load_book()
    ignores = settings_for("/", configuration_from(parse_toml(entry().encode(), "t.toml"), "/")).ignores
    rules = rules_of(book, ["scales", "meta"])
    made = Run.of(model([]), Ruleset(book, rules, Settings(ignores=ignores, depth="full")))
    for scanner, said in ((None, ["meta/unused-ignore"]), (vanished, [])):
        report = made.report(ledger=Ledger(TODAY), final=ignores, scanner=scanner)
        assert ([f.rule for f in report.findings], bool(report.stopped)) == (said, scanner is not None)


def test_remarks_can_be_ignored_too():
    config = entry("layers.9.*") + entry("t.toml", "meta/unused-ignore")
    report = run(model([]), config)
    assert all(not f.active for f in report.findings if f.locations[0].line.number == 1)


# -- baselines --------------------------------------------------------------------------------------------------------


def saved(report: Report, folder, several: bool = False) -> str:
    top = as_dict(report)
    if several:
        top = {"version": 1, "exit_code": 0, "targets": [{**top, "target": "other", "findings": []}, top]}
    path = folder / "old.json"
    path.write_text(json.dumps(top))
    return str(path)


@pytest.mark.parametrize("several", [False, True])
def test_a_finding_is_split_into_new_and_known(tmp_path, several):
    old = run(model([0, 1]))
    baseline = load_baseline(saved(old, tmp_path, several), old.target)
    report = run(model([1, 2]), baseline=baseline)
    assert [(f.state, [loc.tensor[7] for loc in f.locations]) for f in report.findings] == [
        ("new", ["2"]), ("gone", ["0"]), ("known", ["1"]),
    ]  # fmt: skip
    assert report.exit_code("error") == 1
    assert report.baseline.endswith("old.json")


def test_the_same_again_is_nothing_new_whatever_the_sharding(tmp_path):
    baseline = load_baseline(saved(run(model([0, 1])), tmp_path), "memory")
    for shards in (1, 2, 7):
        report = run(model([0, 1], shards=shards), baseline=baseline)
        assert [(f.state, f.count) for f in report.findings] == [("known", 2)]
        assert report.exit_code("note") == 0


def test_what_is_repaired_is_gone_only_if_its_rule_ran(tmp_path):
    baseline = load_baseline(saved(run(model([0])), tmp_path), "memory")
    assert [f.state for f in run(model([]), baseline=baseline).findings] == ["gone"]
    assert run(model([]), baseline=baseline, depth="headers").findings == ()
    assert run(model([]), baseline=baseline, rules=["weights"]).findings == ()


def test_what_a_rule_found_is_not_gone_where_its_check_did_not_run(tmp_path):
    # Several rules may speak of one fact: each of them counts as run only if the check that states it did.
    tensors = {}
    for leaf, scale in (("q_proj", 0.01), ("k_proj", 0.0105), ("v_proj", 0.01)):
        tensors[f"layers.0.self_attn.{leaf}.weight"] = ("U8", (8, 32), bytes([0x21, 0x35] * 128))
        tensors[f"layers.0.self_attn.{leaf}.weight_scale"] = ("F8_E4M3", (8, 4), bytes([0x30, 0x38] * 16))
        tensors[f"layers.0.self_attn.{leaf}.weight_scale_2"] = ("F32", (), struct.pack("<f", scale))
    source = MemorySource({"model.safetensors": write_shard(tensors)})
    old = run(source, rules=["fused"])
    assert told(old) == [("fused/scales-differ", 1, True)]
    again = run(source, rules=["fused"], baseline=load_baseline(saved(old, tmp_path), "memory"), depth="headers")
    assert told(again) == []
    assert {"fused/scales-differ", "fused/scales-far-apart"} <= set(again.rules_skipped)


def test_what_was_suppressed_is_not_known_once_its_ignore_is_removed(tmp_path):
    baseline = load_baseline(saved(run(model([0, 1]), entry("layers.0.*")), tmp_path), "memory")
    assert {(f.state, f.locations[0].tensor[7]) for f in run(model([0, 1]), baseline=baseline).findings} == {
        ("new", "0"), ("known", "1"),
    }  # fmt: skip


def test_a_report_with_a_baseline_is_a_baseline(tmp_path):
    first = load_baseline(saved(run(model([0, 1])), tmp_path), "memory")
    second = load_baseline(saved(run(model([1]), baseline=first), tmp_path), "memory")
    report = run(model([0, 1]), baseline=second)
    assert {(f.state, f.locations[0].tensor[7]) for f in report.findings} == {("new", "0"), ("known", "1")}


def test_an_empty_baseline_makes_everything_new(tmp_path):
    baseline = load_baseline(saved(run(model([])), tmp_path), "memory")
    assert [f.state for f in run(model([0]), baseline=baseline).findings] == ["new"]


def test_a_baseline_of_more_places_than_it_lists(tmp_path):
    count = MAX_LOCATIONS + 20
    baseline = load_baseline(saved(run(model(list(range(count)), count)), tmp_path), "memory")
    assert [(f.state, f.count) for f in run(model(list(range(count)), count), baseline=baseline).findings] == [
        ("known", count)
    ]
    fewer = list(range(count))[:-1]
    assert {f.state for f in run(model(fewer, count), baseline=baseline).findings} == {"known"}
    more = run(model(list(range(count + 1)), count + 1), baseline=baseline).findings
    assert {(f.state, f.count) for f in more} == {("new", 1), ("known", count)}


@pytest.mark.parametrize(
    ("before", "now", "state"),
    [
        (".", "a", "known"),
        ("a", ".", "known"),
        ("a", "a/model.safetensors", "known"),
        ("a/model.safetensors", ".", "known"),
        ("./a/", "a", "known"),
        ("a", "b", "known"),  # a report on another checkpoint, say an earlier version of it
        (".", "b", "new"),
    ],
)
def test_a_report_on_a_folder_and_one_on_a_checkpoint_in_it_know_each_other(tmp_path, monkeypatch, before, now, state):
    for folder, bad in (("a", [0]), ("b", [])):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.safetensors").write_bytes(files(bad)["model.safetensors"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.json").write_text(json.dumps(as_dict(tensorlint.check(before))))
    (tmp_path / "b" / "model.safetensors").write_bytes(files([0])["model.safetensors"])
    report = tensorlint.check(now, baseline="old.json")
    found = {f.checkpoint.rpartition("/")[0]: f.state for f in report.findings if f.rule == "scales/nan"}
    assert found == ({"": state} if now != "." else {"a": "known", "b": "new"})


def test_a_baseline_that_was_made_elsewhere_is_taken_as_one_of_this_target(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(files([0])["model.safetensors"])
    for here, before, there, now in (("model", ".", ".", "model"), (".", "model", "model", ".")):
        monkeypatch.chdir(tmp_path / here)
        (tmp_path / "old.json").write_text(json.dumps(as_dict(tensorlint.check(before))))
        monkeypatch.chdir(tmp_path / there)
        report = tensorlint.check(now, baseline=tmp_path / "old.json")
        assert {f.state for f in report.findings} == {"known"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ("[]", "no report of tensorlint"),
        ('{"version": 2, "findings": []}', "version 2"),
        ('{"version": 1, "findings": []}', "`target` is not a text"),
    ],
)
def test_what_is_no_report(tmp_path, text, says):
    (tmp_path / "old.json").write_text(text)
    with pytest.raises(UsageError, match=says) as caught:
        load_baseline(str(tmp_path / "old.json"), "x")
    assert caught.value.hint


# -- fingerprints -----------------------------------------------------------------------------------------------------


@given(st.sets(st.integers(0, 5), min_size=1), st.sampled_from([2, 3, 7]), st.booleans())
@settings(max_examples=40)
def test_fingerprints_of_findings_about_tensors_survive_resharding(bad, shards, index):
    def prints(source: MemorySource) -> set[tuple[str, str]]:
        return {(f.rule, f.fingerprint) for f in run(source, rules=["scales", "weights"]).findings}

    assert prints(model(sorted(bad), 6)) == prints(model(sorted(bad), 6, shards, index))


def test_a_damaged_shard_is_told_from_another_one_and_known_by_its_number():
    def prints(broken: int, total: int) -> set[str]:
        shards = {
            f"model-{i:05}-of-{total:05}.safetensors": b"broken"
            if i == broken
            else write_shard({f"t{i}": ("F32", (1,), GOOD)})
            for i in range(1, total + 1)
        }
        report = check(MemorySource(shards), load_book(), rules_of(load_book(), ["container"]))
        return {f.fingerprint for f in report.findings}

    assert prints(1, 3) != prints(2, 3)
    assert prints(1, 3) == prints(1, 7)
