"""Who may see what, and the answers for those who may not.

The codes are those that huggingface_hub turns into its errors (`utils/_http.py`, hf_raise_for_status): RepoNotFound,
GatedRepo, RevisionNotFound, EntryNotFound; a request without a token for a repository that is missing or private gets
401 without a code, a token that is no token gets 401 with a message of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from .messages import Answer, Request, refuse
from .store import Repo


@dataclass(frozen=True)
class User:
    """An account: `repos` are the private and gated repositories it may read."""

    name: str
    repos: Collection[str] = field(default_factory=frozenset)


def no_repo(request: Request) -> Answer:
    """The answer for a repository that is not there, or not there for this user."""
    if request.record.token is None:
        return refuse(401, "", "Invalid username or password.")
    return refuse(404, "RepoNotFound", "Repository not found")


def no_revision(revision: str) -> Answer:
    """The answer for a revision that is not there."""
    return refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")


def no_entry() -> Answer:
    """The answer for a file that is not there."""
    return refuse(404, "EntryNotFound", "Entry not found")


def objection(users: dict[str, User], request: Request, repo: Repo | None, content: bool) -> Answer | None:
    """Why a request may not go on, or None. `content` is True for files, whose gate is closed; listings stay open."""
    token = request.record.token
    user = users.get(token) if token is not None else None
    if token is not None and user is None:
        return refuse(401, "", "Invalid credentials in Authorization header")
    if repo is None:
        return no_repo(request)
    allowed = user is not None and repo.name in user.repos
    if repo.private and not allowed:
        return no_repo(request)
    if repo.disabled:
        return refuse(403, "", "Access to this resource is disabled.")
    if repo.gated and content and not allowed:
        who = f"Access to model {repo.name} is restricted"
        if user is None:
            return refuse(401, "GatedRepo", f"{who}. You must have access to it and be authenticated to access it.")
        return refuse(403, "GatedRepo", f"{who} and you are not in the authorized list.")
    return None
