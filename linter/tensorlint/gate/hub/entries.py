"""The wrappers around uploads: the whole of it at the entry points, each file again before its first byte.

Standard library only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from contextvars import copy_context
from pathlib import Path
from typing import Any

from ...files import belongs, may_belong
from . import policy as policies
from . import wire
from .change import Change, Content, contents
from .review import admit, entered

Function = Callable[..., Any]


def _is_model(kind: str | None) -> bool:
    return kind in (None, "model")


def _revision(arguments: dict[str, Any]) -> str:
    """Where the files that stay come from; a pull request starts from its base."""
    return arguments.get("revision") or "main"


def _change(api: Any, arguments: dict[str, Any], **more: Any) -> Change:
    headers = api._build_hf_headers(token=arguments.get("token"))
    return Change(arguments["repo_id"], _revision(arguments), api.endpoint, dict(headers), **more)


def _described(text: str | None, lines: Iterable[str]) -> str | None:
    """A commit description with lines added that it does not have yet."""
    new = [line for line in lines if line not in (text or "")]
    return "\n\n".join(part for part in (text, "\n".join(new)) if part) if new else text


def _armed(repo: Any) -> bool:
    return isinstance(repo, str) and policies.policy_for(repo) is not None


def commit(old: Function) -> Function:
    """HfApi.create_commit: the whole commit is checked first."""
    signature = inspect.signature(old)

    def create_commit(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = signature.bind(self, *args, **kwargs)
        given = call.arguments
        if not _is_model(given.get("repo_type")) or not _armed(given["repo_id"]):
            return old(*call.args, **call.kwargs)
        if given.get("run_as_future"):  # huggingface_hub would run its own inner function, without this wrapper
            given["run_as_future"] = False
            return self.run_as_future(create_commit, *call.args, **call.kwargs)
        operations = given["operations"] = list(given["operations"])
        adds = [o for o in operations if hasattr(o, "path_or_fileobj")]
        copied = tuple(o.path_in_repo for o in operations if hasattr(o, "src_path_in_repo") and belongs(o.path_in_repo))
        deleted = tuple(o.path_in_repo for o in operations if hasattr(o, "is_folder"))
        files, gone = contents(adds)
        change = _change(self, given, deletions=deleted, unseen=copied)
        with entered(change, files, gone) as lines:
            given["commit_description"] = _described(given.get("commit_description"), lines)
            return old(*call.args, **call.kwargs)

    create_commit.is_future_compatible = True  # type: ignore[attr-defined]
    return create_commit


def preupload(old: Function) -> Function:
    """HfApi.preupload_lfs_files: what is uploaded ahead of a commit is checked with what the repository holds."""
    signature = inspect.signature(old)

    def preupload_lfs_files(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = signature.bind(self, *args, **kwargs)
        given = call.arguments
        if not _is_model(given.get("repo_type")) or not _armed(given["repo_id"]):
            return old(*call.args, **call.kwargs)
        given["additions"] = list(given["additions"])
        files, gone = contents(given["additions"])
        with entered(_change(self, given), files, gone):
            return old(*call.args, **call.kwargs)

    return preupload_lfs_files


def pipeline(old: Function) -> Function:
    """_upload_pipeline.pipelined_upload, which upload_folder uses where hf_xet is installed."""
    signature = inspect.signature(old)

    def pipelined_upload(*args: Any, **kwargs: Any) -> Any:
        call = signature.bind(*args, **kwargs)
        given = call.arguments
        if not _is_model(given.get("repo_type")) or not _armed(given["repo_id"]):
            return old(*call.args, **call.kwargs)
        files, gone = contents(given["add_operations"])
        deleted = tuple(o.path_in_repo for o in given["delete_operations"])
        with entered(_change(given["api"], given, deletions=deleted), files, gone) as lines:
            given["commit_description"] = _described(given.get("commit_description"), lines)
            return old(*call.args, **call.kwargs)

    return pipelined_upload


def large_folder(old: Function) -> Function:
    """_upload_large_folder.upload_large_folder_internal.

    Its workers take any exception for a network error and try again: only here can a broken checkpoint end it.
    """
    signature = inspect.signature(old)

    def upload_large_folder_internal(*args: Any, **kwargs: Any) -> Any:
        call = signature.bind(*args, **kwargs)
        given = call.arguments
        if not _is_model(given.get("repo_type")) or not _armed(given["repo_id"]):
            return old(*call.args, **call.kwargs)
        files = _listed(given["folder_path"], given.get("allow_patterns"), given.get("ignore_patterns"))
        with entered(_change(given["api"], given), files):
            return old(*call.args, **call.kwargs)

    return upload_large_folder_internal


def _listed(folder: Any, allow: Any, ignore: Any) -> dict[str, Content]:
    """What may belong to a checkpoint among the files of a folder as upload_large_folder lists them."""
    from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined,unused-ignore]

    root = Path(folder).expanduser().resolve()
    names = (p.relative_to(root).as_posix() for p in root.glob("**/*") if p.is_file())
    kept = filter_repo_objects(names, allow_patterns=allow, ignore_patterns=ignore)
    hidden = (".cache/huggingface/", ".git/")
    return {name: str(root / name) for name in kept if may_belong(name) and not name.startswith(hidden)}


def bucket(old: Function) -> Function:
    """HfApi._batch_bucket_files, checked only where the policy asks for it: a bucket is no release."""
    signature = inspect.signature(old)

    def _batch_bucket_files(*args: Any, **kwargs: Any) -> Any:
        call = signature.bind(*args, **kwargs)
        given = call.arguments
        repo = given["bucket_id"]
        policy = policies.policy_for(repo)
        if policy is None or not policy.buckets:
            return old(*call.args, **call.kwargs)
        added = given["add"] = list(given.get("add") or ())
        pairs = [item if isinstance(item, tuple) else (item.source, item.destination) for item in added]
        files = {name: c if isinstance(c, bytes) else str(c) for c, name in pairs if may_belong(name)}
        change = Change(repo, "main", given["self"].endpoint, remote=False)
        with entered(change, files):
            return old(*call.args, **call.kwargs)

    return _batch_bucket_files


def modes(old: Function) -> Function:
    """_commit_api._fetch_upload_modes: what did not pass, or changed since, is checked before its first byte."""
    signature = inspect.signature(old)

    def _fetch_upload_modes(*args: Any, **kwargs: Any) -> Any:
        call = signature.bind(*args, **kwargs)
        given = call.arguments
        repo = given["repo_id"]
        policy = policies.policy_for(repo) if _is_model(given.get("repo_type")) else None
        if policy is None:
            return old(*call.args, **call.kwargs)
        additions = given["additions"] = list(given["additions"])
        files, gone = contents(additions)
        endpoint = given.get("endpoint") or _endpoint()
        change = Change(repo, _revision(given), endpoint, dict(given["headers"]))
        if policy.mode != "off" and (files or gone):
            admit(change, files, gone, policy, again=True)
        with wire.expecting(repo, additions):
            return old(*call.args, **call.kwargs)

    return _fetch_upload_modes


def _endpoint() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def future(old: Function) -> Function:
    """HfApi.run_as_future: the job runs under the policy of whoever submitted it, also when its block has ended."""

    def run_as_future(self: Any, fn: Function, *args: Any, **kwargs: Any) -> Any:
        return old(self, copy_context().run, fn, *args, **kwargs)

    return run_as_future


def scheduler(old: Function) -> Function:
    """CommitScheduler.__init__: its thread does not inherit the context, so it is kept."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        self._tensorlint_policy = policies.captured()
        old(self, *args, **kwargs)

    return __init__


def push(old: Function) -> Function:
    """CommitScheduler._push_to_hub, under the policy of its constructor."""

    def _push_to_hub(self: Any, *args: Any, **kwargs: Any) -> Any:
        policy = getattr(self, "_tensorlint_policy", None)
        with policies.in_context(policy) if policy is not None else nullcontext():
            return old(self, *args, **kwargs)

    return _push_to_hub
