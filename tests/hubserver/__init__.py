"""A Hugging Face Hub over loopback, for tests: enough of the HTTP protocol for huggingface_hub 0.34 to 2.x.

    with Hub() as hub:
        hub.create("org/model", {"config.json": b"{}", "model.safetensors": content})
        os.environ["HF_ENDPOINT"] = hub.url        # before huggingface_hub is imported
        hub.faults.add(Fault("cut", match="GET /_cdn/", at=1000))
        ...
        assert not hub.log.holds(secret)           # every request is recorded with its body

Standard library only. The Hub answers as `127.0.0.1`; content of LFS files comes by redirect from `localhost`, which to
an HTTP client is another host, as the real content network is.

store.py      repositories, revisions, blobs
auth.py       tokens, private and gated repositories, the Hub's error answers
reading.py    repo info, tree, paths-info, commits, resolve, and the content network with signed URLs
writing.py    create, preupload, commits, pull requests, LFS
xet.py        upload tokens and a content-addressed store that takes everything
faults.py     what goes wrong on purpose
record.py     what was asked
server.py     sockets, routing, and how faults reach the wire
"""

from __future__ import annotations

from .faults import Fault, Faults
from .record import Log, Record
from .server import Hub
from .store import Entry, Repo

__all__ = ["Entry", "Fault", "Faults", "Hub", "Log", "Record", "Repo"]
