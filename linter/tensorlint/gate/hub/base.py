"""What is in the repository already, read by ranges: the files that an upload leaves as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ...errors import TensorlintError
from ...files import folder_of, may_belong
from ...sources.client import Client
from ...sources.hub import HubSource, Listing, connect
from ...sources.targets import RemoteTarget
from .change import Change


@dataclass(frozen=True)
class Base:
    """The repository before the upload: sources over files that stay, and over all, or None where there are none.

    `trouble` says why it could not be read.
    """

    stays: HubSource | None = None
    before: HubSource | None = None
    trouble: str = ""


def removed(change: Change, name: str) -> bool:
    """Whether a file is deleted by the change."""
    return any(name == gone or name.startswith(gone.rstrip("/") + "/") for gone in change.deletions)


@contextmanager
def base_of(change: Change) -> Iterator[Base]:
    """The folders of the repository that the additions go to; connections end on leaving.

    A repository that cannot be read, or is not there yet, is `trouble`.
    """
    if not change.remote:
        yield Base()
        return
    where = RemoteTarget(change.repo, change.revision)
    client = Client(change.endpoint, change.headers)
    with ExitStack() as stack:
        stack.callback(client.stop)
        try:
            _, listing = connect(where, client=client)
        except TensorlintError as error:
            yield Base(trouble=error.message)
            return
        folders = {folder_of(a.name) for a in change.additions}
        near = {n: e for n, e in listing.files.items() if folder_of(n) in folders and may_belong(n)}
        added = {a.name for a in change.additions}
        staying = {n: e for n, e in near.items() if n not in added and not removed(change, n)}

        def source(files: Listing) -> HubSource | None:
            if not files.files:
                return None
            made = HubSource(change.repo, where, client, files)
            stack.callback(made.close)
            return made

        yield Base(source(Listing(listing.commit, staying)), source(Listing(listing.commit, near)))
