"""What `tensorlint init` writes: a configuration, a hook and a workflow, made for the repository they go into."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import UsageError
from ..settings.files import NAME, discover
from ..sources.local import folders_with_weights
from ..text.about import HOME, VERSION

HOOKS = ".pre-commit-config.yaml"
WORKFLOW = ".github/workflows/tensorlint.yml"
MAX_BYTES = 1 << 20
_CONFIG = """\
#:schema {schema}
# What is checked here, and what is let pass. `tensorlint check --show-settings` shows what applies to a checkpoint.

fail-on = "error"  # or warning, note, never
# depth = "scales"  # headers, scales or full
{targets}
# Rules have other severities, and numbers, for everybody who works here:
# [severity]
# "config/*" = "note"
# [params."scales/saturated"]
# limit = 0.05

# What is found and is fine as it is has a reason, and may have an end:
# [[ignore]]
# rule = "scales/saturated"
# tensor = "model.layers.0.*"
# reason = "clipped on purpose, see the model card"
# until = 2027-03-01
"""
_TARGET = """
# Other settings for one checkpoint:
# [[target]]
# path = "{path}"
# depth = "headers"
"""
_WORKFLOW = """\
name: tensorlint
on: [push, pull_request]
permissions:
  contents: read
jobs:
  tensorlint:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
        with:
          lfs: true
          persist-credentials: false
      - uses: tensorlint/tensorlint@v{version}
"""


@dataclass(frozen=True)
class Step:
    """One file: its path below the root, its new text (None: it stays as it is), and what is said about it."""

    path: str
    text: str | None
    says: str


def entry(indent: str = "  ") -> str:
    """The lines of a pre-commit configuration that call the hooks."""
    rows = (
        f"- repo: {HOME}",
        f"  rev: v{VERSION}",
        "  hooks:",
        "    - id: tensorlint",
        "    - id: tensorlint-full",
    )
    return "".join(f"{indent}{row}\n" for row in rows)


def steps(folder: Path, force: bool) -> Iterator[Step]:
    """What is to be written for a folder; hooks and workflow go to the root of its git repository.

    Raises UsageError for files that cannot be read.
    """
    found = checkpoints(folder)
    yield _config(folder, found, force)
    root = repository(folder)
    if root is None:
        yield Step("", None, "this is no git repository: no hook and no workflow for it")
        return
    yield _hooks(root)
    if _on_the_hub(root):
        yield Step("", None, "this repository is pushed to the Hub, which runs no workflows: none is written")
        return
    path = str(root / WORKFLOW)
    if os.path.lexists(path) and not force:
        yield Step(path, None, "is there already (--force replaces it)")
    else:
        yield Step(path, _WORKFLOW.format(version=VERSION), "checks every push and pull request")


def _config(folder: Path, found: tuple[str, ...], force: bool) -> Step:
    path = folder / NAME
    if os.path.lexists(path) and not force:
        return Step(str(path), None, "is there already (--force replaces it)")
    above = None if os.path.lexists(path) else discover(folder)
    if above is not None and not force:
        return Step(above.path, None, "holds for this folder already (--force writes one of its own)")
    schema = f"https://raw.githubusercontent.com/tensorlint/tensorlint/v{VERSION}/docs/schema/config.json"
    targets = _TARGET.format(path=found[0]) if len(found) > 1 else ""
    return Step(str(path), _CONFIG.format(schema=schema, targets=targets), "what is checked, and what is let pass")


def _hooks(root: Path) -> Step:
    path = root / HOOKS
    if not os.path.lexists(path):
        return Step(str(path), "repos:\n" + entry(), "checks headers and scales on commit, every byte on push")
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path} is no file that can be extended", "move it away, then call tensorlint init again")
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    if HOME in text:
        return Step(str(path), None, "has the hooks already")
    longer = _extended(text)
    if longer is None:
        return Step(str(path), None, "cannot be extended safely; add to its `repos`:\n" + entry())
    return Step(str(path), longer, "checks headers and scales on commit, every byte on push (added at the end)")


def _extended(text: str) -> str | None:
    """A pre-commit configuration with the hooks at its end, or None where the result would not be just that."""
    before = _parsed(text)
    rows = [m[1] for line in text.splitlines() if (m := re.match(r"( *)- +repo\s*:", line))]
    if not isinstance(before, dict) or not isinstance(before.get("repos"), list) or not rows:
        return None
    longer = text.rstrip("\n") + "\n" + entry(rows[0])
    wanted = {**before, "repos": [*before["repos"], yaml.safe_load(entry())[0]]}
    return longer if _parsed(longer) == wanted else None


def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


def repository(folder: Path) -> Path | None:
    """The root of the git work tree that a folder is in."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)


def _on_the_hub(root: Path) -> bool:
    try:
        with (root / ".git" / "config").open("rb") as file:
            urls = re.findall(rb"^\s*url\s*=\s*(\S+)", file.read(MAX_BYTES), re.MULTILINE)
    except OSError:
        return False
    return bool(urls) and all(re.search(rb"[/@.](huggingface\.co|hf\.co)[/:]", url) for url in urls)


def checkpoints(folder: Path) -> tuple[str, ...]:
    """Relative paths of the folders that hold shards, as far as it is looked."""
    return tuple(Path(place).relative_to(folder).as_posix() for place in folders_with_weights(folder)[0])
