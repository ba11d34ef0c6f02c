"""A plan carried out on torch devices gives what the CPU gives, however it is cut, and stops cleanly when it cannot."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sameness import same
from slow_measures import EVERY
from test_scan import NAMES, need

from tensorlint.errors import UnfinishedError
from tensorlint.measures.device import lane as lanes
from tensorlint.measures.device import tally as tallying
from tensorlint.measures.device.scanner import DeviceScanner
from tensorlint.measures.plan import Need, make_plan
from tensorlint.measures.scan import Key, StoppedError, on_cpu
from tensorlint.sources.memory import MemorySource

CPU = torch.device("cpu")


def compare(found: Mapping[Key, Any], source: MemorySource, needs: list[Need]) -> None:
    theirs = on_cpu(source, make_plan(needs))
    assert found.keys() == theirs.keys()
    words = {(need.tensor.shard, need.tensor.name): need.words for need in needs}
    for key in theirs:
        same(found[key], theirs[key], words[key])


@st.composite
def layouts(draw: st.DrawFn) -> tuple[MemorySource, list[Need]]:
    """Shards of tensors of every encoding, some empty, some with a gap before them, one after the other."""
    contents, needs = {}, []
    for shard in draw(st.sampled_from([("a",), ("a", "b"), ("a", "b", "c")])):
        end = draw(st.integers(0, 20))
        for number in range(draw(st.integers(1, 5))):
            name = draw(st.sampled_from(NAMES))
            begin = end + draw(st.sampled_from([0, 0, 3]))
            end = begin + draw(st.integers(0, 600))
            words = frozenset(draw(st.sets(st.sampled_from(sorted(EVERY)), min_size=1)))
            needs.append(need(f"t{number}", name, begin, end, shard, words))
        content = np.random.default_rng(end).integers(0, 256, end, np.uint8)
        content[draw(st.integers(0, end)) :] *= draw(st.integers(0, 1))
        contents[shard] = content.tobytes()
    return MemorySource(contents), needs


@given(layout=layouts(), chunk=st.sampled_from([64, 128, 1 << 20]), small=st.sampled_from([0, 100, 1 << 20]))
def test_equals_the_cpu(device: Any, layout: tuple[MemorySource, list[Need]], chunk: int, small: int) -> None:
    source, needs = layout
    compare(DeviceScanner([device], chunk, small)(source, make_plan(needs)), source, needs)


@given(layout=layouts())
def test_several_devices_take_the_shards_in_turn(layout: tuple[MemorySource, list[Need]]) -> None:
    source, needs = layout
    seen: list[int] = []
    found = DeviceScanner([CPU] * 3, 128, 0)(source, make_plan(needs), seen.append)
    compare(found, source, needs)
    assert sum(seen) == sum(n.tensor.nbytes for n in needs)


def test_nothing_to_measure() -> None:
    assert DeviceScanner([CPU])(MemorySource({}), make_plan([])) == {}


def test_a_file_that_shrinks_ends_the_run_and_all_threads() -> None:
    needs = [need("x", "uint8", 0, 10_000, "a"), need("x", "uint8", 0, 10_000, "b")]
    before = threading.active_count()
    with pytest.raises(StoppedError, match="b has no"):
        DeviceScanner([CPU, CPU], 64, 0)(MemorySource({"a": bytes(10_000), "b": bytes(50)}), make_plan(needs))
    assert threading.active_count() == before


def test_what_was_measured_before_the_run_stopped_is_kept() -> None:
    needs = [need("x", "uint8", 0, 100, "a"), need("y", "uint8", 0, 100, "b")]
    with pytest.raises(StoppedError) as caught:
        DeviceScanner([CPU], 64, 0)(MemorySource({"a": bytes(100), "b": bytes(50)}), make_plan(needs))
    assert {key: m.count for key, m in caught.value.measured.items()} == {("a", "x"): 100}


@pytest.mark.parametrize(
    "said, sentence",
    [
        ("CUDA error: device-side assert triggered\nCompile with ...", "cpu failed: CUDA error: device-side assert"),
        ("CUDA out of memory. Tried to allocate 1 GiB", "cpu has no memory left"),
    ],
)
def test_a_device_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch, said: str, sentence: str) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError(said)

    monkeypatch.setattr(tallying, "measure", broken)
    with pytest.raises(UnfinishedError) as caught:
        DeviceScanner([CPU], 64, 0)(MemorySource({"s": bytes(100)}), make_plan([need("x", "uint8", 0, 100)]))
    assert caught.value.message.startswith(sentence)
    assert "\n" not in caught.value.message
    assert "--device cpu" in caught.value.hint


def test_buffers_are_halved_until_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch.empty

    def tight(size: int, **options: Any) -> Any:
        if "pin_memory" not in options and size > 3 << 20:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 32.00 MiB")
        return real(size, **options)

    monkeypatch.setattr(lanes.torch, "empty", tight)
    lane = lanes.Lane(CPU, 32 << 20)
    assert lane.chunk == 2 << 20
    assert len(lane.slots) == lanes.SLOTS


def test_a_device_without_room_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 MiB")

    monkeypatch.setattr(lanes.torch, "empty", full)
    with pytest.raises(UnfinishedError, match="no memory left"):
        lanes.Lane(CPU)


@pytest.mark.parametrize("free, chunk", [(80 << 30, 32 << 20), (200 << 20, 4 << 20), (0, 1 << 20)])
def test_chunks_adapt_to_free_memory(monkeypatch: pytest.MonkeyPatch, free: int, chunk: int) -> None:
    monkeypatch.setattr(lanes, "_free_memory", lambda *_: free)
    monkeypatch.setattr(lanes, "Slot", lambda *_: None)
    assert lanes.Lane(CPU).chunk == chunk


def test_a_tensor_of_many_chunks_in_the_real_sizes(device: Any) -> None:
    content = np.random.default_rng(5).integers(0, 256, (9 << 20) + 13, np.uint8)
    content[5 << 20 : (5 << 20) + 20_000] = 0
    needs = [
        need("a", "fp4", 0, 100),
        need("b", "bf16", 100, len(content) - 20),
        need("c", "e4m3", len(content) - 20, len(content)),
    ]
    source = MemorySource({"s": content.tobytes()})
    compare(DeviceScanner([device], 1 << 20)(source, make_plan(needs)), source, needs)
