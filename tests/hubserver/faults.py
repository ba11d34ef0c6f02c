"""What goes wrong on purpose: each fault waits for requests that match and strikes a given number of times."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["status", "cut", "short", "drip", "delay", "ignore-range", "wrong-range", "loop", "hang-up"]


@dataclass(frozen=True)
class Fault:
    """One kind of trouble.

    status        answer `status` with `headers` instead
    cut           close the connection after `at` body bytes
    hang-up       close the connection without an answer
    short         send only the first `at` bytes, with a Content-Length that fits them
    drip          send the body in pieces of `at` bytes, `seconds` apart
    delay         wait `seconds` before the answer
    ignore-range  answer 200 with the whole file
    wrong-range   answer 206 with a Content-Range that begins one byte late
    loop          redirect to the same address

    `match` is a piece of `METHOD /path`; the first `after` matching requests are spared, the next `times` are struck.
    """

    kind: Kind
    match: str = ""
    times: int = 1
    after: int = 0
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    at: int = 0


class Faults:
    """The faults that wait; at most one strikes a request, the oldest that matches."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Fault, list[int]]] = []
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        """Let faults wait for their requests."""
        with self._lock:
            self._waiting.extend((fault, [0]) for fault in faults)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._waiting.clear()

    def take(self, line: str) -> Fault | None:
        """The fault that strikes a request, if any."""
        with self._lock:
            for fault, seen in self._waiting:
                if fault.match not in line:
                    continue
                seen[0] += 1
                if fault.after < seen[0] <= fault.after + fault.times:
                    return fault
        return None
