"""One HTTP GET, through huggingface_hub's own session.

Its session and not a client of our own: it carries the user's proxies, certificates, offline switch and whatever they
configured with `set_client_factory` or `configure_http_backend`. It is a `requests.Session` in huggingface_hub 0.x, an
`httpx.Client` in 1.x and an `httpx2.Client` in 2.x; this module is all that knows the difference. Redirects are never
followed here: who follows decides which host sees the token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_PIECE = 16 << 10  # bytes; of a connection that breaks, the last piece is lost
_NETWORK = frozenset({"httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3", "ssl", "socket", "http"})


@dataclass(frozen=True)
class Reply:
    """Status, headers (in lower case) and the body, piece by piece and as it was sent."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]

    @property
    def location(self) -> str:
        """Where a redirect leads, else empty."""
        return self.headers.get("location", "") if self.status in (301, 302, 303, 307, 308) else ""


@contextmanager
def get(url: str, headers: Mapping[str, str], connect: float, silence: float) -> Iterator[Reply]:
    """GET a URL; the body is read while the context is open and dropped when it closes.

    `connect` and `silence` are the longest waits for a connection and between two pieces, in seconds. Raises whatever
    the HTTP library raises: see `is_network_error`.
    """
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined,unused-ignore]

    session: Any = get_session()
    headers = {"Accept-Encoding": "identity", **headers}
    if callable(getattr(session, "stream", None)):
        timeout = (connect, silence, silence, silence)
        with session.stream("GET", url, headers=headers, follow_redirects=False, timeout=timeout) as answer:
            yield Reply(answer.status_code, _lower(answer.headers), answer.iter_raw())
        return
    answer = session.get(url, headers=headers, allow_redirects=False, stream=True, timeout=(connect, silence))
    try:
        yield Reply(answer.status_code, _lower(answer.headers), answer.iter_content(_PIECE))
    finally:
        answer.close()


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def is_network_error(error: BaseException) -> bool:
    """Whether an exception comes from the network and not from a mistake in a program."""
    return isinstance(error, OSError) or any(c.__module__.partition(".")[0] in _NETWORK for c in type(error).__mro__)


def is_offline(error: BaseException) -> bool:
    """Whether huggingface_hub was told to stay offline (HF_HUB_OFFLINE)."""
    return type(error).__name__ == "OfflineModeIsEnabled"
