"""Time a check of a model on a slow Hub against the same bytes fetched by bare threads.

    python benchmarks/remote.py [--shards 40] [--latency 20] [--depth scales] [--rounds 3]

The Hub is the fake one of the tests, in a process of its own, and waits before every answer. `tensorlint` is everything
from the name to the report: resolving, listing, headers, planned ranges, rules. `bare` is 16 threads, each with one
connection, that know the addresses beforehand and fetch the ranges the check asked for in one list, without looking at
the bytes. The ratio tells what the order of reading (configurations, then headers, then scales) and the check cost.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from hubserver import Hub
from remote_models import sharded

THREADS = 16


def serve(pipe: Connection, folder: Path, latency: float) -> None:
    """Run the Hub until the other end of the pipe says stop."""
    with Hub() as hub:
        hub.create("bench/model", {p.name: p for p in sorted(folder.iterdir()) if p.suffix == ".safetensors"})
        repo = hub.store.repos["models", "bench/model"]
        hub.commit(repo, {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix == ".json"})
        hub.latency = latency
        pipe.send(hub.url)
        pipe.recv()


@contextmanager
def server(folder: Path, latency: float) -> Iterator[str]:
    """The address of a Hub in another process."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there, folder, latency), daemon=True)
    process.start()
    yield here.recv()
    here.send("stop")
    process.join(5)


def bare(requests: list[tuple[str, str]]) -> tuple[float, int]:
    """(seconds, bytes) for fetching (URL, range) pairs with threads that do nothing else."""
    waiting = iter(requests)
    lock = threading.Lock()
    got = [0]

    def work() -> None:
        connection: http.client.HTTPConnection | None = None
        while True:
            with lock:
                url, wanted = next(waiting, ("", ""))
            if not url:
                return
            parts = urlsplit(url)
            connection = connection or http.client.HTTPConnection("127.0.0.1", parts.port)
            connection.request("GET", f"{parts.path}?{parts.query}", headers={"Range": wanted})
            body = connection.getresponse().read()
            with lock:
                got[0] += len(body)

    started = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started, got[0]


def measured(depth: str) -> tuple[float, Any, list[tuple[str, str]]]:
    """(seconds, report, requests for content) of one check."""
    import tensorlint
    from tensorlint.sources import transport

    asked: list[tuple[str, str]] = []
    real = transport.get

    def recording(url: str, headers: Mapping[str, str], connect: float, silence: float) -> Any:
        if "Range" in headers and "/_cdn/" in url:
            asked.append((url, headers["Range"]))
        return real(url, headers, connect, silence)

    transport.get = recording
    try:
        started = time.perf_counter()
        report = tensorlint.check("hf://bench/model", depth=depth)
        return time.perf_counter() - started, report, asked
    finally:
        transport.get = real


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--layers", type=int, default=6, help="layers of a shard")
    parser.add_argument("--size", type=int, default=1024, help="rows and columns of a projection")
    parser.add_argument("--latency", type=float, default=20, help="milliseconds before every answer")
    parser.add_argument("--depth", default="scales", choices=("headers", "scales", "full"))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        folder.mkdir()
        for file, data in sharded(given.shards, given.size, given.size, given.layers).items():
            (folder / file).write_bytes(data)
        with server(folder, given.latency / 1000) as url:
            os.environ.update(HF_ENDPOINT=url, HF_HOME=str(Path(name) / "home"), HF_HUB_DISABLE_TELEMETRY="1")
            import tensorlint

            tensorlint.check("hf://bench/model", depth="headers")  # imports, and what huggingface_hub asks once a day
            ratios = []
            for _ in range(given.rounds):
                seconds, report, asked = measured(given.depth)
                assert not report.stopped, report.stopped
                floor, amount = bare(asked)
                ratios.append(seconds / floor)
                print(
                    f"{given.depth} of {given.shards} shards, {report.bytes_total / 1e6:.0f} MB, {given.latency:g} ms: "
                    f"tensorlint {seconds:.2f} s ({report.bytes_read / 1e6:.1f} MB), "
                    f"{THREADS} bare threads {floor:.2f} s ({len(asked)} ranges, {amount / 1e6:.1f} MB), "
                    f"ratio {seconds / floor:.2f}"
                )
            print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
