"""What was asked of the server: every request with its body, for tests about leaks, retries and traffic."""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Record:
    """One request and its answer; `sent` counts the body bytes that left, `host` is the Host header without the port."""

    method: str
    path: str
    query: str
    host: str
    headers: dict[str, str]
    body: bytes
    status: int = 0
    sent: int = 0

    @property
    def line(self) -> str:
        """`METHOD /path`."""
        return f"{self.method} {self.path}"

    @property
    def token(self) -> str | None:
        """The bearer token that came with it."""
        value = self.headers.get("authorization", "")
        return value.removeprefix("Bearer ") if value else None


class Log:
    """Requests in order of arrival."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._lock = threading.Lock()

    def add(self, record: Record) -> None:
        """Note a request."""
        with self._lock:
            self._records.append(record)

    def clear(self) -> None:
        """Forget everything so far."""
        with self._lock:
            self._records.clear()

    def __iter__(self) -> Iterator[Record]:
        with self._lock:
            return iter(tuple(self._records))

    def matching(self, piece: str) -> list[Record]:
        """Requests whose `METHOD /path` holds a piece of text."""
        return [r for r in self if piece in r.line]

    def sent(self, piece: str = "") -> int:
        """Body bytes sent in answer to matching requests, once the number has come to rest.

        A client may be done with an answer before the thread that sent it has noted how much that was.
        """
        before = -1
        while (now := sum(r.sent for r in self.matching(piece))) != before:
            before = now
            time.sleep(0.1)
        return now

    def writes(self) -> list[Record]:
        """Requests that change something: all but GET and HEAD."""
        return [r for r in self if r.method not in ("GET", "HEAD")]

    def holds(self, content: bytes) -> list[Record]:
        """Requests whose body holds `content`: as it is, inside a base64 field of JSON or NDJSON, or as hf_xet sends it.

        hf_xet may put every fourth byte of a chunk together before it compresses it, whichever seems to be smaller
        (https://github.com/huggingface/xet-core, `CompressionScheme::ByteGrouping4LZ4`).
        """
        grouped = [content[start::4] for start in range(4)]
        return [
            r
            for r in self
            if content in r.body
            or any(content in b for b in _decoded(r.body))
            or (r.path.startswith("/_cas/") and all(part in r.body for part in grouped))
        ]


def _decoded(body: bytes) -> Iterator[bytes]:
    """Base64 texts of the JSON documents in a body: preupload samples and inline file content."""
    for line in body.splitlines():
        try:
            waiting: list[object] = [json.loads(line)]
        except ValueError:
            continue
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                waiting.extend(value.values())
            elif isinstance(value, list):
                waiting.extend(value)
            elif isinstance(value, str) and len(value) >= 8:
                try:
                    yield base64.b64decode(value, validate=True)
                except binascii.Error:
                    continue
