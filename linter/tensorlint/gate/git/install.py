"""Writing the pre-push hook, and putting back what was there before."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from ...errors import UsageError
from ...sources.git import Repo

NAME = "pre-push"
KEPT = "pre-push.before-tensorlint"
_MARK = "# tensorlint git-hook: "

# -c and not -m: a model's repository may hold a click.py, and -m would import it from there. git-lfs leaves a pre-push
# hook that is not its own alone, so where there was none before, what git-lfs would have put there is called here.
_SCRIPT = """\
#!/bin/sh
{mark}checks checkpoints before a push; `tensorlint git-hook uninstall` removes it
refs=$(cat && echo .)
refs=${{refs%.}}
if [ "${{TENSORLINT_GATE:-}}" != off ]; then
  if [ ! -x {python} ]; then
    echo "tensorlint: "{python}" is gone; install tensorlint again, then run: tensorlint git-hook install" >&2
    echo "  or push without this check: TENSORLINT_GATE=off git push" >&2
    exit 1
  fi
  printf '%s' "$refs" | {python} -c {code} git-hook run "$@" || exit
else
  echo "tensorlint: TENSORLINT_GATE=off, the push is not checked" >&2
fi
before=$(dirname "$0")/{kept}
if [ -x "$before" ]; then
  printf '%s' "$refs" | "$before" "$@"
elif [ ! -e "$before" ] && [ -d "$(git rev-parse --git-common-dir)/lfs" ] && command -v git-lfs >/dev/null 2>&1; then
  printf '%s' "$refs" | git lfs pre-push "$@"
fi
"""
_CODE = "import sys; sys.path[:] = filter(None, sys.path); from tensorlint.cli import main; main()"


def script(python: str = sys.executable) -> str:
    """The hook, for an interpreter that has tensorlint."""
    quoted = shlex.quote(Path(python).as_posix())
    return _SCRIPT.format(mark=_MARK, python=quoted, code=shlex.quote(_CODE), kept=KEPT)


def install(repo: Repo) -> list[str]:
    """Write the hook where git looks for it; what was there is kept beside it and called by it. Returns what was done.

    Raises UsageError when there are two hooks of others, of which only one could be kept.
    """
    hook, kept = _paths(repo)
    rows = []
    foreign = os.path.lexists(hook) and not _is_ours(hook)
    if foreign and os.path.lexists(kept):
        raise UsageError(f"{hook} is not tensorlint's, and {kept} is there too", "make one of the two, then try again")
    hook.parent.mkdir(parents=True, exist_ok=True)
    new = hook.with_name(f"{NAME}.tensorlint-{os.getpid()}")
    try:
        new.write_bytes(script().encode())
        new.chmod(0o755)
        if foreign:
            hook.rename(kept)
            rows.append(f"the hook that was there is now {kept}; it runs after tensorlint")
        new.replace(hook)
    finally:
        new.unlink(missing_ok=True)
    shared = repo.ask("config", "--get", "core.hooksPath")
    if shared and not hook.is_relative_to(_root(repo)):
        rows.append(f"core.hooksPath is {shared}: every repository that uses it is checked")
    return [f"installed {hook}", *rows]


def uninstall(repo: Repo) -> list[str]:
    """Remove the hook and put back the one before it. Returns what was done.

    Raises UsageError when somebody else's hook is in the place of the one to put back.
    """
    hook, kept = _paths(repo)
    rows = []
    if os.path.lexists(hook) and not _is_ours(hook):
        if os.path.lexists(kept):
            raise UsageError(f"{hook} is not tensorlint's, so {kept} stays where it is", "make one of the two")
        return [f"{hook} is not tensorlint's: left alone"]
    if os.path.lexists(hook):
        hook.unlink()
        rows.append(f"removed {hook}")
    if os.path.lexists(kept):
        kept.rename(hook)
        rows.append(f"put back the hook that was there before: {hook}")
    elif rows and (repo.path("--git-common-dir") / "lfs").is_dir():
        rows.append("for git-lfs's own hook run: git lfs update")
    return rows or [f"there is no hook of tensorlint at {hook}"]


def _paths(repo: Repo) -> tuple[Path, Path]:
    """The hook and the one before it; a relative core.hooksPath starts where git runs hooks."""
    folder = repo.path("--git-common-dir") / "hooks"
    shared = repo.ask("config", "--type=path", "--get", "core.hooksPath")
    if shared:
        folder = _root(repo) / shared
    folder = Path(os.path.normpath(folder))
    return folder / NAME, folder / KEPT


def _root(repo: Repo) -> Path:
    """The work tree, or the repository itself where there is none."""
    top = repo.ask("rev-parse", "--show-toplevel")
    return Path(top) if top else repo.path("--git-common-dir")


def _is_ours(hook: Path) -> bool:
    try:
        return _MARK.encode() in hook.read_bytes()[:200]
    except OSError:
        return False
