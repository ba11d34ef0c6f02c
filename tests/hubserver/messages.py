"""Requests and answers as the routes see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from .record import Record


@dataclass(frozen=True)
class Request:
    """One request with its path unquoted."""

    method: str
    path: str
    query: Mapping[str, str]
    record: Record

    @property
    def json(self) -> dict[str, object]:
        """The body as a JSON object, or a form as one."""
        if self.record.body[:1] in (b"{", b"["):
            value = json.loads(self.record.body)
            return value if isinstance(value, dict) else {}
        return dict(parse_qs(self.record.body.decode()))

    @property
    def lines(self) -> list[dict[str, object]]:
        """The body as NDJSON."""
        return [json.loads(line) for line in self.record.body.splitlines() if line]

    @property
    def range(self) -> tuple[int, int | None] | None:
        """(first, last) of a `Range: bytes=` header; last is None for an open end."""
        text = self.record.headers.get("range", "").removeprefix("bytes=")
        first, dash, last = text.partition("-")
        if not dash or not first.isdigit():
            return None
        return int(first), int(last) if last.isdigit() else None


@dataclass(frozen=True)
class Answer:
    """A status, headers and a body; `length` is the Content-Length of an answer to HEAD."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None


def reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON answer."""
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(value).encode())


def refuse(status: int, code: str, message: str) -> Answer:
    """An error as the Hub states it: in headers, with the message again in the body."""
    headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
    return reply({"error": message}, status, headers)
