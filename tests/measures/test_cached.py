"""What the cache tells is what measuring would have told, and nothing is measured that it knows."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_measures import EVERY, told
from test_cpu_kernel import contents, each_encoding, measure
from test_scan import need

from tensorlint.dtypes import Encoding
from tensorlint.measures import cached
from tensorlint.measures.cache import MeasureCache
from tensorlint.measures.cached import CachedScanner
from tensorlint.measures.interface import CODES, SAMPLE, WORDS, Measures
from tensorlint.measures.plan import Need, Plan, make_plan
from tensorlint.measures.saved import missing, restore, save
from tensorlint.measures.scan import CpuScanner, Key, Progress, StoppedError
from tensorlint.sources.interface import Source
from tensorlint.sources.local import LocalSource
from tensorlint.sources.memory import MemorySource

CONTENT = np.random.default_rng(0).bytes(4000)
FEW = frozenset({"nan", "zero"})


class Counting:
    """A scanner that remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: dict[str, frozenset[str]] = {}

    def __call__(self, source: Source, plan: Plan, progress: Progress | None = None) -> Mapping[Key, Measures]:
        self.asked = {n.tensor.name: n.words for n in plan.needs()}
        return CpuScanner(1)(source, plan, progress)


class Setting:
    """A shard of two tensors, old enough to be cached, and a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.notes: list[str] = []
        self.path = folder / "s"
        self.path.write_bytes(CONTENT)
        self.file = folder / "cache" / "measures-1.sqlite"

    def needs(self, words: frozenset[str] = EVERY) -> list[Need]:
        return [need("x", "e4m3", 0, 2000, words=words), need("y", "f32", 2000, 4000, words=words)]

    def run(self, needs: list[Need]) -> tuple[Mapping[Key, Measures], dict[str, frozenset[str]]]:
        """(measures, what was measured for them) of a fresh source, as in a new process."""
        scanner = Counting()
        cache = MeasureCache(self.file, self.notes.append)
        found = CachedScanner(scanner, lambda: cache)(LocalSource(self.path.parent, "t"), make_plan(needs))
        return found, scanner.asked


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    monkeypatch.setattr(cached, "SMALL", 0)
    monkeypatch.setattr("tensorlint.sources.local._RACY", 0)
    return Setting(tmp_path)


def plain(found: Mapping[Key, Measures], words: frozenset[str] = EVERY) -> dict[Key, object]:
    return {key: (told(m, words), m.zero_run if "zero_pages" in words else None) for key, m in found.items()}


@each_encoding
@given(data=st.data())
def test_what_is_saved_is_restored(encoding: Encoding, data: st.DataObject) -> None:
    content = data.draw(contents(encoding))
    words = frozenset(data.draw(st.sets(st.sampled_from([*sorted(WORDS), CODES, SAMPLE]))))
    found = measure(content, encoding, words)
    again = restore(save(found, words))
    assert told(again, words - {CODES, SAMPLE}) == told(found, words - {CODES, SAMPLE})
    assert (again.codes, again.sample, again.count) == (found.codes, found.sample, found.count)
    assert again.zero_run == found.zero_run
    assert not missing(words, save(found, words))


@given(have=st.sets(st.sampled_from(sorted(WORDS))), want=st.sets(st.sampled_from(sorted(WORDS))))
def test_words_of_two_runs_are_put_together(have: set[str], want: set[str]) -> None:
    content = bytes(range(256)) + bytes(40)
    encoding = need("x", "e4m3", 0, 1).encoding
    saved = save(measure(content, encoding, frozenset(have)), have)
    lacking = missing(want, saved)
    assert lacking <= want - (have - {"byte"})
    both = restore({**saved, **save(measure(content, encoding, lacking), lacking)})
    words = frozenset(have | want)
    assert told(both, words) == told(measure(content, encoding, words), words)


def test_a_second_run_measures_nothing(setting: Setting) -> None:
    first, asked = setting.run(setting.needs())
    assert asked == {"x": EVERY, "y": EVERY}
    second, asked = setting.run(setting.needs())
    assert asked == {}
    assert plain(second) == plain(first)
    assert setting.notes == []


def test_new_words_are_measured_alone_and_of_the_tensors_that_need_them(setting: Setting) -> None:
    x, y = setting.needs(FEW)
    setting.run([x, y])
    wanted = [Need(x.tensor, x.encoding, FEW | {"largest"}), y]
    found, asked = setting.run(wanted)
    assert asked == {"x": frozenset({"largest"})}
    direct = CpuScanner(1)(LocalSource(setting.path.parent, "t"), make_plan(wanted))
    assert plain(found, FEW) == plain(direct, FEW)
    assert found["s", "x"].largest == direct["s", "x"].largest
    assert setting.run(wanted)[1] == {}


def touched(path: Path) -> None:
    os.utime(path)


def written(path: Path) -> None:
    path.write_bytes(bytes(4000))


def replaced_with_the_same_time(path: Path) -> None:
    """As cp -p and rsync -t do it: same size, same time of modification."""
    before = path.stat()
    path.with_name("new").write_bytes(bytes(4000))
    path.with_name("new").rename(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def written_in_place_with_the_same_time(path: Path) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        file.write(bytes(4000))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [touched, written, replaced_with_the_same_time, written_in_place_with_the_same_time])
def test_a_file_that_changed_is_read_again(setting: Setting, change: object) -> None:
    setting.run(setting.needs())
    change(setting.path)  # type: ignore[operator]
    found, asked = setting.run(setting.needs())
    assert asked == {"x": EVERY, "y": EVERY}
    direct = CpuScanner(1)(LocalSource(setting.path.parent, "t"), make_plan(setting.needs()))
    assert plain(found) == plain(direct)


def test_a_file_that_was_just_written_is_not_cached(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorlint.sources.local._RACY", 10**15)
    setting.run(setting.needs())
    assert setting.run(setting.needs())[1] == {"x": EVERY, "y": EVERY}
    assert not setting.file.exists()


def test_the_same_bytes_read_another_way_are_measured(setting: Setting) -> None:
    setting.run([need("x", "e4m3", 0, 2000)])
    assert setting.run([need("x", "int8", 0, 2000)])[1] == {"x": EVERY}


def test_a_file_that_ends_early_keeps_what_was_known(setting: Setting) -> None:
    x, y = setting.needs()
    setting.run([x])
    beyond = need("z", "uint8", 3990, 5000)
    with pytest.raises(StoppedError) as stopped:
        setting.run([x, y, beyond])
    assert set(stopped.value.measured) >= {("s", "x")}
    assert ("s", "z") not in stopped.value.measured


def test_every_batch_is_stored_at_once(tmp_path: Path, setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "BATCH", 1)
    (tmp_path / "t").write_bytes(bytes(10))
    rows = [need("x", "uint8", 0, 4000, "s"), need("z", "uint8", 0, 20, "t")]
    with pytest.raises(StoppedError) as stopped:
        setting.run(rows)
    assert set(stopped.value.measured) == {("s", "x")}
    assert setting.run(rows[:1])[1] == {}


@pytest.mark.parametrize(
    "row", ["[]", "{}", '{"count": 1, "nan": 3}', '{"count": "x"}', '{"count": 1, "zero_pages": [1]}']
)
def test_a_row_that_makes_no_sense_is_measured_again(setting: Setting, row: str) -> None:
    setting.run(setting.needs())
    cache = MeasureCache(setting.file, setting.notes.append)
    assert cache.info().tensors == 2
    assert cache._database is not None
    with cache._database:
        cache._database.execute("update measures set saved = ?", (row,))
    cache.close()
    assert setting.run(setting.needs())[1] == {"x": EVERY, "y": EVERY}
    assert setting.run(setting.needs())[1] == {}


def test_small_checkpoints_leave_no_cache(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "SMALL", 1 << 20)
    setting.run(setting.needs())
    assert not setting.file.exists()


RUN = measure(bytes(8192), need("x", "uint8", 0, 1).encoding, frozenset({"zero_pages"})).zero_run
FULL = Measures(
    count=9, nan=1, inf=2, zero=3, negative=4, subnormal=5, ceiling=6, below_ceiling=7, ceiling_runs=8, floor=9,
    smallest=0.5, largest=2.0, first=(3, 1.5), lowest_byte=4, highest_byte=5,
    positions={"nan": 10, "inf": 11, "zero": 12, "negative": 13, "subnormal": 14}, zero_run=RUN, codes=(1, 2, 3),
    sample=(4, 5),
)  # fmt: skip


@pytest.mark.parametrize(
    ("word", "row"),
    [
        ("count", {}),
        ("nan", {"nan": [1, 10]}),
        ("subnormal", {"subnormal": [5, 14]}),
        ("ceiling", {"ceiling": [6, None]}),
        ("floor", {"floor": [9, None]}),
        ("all_zero", {"all_zero": 3}),
        ("uniform", {"uniform": [4, 5]}),
        ("byte", {"uniform": [4, 5]}),
        ("zero_pages", {"zero_pages": [[0, 8192, 8192, 8192, (2, 0)]]}),
        ("first", {"first": (3, 1.5)}),
        ("smallest", {"smallest": 0.5}),
        ("largest", {"largest": 2.0}),
        (CODES, {CODES: (1, 2, 3)}),
        (SAMPLE, {SAMPLE: (4, 5)}),
    ],
)
def test_what_is_saved_of_a_word(word: str, row: dict[str, object]) -> None:
    assert save(FULL, [word]) == {"count": 9, **row}
    again = restore(json.loads(json.dumps(save(FULL, [word]))))
    assert save(again, [word]) == save(FULL, [word])
    assert again.count == 9


def test_a_row_of_the_cache_is_as_long_as_what_was_asked() -> None:
    bare = restore({"count": 4})
    assert bare == Measures(count=4)
    assert save(Measures(count=4), ["zero_pages", CODES]) == {"count": 4, "zero_pages": None, CODES: None}
    assert restore({"count": 4, "zero_pages": None, CODES: None}) == Measures(count=4)
    assert restore({"count": 4, "zero": [2, 1], "all_zero": 2}).zero == 2


@pytest.mark.parametrize(
    ("words", "saved", "lacking"),
    [
        (["nan"], {}, ["nan"]),
        (["nan"], {"nan": [0, None]}, []),
        (["byte", "uniform"], {"uniform": [0, 0]}, []),
        (["byte"], {"byte": 1}, ["byte"]),
        (["all_zero"], {"zero": [0, None]}, []),
        (["all_zero"], {"all_zero": 0}, []),
        (["zero"], {"all_zero": 0}, ["zero"]),
        (["all_zero", "nan"], {}, ["all_zero", "nan"]),
        (["count"], {"count": 1}, []),
    ],
)
def test_words_that_a_row_does_not_tell(words: list[str], saved: dict[str, object], lacking: list[str]) -> None:
    assert missing(words, saved) == frozenset(lacking)


class Nothing(MemorySource):
    """A source that has no identity to vouch for."""


def asked_of(source: Source, size: int, opened: list[str]) -> None:
    def cache() -> None:
        opened.append("cache")

    CachedScanner(CpuScanner(1), cache)(source, make_plan([need("x", "uint8", 0, size, "s")]))


@pytest.mark.parametrize(("size", "looked_up"), [(99, False), (100, True), (101, True)])
def test_a_local_checkpoint_is_looked_up_from_a_size_on(
    size: int, looked_up: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "SMALL", 100)
    (tmp_path / "s").write_bytes(bytes(size))
    opened: list[str] = []
    asked_of(LocalSource(tmp_path, "t"), size, opened)
    assert opened == ["cache"] * looked_up
    asked_of(Nothing({"s": bytes(size)}), size, opened)
    assert opened == ["cache"] * looked_up


class Remote(MemorySource):
    """Files of a server that always have the same content; `prefetch` is told nothing here."""

    fetched = 0

    def identity(self, name: str) -> str | None:
        return None if name == "unknown" else f"id of {name}"

    def prefetch(self, ranges: object) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_remote_checkpoint_is_looked_up_however_small(tmp_path: Path) -> None:
    source = Remote({"s": bytes(9), "unknown": bytes(5)})
    plan = make_plan([need("x", "uint8", 0, 9, "s"), need("y", "uint8", 0, 5, "unknown")])
    told_: list[int] = []
    for asked, fetched in ((["x", "y"], 14), (["y"], 5)):
        told_.clear()
        scanner, cache = Counting(), MeasureCache(tmp_path / "measures-1.sqlite", print)
        found = CachedScanner(scanner, lambda cache=cache: cache)(source, plan, told_.append)  # type: ignore[misc]
        assert (sorted(scanner.asked), sum(told_)) == (asked, fetched)
        assert {key: m.count for key, m in found.items()} == {("s", "x"): 9, ("unknown", "y"): 5}
        assert cache._database is None  # closed
    assert MeasureCache(tmp_path / "measures-1.sqlite", print).info().files == 1


@pytest.mark.parametrize(
    ("batch", "sizes", "parts"),
    [
        (10, [4, 5, 6], ["abc"]),
        (9, [4, 5, 6], ["ab", "c"]),
        (8, [4, 5, 6], ["ab", "c"]),
        (4, [4, 5, 6], ["a", "b", "c"]),
        (15, [4, 5, 6], ["abc"]),
        (16, [4, 5, 6], ["abc"]),
        (6, [6, 5, 6], ["a", "bc"]),
        (1, [], []),
        (1, [0, 1, 0], ["ab", "c"]),
    ],
)
def test_batches_are_whole_shards(
    batch: int, sizes: list[int], parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "BATCH", batch)
    plan = make_plan([need("x", "uint8", 3, 3 + size, "abc"[n]) for n, size in enumerate(sizes)])
    made = list(cached._batches(plan))
    assert ["".join(p.by_shard) for p in made] == parts
    assert [n for p in made for n in p.needs()] == list(plan.needs())


def test_a_place_is_where_the_bytes_lie_and_how_they_are_read() -> None:
    row = need("x", "e4m3", 7, 9, "shard")
    assert (cached.place(row), cached.key_of(row)) == ((7, 9, "e4m3"), ("shard", "x"))


def test_a_file_that_is_written_to_while_it_is_read_is_not_stored(setting: Setting) -> None:
    class Writing(Counting):
        def __call__(self, source: Source, plan: Plan, progress: Progress | None = None) -> Mapping[Key, Measures]:
            found = super().__call__(source, plan, progress)
            written(setting.path)
            return found

    cache = MeasureCache(setting.file, setting.notes.append)
    CachedScanner(Writing(), lambda: cache)(LocalSource(setting.path.parent, "t"), make_plan(setting.needs()))
    assert not setting.file.exists()


def test_what_is_asked_for_keeps_its_place_in_the_cache(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    touched_: list[list[str]] = []
    monkeypatch.setattr(MeasureCache, "touch", lambda self, identities: touched_.append(list(identities)))
    setting.run(setting.needs())
    setting.run(setting.needs())
    assert [len(names) for names in touched_] == [1, 1]
    assert touched_[0] == touched_[1]
