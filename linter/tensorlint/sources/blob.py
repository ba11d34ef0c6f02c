"""The bytes of one remote file: ranges, demanded and verified, from wherever the Hub says they are."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from ..errors import TensorlintError, UnfinishedError
from .client import MAX_HOPS, RETRIED, Client, circle, retry_after
from .transport import Reply, is_network_error

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)")
_EXPIRED = frozenset({400, 401, 403, 404, 410})  # what content networks answer to a signature that ran out
_MAX_RENEWALS = 3  # in a row, without a byte in between
_PROGRESS = 64 << 10  # bytes that make a cut connection count as progress


class Blob:
    """One file of a repository at a fixed commit.

    `url` is its address on the Hub, which answers with content (small files) or redirects to a signed address
    elsewhere, where the token is not sent. That address is kept until it is refused, then asked for again.
    `total` is the size in bytes that the storage reports, None before the first read.
    """

    def __init__(self, client: Client, url: str, name: str) -> None:
        self.name = name
        self.total: int | None = None
        self._client = client
        self._resolve = url
        self._signed = ""  # where the last redirect led
        self._lock = threading.Lock()
        self._asking = threading.Lock()

    def read_into(self, offset: int, buffer: memoryview, may_end: bool = False) -> int:
        """Fill `buffer` from `offset`; returns the number of bytes, fewer only with `may_end`, at the file's end.

        Raises UnfinishedError when the bytes cannot be had, AccessError when the Hub refuses them.
        """
        client = self._client
        done = tries = hops = renewals = 0
        while done < len(buffer):
            if self.total is not None and offset + len(buffer) > self.total:
                if not may_end:
                    raise UnfinishedError(
                        f"{self.name} has {self.total:,} bytes in storage; byte {offset + len(buffer):,} was needed"
                    )
                buffer = buffer[: max(0, self.total - offset)]
                continue
            first, last = offset + done, offset + len(buffer) - 1
            trouble, wait = "", 0.0
            url = ""
            try:
                with self._address() as url, client.open(url, {"Range": f"bytes={first}-{last}"}) as reply:
                    if reply.location:
                        hops += 1
                        if hops > MAX_HOPS:
                            raise client.fail(circle(self.name))
                        self._signed = client.redirected(url, reply.location)
                        continue
                    if url != self._resolve and reply.status in _EXPIRED and renewals < _MAX_RENEWALS:
                        renewals += 1
                        hops = 0
                        self._renew(url)
                        continue
                    if reply.status in RETRIED:
                        trouble, wait = f"answered {reply.status}", retry_after(reply.headers)
                    elif reply.status not in (200, 206, 416):
                        raise client.fail(self._refused(reply, url))
                    else:
                        trouble = self._mismatch(reply, first, last)
                    if not trouble and reply.status != 416:
                        got, trouble = self._fill(
                            reply, buffer[done : None if self.total is None else self.total - offset]
                        )
                        done += got
                        if got >= _PROGRESS or not trouble:
                            tries = hops = renewals = 0
            except Exception as error:
                trouble = client.network_trouble(error)
            if trouble:
                tries += 1
                client.again(tries, url, f"{trouble} (reading {self.name})", wait)
        return done

    @contextmanager
    def _address(self) -> Iterator[str]:
        """Where to read now. Only one thread at a time asks the Hub for it; the others wait for what it learns."""
        if not self._signed:
            with self._asking:
                if not self._signed:
                    yield self._resolve
                    return
        yield self._signed or self._resolve

    def _renew(self, url: str) -> None:
        with self._lock:  # another thread may have renewed it already
            if self._signed == url:
                self._signed = ""

    def _refused(self, reply: Reply, url: str) -> TensorlintError:
        if self._client.of_hub(url) and reply.headers.get("x-error-code") != "EntryNotFound":
            return self._client.refusal(reply)
        host = urlsplit(url).netloc
        return UnfinishedError(f"{host} answered {reply.status} for {self.name}", "try again later")

    def _mismatch(self, reply: Reply, first: int, last: int) -> str:
        """What is wrong with the range that was answered, or nothing; notes the total size."""
        found = _CONTENT_RANGE.fullmatch(reply.headers.get("content-range", ""))
        if reply.status == 200:
            length = reply.headers.get("content-length", "")
            if first == 0 and length.isdigit() and int(length) <= last + 1 and self.total in (None, int(length)):
                self.total = int(length)
                return ""
            return "sent the whole file although a range was asked for"
        if found is None:
            return "sent a range without saying which"
        total = int(found[3])
        if reply.status == 416:
            if total > first:
                return "refused a range inside the file"
            self.total = total
            return ""
        if self.total not in (None, total):
            return f"sent a range of a file of {total:,} bytes instead of {self.total:,}"
        if found[1] is None or (int(found[1]), int(found[2])) != (first, min(last, total - 1)):
            return f"sent another range ({found[0][:60]}) than bytes {first}-{last}"
        self.total = total
        return ""

    def _fill(self, reply: Reply, room: memoryview) -> tuple[int, str]:
        """Copy the body; returns how much came, and what went wrong if less or more than there is room."""
        started, done, patience = time.monotonic(), 0, self._client.patience
        try:
            for piece in reply.pieces:
                if done + len(piece) > len(room):
                    return done, "sent more than was asked for"
                room[done : done + len(piece)] = piece
                done += len(piece)
                self._client.count(len(piece))
                spent = time.monotonic() - started
                if done < len(room) and spent > patience.silence and done < spent * patience.slowest:
                    return done, f"sent only {done:,} bytes in {spent:.0f} seconds"
        except Exception as error:
            if not is_network_error(error):
                raise
            return done, f"broke off after {done:,} of {len(room):,} bytes"
        return done, "" if done == len(room) else f"broke off after {done:,} of {len(room):,} bytes"
