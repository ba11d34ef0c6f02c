"""How much of a tensor is shown, and from how many values on a chart is worth it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from linted import check, rules_of
from notation import BOOK, source
from tensorlint.container.header import TensorInfo
from tensorlint.dtypes import encoding_of
from tensorlint.report.findings import Evidence, Finding
from tensorlint.run.distribution import distribution
from tensorlint.sources import local
from tensorlint.sources.memory import MemorySource


def finding(rule: str, tensors: dict[str, str]) -> Finding:
    return check(source(tensors), BOOK, rules_of(BOOK, (rule,))).findings[0]


@pytest.mark.parametrize(
    ("at", "start", "shown"),
    [(0, 0, 8), (3, 0, 11), (4, 0, 12), (5, 1, 12), (16, 12, 12), (24, 20, 12), (25, 21, 11), (31, 27, 5)],
)
def test_four_elements_are_shown_before_a_bad_one_and_seven_behind_it(at: int, start: int, shown: int) -> None:
    found = finding("weights/nan", {"a.weight": f"F32[2, 32] = 1; [{32 + at}] = nan"}).evidence
    assert isinstance(found, Evidence)
    assert (found.start, len(found.elements), found.marked) == ((1, start), shown, frozenset({at - start}))


@pytest.mark.parametrize(("count", "charted"), [(7, False), (8, True)])
def test_eight_scales_are_worth_a_chart(count: int, charted: bool) -> None:
    tensors = {"l.weight": f"F8_E4M3[{count}, 8]", "l.weight_scale": f"F32[{count}, 1] = 0.5; [3] = nan"}
    assert (finding("scales/nan", tensors).distribution is not None) == charted


def powers(count: int) -> list[str]:
    """The labels of bins of as many powers of two."""
    data = b"".join(struct.pack("<f", 2.0**n) for n in range(count))
    found = distribution(
        TensorInfo("t", "F32", (count,), "s", 0, len(data)), encoding_of("F32"), "nan", MemorySource({"s": data})
    )
    assert found is not None
    return [b.label for b in found.bins]


@pytest.mark.parametrize(
    ("count", "bins", "last"), [(24, 24, "2^23"), (25, 13, "2^24"), (48, 24, "2^46..2^47"), (49, 17, "2^48")]
)
def test_more_than_twenty_four_powers_of_two_share_bins(count: int, bins: int, last: str) -> None:
    found = powers(count)
    assert (len(found), found[-1]) == (bins, last)


class Remote(MemorySource):
    """Files that come over a network."""

    fetched = 0

    def facts(self, name: str) -> tuple[()]:
        return ()

    def prefetch(self, ranges: object) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize(("kind", "most"), [(MemorySource, 64 << 20), (Remote, 1 << 20)])
def test_a_chart_is_made_of_64_mebibytes_and_over_a_network_of_one(kind: type[MemorySource], most: int) -> None:
    for size in (most, most + 1):
        tensor = TensorInfo("t", "F8_E4M3", (size,), "s", 0, size)
        found = distribution(tensor, encoding_of("F8_E4M3"), "nan", kind({"s": bytes(size)}))
        assert found is not None and (found.elements, found.of) == (most, size)


@pytest.mark.parametrize(("entries", "known"), [(4, True), (5, False)])
def test_folders_of_too_many_entries_are_not_looked_through(
    entries: int, known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert local.MAX_LOOKED_AT == 20_000  # of them all is a second's work
    monkeypatch.setattr(local, "MAX_LOOKED_AT", 4)
    (tmp_path / "sub").mkdir()
    for n in range(entries - 1):
        (tmp_path / "sub" / f"{n}.safetensors").touch()
    assert local.folders_with_weights(tmp_path) == ((str(tmp_path / "sub"),), known)
