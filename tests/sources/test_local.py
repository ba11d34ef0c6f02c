"""Local files and folders: what is listed, and what happens when they change while they are read."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import tensorlint
from linted import rules_of
from tensorlint.cli import main
from tensorlint.errors import UnfinishedError
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.run.run import Run
from tensorlint.settings.ruleset import Ruleset
from tensorlint.sources import local
from tensorlint.sources.local import LocalSource

HEADER = b'{"a.weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}} '
SHARD = len(HEADER).to_bytes(8, "little") + HEADER + b"\0\0\x80\x3f" * 4
NAME = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / NAME).write_bytes(SHARD)
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def source(path: Path) -> LocalSource:
    return LocalSource(path, str(path))


@pytest.fixture(params=["preadv", "seek"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both ways to read at an offset; the second one is for systems without `preadv`."""
    if request.param == "seek":
        monkeypatch.delattr(os, "preadv", raising=False)
    elif not hasattr(os, "preadv"):
        pytest.skip("no preadv here")
    yield request.param


@pytest.mark.parametrize(("offset", "length"), [(0, 0), (0, 8), (5, 9), (len(SHARD) - 1, 1), (0, len(SHARD))])
def test_a_range_is_read_exactly(folder: Path, reading: str, offset: int, length: int) -> None:
    file = source(folder).open(NAME)
    assert file.read(offset, length) == SHARD[offset : offset + length]
    file.close()
    file.close()


def test_short_reads_are_continued(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = local._read_at
    monkeypatch.setattr(local, "_read_at", lambda fd, buffer, offset: whole(fd, buffer[:3], offset))
    file = source(folder).open(NAME)
    assert file.read(0, len(SHARD)) == SHARD
    file.close()


def test_threads_that_share_a_file_do_not_mix_their_ranges(tmp_path: Path, reading: str) -> None:
    data = bytes(range(256)) * 64
    (tmp_path / NAME).write_bytes(data)
    file = source(tmp_path).open(NAME)
    file.read(0, 1)
    wrong: list[int] = []

    def work(start: int) -> None:
        wrong.extend(i for i in range(start, 256 * 60, 97) if file.read(i, 64) != data[i : i + 64])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    file.close()
    assert wrong == []


# -- files that change ----------------------------------------------------------------------------------------------


def test_a_file_that_shrinks_while_open_is_unfinished_not_a_crash(folder: Path, reading: str) -> None:
    file = source(folder).open(NAME)
    file.read(0, 8)
    os.truncate(folder / NAME, 20)
    with pytest.raises(UnfinishedError, match=f"{NAME} ended at byte 20 while it was read; it had {len(SHARD)} bytes"):
        file.read(8, len(SHARD) - 8)
    file.close()


def test_a_file_that_vanished_after_it_was_listed_is_unfinished(folder: Path) -> None:
    listed = source(folder)
    assert NAME in listed.files()
    (folder / NAME).unlink()
    with pytest.raises(UnfinishedError, match=r"cannot read .*: No such file"):
        listed.open(NAME).read(0, 8)


def test_a_file_that_became_a_folder_is_unfinished(folder: Path) -> None:
    listed = source(folder)
    assert NAME in listed.files()
    (folder / NAME).unlink()
    (folder / NAME).mkdir()
    with pytest.raises(UnfinishedError, match="cannot read"):
        listed.open(NAME).read(0, 8)


@pytest.mark.parametrize("how", ["shrinks", "vanishes"])
def test_a_run_in_which_a_shard_changes_ends_early_and_says_so(folder: Path, how: str) -> None:
    book = load_book()
    rules = rules_of(book)
    target = source(folder)
    run = Run.of(target, Ruleset(book, rules))
    if how == "shrinks":
        os.truncate(folder / NAME, len(SHARD) - 9)
    else:
        (folder / NAME).unlink()
    report = run.report()
    assert (
        f"went from {len(SHARD):,} to {len(SHARD) - 9:,} bytes" if how == "shrinks" else "cannot read"
    ) in report.stopped


def test_the_command_ends_with_exit_code_4_when_a_shard_vanishes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = LocalSource.open

    def vanish(self: LocalSource, name: str) -> local.LocalFile:
        (folder / NAME).unlink(missing_ok=True)
        return opened(self, name)

    monkeypatch.setattr(LocalSource, "open", vanish)
    assert main(["check", str(folder)]) == 4
    assert "cannot read" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_unfinished(folder: Path) -> None:
    (folder / NAME).chmod(0)
    with pytest.raises(UnfinishedError, match="Permission denied"):
        source(folder).open(NAME).read(0, 8)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_without_permission_is_unfinished(folder: Path) -> None:
    closed = folder / "sub"
    closed.mkdir()
    closed.chmod(0)
    try:
        with pytest.raises(UnfinishedError, match="cannot list"):
            source(folder).files()
    finally:
        closed.chmod(0o700)


def test_a_folder_that_vanished_is_unfinished(tmp_path: Path) -> None:
    with pytest.raises(UnfinishedError, match="cannot list"):
        source(tmp_path / "gone").files()


# -- what is listed -------------------------------------------------------------------------------------------------


def test_a_folder_lists_files_below_it_with_sizes_and_no_caches(folder: Path) -> None:
    for name in ("unet", ".git", ".cache", "__pycache__"):
        (folder / name).mkdir()
        (folder / name / NAME).write_bytes(b"12345678")
    assert source(folder).files() == {NAME: len(SHARD), "config.json": 2, f"unet/{NAME}": 8}


def test_a_single_file_lists_only_itself_and_the_json_beside_it(folder: Path) -> None:
    (folder / "other.safetensors").write_bytes(SHARD)
    (folder / "unet").mkdir()
    (folder / "unet" / "config.json").write_text("{}")
    target = source(folder / NAME)
    assert target.files() == {NAME: len(SHARD), "config.json": 2}
    assert target.single == NAME


def test_links_to_files_are_files_and_links_to_nowhere_are_broken(folder: Path) -> None:
    blob = folder / ".cache" / "blob"
    blob.parent.mkdir()
    blob.write_bytes(SHARD)
    (folder / "linked.safetensors").symlink_to(blob)
    (folder / "broken.safetensors").symlink_to(folder / "nothing")
    (folder / "itself.safetensors").symlink_to(folder / "itself.safetensors")
    target = source(folder)
    assert target.files()["linked.safetensors"] == len(SHARD)
    assert set(target.broken_links()) == {"broken.safetensors", "itself.safetensors"}


def test_a_broken_link_reads_as_an_empty_file(folder: Path) -> None:
    (folder / "broken.json").symlink_to(folder / "nothing")
    file = source(folder).open("broken.json")
    assert (file.size, file.read(0, file.size)) == (0, b"")


def test_links_to_folders_are_not_followed_so_loops_end(folder: Path) -> None:
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "sub").mkdir()
    (folder / "sub" / "up").symlink_to("..", target_is_directory=True)
    assert set(source(folder).files()) == {NAME, "config.json"}


def test_a_link_to_a_folder_can_be_the_target_itself(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("links") / "model"
    link.symlink_to(folder, target_is_directory=True)
    assert NAME in source(link).files()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_named_like_a_shard_is_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.safetensors")
    (folder / "linked.safetensors").symlink_to(folder / "pipe.safetensors")
    assert set(source(folder).files()) == {NAME, "config.json"}


def test_a_folder_of_too_many_files_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MAX_FILES", 1)
    with pytest.raises(UnfinishedError, match="more than 1 files"):
        source(folder).files()


def _download(root: Path, names: Sequence[str], tree: str | None) -> Path:
    """A snapshot in a Hub cache that holds one of two shards, and what huggingface_hub noted of the commit."""
    snapshot = root / "models--org--m" / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    places = {"a.weight": "model-00001-of-00002.safetensors", "b.weight": "model-00002-of-00002.safetensors"}
    index = {"metadata": {"total_size": 8}, "weight_map": places}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    for tensor, name in places.items():
        if name in names:
            (snapshot / name).write_bytes(write_shard({tensor: ("F32", (1,), b"\0\0\x80?")}))
    if tree is not None:
        trees = root / "models--org--m" / "trees"
        trees.mkdir()
        (trees / "c0ffee.json").write_text(tree)
    return snapshot


TREE = json.dumps({"files": {n: {} for n in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")}})
FIRST = ["model-00001-of-00002.safetensors"]


def test_a_partial_download_is_a_gap_not_a_broken_checkpoint(tmp_path: Path) -> None:
    report = tensorlint.check(_download(tmp_path, FIRST, TREE))
    assert not report.findings
    assert report.gaps == ("1 shard of the model was not downloaded",)
    assert not report.complete


@pytest.mark.parametrize("tree", [None, "{", "[]", '{"files": 1}', '{"files": {}}'])
def test_without_a_note_of_the_commit_a_missing_shard_is_missing(tmp_path: Path, tree: str | None) -> None:
    report = tensorlint.check(_download(tmp_path, FIRST, tree))
    assert [f.rule for f in report.findings] == ["index/missing-shard"]


def test_a_complete_download_is_complete(tmp_path: Path) -> None:
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    report = tensorlint.check(_download(tmp_path, names, TREE))
    assert (report.findings, report.gaps, report.complete) == ((), (), True)
