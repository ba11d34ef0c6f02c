"""The server: sockets, routing, and how faults reach the wire."""

from __future__ import annotations

import re
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from . import reading, writing, xet
from .auth import User
from .faults import Fault, Faults
from .messages import Answer, Request, refuse, reply
from .record import Log, Record
from .store import Commit, Content, Repo, Store

_KIND = r"/api/(models|datasets|spaces|kernels|buckets)"
_NAME = r"([\w.-]+(?:/[\w.-]+)?)"
_REVISION = r"(refs/(?:pr|convert)/[\w.-]+|[^/]+)"
_GIT = r"/(?:(datasets|spaces|kernels)/)?"

Route = Callable[..., Answer]
# The first route whose method and whole path fit answers; groups are passed on in order.
ROUTES: tuple[tuple[str, str, Route], ...] = (
    ("POST", r"/api/repos/create", writing.create),
    ("GET", r"/api/whoami-v2", lambda hub, request: _whoami(hub, request)),
    ("POST", r"/api/validate-yaml", lambda hub, request: reply({"errors": [], "warnings": []})),
    ("", r"/api/(?:telemetry|agent).*", lambda hub, request: reply({})),
    ("POST", r"/api/buckets/([\w.-]+/[\w.-]+)/batch", writing.bucket_batch),
    ("GET", r"/api/buckets/[\w.-]+/[\w.-]+/tree(?:/.*)?", lambda hub, request: reply([])),
    ("POST", rf"{_KIND}/{_NAME}/preupload/(.+)", writing.preupload),
    ("POST", rf"{_KIND}/{_NAME}/commit/(.+)", writing.commit),
    ("GET", rf"{_KIND}/{_NAME}/commits/(.+)", reading.commits),
    ("POST", rf"{_KIND}/{_NAME}/discussions", writing.open_discussion),
    ("GET", rf"{_KIND}/{_NAME}/discussions/(\d+)", writing.discussion),
    ("POST", rf"{_KIND}/{_NAME}/discussions/(\d+)/(\w+)", writing.change_discussion),
    ("POST", rf"{_KIND}/{_NAME}/paths-info/(.+)", reading.paths_info),
    ("GET", rf"{_KIND}/{_NAME}/tree/{_REVISION}(?:/(.+))?", reading.tree),
    ("GET", rf"{_KIND}/{_NAME}/refs", reading.refs),
    ("GET", rf"{_KIND}/{_NAME}/xet-(?:read|write)-token(?:/(.+))?", xet.token),
    ("GET", rf"{_KIND}/{_NAME}/revision/(.+)", reading.repo_info),
    ("GET", rf"{_KIND}/{_NAME}", reading.repo_info),
    ("POST", rf"{_GIT}{_NAME}\.git/info/lfs/objects/batch", writing.lfs_batch),
    ("POST", rf"{_GIT}{_NAME}\.git/info/lfs/locks/verify", writing.lfs_locks),
    ("POST", r"/_lfs/verify", lambda hub, request: reply({})),
    ("PUT", r"/_lfs/([0-9a-f]{64})", writing.lfs_put),
    ("", r"/_cdn/([0-9a-f]{64})", reading.content),
    ("", r"/_cas(/.*)", xet.store),
    ("", rf"{_GIT}{_NAME}/resolve/{_REVISION}/(.+)", reading.resolve),
)
_COMPILED = tuple((method, re.compile(pattern), route) for method, pattern, route in ROUTES)


class Hub(ThreadingHTTPServer):
    """The fake Hub. Settings may be changed while it runs.

    `latency` is in seconds and passes before every answer; `page` is how many entries a page of a listing has;
    `signer.seconds` and `signer.uses` limit signed URLs; `renamed` maps old names of repositories to new ones;
    `users` maps tokens to accounts. `xet` is "" (off), "http", or an address that hf_xet understands.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, *, latency: float = 0.0, xet: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        port = self.server_address[1]
        self.url = f"http://127.0.0.1:{port}"
        self.cdn_url = f"http://localhost:{port}"
        self.latency = latency
        self.xet = xet
        self.page = 1000
        self.store = Store()
        self.users: dict[str, User] = {}
        self.renamed: dict[str, str] = {}
        self.signer = reading.Signer()
        self.faults = Faults()
        self.log = Log()
        self.problems: list[str] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Hub:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Go away at once: no new connections, open ones are cut."""
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def create(self, name: str, files: Mapping[str, Content], kind: str = "models", **settings: bool) -> Repo:
        """A repository with one commit on `main`; settings are `private`, `gated` and `disabled`."""
        repo = self.store.create(kind, name)
        for key, value in settings.items():
            setattr(repo, key, value)
        self.commit(repo, files)
        return repo

    def commit(self, repo: Repo, files: Mapping[str, Content], branch: str = "main") -> Commit:
        """Add or replace files on a branch, which starts from `main` where it is new."""
        base = repo.commit(branch) or repo.branches["main"][-1]
        return repo.record(branch, {**base.files, **{p: self.store.put(c, p) for p, c in files.items()}}, "commit")

    def user(self, token: str, name: str = "user", repos: Iterable[str] = ()) -> None:
        """Make a token valid, for an account that may read these private and gated repositories."""
        self.users[token] = User(name, frozenset(repos))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember connections, to cut them on `stop`."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are normal; anything else is kept for the test to see."""
        if not isinstance(sys.exc_info()[1], OSError):
            self.problems.append(traceback.format_exc())


def _whoami(hub: Hub, request: Request) -> Answer:
    user = hub.users.get(request.record.token or "")
    if user is None:
        return refuse(401, "", "Invalid credentials in Authorization header")
    access = {"displayName": "test", "role": "write", "createdAt": "2026-01-01T00:00:00.000Z"}
    return reply(
        {"name": user.name, "type": "user", "orgs": [], "auth": {"type": "access_token", "accessToken": access}}
    )


def route(hub: Hub, request: Request) -> Answer:
    """The answer to a request that no fault strikes."""
    for method, pattern, answer in _COMPILED:
        found = pattern.fullmatch(request.path)
        if found and method in ("", request.method):
            groups = [
                g or ("models" if pattern.pattern.startswith(_GIT) and i == 0 else "")
                for i, g in enumerate(found.groups())
            ]
            return answer(hub, request, *groups)
    return refuse(404, "", f"no route for {request.method} {request.path}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _any(self) -> None:
        hub = cast(Hub, self.server)
        parts = urlsplit(self.path)
        headers = {k.lower(): v for k, v in self.headers.items()}
        host = headers.get("host", "").rpartition(":")[0]
        record = Record(self.command, unquote(parts.path), parts.query, host, headers, self._body())
        hub.log.add(record)
        request = Request(self.command, record.path, dict(parse_qsl(parts.query)), record)
        if hub.latency:
            time.sleep(hub.latency)
        fault = hub.faults.take(record.line)
        try:
            answer = _struck(fault, hub, request) if fault else route(hub, request)
        except Exception:
            hub.problems.append(traceback.format_exc())
            answer = refuse(500, "", "the fake Hub has a bug")
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(answer, fault, record)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _any

    def _send(self, answer: Answer, fault: Fault | None, record: Record) -> None:
        record.status = answer.status
        body = b"" if self.command == "HEAD" else answer.body
        length = len(answer.body) if answer.length is None else answer.length
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if fault and fault.kind == "cut":
            self.wfile.write(body[: fault.at])
            self.wfile.flush()
            record.sent += len(body[: fault.at])
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        step = max(1, fault.at) if fault and fault.kind == "drip" else max(1, len(body))
        for at in range(0, len(body), step):
            self.wfile.write(body[at : at + step])
            record.sent += len(body[at : at + step])
            if fault and fault.kind == "drip":
                self.wfile.flush()
                time.sleep(fault.seconds)
        self.wfile.flush()


def _struck(fault: Fault, hub: Hub, request: Request) -> Answer | None:
    """The answer under a fault; None hangs up."""
    match fault.kind:
        case "status":
            return Answer(fault.status, fault.headers, fault.body)
        case "hang-up":
            return None
        case "loop":
            return Answer(302, {"Location": f"{request.path}?{request.record.query}"})
        case "delay":
            time.sleep(fault.seconds)
        case "ignore-range":
            request.record.headers.pop("range", None)
    answer = route(hub, request)
    if fault.kind == "short":
        return replace(answer, body=answer.body[: fault.at])
    if fault.kind == "wrong-range" and request.range:
        first, last = request.range
        total = answer.headers["Content-Range"].rpartition("/")[2]
        return replace(
            answer, headers={**answer.headers, "Content-Range": f"bytes {first + 1}-{(last or 0) + 1}/{total}"}
        )
    return answer
