"""The compiled rulebook: the same book as the YAML files give, and only where it was made of exactly these files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tensorlint.errors import RuleFileError
from tensorlint.rulebook import compiled, library
from tensorlint.rulebook.shipped import shipped_folder
from tensorlint.text.yamlread import read

SOURCES = {"scales/nan": b"summary: One.\n", "schemes/fp8": b"summary: [a, 2]\n"}
TOPS = {name: read(text, name).node for name, text in SOURCES.items()}
PACKED = compiled.pack(SOURCES, TOPS)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of one's own."""
    monkeypatch.setenv("TENSORLINT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("TENSORLINT_NO_CACHE", raising=False)
    return tmp_path / "cache"


def test_what_is_packed_is_unpacked_and_always_the_same_bytes() -> None:
    assert compiled.unpack(PACKED, compiled.digest(SOURCES)) == TOPS
    assert compiled.pack(dict(SOURCES), {name: read(text, name).node for name, text in SOURCES.items()}) == PACKED


@pytest.mark.parametrize(
    "other",
    [
        {**SOURCES, "scales/nan": b"summary: Two.\n"},
        {"scales/nan": SOURCES["scales/nan"]},
        {**SOURCES, "scales/inf": b"summary: One.\n"},
        {"scales/inf": SOURCES["scales/nan"], "schemes/fp8": SOURCES["schemes/fp8"]},
    ],
    ids=["another text", "one less", "one more", "another name"],
)
def test_it_counts_for_no_other_files(other: dict[str, bytes]) -> None:
    assert compiled.unpack(PACKED, compiled.digest(other)) is None


def test_it_counts_for_no_other_version_or_reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = compiled.digest(SOURCES)
    monkeypatch.setattr(compiled, "VERSION", "99")
    assert compiled.digest(SOURCES) != now
    monkeypatch.undo()
    monkeypatch.setattr(compiled.nodes, "__file__", str(tmp_path / "node.py"))
    (tmp_path / "node.py").write_text("# another\n")
    assert compiled.digest(SOURCES) != now


@pytest.mark.parametrize("at", [0, 30, 60, 86, 100, len(PACKED) - 1])
def test_a_damaged_byte_is_seen(at: int) -> None:
    damaged = bytearray(PACKED)
    damaged[at] ^= 1
    assert compiled.unpack(bytes(damaged), compiled.digest(SOURCES)) is None


@pytest.mark.parametrize("length", [0, 10, 50, 86, len(PACKED) - 1])
def test_a_file_that_is_cut_is_seen(length: int) -> None:
    assert compiled.unpack(PACKED[:length], compiled.digest(SOURCES)) is None


def test_it_is_kept_in_the_cache_and_found_there(cache: Path) -> None:
    assert compiled.load(SOURCES) is None
    compiled.keep(SOURCES, TOPS)
    assert compiled.load(SOURCES) == TOPS
    (found,) = cache.iterdir()
    assert found.read_bytes() == PACKED


@pytest.mark.parametrize(("value", "kept"), [("1", False), ("true", False), ("0", True), ("", True), ("no", True)])
def test_nothing_is_kept_where_no_cache_is_wanted(
    value: str, kept: bool, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORLINT_NO_CACHE", value)
    compiled.keep(SOURCES, TOPS)
    assert cache.exists() == kept


def test_a_cache_that_cannot_be_written_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("TENSORLINT_CACHE_DIR", str(tmp_path / "file" / "below"))
    compiled.keep(SOURCES, TOPS)
    assert compiled.load(SOURCES) is None


@pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")
@pytest.mark.parametrize("what", ["writable file", "writable folder", "link"])
def test_what_others_may_have_written_is_not_believed(what: str, cache: Path, tmp_path: Path) -> None:
    compiled.keep(SOURCES, TOPS)
    (file,) = cache.iterdir()
    if what == "writable file":
        cache.chmod(0o755)
        file.chmod(0o666)
    elif what == "writable folder":
        cache.chmod(0o777)
    else:
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    assert compiled.load(SOURCES) is None


def test_only_the_newest_are_kept(cache: Path) -> None:
    for n in range(6):
        compiled.keep({"a": str(n).encode()}, TOPS)
    assert len(list(cache.iterdir())) == 4


def test_the_book_is_the_same_whether_it_was_compiled_or_not(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    def book() -> library.Book:
        loading = library._Loading()
        loading.add_shipped()
        return loading.done()

    first = book()
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(library, "_read", None)  # no YAML is read any more
    second = book()
    assert {k: (r.id, r.summary, r.message, r.severity) for k, r in first.rules.items()} == {
        k: (r.id, r.summary, r.message, r.severity) for k, r in second.rules.items()
    }
    for kind in ("dialects", "families", "producers"):
        assert getattr(first, kind) == getattr(second, kind)
    assert list(first.schemes) == list(second.schemes)
    assert second.rules["scales/nan"].examples() == first.rules["scales/nan"].examples()


def test_a_mistake_behind_a_compiled_file_is_shown_with_its_line() -> None:
    loading = library._Loading()
    loading.add_shipped()
    loading = library._Loading()
    loading.add_shipped()
    file = loading.files["rule", "scales/nan"]
    with pytest.raises(RuleFileError, match=r"-->.*rules/scales/nan.yaml:1:10\n.*\n1 \| summary: "):
        file.top.mapping("it")["summary"].fail("this is wrong")


def test_files_of_users_are_never_compiled(cache: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.yaml").write_bytes((shipped_folder() / "scales" / "nan.yaml").read_bytes())
    library.load_book([own])
    before = {path: path.read_bytes() for path in cache.iterdir()}
    (own / "mine.yaml").write_text("summary: [")
    with pytest.raises(RuleFileError):
        library.load_book([own])
    assert {path: path.read_bytes() for path in cache.iterdir()} == before
