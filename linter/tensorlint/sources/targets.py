"""What a target on the command line means: a path on this machine, or a model on the Hub.

    org/model   org/model@revision   org/model@refs/pr/3
    hf://org/model[@revision][/folder or file]   https://huggingface.co/org/model[/tree/revision[/folder]]

The `hf://` form is that of huggingface_hub's HfFileSystem: a revision that has slashes is either `refs/pr/N`,
`refs/convert/NAME`, or quoted (`%2F`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from ..errors import NoCheckpointError, UsageError
from ..files import NAMED

# validate_repo_id in huggingface_hub/utils/_validators.py: letters, digits, `.`, `_` and `-`, up to 96 characters.
_WORD = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?P<repo>{_WORD}/{_WORD})(?:@(?P<revision>[^\s@]+))?")
_SCHEME = re.compile(
    rf"hf://(?:models/)?(?P<repo>{_WORD}/{_WORD})"
    r"(?:@(?P<revision>refs/(?:pr|convert)/[^/\s]+|[^/\s]+))?(?:/(?P<path>.*))?"
)
_PAGE = re.compile(
    rf"https?://(?P<host>[^/]+)/(?P<repo>{_WORD}/{_WORD})"
    r"(?:/(?:tree|blob|resolve)/(?P<revision>refs/(?:pr|convert)/[^/\s]+|[^/\s]+)(?:/(?P<path>[^?#]*))?)?/?(?:[?#].*)?"
)
_REFS = re.compile(r"refs/(?:pr|convert)/[^/\s]+")
_OTHER_KINDS = re.compile(r"hf://(datasets|spaces|buckets|kernels)/")
_LONGEST = 96


@dataclass(frozen=True)
class RemoteTarget:
    """A model on the Hub: `path` is a folder or file in it, or empty; `revision` a branch, tag, sha or pull request."""

    repo: str
    revision: str = "main"
    path: str = ""

    def __str__(self) -> str:
        revision = self.revision if _REFS.fullmatch(self.revision) else quote(self.revision, safe="")
        at = "" if self.revision == "main" else f"@{revision}"
        return f"hf://{self.repo}{at}" + (f"/{self.path}" if self.path else "")


def remote_target(target: str, hosts: tuple[str, ...] = ("huggingface.co", "hf.co")) -> RemoteTarget | None:
    """The model that a target names explicitly, by `hf://` or the address of its page, else None.

    Raises UsageError for an address that names something else than a model.
    """
    other = _OTHER_KINDS.match(target)
    if other:
        raise UsageError(f"{target} is in {other[1]}; only models are checked", "name a model: hf://org/model")
    found = _SCHEME.fullmatch(target) or _PAGE.fullmatch(target)
    if found is None:
        if target.startswith(("hf://", "http://", "https://")):
            raise UsageError(f"{target} does not name a model", "write hf://org/model or hf://org/model@revision")
        return None
    parts = found.groupdict()
    if parts.get("host") and parts["host"] not in hosts:
        raise UsageError(f"{target} is not on the Hub", "set HF_ENDPOINT for another Hub, and write org/model")
    path = (parts["path"] or "").strip("/")
    return _made(target, parts["repo"], unquote(parts["revision"] or "main"), unquote(path))


def bare_name(target: str) -> RemoteTarget | None:
    """The model that `org/model[@revision]` names, or None for what cannot be one, such as paths and file names."""
    found = _NAME.fullmatch(target)
    if found is None or target.endswith(NAMED):
        return None
    return _made(target, found["repo"], unquote(found["revision"] or "main"), "")


def _made(target: str, repo: str, revision: str, path: str) -> RemoteTarget:
    if len(repo) > _LONGEST or "--" in repo or ".." in repo:
        raise UsageError(
            f"{target} is not the name of a model", f"names have up to {_LONGEST} characters, no `--`, `..`"
        )
    if ".." in path.split("/"):
        raise UsageError(f"{target} leaves the model's folder")
    return RemoteTarget(repo, revision, path)


def choose(target: str) -> Path | RemoteTarget:
    """What a target means; what exists on this machine comes before a name on the Hub.

    Raises NoCheckpointError where it can be neither, UsageError where it is malformed.
    """
    explicit = remote_target(target)
    if explicit is not None:
        return explicit
    path = Path(target)
    if path.exists() or path.is_symlink():
        return path
    named = bare_name(target)
    if named is not None and not path.parent.is_dir():
        return named
    hint = "give the path of a folder, a .safetensors file or an index, or org/model for a model on the Hub"
    if named is not None:  # a folder of the organization's name is here: more likely a typing error than a model
        hint = f"for the model on the Hub write {named}"
    raise NoCheckpointError(f"there is nothing at {target}", hint)
