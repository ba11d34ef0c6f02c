"""What an upload would do to a repository, and what the linter says of it. Standard library only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...files import belongs, may_belong

if TYPE_CHECKING:
    from ...rulebook.model import Severity

# A path on this machine, the content itself, or an open binary file with read, seek and tell.
Content = Any
Stamp = tuple[str, str, int, int, int]
_PIECE = 4 << 20  # bytes


@dataclass(frozen=True)
class Addition:
    """One file of an upload: `name` is its path in the repository.

    `approved` files passed the check before and did not change since: their bytes are not read again. Nor are those of
    files that nothing has to be said about but that may describe what is checked.
    """

    name: str
    content: Content
    approved: bool = False


@dataclass(frozen=True)
class Change:
    """A commit before it is made.

    `revision` is where the files that stay come from; `headers` carry the token. `deletions` are files, or folders
    with everything below. `unseen` are files whose content is no longer here or is copied on the server. `remote` is
    False where the repository holds nothing that belongs to the additions.
    """

    repo: str
    revision: str
    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    additions: tuple[Addition, ...] = ()
    deletions: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    remote: bool = True


@dataclass(frozen=True)
class Said:
    """One finding, as much of it as the gate needs; `accepted` is why a configuration ignores it.

    `was` are names that the rule had earlier.
    """

    rule: str
    severity: Severity
    message: str
    accepted: str = ""
    was: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What the linter says of a change: `text` is for people, `stopped` says why it could not finish."""

    findings: tuple[Said, ...] = ()
    text: str = ""
    stopped: str = ""


def stamp(content: Content) -> Stamp:
    """What tells whether content changed: of a path its size, time and inode, else size and digest. Raises OSError."""
    if isinstance(content, str):
        found = os.stat(content)  # noqa: PTH116
        return "path", os.path.realpath(content), found.st_size, found.st_mtime_ns, found.st_ino
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(content, bytes):
        digest.update(content)
        return "content", digest.hexdigest(), len(content), 0, 0
    size, before = 0, content.tell()
    content.seek(0)
    while piece := content.read(_PIECE):
        digest.update(piece)
        size += len(piece)
    content.seek(before)
    return "content", digest.hexdigest(), size, 0, 0


def contents(operations: Iterable[Any]) -> tuple[dict[str, Content], tuple[str, ...]]:
    """What may belong to a checkpoint among CommitOperationAdd objects: contents by path in the repository.

    Also the paths of gated files without content: a file that was uploaded earlier may have been dropped from memory
    (`free_memory` of `preupload_lfs_files`).
    """
    here: dict[str, Content] = {}
    gone: list[str] = []
    for operation in operations:
        name, content = operation.path_in_repo, operation.path_or_fileobj
        if not may_belong(name):
            continue
        if getattr(operation, "_is_uploaded", False) and content == b"" and operation.upload_info.size:
            gone.extend([name] if belongs(name) else ())
        else:
            here[name] = os.fspath(content) if isinstance(content, os.PathLike) else content
    return here, tuple(gone)
