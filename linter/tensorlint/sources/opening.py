"""From what the user typed to a source: this machine first, then the cache of downloads, then the Hub."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..errors import AccessError, TensorlintError
from ..files import CONFIGS, belongs
from .interface import RemoteSource, Source
from .local import LocalSource
from .targets import RemoteTarget, bare_name, choose


def open_target(target: str, configs: Collection[str] = CONFIGS) -> Source:
    """The source a target stands for. Its `origin` says in words which of several meanings was taken.

    A download of a model on the Hub is taken in its place where it has every shard, and every file of these `configs`.
    huggingface_hub is imported only for a model on the Hub. Raises NoCheckpointError where there is nothing, UsageError
    for a malformed target, AccessError for what the Hub does not show, UnfinishedError when it cannot be read.
    """
    meant = choose(target)
    if isinstance(meant, RemoteTarget):
        return _remote(target, meant, configs)
    path = meant.parent if meant.is_file() and meant.name.endswith(".json") else meant
    source = LocalSource(path, target)
    source.origin = f"a local {'folder' if path.is_dir() else 'file'}" if bare_name(target) else ""
    return source


@contextmanager
def opened(target: str, configs: Collection[str] = CONFIGS) -> Iterator[Source]:
    """`open_target`, with whatever it still does over the network ended on leaving."""
    source = open_target(target, configs)
    try:
        yield source
    finally:
        if isinstance(source, RemoteSource):
            source.close()


def _remote(target: str, where: RemoteTarget, configs: Collection[str]) -> Source:
    from .cached import any_snapshot, snapshot
    from .hub import HubSource, connect, in_scope

    try:
        client, listing = connect(where)
    except TensorlintError as error:
        if isinstance(error, AccessError) and bare_name(target):
            raise AccessError(error.message, f"nothing of that name is here either; {error.hint}") from error
        downloaded = any_snapshot(where.repo, where.revision)
        if error.exit_code == 4 and downloaded is not None:
            raise type(error)(error.message, f"a download is here: tensorlint check {downloaded}") from error
        raise
    revision = "" if where.revision == listing.commit else f", revision {where.revision}"
    prefix, _, files = in_scope(where, listing)
    needed = {prefix + name: entry.content_size for name, entry in files.items() if belongs(name, configs)}
    address = str(replace(where, path=prefix.rstrip("/")))
    folder = snapshot(where.repo, listing.commit, needed)
    if folder is not None:
        client.stop()
        root = folder / where.path
        root = root.parent if root.name.endswith(".json") else root
        source = LocalSource(Path(root), target)
        source.origin = f"the local download of {where.repo}{revision}, commit {listing.commit}"
        source.address = address
        return source
    remote = HubSource(target, where, client, listing)
    remote.origin = f"{client.endpoint}/{where.repo}{revision}, commit {listing.commit}"
    remote.address = address
    return remote
