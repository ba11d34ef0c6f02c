"""What only a real GPU can show: streams, pinned buffers and several devices at once. Skipped where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sameness import same
from slow_measures import EVERY
from test_scan import NAMES, need

from tensorlint.measures.device.choice import checked, scanner_for
from tensorlint.measures.device.scanner import DeviceScanner
from tensorlint.measures.plan import make_plan
from tensorlint.measures.scan import on_cpu
from tensorlint.sources.memory import MemorySource

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]


def test_copies_never_overtake_the_kernels_that_read() -> None:
    # Many chunks through few slots: a slot that is filled too early would change the counts.
    contents = {s: np.random.default_rng(i).bytes(len(NAMES) * (24 << 20)) for i, s in enumerate("ab")}
    needs = [
        need(name, name, i * (24 << 20), (i + 1) * (24 << 20), s, EVERY) for s in "ab" for i, name in enumerate(NAMES)
    ]
    source, plan = MemorySource(contents), make_plan(needs)
    devices = [torch.device("cuda", i) for i in range(torch.cuda.device_count())]
    theirs = on_cpu(source, plan)
    for chunk in (1 << 20, 8 << 20):
        found = DeviceScanner(devices, chunk)(source, plan)
        for key in theirs:
            same(found[key], theirs[key], EVERY)


def test_memory_is_given_back() -> None:
    source, plan = MemorySource({"s": bytes(64 << 20)}), make_plan([need("x", "e4m3", 0, 64 << 20)])
    scanner_for(checked("cuda:0"), source, [plan])(source, plan)
    before = torch.cuda.memory_allocated()
    scanner_for(checked("cuda:0"), source, [plan])(source, plan)
    assert torch.cuda.memory_allocated() == before


def test_a_full_device_is_measured_in_smaller_chunks() -> None:
    device = torch.device("cuda", 0)
    free, _ = torch.cuda.mem_get_info(device)
    taken = torch.empty(free - (192 << 20), dtype=torch.uint8, device=device)
    source, plan = (
        MemorySource({"s": np.random.default_rng(0).bytes(64 << 20)}),
        make_plan([need("x", "bf16", 0, 64 << 20)]),
    )
    found, theirs = DeviceScanner([device])(source, plan), on_cpu(source, plan)
    assert taken.numel()
    same(found["s", "x"], theirs["s", "x"], EVERY)
