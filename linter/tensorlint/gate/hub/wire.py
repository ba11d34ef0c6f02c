"""The last line: a request that announces a file which did not pass is refused. Standard library only.

Here only the usual files are known, see `files`: what rule files of the user name besides may pass.

It sits in the `send` of the HTTP library's own client class, so a client factory of the user's does not remove it. It
knows no content, only what the announcement says: repository, path, size and the first bytes.
"""

from __future__ import annotations

import base64
import functools
import importlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from ...files import belongs
from . import policy as policies
from .errors import GateError, blocked
from .review import say

_PREUPLOAD = re.compile(r"/api/models/(.+?)/preupload/")
_LIBRARIES = (("httpx2", "Client"), ("httpx", "Client"), ("requests", "Session"))  # what 2.x, 1.x and 0.x use

Key = tuple[str, str, int, str]
_expected: Counter[Key] = Counter()
_lock = threading.Lock()


@contextmanager
def expecting(repo: str, additions: Iterable[Any]) -> Iterator[None]:
    """Let the announcement of these CommitOperationAdd objects pass meanwhile."""
    keys = [
        (repo, o.path_in_repo, int(o.upload_info.size), base64.b64encode(o.upload_info.sample).decode("ascii"))
        for o in additions
        if belongs(o.path_in_repo)
    ]
    with _lock:
        _expected.update(keys)
    try:
        yield
    finally:
        with _lock:
            _expected.subtract(keys)
            for key in keys:
                if _expected[key] <= 0:
                    del _expected[key]


def examine(method: str, url: str, body: Callable[[], bytes | str | None]) -> None:
    """Raise UploadBlocked for an announcement with a file that is not expected; fails closed on what it cannot read."""
    found = _PREUPLOAD.search(unquote(urlsplit(url).path)) if method.upper() == "POST" else None
    if found is None:
        return
    repo = found[1]
    policy = policies.policy_for(repo)
    if policy is None or policy.mode == "off":
        return
    try:
        files = [(repo, f["path"], int(f["size"]), f.get("sample", "")) for f in json.loads(body() or b"")["files"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        files = [(repo, "a file in an unknown form of request" + ".safetensors", -1, "")]
    for key in files:
        with _lock:
            known = _expected[key] > 0 if key in _expected else False
        if known or not belongs(key[1]):
            continue
        message = f"upload to {repo} blocked: {key[1]} was not checked, and was not sent"
        say(f"tensorlint: {message}")
        if policy.mode != "warn":
            raise blocked(message, "report this way of uploading; TENSORLINT_GATE=off uploads without the gate")


def attach() -> str:
    """Patch the HTTP client class that huggingface_hub uses; returns its name, raises GateError where there is none."""
    http = importlib.import_module("huggingface_hub.utils._http")
    for library, name in _LIBRARIES:
        client = getattr(vars(http).get(library), name, None)
        if client is None:
            continue
        client.send = _sending(client.send)
        return f"{library}.{name}.send"
    raise GateError(
        "the upload gate cannot attach to huggingface_hub: its HTTP client is unknown",
        "update tensorlint, or set TENSORLINT_GATE=off to upload without it",
    )


def _sending(old: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(old)
    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        examine(request.method or "", str(request.url), lambda: _body(request))
        return old(self, request, *args, **kwargs)

    return send


def _body(request: Any) -> bytes | str | None:
    body: bytes | str | None = request.read() if hasattr(request, "read") else request.body
    return body
