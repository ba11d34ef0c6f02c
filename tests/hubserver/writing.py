"""What is written: repositories, commits, pull requests, LFS objects, buckets."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from .auth import no_entry, no_revision
from .messages import Answer, Request, refuse, reply
from .store import Entry, git_oid, is_lfs, sha256

if TYPE_CHECKING:
    from .server import Hub


def create(hub: Hub, request: Request) -> Answer:
    """POST /api/repos/create."""
    asked: dict[str, Any] = request.json
    kind = f"{asked.get('type') or 'model'}s"
    name = f"{asked.get('organization') or 'user'}/{asked['name']}"
    if hub.store.repo(kind, name) is not None:
        return reply({"error": "You already created this repo", "url": f"{hub.url}/{name}"}, 409)
    hub.store.create(kind, name).private = bool(asked.get("private"))
    prefix = "" if kind == "models" else f"{kind}/"
    return reply({"url": f"{hub.url}/{prefix}{name}", "name": name, "id": "0" * 24})


def preupload(hub: Hub, request: Request, kind: str, name: str, revision: str) -> Answer:
    """POST /api/{kind}/{name}/preupload/{revision}: which files go to LFS. The body carries each file's first bytes."""
    repo = hub.store.repo(kind, name)
    commit = repo.commit(revision) if repo else None
    if commit is None:
        return no_revision(revision)
    asked: dict[str, Any] = request.json
    files = [
        {
            "path": f["path"],
            "uploadMode": "lfs" if is_lfs(f["path"], f["size"]) else "regular",
            "shouldIgnore": False,
            "oid": commit.files[f["path"]].oid if f["path"] in commit.files else None,
        }
        for f in asked["files"]
    ]
    return reply({"files": files, "commitOid": commit.sha})


def commit(hub: Hub, request: Request, kind: str, name: str, revision: str) -> Answer:
    """POST /api/{kind}/{name}/commit/{revision}: NDJSON of a header and operations."""
    repo = hub.store.repo(kind, name)
    base = repo.commit(revision) if repo else None
    if repo is None or base is None:
        return no_revision(revision)
    files = dict(base.files)
    title = ""
    for line in request.lines:
        value: Any = line["value"]
        match line["key"]:
            case "header":
                title = value.get("summary", "")
            case "file":
                content = base64.b64decode(value["content"])
                oid = git_oid(content)
                hub.store.blobs[oid] = content
                files[value["path"]] = Entry(oid, len(content))
            case "lfsFile":
                size = value.get("size") or (hub.store.size(value["oid"]) if value["oid"] in hub.store.blobs else 0)
                oid = git_oid(f"lfs {value['oid']}".encode())
                files[value["path"]] = Entry(oid, size, value["oid"], size)
            case "deletedFile":
                files.pop(value["path"], None)
            case "deletedFolder":
                prefix = value["path"].rstrip("/") + "/"
                files = {p: e for p, e in files.items() if not p.startswith(prefix)}
            case "copiedFile" | "copyFile":
                source = repo.commit(value.get("srcRevision") or revision)
                if source is None or value["srcPath"] not in source.files:
                    return no_entry()
                files[value["path"]] = source.files[value["srcPath"]]
            case other:
                return refuse(400, "", f"unknown operation {other}")
    branch, pull = revision, None
    with hub.store.lock:
        if request.query.get("create_pr"):
            repo.discussions += 1
            branch = f"refs/pr/{repo.discussions}"
            repo.branches[branch] = list(repo.branches["main"])
            pull = f"{hub.url}/{name}/discussions/{repo.discussions}"
        made = repo.record(branch, files, title)
    url = f"{hub.url}/{name}/commit/{made.sha}"
    return reply({"success": True, "commitOid": made.sha, "commitUrl": url, "hookOutput": "", "pullRequestUrl": pull})


def open_discussion(hub: Hub, request: Request, kind: str, name: str) -> Answer:
    """POST /api/{kind}/{name}/discussions: here always a pull request, empty."""
    repo = hub.store.repo(kind, name)
    if repo is None:
        return no_entry()
    with hub.store.lock:
        repo.discussions += 1
        repo.branches[f"refs/pr/{repo.discussions}"] = list(repo.branches["main"])
    return reply({"num": repo.discussions})


def discussion(hub: Hub, request: Request, kind: str, name: str, number: str) -> Answer:
    """GET /api/{kind}/{name}/discussions/{number}, and POST to .../status, .../merge or .../comment."""
    described = {
        "num": int(number),
        "repo": {"name": name, "type": kind[:-1]},
        "title": "pull request",
        "status": "draft",
        "isPullRequest": True,
        "author": {"name": "user"},
        "createdAt": "2026-01-01T00:00:00.000Z",
        "events": [],
        "changes": {"base": "refs/heads/main"},
        "filesWithConflicts": False,
        "mergeCommitId": None,
        "diff": "",
    }
    return reply(described)


def change_discussion(hub: Hub, request: Request, kind: str, name: str, number: str, what: str) -> Answer:
    """POST /api/{kind}/{name}/discussions/{number}/{status,merge,comment,title}."""
    event = {"id": "1", "type": "status-change", "createdAt": "2026-01-01T00:00:00.000Z", "author": {"name": "user"}}
    said = request.json.get("comment", "") if what == "comment" else ""
    latest = {"raw": said, "html": said, "updatedAt": event["createdAt"], "author": event["author"]}
    message = {**event, "type": "comment", "data": {"edited": False, "hidden": False, "latest": latest, "history": []}}
    return reply({"newStatus": {**event, "data": {"status": "open"}}, "newMessage": message, "newTitle": event})


def lfs_batch(hub: Hub, request: Request, kind: str, name: str) -> Answer:
    """POST /{name}.git/info/lfs/objects/batch."""
    asked: dict[str, Any] = request.json
    objects = []
    for wanted in asked["objects"]:
        made: dict[str, object] = {"oid": wanted["oid"], "size": wanted["size"]}
        if asked["operation"] == "download":
            made["actions"] = {"download": {"href": hub.signer.sign(hub.cdn_url, wanted["oid"])}}
        elif wanted["oid"] not in hub.store.blobs:
            upload = {"href": f"{hub.cdn_url}/_lfs/{wanted['oid']}", "header": {}}
            made["actions"] = {"upload": upload, "verify": {"href": f"{hub.url}/_lfs/verify", "header": {}}}
        objects.append(made)
    transfer = "xet" if hub.xet and "xet" in asked.get("transfers", []) else "basic"
    body = json.dumps({"transfer": transfer, "objects": objects}).encode()
    return Answer(200, {"Content-Type": "application/vnd.git-lfs+json"}, body)


def lfs_put(hub: Hub, request: Request, key: str) -> Answer:
    """PUT /_lfs/{sha256}."""
    if sha256(request.record.body) != key:
        return Answer(400)
    hub.store.blobs[key] = request.record.body
    return Answer(200)


def lfs_locks(hub: Hub, request: Request, kind: str, name: str) -> Answer:
    """POST /{name}.git/info/lfs/locks/verify."""
    return reply({"ours": [], "theirs": []})


def bucket_batch(hub: Hub, request: Request, name: str) -> Answer:
    """POST /api/buckets/{name}/batch: NDJSON of additions and deletions; their content went to xet before."""
    repo = hub.store.create("buckets", name)
    files = dict(repo.branches["main"][-1].files)
    for line in request.lines:
        path = str(line["path"])
        if line["type"] == "deleteFile":
            files.pop(path, None)
        else:
            files[path] = Entry(git_oid(path.encode()), int(str(line.get("size") or 0)), str(line.get("xetHash")))
    repo.record("main", files, "batch")
    return reply({"success": True, "processed": len(request.lines), "succeeded": len(request.lines), "failed": []})
