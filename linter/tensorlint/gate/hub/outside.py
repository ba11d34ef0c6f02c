"""Linting from an interpreter without the linter: by a subprocess of tensorlint's own. Standard library only."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from .change import Change, Content, Said, Verdict

_PIECE = 4 << 20  # bytes
# Not `-m`, which would look for tensorlint in the current folder first.
_CALL = (
    "import sys; sys.path[:] = filter(None, sys.path); from tensorlint.gate.hub.worker import main; sys.exit(main())"
)


def caller(python: str, environment: dict[str, str]) -> Callable[[Change], Verdict]:
    """A linter that runs worker.py in another interpreter for every change.

    Raises OSError or ValueError where that does not work; whoever asks takes any exception for a refusal.
    """

    def lint(change: Change) -> Verdict:
        with tempfile.TemporaryDirectory(prefix="tensorlint-") as folder:
            additions = [
                {"name": a.name, "path": _on_disk(a.content, Path(folder, str(i))), "approved": a.approved}
                for i, a in enumerate(change.additions)
            ]
            asked = {
                "repo": change.repo,
                "revision": change.revision,
                "endpoint": change.endpoint,
                "headers": dict(change.headers),
                "additions": additions,
                "deletions": change.deletions,
                "unseen": change.unseen,
                "remote": change.remote,
            }
            # The token goes through a pipe: arguments and environments can be read by others.
            done = subprocess.run(
                [python, "-c", _CALL],
                input=json.dumps(asked).encode(),
                stdout=subprocess.PIPE,
                env=environment,
                check=False,
            )
        if done.returncode:
            raise ValueError(f"{python} ended with exit code {done.returncode}")
        said = json.loads(done.stdout)
        return Verdict(tuple(Said(*f) for f in said["findings"]), said["text"], said["stopped"])

    return lint


def _on_disk(content: Content, spare: Path) -> str:
    """A path with the content: its own, or a copy."""
    if isinstance(content, str):
        return os.path.abspath(content)  # noqa: PTH100
    with spare.open("wb") as copy:
        if isinstance(content, bytes):
            copy.write(content)
        else:
            before = content.tell()
            content.seek(0)
            while piece := content.read(_PIECE):
                copy.write(piece)
            content.seek(before)
    return str(spare)
