"""Xet, as far as an upload needs it: a token with the address of a content-addressed store, and one that takes all.

Where `Hub(xet=...)` is an address such as `local:///folder` or `memory://`, hf_xet keeps the content itself; with
"http" it is sent here, and the log holds it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .messages import Answer, Request, reply

if TYPE_CHECKING:
    from .server import Hub


def token(hub: Hub, request: Request, *_where: str) -> Answer:
    """GET .../xet-{read,write}-token[/{revision}]: the same in headers and in JSON."""
    address = f"{hub.url}/_cas" if hub.xet == "http" else hub.xet
    expires = int(time.time()) + 3600
    headers = {"X-Xet-Cas-Url": address, "X-Xet-Access-Token": "xet", "X-Xet-Token-Expiration": str(expires)}
    return reply({"accessToken": "xet", "exp": expires, "casUrl": address}, 200, headers)


def store(hub: Hub, request: Request, path: str) -> Answer:
    """Requests to the store; hf_xet falls back where an endpoint is not there."""
    if path.startswith("/v1/xorbs/"):
        return reply({"was_inserted": True})
    if path.startswith("/v1/shards"):
        return reply({"result": 1})
    return reply({"error": "not found"}, 404)
