"""What goes wrong between here and the Hub: it is tried again, or said; a wrong byte never becomes a measure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from hubserver import Fault, Hub
from remote_models import QUICK, Opener, sharded
from tensorlint.errors import UnfinishedError
from tensorlint.report.findings import Report
from tensorlint.sources import client as client_module

Run = Callable[..., Report]
ALWAYS = 1 << 30

# Faults that pass: what strikes, and how many requests more than without it.
PASSING = {
    "content answers 500 twice": ([Fault("status", "/_cdn/", 2)], 2),
    "content answers 503 once": ([Fault("status", "/_cdn/", status=503)], 1),
    "resolve answers 502 twice": ([Fault("status", "/resolve/", 2, status=502)], 2),
    "the listing answers 500 twice": ([Fault("status", "/tree/", 2)], 2),
    "the revision answers 504": ([Fault("status", "/revision/", status=504)], 1),
    "too many requests": ([Fault("status", "/_cdn/", status=429, headers={"Retry-After": "0.1"})], 1),
    "cut in the middle": ([Fault("cut", "/_cdn/", at=10_000)], 1),
    "cut three times": ([Fault("cut", "/_cdn/", 3, after=2, at=1)], 3),
    "cut before the first byte": ([Fault("cut", "/_cdn/", at=0)], 1),
    "hung up": ([Fault("hang-up", "/_cdn/", 2)], 2),
    "hung up by the Hub": ([Fault("hang-up", "/api/models/", 1)], 1),
    "a body shorter than its range": ([Fault("short", "/_cdn/", 2, at=500)], 2),
    "an empty body": ([Fault("short", "/_cdn/", at=0)], 1),
    "the whole file instead of a range": ([Fault("ignore-range", "/_cdn/", 2)], 2),
    "another range": ([Fault("wrong-range", "/_cdn/", 2)], 2),
    "silence": ([Fault("delay", "/_cdn/", seconds=1)], 1),
    "too slow to wait for": ([Fault("drip", "/_cdn/", after=5, at=2000, seconds=0.1)], 1),
    "slow but steady": ([Fault("drip", "/_cdn/", after=5, at=20_000, seconds=0.02)], 0),
    "one redirect to itself": ([Fault("loop", "/resolve/")], 1),
    "several at once": (
        [Fault("status", "/tree/", 2), Fault("cut", "/_cdn/", 2, after=3, at=9), Fault("status", "/resolve/")],
        5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PASSING)
def test_what_passes_is_tried_again(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes], case: str) -> None:
    hub.create("org/model", model)
    calm = run(remote())
    usual = len([r for r in hub.log if "/api/agent" not in r.path])
    hub.log.clear()
    faults, more = PASSING[case]
    hub.faults.add(*faults)
    report = run(remote())
    assert report.stopped == ""
    assert report.findings == calm.findings
    assert [f.rule for f in report.findings] == ["scales/nan"]
    # A body that broke off is continued, so bytes are not read twice; a threshold on requests catches retry storms.
    assert len([r for r in hub.log if "/api/agent" not in r.path]) == usual + more


def test_a_cut_body_is_continued_where_it_broke(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    hub.faults.add(Fault("cut", "/_cdn/", at=40_000))
    run(remote(), "headers")
    starts = sorted(int(r.headers["range"][6:].partition("-")[0]) for r in hub.log.matching("/_cdn/"))
    assert starts[:4] == [0] * 4
    assert 24_000 <= starts[4] <= 40_000  # a library may lose the piece it was reading
    assert hub.log.sent("/_cdn/") < 4 * 65_536 + 16_000


# Faults that stay: (what strikes, a piece of the message, requests to the struck place).
LASTING = {
    "content answers 500": (Fault("status", "/_cdn/", ALWAYS), "answered 500", 4),
    "content answers 403": (Fault("status", "/_cdn/", ALWAYS, status=403), "answered 403", 4),
    "content answers 418": (Fault("status", "/_cdn/", ALWAYS, status=418), "answered 418", 1),
    "cut": (Fault("cut", "/_cdn/", ALWAYS, at=1), "broke off", 4),
    "hung up": (Fault("hang-up", "/_cdn/", ALWAYS), "4 times in a row", 4),
    "the whole file": (Fault("ignore-range", "/_cdn/", ALWAYS), "whole file although a range was asked for", 4),
    "another range": (Fault("wrong-range", "/_cdn/", ALWAYS), "sent another range", 4),
    "redirects in a circle": (Fault("loop", "/resolve/", ALWAYS), "in a circle", 6),
    "silence": (Fault("delay", "/_cdn/", ALWAYS, seconds=1), "4 times in a row", 4),
    "asked to wait an hour": (
        Fault("status", "/_cdn/", ALWAYS, status=429, headers={"Retry-After": "3600"}),
        "asks to wait 3,600 seconds",
        1,
    ),
}


@pytest.mark.parametrize("case", LASTING)
def test_what_stays_is_said_after_a_few_attempts(hub: Hub, remote: Opener, run: Run, case: str) -> None:
    fault, message, attempts = LASTING[case]
    files = sharded(1, 512, 1024, 2)
    hub.create("org/model", {n: d for n, d in files.items() if n.endswith(".safetensors")})
    hub.faults.add(fault)
    with pytest.raises(UnfinishedError, match=message) as caught:
        run(remote())
    assert caught.value.exit_code == 4
    assert caught.value.hint
    assert len(hub.log.matching(fault.match)) == attempts


@pytest.mark.parametrize(
    "fault", [Fault("hang-up", "/_cdn/", ALWAYS, after=8), Fault("status", "/_cdn/", ALWAYS, after=8)]
)
def test_a_server_that_dies_half_way(
    hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes], fault: Fault
) -> None:
    files = {**model, "config.json": b'{"model_type": "llama", "quantization_config": {"quant_method": "gptq"}}'}
    hub.create("org/model", files)
    hub.faults.add(fault)
    started = time.monotonic()
    report = run(remote())
    assert report.stopped
    assert not report.complete
    assert report.exit_code("error") == 4
    assert report.findings, "what headers and configurations tell is still said"
    assert time.monotonic() - started < 10
    # One failure ends all: sixteen threads do not each try four times.
    assert len(hub.log.matching("/_cdn/")) < 8 + 16 + 4


def test_the_server_goes_away_altogether(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    source = remote()
    source.open("config.json").read(0, 10)
    for name in model:
        source.size(name)
    hub.stop()
    report = run(source)
    assert report.exit_code("error") == 4
    assert "times in a row" in report.stopped


def test_expired_addresses_are_renewed(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    hub.signer.uses = 1
    report = run(remote())
    assert report.stopped == ""
    assert [f.rule for f in report.findings] == ["scales/nan"]
    refused = [r for r in hub.log.matching("/_cdn/") if r.status == 403]
    assert refused
    assert len(hub.log.matching("/resolve/")) <= len(model) + len(refused)


def test_addresses_that_expire_with_time(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    hub.signer.seconds = 0.2
    source = remote()
    for name in source.files():
        source.size(name)
    time.sleep(0.3)
    assert [f.rule for f in run(source).findings] == ["scales/nan"]


def test_retry_after_is_obeyed_by_all(hub: Hub, remote: Opener, run: Run, model: Mapping[str, bytes]) -> None:
    hub.create("org/model", model)
    source = remote()
    hub.faults.add(Fault("status", "/_cdn/", status=429, headers={"Retry-After": "1"}))
    started = time.monotonic()
    assert not run(source).stopped
    assert 1 <= time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"ratelimit": '"api";r=0;t=55'}, 55),
        ({"ratelimit": '"api";r=12;t=55'}, 0),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float) -> None:
    assert client_module.retry_after(headers) == seconds


def test_redirects_never_leave_https() -> None:
    client = client_module.Client("https://hub.example", {"authorization": "Bearer x"})
    assert client.redirected("https://hub.example/a", "/b") == "https://hub.example/b"
    assert not client.of_hub("https://hub.example.evil/b")
    assert not client.of_hub("https://hub.example:8443/b")
    for location in ("http://cdn.example/x", "file:///etc/passwd", "ftp://x/y"):
        with pytest.raises(UnfinishedError, match="insecure"):
            client.redirected("https://hub.example/a", location)


def test_memory_stays_bounded(hub: Hub, remote: Opener, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the window is held, however much is planned."""
    from tensorlint.sources import hub as hub_module
    from tensorlint.sources import ranges

    monkeypatch.setattr(hub_module, "AHEAD", 3 << 20)
    monkeypatch.setattr(ranges, "LONGEST", 1 << 20)
    most = 0
    real = ranges.Window._submit

    def submit(self: ranges.Window, number: int) -> None:
        nonlocal most
        real(self, number)
        most = max(most, self._held)

    monkeypatch.setattr(ranges.Window, "_submit", submit)
    hub.create("org/model", sharded(2, 2048, 2048, 3))
    report = run(remote(patience=replace(QUICK, silence=5)), "full")
    assert report.bytes_read > 20 << 20
    assert 1 << 20 < most <= 8 << 20
