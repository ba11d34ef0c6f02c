"""GitLab Code Quality: a JSON list of issues with a fingerprint each.

Facts: `description`, `check_name`, `fingerprint`, `severity` (info, minor, major, critical, blocker), `location.path`
without a leading `./`, `location.lines.begin` (docs.gitlab.com, Code Quality, "Implement a custom tool"); issues with
the fingerprint of another one are dropped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from ..text.wording import printable
from .interface import Failure, Options, Outcome
from .places import Places
from .words import NAME, counted, cut, headline, paragraphs, where

_SEVERITY = {"error": "critical", "warning": "major", "note": "info"}


def render(outcomes: Sequence[Outcome], options: Options) -> str:
    """One issue for each finding that counts, at its first place."""
    issues: list[dict[str, object]] = []
    seen: dict[str, int] = {}
    for outcome in outcomes:
        if isinstance(outcome, Failure) or outcome.stopped:
            issues.append(_unfinished(outcome))
        if isinstance(outcome, Failure):
            continue
        places = Places(outcome)
        for f in counted(outcome):
            spot = places.spot(f.locations[0] if f.locations else None)
            # Two targets may hold the same defect.
            name = f"{outcome.target}\0{f.fingerprint}"
            seen[name] = seen.get(name, 0) + 1
            place = where(f)
            issues.append(
                {
                    "type": "issue",
                    "check_name": printable(f.rule),
                    "description": headline(f) + (f" ({place})" if place else ""),
                    "content": {"body": "\n\n".join(paragraphs(f))},
                    "categories": ["Bug Risk"],
                    "severity": _SEVERITY[f.severity],
                    "fingerprint": _hash(f"{name}\0{seen[name]}" if seen[name] > 1 else name),
                    "location": {"path": printable(spot.path), "lines": {"begin": spot.line}},
                }
            )
    return json.dumps(issues, indent=1) + "\n"


def _unfinished(outcome: Outcome) -> dict[str, object]:
    message = outcome.message if isinstance(outcome, Failure) else outcome.stopped
    return {
        "type": "issue",
        "check_name": "unfinished",
        "description": f"The check could not finish: {cut(message, 2 * NAME)}",
        "categories": ["Bug Risk"],
        "severity": "blocker",
        "fingerprint": _hash(f"{outcome.target}\0unfinished"),
        "location": {"path": cut(outcome.target, NAME), "lines": {"begin": 1}},
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
