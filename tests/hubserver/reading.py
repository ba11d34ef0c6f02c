"""What is read: repo info, listings, files, and the content network behind signed URLs."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from .auth import no_entry, no_revision, objection
from .messages import Answer, Request, reply
from .store import Commit, Repo

if TYPE_CHECKING:
    from .server import Hub


def repo_info(hub: Hub, request: Request, kind: str, name: str, revision: str = "main") -> Answer:
    """GET /api/{kind}/{name}[/revision/{revision}]."""
    repo = hub.store.repo(kind, name)
    refused = objection(hub.users, request, repo, content=False)
    if refused or repo is None:
        return refused or no_entry()
    commit = repo.commit(revision or "main")
    if commit is None:
        return no_revision(revision)
    info: dict[str, object] = {
        "_id": "0" * 24,
        "id": name,
        "modelId": name,
        "sha": commit.sha,
        "private": repo.private,
        "gated": "manual" if repo.gated else False,
        "disabled": repo.disabled,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": [{"rfilename": path} for path in sorted(commit.files)],
    }
    return reply(info)


def refs(hub: Hub, request: Request, kind: str, name: str) -> Answer:
    """GET /api/{kind}/{name}/refs."""
    repo = hub.store.repo(kind, name)
    refused = objection(hub.users, request, repo, content=False)
    if refused or repo is None:
        return refused or no_entry()
    branches = [
        {"name": b, "ref": f"refs/heads/{b}", "targetCommit": c[-1].sha}
        for b, c in repo.branches.items()
        if "/" not in b
    ]
    tags = [{"name": t, "ref": f"refs/tags/{t}", "targetCommit": sha} for t, sha in repo.tags.items()]
    return reply({"branches": branches, "tags": tags, "converts": []})


def tree(hub: Hub, request: Request, kind: str, name: str, revision: str, folder: str | None = None) -> Answer:
    """GET /api/{kind}/{name}/tree/{revision}[/{folder}]: files and folders, in pages joined by Link headers."""
    found = _commit(hub, request, kind, name, revision)
    if isinstance(found, Answer):
        return found
    prefix = f"{folder.strip('/')}/" if folder else ""
    recursive = request.query.get("recursive", "").lower() in ("true", "1")
    rows: dict[str, dict[str, object]] = {}
    for path, entry in sorted(found.files.items()):
        if not path.startswith(prefix):
            continue
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            at = prefix + "/".join(parts[:depth])
            rows[at] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": at}
        if recursive or len(parts) == 1:
            rows[path] = entry.as_json(path)
    if prefix and not rows:
        return no_entry()
    listed = list(rows.values())
    start = int(request.query.get("cursor", "0"))
    headers = {}
    if start + hub.page < len(listed):
        kept = "&".join(f"{k}={quote(v)}" for k, v in request.query.items() if k != "cursor")
        following = f"{hub.url}{quote(request.path)}?{kept}&cursor={start + hub.page}"
        headers["Link"] = f'<{following}>; rel="next"'
    return reply(listed[start : start + hub.page], 200, headers)


def paths_info(hub: Hub, request: Request, kind: str, name: str, revision: str) -> Answer:
    """POST /api/{kind}/{name}/paths-info/{revision}."""
    found = _commit(hub, request, kind, name, revision)
    if isinstance(found, Answer):
        return found
    paths = request.json.get("paths", [])
    wanted = [paths] if isinstance(paths, str) else list(paths) if isinstance(paths, list) else []
    return reply([found.files[p].as_json(p) for p in wanted if p in found.files])


def commits(hub: Hub, request: Request, kind: str, name: str, revision: str) -> Answer:
    """GET /api/{kind}/{name}/commits/{revision}: newest first."""
    found = _commit(hub, request, kind, name, revision)
    repo = hub.store.repo(kind, name)
    if isinstance(found, Answer) or repo is None:
        return found if isinstance(found, Answer) else no_entry()
    history = repo.branches.get(revision, [found])
    return reply(
        [
            {"id": c.sha, "title": c.title, "message": "", "authors": [], "date": "2026-01-01T00:00:00.000Z"}
            for c in reversed(history)
        ]
    )


def resolve(hub: Hub, request: Request, kind: str, name: str, revision: str, path: str) -> Answer:
    """GET or HEAD /{name}/resolve/{revision}/{path}: LFS content by redirect, the rest from here."""
    repo = hub.store.repo(kind, name)
    refused = objection(hub.users, request, repo, content=True)
    if refused or repo is None:
        return refused or no_entry()
    moved = hub.renamed.get(name)
    if moved is not None:
        return Answer(307, {"Location": f"/{moved}/resolve/{revision}/{quote(path)}"})
    commit = repo.commit(revision)
    if commit is None:
        return no_revision(revision)
    entry = commit.files.get(path)
    if entry is None:
        return no_entry()
    headers = {"X-Repo-Commit": commit.sha, "ETag": f'"{entry.oid}"', "Accept-Ranges": "bytes"}
    if not entry.lfs:
        return ranged(hub, request, entry.blob, headers)
    linked = {"X-Linked-Size": str(entry.lfs_size), "X-Linked-Etag": f'"{entry.lfs}"'}
    return Answer(302, {**headers, **linked, "Location": hub.signer.sign(hub.cdn_url, entry.lfs)})


def content(hub: Hub, request: Request, key: str) -> Answer:
    """GET or HEAD /_cdn/{sha256}: content for whoever has a URL whose signature still holds."""
    if not hub.signer.valid(request.query.get("signature", ""), key):
        body = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
        return Answer(403, {"Content-Type": "application/xml"}, body)
    if key not in hub.store.blobs:
        return Answer(404)
    return ranged(hub, request, key, {"ETag": f'"{key}"', "Accept-Ranges": "bytes"})


def ranged(hub: Hub, request: Request, key: str, headers: dict[str, str]) -> Answer:
    """Content with Range honoured: 206, 416, or 200 with everything."""
    total = hub.store.size(key)
    headers = {"Content-Type": "application/octet-stream", **headers}
    wanted = request.range
    if wanted is None:
        if request.method == "HEAD":
            return Answer(200, headers, length=total)
        return Answer(200, headers, hub.store.read(key))
    first, last = wanted
    if first >= total:
        return Answer(416, {**headers, "Content-Range": f"bytes */{total}"})
    stop = total if last is None else min(last + 1, total)
    headers["Content-Range"] = f"bytes {first}-{stop - 1}/{total}"
    if request.method == "HEAD":
        return Answer(206, headers, length=stop - first)
    return Answer(206, headers, hub.store.read(key, first, stop))


class Signer:
    """Signed URLs that stop working after `seconds` or after `uses` requests, where these are set."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.uses: int | None = None
        self._given: dict[str, tuple[str, float, int]] = {}
        self._lock = threading.Lock()

    def sign(self, base: str, key: str) -> str:
        """A URL for one blob."""
        signature = secrets.token_hex(8)
        ends = time.monotonic() + self.seconds if self.seconds is not None else float("inf")
        uses = self.uses if self.uses is not None else 1 << 60
        with self._lock:
            self._given[signature] = (key, ends, uses)
        return f"{base}/_cdn/{key}?signature={signature}"

    def valid(self, signature: str, key: str) -> bool:
        """Whether a signature holds for a blob; this use is counted."""
        with self._lock:
            known, ends, uses = self._given.get(signature, ("", 0.0, 0))
            if known != key or time.monotonic() > ends or uses <= 0:
                return False
            self._given[signature] = (known, ends, uses - 1)
            return True


def _commit(hub: Hub, request: Request, kind: str, name: str, revision: str) -> Commit | Answer:
    repo: Repo | None = hub.store.repo(kind, name)
    refused = objection(hub.users, request, repo, content=False)
    if refused or repo is None:
        return refused or no_entry()
    return repo.commit(revision) or no_revision(revision)
