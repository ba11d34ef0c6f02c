"""Models on the Hub, read by ranges: one commit for the whole run, headers and planned bytes fetched ahead."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..errors import NoCheckpointError, UnfinishedError
from ..facts import Fact
from ..files import HEADER_CAP, WEIGHTS, belongs
from ..text.about import VERSION
from .blob import Blob
from .client import Client, Patience
from .ranges import Range, Span, Window, join
from .targets import RemoteTarget

THREADS = 16
HEAD = 64 << 10  # bytes; covers the header of a shard with about 500 tensors
LONG_HEAD = 2 << 20  # bytes; longer headers and JSON files are read when they are needed, not ahead
HEADS_AHEAD = 32  # heads under way or waiting to be read, each up to LONG_HEAD
KEPT = 64 << 20  # bytes of heads that were read and are kept
AHEAD = 64 << 20  # bytes of planned ranges under way or waiting to be read
MAX_FILES = 200_000
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class RemoteEntry:
    """A file as the Hub lists it: `size` in bytes, and for LFS content the pointer's own size and sha256."""

    size: int
    lfs_size: int | None = None
    sha256: str = ""

    @property
    def content_size(self) -> int:
        """The size that the content ought to have."""
        return self.size if self.lfs_size is None else self.lfs_size


@dataclass(frozen=True)
class Listing:
    """Everything in a repository at one commit."""

    commit: str
    files: Mapping[str, RemoteEntry]


def connect(
    where: RemoteTarget, patience: Patience | None = None, client: Client | None = None
) -> tuple[Client, Listing]:
    """Resolve a revision once and list its files, with the user's token (huggingface_hub's lookup) and HF_ENDPOINT.

    `client` is for callers with a token and an endpoint of their own. Raises AccessError for what the Hub does not show
    (no such model, revision or right), UnfinishedError for the rest.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined,unused-ignore]

    if client is None:
        headers = build_hf_headers(library_name="tensorlint", library_version=VERSION)
        client = Client(constants.ENDPOINT, headers, patience)
    client.subject = where.repo + ("" if where.revision == "main" else f"@{where.revision}")
    api = f"{client.endpoint}/api/models/{where.repo}"
    info, _, _ = client.json(f"{api}/revision/{quote(where.revision, safe='')}")
    commit = info.get("sha") if isinstance(info, dict) else None
    if not isinstance(commit, str) or not _SHA.fullmatch(commit):
        raise UnfinishedError(f"the Hub names no commit for {client.subject}")
    files: dict[str, RemoteEntry] = {}
    for page in client.pages(f"{api}/tree/{commit}?recursive=true"):
        for row in page if isinstance(page, list) else ():
            if isinstance(row, dict) and row.get("type") == "file" and isinstance(row.get("path"), str):
                files[row["path"]] = _entry(row)
        if len(files) > MAX_FILES:
            raise UnfinishedError(f"{client.subject} holds more than {MAX_FILES:,} files", "name a folder of it")
    return client, Listing(commit, files)


def _entry(row: Mapping[str, Any]) -> RemoteEntry:
    def number(value: Any) -> int:
        return value if type(value) is int and value >= 0 else 0

    lfs = row.get("lfs")
    if not isinstance(lfs, dict):
        return RemoteEntry(number(row.get("size")))
    return RemoteEntry(number(row.get("size")), number(lfs.get("size")), str(lfs.get("oid") or lfs.get("sha256") or ""))


def in_scope(where: RemoteTarget, listing: Listing) -> tuple[str, str | None, dict[str, RemoteEntry]]:
    """(prefix, single file or None, files by path below the prefix) of a target that may name a folder or a file."""
    path = where.path
    if path.endswith(".json") and path in listing.files:
        path = path.rpartition("/")[0]
    single = path.rpartition("/")[2] if path in listing.files else None
    prefix = path if single is None else path.rpartition("/")[0]
    prefix += "/" if prefix else ""
    inside = {p[len(prefix) :]: e for p, e in listing.files.items() if p.startswith(prefix)}
    if single is not None:
        inside = {p: e for p, e in inside.items() if p == single or p.endswith(".json")}
    if not inside:
        raise NoCheckpointError(f"there is nothing at {where}", f"hf://{where.repo} stands for the whole model")
    return prefix, single, inside


class HubFile:
    """One file of a HubSource."""

    def __init__(self, source: HubSource, name: str) -> None:
        self.name = name
        self._source = source

    @property
    def size(self) -> int:
        """Size in bytes: of the stored content once it is known, before that what the listing says."""
        return self._source.size(self.name)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`."""
        buffer = bytearray(length)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset`."""
        self._source.read_into(self.name, offset, buffer)

    def close(self) -> None:
        """Connections are shared; nothing to release."""


class HubSource:
    """The files of one model at one commit.

    A read is served from the heads (first bytes of every file that is read, fetched ahead from the first `open` on),
    then from the planned ranges (`prefetch`), else by a request of its own.
    """

    def __init__(self, target: str, where: RemoteTarget, client: Client, listing: Listing) -> None:
        self.target = target
        self.commit = listing.commit
        prefix, self.single, self._entries = in_scope(where, listing)
        self._client = client
        base = f"{client.endpoint}/{where.repo}/resolve/{listing.commit}/"
        self._blobs = {n: Blob(client, base + quote(prefix + n), n) for n in self._entries}
        self._pool = ThreadPoolExecutor(THREADS, "tensorlint-hub")
        self._lock = threading.Lock()
        self._waiting = dict.fromkeys(n for n in sorted(self._entries, key=_reading_order) if belongs(n))
        self._heads: dict[str, Future[bytes]] = {}
        self._taken: set[str] = set()
        self._ahead = self._kept = 0
        self._window: Window | None = None
        self.origin = self.address = ""

    @property
    def fetched(self) -> int:
        """Content bytes that came over the network so far, with joined gaps and repeated requests."""
        return self._client.fetched

    def files(self) -> Mapping[str, int]:
        """Every file with the size that its content ought to have."""
        return {name: entry.content_size for name, entry in self._entries.items()}

    def broken_links(self) -> Iterable[str]:
        """The Hub has none."""
        return ()

    def open(self, name: str) -> HubFile:
        """Open one of `files()`; the first call starts fetching the heads of all."""
        self._fetch_heads()
        return HubFile(self, name)

    def facts(self, name: str) -> Iterable[Fact]:
        """What is odd about how a file is stored: its content has another size than its pointer or listing says."""
        entry, actual = self._entries[name], self.size(name)
        for stated, where in ((entry.lfs_size, "its LFS pointer"), (entry.size, "the Hub's file list")):
            if stated is not None and stated != actual:
                yield Fact("stored-size", name, values={"stated": stated, "actual": actual, "where": where})
                return

    def identity(self, name: str) -> str | None:
        """The sha256 of an LFS file; None for others and where the storage holds another size than that one had."""
        entry = self._entries[name]
        return f"sha256 {entry.sha256}" if entry.sha256 and entry.lfs_size == self.size(name) else None

    def prefetch(self, ranges: Mapping[str, Sequence[Range]]) -> None:
        """Start fetching planned ranges, in the order in which they will be read; replaces an earlier plan."""
        if self._window is not None:
            self._window.close()
        rest = {name: [(max(b, len(self._head(name))), e) for b, e in rs] for name, rs in ranges.items()}
        self._window = Window(join(rest), self._fetch, self._pool, AHEAD)

    def close(self) -> None:
        """End all requests and threads."""
        self._client.stop()
        if self._window is not None:
            self._window.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def size(self, name: str) -> int:
        """Size in bytes of the stored content; files that are checked are asked for it."""
        if self._entries[name].content_size and belongs(name):
            self._head(name)
        total = self._blobs[name].total
        return self._entries[name].content_size if total is None else total

    def read_into(self, name: str, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset` of a file."""
        head = self._head(name)
        done = len(piece := head[offset : offset + len(buffer)])
        buffer[:done] = piece
        if done < len(buffer) and self._window is not None:
            done += self._window.read_into(name, offset + done, buffer[done:])
        if done < len(buffer):
            self._blobs[name].read_into(offset + done, buffer[done:])

    def _fetch(self, span: Span) -> bytes:
        buffer = bytearray(span.size)
        self._blobs[span.file].read_into(span.begin, memoryview(buffer))
        return bytes(buffer)

    def _fetch_heads(self) -> None:
        """Keep as many heads under way as memory allows."""
        with self._lock:
            while self._waiting and self._ahead < HEADS_AHEAD:
                self._begin_head(next(iter(self._waiting)))

    def _begin_head(self, name: str) -> Future[bytes]:
        self._waiting.pop(name)
        self._ahead += 1
        self._heads[name] = self._pool.submit(self._read_head, name)
        return self._heads[name]

    def _head(self, name: str) -> bytes:
        """The first bytes of a file that is checked: a shard's header, a small JSON file; empty for other files."""
        if not belongs(name):
            return b""
        with self._lock:
            future = self._begin_head(name) if name in self._waiting else self._heads.get(name)
        if future is None:
            return b""  # dropped to save memory
        head = future.result()
        with self._lock:
            if name in self._taken:
                return head
            self._taken.add(name)
            self._ahead -= 1
            self._kept += len(head)
            while self._kept > KEPT and (oldest := next(n for n in self._heads if n in self._taken)) != name:
                self._kept -= len(self._heads.pop(oldest).result())
        self._fetch_heads()
        return head

    def _read_head(self, name: str) -> bytes:
        size, blob = self._entries[name].content_size, self._blobs[name]
        shard = name.endswith(WEIGHTS)
        first = HEAD if shard or size > LONG_HEAD else max(size, 1)
        buffer = bytearray(first)
        head = bytes(buffer[: blob.read_into(0, memoryview(buffer), may_end=True)])
        needed = 8 + int.from_bytes(head[:8], "little") if shard and len(head) >= 8 else 0
        if len(head) < needed <= min(LONG_HEAD, HEADER_CAP, blob.total or 0):
            rest = bytearray(needed - len(head))
            blob.read_into(len(head), memoryview(rest))
            head += rest
        return head


def _reading_order(name: str) -> tuple[str, bool, str]:
    """Roughly the order in which a check reads: by folder, configurations and indexes before shards."""
    folder, _, base = name.rpartition("/")
    return folder, base.endswith(WEIGHTS), base
