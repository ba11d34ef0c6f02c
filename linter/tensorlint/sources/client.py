"""Talking to the Hub: who gets the token, when to wait and try again, and what an answer means to a person."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from ..errors import AccessError, TensorlintError, UnfinishedError
from . import transport
from .transport import Reply

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
MAX_HOPS = 5  # redirects in a row
_MAX_LISTING = 256 << 20  # bytes of one JSON answer
_RATE_LIMIT = re.compile(r'"\w+"\s*;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)')  # huggingface_hub utils/_http.py
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="next"')


@dataclass(frozen=True)
class Patience:
    """How long to put up with a server; times in seconds.

    `attempts` without progress end the run, `first_wait` is the first pause and doubles, `longest_wait` is the longest
    Retry-After that is obeyed (the Hub counts requests in windows of 5 minutes), `silence` the longest wait for a byte,
    and a body that is slower than `slowest` bytes per second once `silence` has passed is asked for again.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 300.0
    connect: float = 10.0
    silence: float = 30.0
    slowest: int = 8 << 10


class Client:
    """Requests to one Hub and to the hosts it redirects to. Shared by threads.

    `fetched` counts content bytes that arrived. After a failure that patience could not cure every further request
    fails at once with the same error.
    """

    def __init__(self, endpoint: str, headers: Mapping[str, str], patience: Patience | None = None) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.patience = patience or Patience()
        self.fetched = 0
        self.subject = "the model"
        self._origin = _origin(self.endpoint)
        self._headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
        self._authorization = next((v for k, v in headers.items() if k.lower() == "authorization"), "")
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._failure: TensorlintError | None = None
        self._not_before = 0.0
        self._answered = False

    @property
    def has_token(self) -> bool:
        """Whether requests to the Hub carry a token."""
        return bool(self._authorization)

    def of_hub(self, url: str) -> bool:
        """Whether a URL is on the Hub's own host, the only one that sees the token."""
        return _origin(url) == self._origin

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str]) -> Iterator[Reply]:
        """One GET. Raises network errors as they come, and the client's own failure once there is one."""
        self._wait_until(self._not_before)
        sent = {**self._headers, **headers}
        if self._authorization and self.of_hub(url):
            sent["Authorization"] = self._authorization
        with transport.get(url, sent, self.patience.connect, self.patience.silence) as reply:
            self._answered = True
            yield reply

    def redirected(self, url: str, location: str) -> str:
        """The address a redirect leads to; raises UnfinishedError where it would leave HTTPS."""
        to = urljoin(url, location)
        scheme = urlsplit(to).scheme
        if scheme not in ("http", "https") or (scheme == "http" and self.endpoint.startswith("https:")):
            raise self.fail(UnfinishedError(f"the Hub redirects {self.subject} to an insecure address"))
        return to

    def count(self, amount: int) -> None:
        """Note content bytes that arrived; raises once everything was stopped, so that no thread reads on."""
        with self._lock:
            self.fetched += amount
        self._wait_until(0.0)

    def pages(self, url: str) -> Iterator[Any]:
        """JSON answers of the Hub, following `Link: rel="next"`."""
        seen: set[str] = set()
        while url and url not in seen:
            seen.add(url)
            value, headers, url = self.json(url)
            yield value
            following = _NEXT.search(headers.get("link", ""))
            url = urljoin(url, following[1]) if following else ""

    def json(self, url: str) -> tuple[Any, Mapping[str, str], str]:
        """A JSON answer with its headers and final address; raises a TensorlintError that says what to do."""
        tries = hops = 0
        while True:
            trouble, wait = "", 0.0
            try:
                with self.open(url, {"Accept": "application/json"}) as reply:
                    if reply.location:
                        hops += 1
                        if hops > MAX_HOPS:
                            raise self.fail(circle(self.subject))
                        url = self.redirected(url, reply.location)
                        continue
                    if reply.status in RETRIED:
                        trouble, wait = f"answered {reply.status}", retry_after(reply.headers)
                    elif reply.status != 200:
                        raise self.fail(self.refusal(reply))
                    else:
                        return json.loads(self._body(reply)), reply.headers, url
            except ValueError:
                raise self.fail(
                    UnfinishedError(
                        f"{urlsplit(url).netloc} answered something that is not JSON",
                        "is there a proxy or a login page in between? HF_ENDPOINT and HTTPS_PROXY decide who is asked",
                    )
                ) from None
            except Exception as error:
                trouble = self.network_trouble(error)
            tries += 1
            self.again(tries, url, trouble, wait)

    def _body(self, reply: Reply) -> bytes:
        body = bytearray()
        for piece in reply.pieces:
            body += piece
            if len(body) > _MAX_LISTING:
                raise self.fail(UnfinishedError(f"the listing of {self.subject} is over {_MAX_LISTING:,} bytes"))
        return bytes(body)

    def network_trouble(self, error: Exception) -> str:
        """What a network error is called; raises anything else, and at once where trying again is useless."""
        if isinstance(error, TensorlintError) or not transport.is_network_error(error):
            raise error
        if transport.is_offline(error):
            hint = "unset HF_HUB_OFFLINE, or give the path of a downloaded model"
            raise self.fail(UnfinishedError(f"cannot read {self.subject}: offline mode is on", hint)) from None
        text = str(error).strip().splitlines()
        return f"failed ({type(error).__name__}{': ' + text[0][:160] if text else ''})"

    def again(self, tries: int, url: str, trouble: str, wait: float = 0.0) -> None:
        """Pause before the next attempt; raises UnfinishedError when patience ends."""
        host = urlsplit(url).netloc
        patience = self.patience
        if not self._answered and tries >= min(2, patience.attempts):
            hint = "check the network, HTTPS_PROXY and HF_ENDPOINT, or give the path of a downloaded model"
            raise self.fail(UnfinishedError(f"cannot reach {host} for {self.subject}: it {trouble}", hint))
        if tries >= patience.attempts:
            hint = "try again later; what was read so far is not a complete check"
            raise self.fail(UnfinishedError(f"{host} {trouble}, {tries} times in a row, for {self.subject}", hint))
        if wait > patience.longest_wait:
            text = f"{host} asks to wait {wait:,.0f} seconds before the next request"
            raise self.fail(UnfinishedError(text, "try again later; `hf auth login` gives a higher limit"))
        pause = max(wait, patience.first_wait * 2 ** (tries - 1) * (0.75 + random.random() / 2))
        if wait:
            with self._lock:  # the limit is the host's, so every thread waits
                self._not_before = max(self._not_before, time.monotonic() + wait)
        self._wait_until(time.monotonic() + pause)

    def _wait_until(self, moment: float) -> None:
        self._stopped.wait(max(0.0, moment - time.monotonic()))
        if self._failure is not None:
            raise self._failure
        if self._stopped.is_set():
            raise UnfinishedError("reading was stopped")

    def fail(self, error: TensorlintError) -> TensorlintError:
        """Remember an error that ends the run, and wake everybody who waits; returns it to be raised."""
        with self._lock:
            self._failure = self._failure or error
        self._stopped.set()
        return error

    def stop(self) -> None:
        """End all requests: those that wait stop waiting, new ones are refused."""
        self._stopped.set()

    def refusal(self, reply: Reply) -> TensorlintError:
        """The error that an answer of the Hub stands for (hf_raise_for_status in huggingface_hub)."""
        code, said = reply.headers.get("x-error-code", ""), reply.headers.get("x-error-message", "")
        subject, status = self.subject, reply.status
        repo, _, revision = subject.partition("@")
        if code == "GatedRepo":
            page = f"{self.endpoint}/{repo}"
            if self.has_token:
                return AccessError(f"{repo} is gated and your account has no access to it", f"ask for it at {page}")
            return AccessError(
                f"{repo} is gated and no token was found", f"accept its terms at {page}, then run `hf auth login`"
            )
        if code == "RevisionNotFound":
            hint = f"the branches, tags and commits are at {self.endpoint}/{repo}/tree/main"
            return AccessError(f"{repo} has no revision {revision or 'main'}", hint)
        if status == 401 and "credentials" in said.lower():
            return AccessError("the Hub does not accept your token", "run `hf auth login` again, or unset HF_TOKEN")
        if code == "RepoNotFound" or (status in (401, 404) and code != "EntryNotFound"):
            if self.has_token:
                hint = "check the name; `hf auth whoami` shows which account asks"
                return AccessError(f"there is no model {repo} on the Hub, or your account may not see it", hint)
            hint = "check the name; for a private model run `hf auth login`"
            return AccessError(f"there is no model {repo} on the Hub, or it is private", hint)
        if status == 403:
            reason = f": {said}" if said else ""
            hint = "check what your token may read at https://huggingface.co/settings/tokens"
            return AccessError(f"the Hub refuses access to {subject}{reason}", hint)
        return UnfinishedError(f"the Hub answered {status} for {subject}" + (f": {said}" if said else ""))


def circle(subject: str) -> UnfinishedError:
    """The error for redirects that do not end."""
    return UnfinishedError(f"the server redirects {subject} in a circle", "try again later, or check HF_ENDPOINT")


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds a server asks to wait: Retry-After as a number or a date, or the Hub's RateLimit header; else 0."""
    text = headers.get("retry-after", "").strip()
    if text:
        try:
            return max(0.0, float(text))
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except (ValueError, TypeError):
            pass
    limit = _RATE_LIMIT.search(headers.get("ratelimit", ""))
    return float(limit[1]) if limit else 0.0


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
