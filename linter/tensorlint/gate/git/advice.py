"""What stands below the report when a commit is stopped: how to go on, with entries that can be copied."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...names import pattern_of
from ...report.findings import Finding

CONFIG = "tensorlint.toml"
_ENTRIES = 3


def advice(findings: Iterable[Finding], hook: str) -> Iterator[str]:
    """Lines: look closer, fix, accept with a reason, or leave the hook out once. `findings` are those that block."""
    blocking = tuple(findings)
    rules = list(dict.fromkeys(f.rule for f in blocking))
    yield "What to do:"
    yield f"  understand  {program()} explain {rules[0]}"
    yield "  fix         change the files as the report says, `git add` them, and commit again"
    yield f"  accept      where it is meant: write this into {CONFIG}, with your reason, and `git add` it"
    entries = list(dict.fromkeys(entry for finding in blocking for entry in ignore_entries(finding)))
    for entry in entries[:_ENTRIES]:
        yield ""
        yield from (f"    {line}" for line in entry.splitlines())
    if len(entries) > _ENTRIES:
        yield f"    # and so on, for {len(entries) - _ENTRIES} more"
    yield ""
    yield f"  skip once   SKIP={hook} git commit ..."


def ignore_entries(finding: Finding) -> list[str]:
    """`[[ignore]]` entries of tensorlint.toml that cover a finding, one for each pattern of names."""
    names = [loc.name for loc in finding.locations]
    escaped = [re.sub(r"[\[*?]", r"[\g<0>]", name) for name in names]
    patterns = dict.fromkeys(escaped if len(names) == 1 else map(pattern_of, escaped)) or {"*": None}
    return [
        f'[[ignore]]\nrule = "{finding.rule}"\ntensor = {json.dumps(pattern, ensure_ascii=False)}\nreason = "..."'
        for pattern in patterns
    ]


def program() -> str:
    """How this tensorlint is called from the user's shell: by name, or by path out of a hook's own environment."""
    here = Path(sys.executable).parent
    path = os.pathsep.join(p for p in os.environ.get("PATH", "").split(os.pathsep) if Path(p) != here)
    return "tensorlint" if shutil.which("tensorlint", path=path) else str(here / "tensorlint")
